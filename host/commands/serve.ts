// The server from a Corefile: starts it, obeys signals, ends the process.

import type { CorefileSource } from '../corefile/source.ts';
import { stdoutLog } from '../log.ts';
import { drainMsMax } from '../server/drain.ts';
import { Lifecycle } from '../server/lifecycle.ts';
import { Server } from '../server/server.ts';
import { defaultShardCount } from '../server/shard-count.ts';

export interface ServeOptions {
  readonly source: CorefileSource;
  readonly defaultPort: number;
  /** undefined = the CPU quota, else the cores. */
  readonly shardCount: number | undefined;
  readonly pidFile: string | undefined;
  readonly isQuiet: boolean;
  readonly version: string;
  /** Address that all listeners bind to; '' = all. */
  readonly address: string;
  exit(code: number): void;
  /** Called before the server starts. */
  prepare?(server: Server): void;
}

/** As a Go program that panics. */
const EXIT_PANIC = 2;

/** Resolves when the server answers; false = it was told to end meanwhile. Throws UserError with one clear line. */
export async function serve(options: ServeOptions): Promise<boolean> {
  const log = stdoutLog();
  let end = options.exit;
  const server = new Server({
    source: options.source,
    defaultPort: options.defaultPort,
    shardCount: options.shardCount ?? defaultShardCount(),
    version: options.version,
    address: options.address,
    log,
    isQuiet: options.isQuiet,
    isForcedSlow: process.env['WASMDNS_FORCE_SLOW'] === '1',
    drainMsMax: drainMsMax(process.env),
    onFatal: (text) => {
      log.fatal(text);
      end(1);
    },
    onPanic: (text) => {
      process.stderr.write(`${text}\n`);
      options.exit(EXIT_PANIC);
    },
  });
  const lifecycle = new Lifecycle({ server, log, pidFile: options.pidFile, exit: options.exit });
  end = (code) => lifecycle.exit(code);
  lifecycle.begin();
  options.prepare?.(server);
  if (!(await server.start())) return false;
  lifecycle.serving();
  if (!options.isQuiet) for (const line of banner(options.version)) log.plain(line);
  // As CoreDNS, which waits for its servers and has none
  if (!server.isListening) end(0);
  return true;
}

/** Name and version, platform and runtime. */
export function banner(version: string): readonly string[] {
  return [`wasmdns-${version}`, `${process.platform}/${process.arch}, node${process.versions.node}`];
}

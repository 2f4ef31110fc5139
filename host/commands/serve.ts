// The server from a Corefile: starts it, obeys signals, ends the process.

import type { CorefileSource } from '../corefile/source.ts';
import { stdoutLog } from '../log.ts';
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
}

/** Resolves when the server answers. Throws UserError with one clear line. */
export async function serve(options: ServeOptions): Promise<Server> {
  const log = stdoutLog();
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const server = new Server({
    source: options.source,
    defaultPort: options.defaultPort,
    shardCount: options.shardCount ?? defaultShardCount(),
    version: options.version,
    address: options.address,
    log,
    isQuiet: options.isQuiet,
    isForcedSlow: process.env['WASMDNS_FORCE_SLOW'] === '1',
    print,
    onFatal: (text) => {
      process.stdout.write(`[FATAL] ${text}\n`);
      options.exit(1);
    },
  });
  const lifecycle = new Lifecycle({ server, log, pidFile: options.pidFile, exit: options.exit });
  lifecycle.begin();
  await server.start();
  if (!options.isQuiet) {
    print(`wasmdns-${options.version}`);
    print(`${process.platform}/${process.arch}, node${process.versions.node}`);
  }
  return server;
}

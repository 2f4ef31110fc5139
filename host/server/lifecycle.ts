// Signals and the way out (CoreDNS core, A6): what each does, what is logged, which exit code.
//
//   SIGTERM  lameduck and other plugins' ends while answering, then the sockets; exit 0; further ones are ignored
//   SIGINT   the same without a graceful end of the sockets; a second one: exit 2 at once
//   SIGQUIT  exit 0 at once        SIGUSR1  reload        SIGHUP  nothing        SIGUSR2  nothing but a line

import { rmSync, writeFileSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import type { Log } from '../log.ts';
import type { Server } from './server.ts';

export interface LifecycleOptions {
  readonly server: Pick<Server, 'restart' | 'beforeExit' | 'stop'>;
  readonly log: Log;
  readonly pidFile: string | undefined;
  exit(code: number): void;
}

const EXIT_FORCED = 2;
const EXIT_STOP_FAILED = 3;
const EXIT_HOOK_FAILED = 4;
/** Longer than everything that the shards and plugins wait for themselves: whoever sent SIGTERM may send SIGKILL next. */
const STOP_MS_MAX = 12_000;

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #abort = new AbortController();
  /** The first part of the end, whichever signal began it. */
  #hooks: Promise<number> | undefined;
  #interrupts = 0;
  #hasPidFile: boolean = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Obeys signals from now on. */
  begin(): void {
    process.on('SIGTERM', () => void this.#terminate());
    process.on('SIGINT', () => void this.#interrupt());
    process.on('SIGQUIT', () => this.#quit());
    process.on('SIGUSR1', () => void this.#reload());
    process.on('SIGUSR2', () => this.#options.log.error('SIGUSR2: upgrading is not supported'));
    process.on('SIGHUP', () => {});
  }

  /** The server answers: writes the pid file. One that cannot be written is only logged, as in CoreDNS. */
  serving(): void {
    const { pidFile, log } = this.#options;
    if (pidFile === undefined) return;
    try {
      writeFileSync(pidFile, `${process.pid}\n`);
      this.#hasPidFile = true;
    } catch (error) {
      const { errno, message } = error as NodeJS.ErrnoException;
      const reason = errno === undefined ? message : getSystemErrorMessage(errno);
      log.error(`Could not write pidfile: open ${pidFile}: ${reason}`);
    }
  }

  /** Ends the process without any ceremony but the pid file's. */
  exit(code: number): void {
    const { pidFile, exit } = this.#options;
    try {
      if (pidFile !== undefined && this.#hasPidFile) rmSync(pidFile, { force: true });
    } finally {
      exit(code);
    }
  }

  async #terminate(): Promise<void> {
    if (this.#hooks !== undefined) return;
    this.#options.log.info('SIGTERM: Shutting down servers then terminating');
    const code = await this.#runHooks('SIGTERM');
    this.exit((await this.#stop()) ?? code);
  }

  async #interrupt(): Promise<void> {
    const { log } = this.#options;
    if (++this.#interrupts > 1) {
      log.info('SIGINT: Force quit');
      this.exit(EXIT_FORCED);
      return;
    }
    log.info('SIGINT: Shutting down');
    this.exit(await this.#runHooks('SIGINT'));
  }

  #quit(): void {
    this.#options.log.info('SIGQUIT: Quitting process immediately');
    this.exit(0);
  }

  async #reload(): Promise<void> {
    if (this.#hooks !== undefined) return;
    const { server, log } = this.#options;
    log.info('SIGUSR1: Reloading');
    const { applied, error } = await server.restart();
    if (!applied) log.error(`SIGUSR1: starting with listener file descriptors: ${error}`);
  }

  /** What plugins do at the end, once, while queries are still answered; the exit code. */
  #runHooks(signal: string): Promise<number> {
    this.#hooks ??= this.#tryHooks(signal);
    return this.#hooks;
  }

  async #tryHooks(signal: string): Promise<number> {
    const { server, log } = this.#options;
    const failures = await server.beforeExit(this.#abort.signal).catch((error: unknown) => [error]);
    for (const failure of failures) log.error(`${signal} shutdown: ${textOf(failure)}`);
    return failures.length === 0 ? 0 : EXIT_HOOK_FAILED;
  }

  /** An exit code if it failed. */
  async #stop(): Promise<number | undefined> {
    const { server, log } = this.#options;
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => resolve('late'), STOP_MS_MAX);
    try {
      if ((await Promise.race([server.stop(), late])) !== 'late') return undefined;
      log.error(`SIGTERM stop: the servers have not ended within ${STOP_MS_MAX / 1000}s`);
    } catch (error) {
      log.error(`SIGTERM stop: ${textOf(error)}`);
    } finally {
      clearTimeout(timer);
    }
    return EXIT_STOP_FAILED;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

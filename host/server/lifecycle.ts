// Signals and the way out (CoreDNS core, A6): what each does, what is logged, which exit code.
//
//   SIGTERM  lameduck and other plugins' ends while answering, then the sockets; exit 0; further ones are ignored
//   SIGINT   the same without a graceful end of the sockets; a second one: exit 2 at once
//   SIGQUIT  exit 0 at once        SIGUSR1  reload        SIGHUP  nothing

import { rmSync, writeFileSync } from 'node:fs';
import type { Log } from '../log.ts';
import type { Server } from './server.ts';

export interface LifecycleOptions {
  readonly server: Server;
  readonly log: Log;
  readonly pidFile: string | undefined;
  exit(code: number): void;
}

const EXIT_FORCED = 2;
const EXIT_HOOK_FAILED = 4;

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #abort = new AbortController();
  #isEnding = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Listens for signals from now on and writes the pid file. */
  begin(): void {
    process.on('SIGTERM', () => void this.#terminate());
    process.on('SIGINT', () => void this.#interrupt());
    process.on('SIGQUIT', () => this.#quit());
    process.on('SIGUSR1', () => void this.#reload());
    process.on('SIGHUP', () => {});
    this.#writePidFile();
  }

  async #terminate(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#options.log.info('SIGTERM: Shutting down servers then terminating');
    this.#exit(await this.#end(true));
  }

  async #interrupt(): Promise<void> {
    if (this.#isEnding) {
      this.#options.log.info('SIGINT: Force quit');
      this.#exit(EXIT_FORCED);
      return;
    }
    this.#isEnding = true;
    this.#options.log.info('SIGINT: Shutting down');
    this.#exit(await this.#end(false));
  }

  #quit(): void {
    this.#options.log.info('SIGQUIT: Quitting process immediately');
    this.#exit(0);
  }

  async #reload(): Promise<void> {
    if (this.#isEnding) return;
    this.#options.log.info('SIGUSR1: Reloading');
    const { applied, error } = await this.#options.server.restart();
    if (!applied) this.#options.log.error(`SIGUSR1: starting with listener file descriptors: ${error}`);
  }

  async #end(isGraceful: boolean): Promise<number> {
    const { server, log } = this.#options;
    try {
      await server.beforeExit(this.#abort.signal);
      if (isGraceful) await server.stop();
      return 0;
    } catch (error) {
      log.error(`shutdown: ${error instanceof Error ? error.message : String(error)}`);
      return EXIT_HOOK_FAILED;
    }
  }

  #exit(code: number): void {
    const { pidFile } = this.#options;
    if (pidFile !== undefined) rmSync(pidFile, { force: true });
    this.#options.exit(code);
  }

  /** An unwritable pid file is only logged, as in CoreDNS. */
  #writePidFile(): void {
    const { pidFile, log } = this.#options;
    if (pidFile === undefined) return;
    try {
      writeFileSync(pidFile, `${process.pid}\n`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code === 'ENOENT' ? 'no such file or directory' : message;
      log.error(`Could not write pidfile: open ${pidFile}: ${reason}`);
    }
  }
}

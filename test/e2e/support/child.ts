// Child processes of a test: output kept in files, killed by their own pid, none left behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
let directory: string | undefined;

/** A directory of this process; kept, and named on stderr, when the process fails. */
export function scratchDirectory(): string {
  if (directory !== undefined) return directory;
  const created = mkdtempSync(join(tmpdir(), 'wasmdns-test-'));
  directory = created;
  // The test runner ends its files by SIGTERM when it is interrupted itself: the exit handler has to run then too.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  process.on('exit', (code) => {
    for (const child of running) child.kill('SIGKILL');
    if (code === 0) rmSync(created, { recursive: true, force: true, maxRetries: 3 });
    else process.stderr.write(`logs are kept in ${created}\n`);
  });
  return created;
}

export class Child {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  hasExited: boolean = false;
  private readonly process: ChildProcess;
  private readonly logPath: string;

  constructor(name: string, command: string, args: readonly string[], options: ChildOptions = {}) {
    this.name = name;
    this.logPath = join(scratchDirectory(), `${name}.${Date.now()}.${Math.floor(Math.random() * 1e6)}.log`);
    const log = openSync(this.logPath, 'w');
    this.process = spawn(command, args, {
      cwd: options.cwd ?? scratchDirectory(),
      env: { ...process.env, ...options.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    running.add(this.process);
    this.pid = this.process.pid ?? 0;
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit) => {
        running.delete(this.process);
        this.hasExited = true;
        resolve(exit);
      };
      this.process.once('exit', (code, signal) => end({ code, signal }));
      this.process.once('error', () => end({ code: null, signal: null }));
    });
  }

  /** Standard output and standard error so far, in the order written. */
  output(): string {
    return readFileSync(this.logPath, 'utf8');
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** SIGTERM, and SIGKILL after `graceMs`. */
  async stop(graceMs = 3000): Promise<Exit> {
    if (!this.hasExited) this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Resident set size in bytes, of this process alone. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }
}

/** Polls `check` every `stepMs` until it holds; throws with `what` after `timeoutMs`. */
export async function until(
  what: string,
  timeoutMs: number,
  check: () => boolean | Promise<boolean>,
  stepMs = 25,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await check()) return;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(stepMs);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

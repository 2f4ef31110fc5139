/** Processes of the bench: pinned to a core, logged to a file, stopped by their own pid, never left behind. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_MS = 5000;
const LOG_TAIL_BYTES = 2000;

export interface Launch {
  readonly command: string;
  readonly words: readonly string[];
  readonly core: number;
  readonly log: string;
  readonly cwd?: string;
}

const running = new Set<Process>();

export class Process {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  constructor(launch: Launch) {
    const file = openSync(launch.log, 'a');
    // taskset replaces itself by the command, so the child's pid is the command's.
    this.#child = spawn('taskset', ['-c', String(launch.core), launch.command, ...launch.words], {
      stdio: ['ignore', file, file],
      ...(launch.cwd !== undefined && { cwd: launch.cwd }),
    });
    closeSync(file);
    this.#log = launch.log;
    this.#child.on('error', () => {
      // The pid is missing then: thrown below.
    });
    this.pid = this.#child.pid ?? 0;
    if (this.pid === 0) throw new Error(`cannot start taskset: is util-linux installed?`);
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => {
        running.delete(this);
        resolve();
      });
    });
    running.add(this);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.hasEnded) process.kill(this.pid, name);
  }

  /** SIGTERM, and SIGKILL for who does not listen within STOP_MS. */
  async stop(): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    await Promise.race([this.#ended, sleep(STOP_MS, undefined, { ref: false })]);
    if (!this.hasEnded) {
      this.signal('SIGKILL');
      await this.#ended;
    }
  }

  logTail(): string {
    const text = readFileSync(this.#log, 'utf8');
    return text.slice(-LOG_TAIL_BYTES);
  }
}

/** Waits until `isReady` says so. @throws Error with the end of the log when the process ends or time is over */
export async function untilReady(
  name: string,
  server: Process,
  isReady: () => Promise<boolean>,
  limitMs: number,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await isReady())) {
    if (server.hasEnded) throw new Error(`${name} ended before it was ready:\n${server.logTail()}`);
    if (performance.now() > deadline) throw new Error(`${name} is not ready after ${limitMs} ms:\n${server.logTail()}`);
    await sleep(50);
  }
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
}

/** For the exit of the bench itself, which waits for nobody. */
export function killAll(): void {
  for (const child of running) child.signal('SIGKILL');
}

/** From now on all threads of `pid` run on `core` at lowest priority: must not disturb what is measured there. */
export function confine(pid: number, core: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
  for (const task of readdirSync(`/proc/${pid}/task`)) setPriority(Number(task), 19);
}

/** The process and all below it: some servers (NSD) fork the one that answers. */
export function processTree(pid: number): number[] {
  const pids = [pid];
  for (let index = 0; index < pids.length; index++) {
    try {
      for (const task of readdirSync(`/proc/${pids[index]}/task`)) {
        const children = readFileSync(`/proc/${pids[index]}/task/${task}/children`, 'latin1');
        for (const child of children.split(' ')) if (child !== '') pids.push(Number(child));
      }
    } catch {
      // A process that ended in between has no children left.
    }
  }
  return pids;
}

/** VmRSS of all of them, in octets; pages that a fork shares count twice. */
export function residentBytes(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    kibibytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return kibibytes * 1024;
}

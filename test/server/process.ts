// dist/wasmdns.js as a child process: its standard output and error apart, its Corefile in a folder of its own. Nothing
// is left behind, whatever becomes of the test.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { ask as askClient } from '../e2e/support/ask.ts';
import { type Exit, scratchDirectory, sleep, until } from '../e2e/support/child.ts';
import { type DnsClient, TcpClient, UdpClient } from '../e2e/support/dns-client.ts';
import { httpGet } from '../e2e/support/server.ts';
import { repository } from '../e2e/support/tools.ts';

const PROGRAM = join(repository, 'dist/wasmdns.js');
/** Generous: other suites use the same cores. */
const WITHIN_MS = 15_000;
/** A line of a JavaScript stack trace. */
export const STACK_TRACE = /^\s+at .+[:(][0-9]+:[0-9]+\)?$|node:internal/m;

export interface StartOptions {
  /** Text of `Corefile` in the working directory; absent = there is none. */
  readonly corefile?: string;
  readonly cwd?: string;
  /** Given on standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In place of dist/wasmdns.js: a script that is given to Node. */
  readonly script?: string;
}

const running = new Set<Started>();
process.on('exit', () => {
  for (const started of running) started.kill('SIGKILL');
});

export class Started {
  readonly folder: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  #out = '';
  #err = '';
  #hasExited = false;

  constructor(args: readonly string[], { corefile, cwd, input, env, script }: StartOptions) {
    this.folder = cwd ?? newFolder();
    if (corefile !== undefined) writeFileSync(this.corefile, corefile);
    const program = script === undefined ? [PROGRAM] : ['--input-type=module', '-e', script, '--'];
    this.#process = spawn(process.execPath, [...program, ...args], {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#process.stdin.on('error', () => {});
    this.#process.stdin.end(input ?? '');
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
    });
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        running.delete(this);
        this.#hasExited = true;
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }
  get corefile(): string {
    return join(this.folder, 'Corefile');
  }
  /** Standard output so far. */
  get out(): string {
    return this.#out;
  }
  get err(): string {
    return this.#err;
  }
  get lines(): string[] {
    return this.#out.split('\n').slice(0, -1);
  }
  get hasExited(): boolean {
    return this.#hasExited;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until standard output, from the offset on, matches. */
  async says(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.#out.slice(from));
    await until(
      `${pattern} in ${JSON.stringify(this.#out)} ${this.#err}`,
      WITHIN_MS,
      () => {
        if (this.#hasExited && found() === null) throw new Error(`it has ended: ${this.#out}${this.#err}`);
        return found() !== null;
      },
      5,
    );
    return found()!;
  }

  /** Waits for the last line of a start. */
  async serves(): Promise<this> {
    await this.says(/^linux\/.*\n/m);
    return this;
  }

  /** How it ended; rejects when it does not. */
  async ends(): Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }> {
    const begin = performance.now();
    const timer = setTimeout(() => this.kill('SIGKILL'), WITHIN_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return { ...exit, ms: performance.now() - begin };
  }

  /** Replaces the Corefile and waits for the outcome of a SIGUSR1 reload: what was printed meanwhile. */
  async reload(corefile: string): Promise<string> {
    const from = this.#out.length;
    writeFileSync(this.corefile, corefile);
    this.kill('SIGUSR1');
    await this.says(/Reloading complete\n|\[ERROR\] SIGUSR1: .*\n/, from);
    return this.#out.slice(from);
  }
}

export function newFolder(): string {
  return mkdtempSync(join(scratchDirectory(), 'server-'));
}

/** Starts the program in one shard; it is killed when the test ends. */
export function start(t: TestContext, args: readonly string[], options: StartOptions = {}): Started {
  const started = new Started([...args, '-shards', '1'], options);
  t.after(async () => {
    if (!started.hasExited) started.kill('SIGKILL');
    await started.exited;
  });
  return started;
}

/** Starts it with a Corefile and waits until it serves. */
export function serve(t: TestContext, corefile: string, args: readonly string[] = []): Promise<Started> {
  return start(t, ['-conf', 'Corefile', ...args], { corefile }).serves();
}

export interface AskOptions {
  readonly type?: string;
  readonly proto?: 'udp' | 'tcp';
  readonly withinMs?: number;
  readonly host?: string;
}

/** `NOERROR 192.0.2.1`, `REFUSED`, `silence`: one question over its own socket. */
export async function ask(
  port: number,
  name: string,
  { type = 'A', proto = 'udp', withinMs = 5000, host = '127.0.0.1' }: AskOptions = {},
): Promise<string> {
  const client: DnsClient = proto === 'udp' ? new UdpClient(port, host) : new TcpClient(port, host);
  try {
    return await askClient(client, name, type, withinMs);
  } catch {
    return 'silence';
  } finally {
    client.close();
  }
}

/** Status and body of GET on loopback, `closed` when nobody listens. */
export async function page(port: number, path: string): Promise<string> {
  try {
    const { status, body } = await httpGet(port, path);
    return `${status} ${body}`.trim();
  } catch {
    return 'closed';
  }
}

/** Polls until the page is as expected. */
export async function pageIs(port: number, path: string, expected: string): Promise<void> {
  let seen = '';
  await until(`${path} of ${port} is ${expected}`, WITHIN_MS, async () => {
    seen = await page(port, path);
    return seen === expected;
  }).catch(() => {
    throw new Error(`${path} of port ${port} is ${seen}, not ${expected}`);
  });
}

/** Inodes of the sockets with which a process listens on a port, UDP and TCP. */
export function socketsOn(pid: number, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = ['udp', 'udp6', 'tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((words) => words[1]?.endsWith(`:${hex}`) && (table.startsWith('udp') || words[3] === '0A'))
      .map((words) => words[9]!),
  );
  return inodes.filter((inode) => isHeldBy(pid, inode)).sort();
}

function isHeldBy(pid: number, inode: string): boolean {
  return descriptorsOf(pid).includes(`socket:[${inode}]`);
}

/** What the open descriptors of a process are. */
export function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      // Closed meanwhile
      return [];
    }
  });
}

/** An HTTP server that answers everything with one status; closed when the test ends. */
export async function httpServer(t: TestContext, status: number, body: string): Promise<number> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

export { sleep, until };

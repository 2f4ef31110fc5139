// A DNS server under test: wasmdns or the real CoreDNS, both from the same Corefile text.

import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Child, scratchDirectory, sleep } from './child.ts';
import { UdpClient } from './dns-client.ts';
import { freePort } from './ports.ts';
import { composeQuery } from './query.ts';
import { repository, toolPath } from './tools.ts';

export type Seat = 'wasmdns' | 'coredns';

/**
 * The server that stands where wasmdns stands. WASMDNS_E2E_SEAT=coredns puts the real CoreDNS there: every suite must
 * then agree with itself, which proves the suite and not the server.
 */
export const seatUnderTest: Seat = process.env['WASMDNS_E2E_SEAT'] === 'coredns' ? 'coredns' : 'wasmdns';

export interface ServerOptions {
  readonly upstreamPort?: number;
  readonly kubeconfig?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** wasmdns only; 1 by default, for tests do not need more than one core. */
  readonly shards?: number;
  /** Do not wait for /ready: the API server is not meant to answer. */
  readonly isUnsynced?: boolean;
  /** How long it may take to be ready, 60 s by default. */
  readonly withinMs?: number;
  /** The words of a command that runs the server in its place: taskset, prlimit. */
  readonly under?: readonly string[];
  /** Runs it in another way than from this checkout. */
  readonly launch?: (corefilePath: string) => Launch;
  /** More `@WORD@`s of the Corefile. */
  readonly words?: Readonly<Record<string, string | number>>;
}

/** How a server is run. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Ends what outlives the command. */
  end?(): Promise<unknown>;
}

export interface ServerPorts {
  readonly dns: number;
  readonly health: number;
  readonly ready: number;
  readonly metrics: number;
}

export class DnsServer {
  readonly seat: Seat;
  readonly child: Child;
  readonly ports: ServerPorts;
  readonly corefilePath: string;
  readonly #launch: Launch;

  constructor(seat: Seat, child: Child, ports: ServerPorts, corefilePath: string, launch: Launch) {
    this.seat = seat;
    this.child = child;
    this.ports = ports;
    this.corefilePath = corefilePath;
    this.#launch = launch;
  }

  get port(): number {
    return this.ports.dns;
  }

  /** At once, without lameduck. */
  async stop(): Promise<void> {
    await this.#launch.end?.();
    this.child.kill('SIGKILL');
    await this.child.exited;
  }
}

/** Text of `test/cases/corefiles/NAME.Corefile`, its `@WORD@`s still in place. */
export function corefileTemplate(name: string): string {
  return readFileSync(join(repository, 'test/cases/corefiles', `${name}.Corefile`), 'utf8');
}

export async function choosePorts(): Promise<ServerPorts> {
  return { dns: await freePort(), health: await freePort(), ready: await freePort(), metrics: await freePort() };
}

export async function fillCorefile(template: string, ports: ServerPorts, options: ServerOptions): Promise<string> {
  const words: Record<string, string | number> = {
    PORT: ports.dns,
    HEALTH: ports.health,
    READY: ports.ready,
    METRICS: ports.metrics,
    UPSTREAM: options.upstreamPort ?? 0,
    KUBECONFIG: options.kubeconfig ?? '',
    FILES: join(repository, 'test/cases/files'),
    ...options.words,
  };
  if (template.includes('@CLOSED@') && words['CLOSED'] === undefined) words['CLOSED'] = await freePort();
  return template.replace(/@([A-Z]+)@/g, (_, word: string) => {
    const value = words[word];
    if (value === undefined) throw new Error(`no value for @${word}@ in the Corefile`);
    return String(value);
  });
}

export function commandOf(seat: Seat, corefilePath: string, shards: number): Launch {
  if (seat === 'coredns') return { command: toolPath('coredns'), args: ['-conf', corefilePath] };
  const program = join(repository, 'dist/wasmdns.js');
  return { command: process.execPath, args: [program, '-conf', corefilePath, '--shards', String(shards)] };
}

/** Starts the server and waits until it answers queries and, if it has /ready, until that says so. */
export async function startServer(seat: Seat, template: string, options: ServerOptions = {}): Promise<DnsServer> {
  const ports = await choosePorts();
  const corefilePath = join(scratchDirectory(), `Corefile.${seat}.${ports.dns}`);
  writeFileSync(corefilePath, await fillCorefile(template, ports, options));
  const launch = options.launch?.(corefilePath) ?? commandOf(seat, corefilePath, options.shards ?? 1);
  const [first, ...rest] = [...(options.under ?? []), launch.command, ...launch.args];
  const child = new Child(`${seat}-${ports.dns}`, first!, rest, options.env === undefined ? {} : { env: options.env });
  const server = new DnsServer(seat, child, ports, corefilePath, launch);
  await waitUntilServing(server, !options.isUnsynced && template.includes('@READY@'), options.withinMs);
  return server;
}

async function waitUntilServing(server: DnsServer, hasReady: boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (server.child.hasExited) throw new Error(`${server.child.name} has exited:\n${server.child.output()}`);
    if ((await isServing(server.port)) && (!hasReady || (await httpStatus(server.ports.ready, '/ready')) === 200))
      return;
    if (Date.now() > deadline) {
      await server.stop();
      throw new Error(`${server.child.name} does not answer after ${timeoutMs} ms:\n${server.child.output()}`);
    }
    await sleep(50);
  }
}

/** Opcode STATUS is refused by the server itself: no plugin, cache, counter or log line sees the probe. */
export async function isServing(port: number, timeoutMs = 250): Promise<boolean> {
  const client = new UdpClient(port);
  const reply = await client.exchange(composeQuery({ name: '.', type: 1, opcode: 2 }), timeoutMs);
  client.close();
  return reply !== undefined;
}

/** Status of GET on loopback, 0 when nobody listens. */
export function httpStatus(port: number, path: string, timeoutMs = 2000): Promise<number> {
  return httpGet(port, path, timeoutMs).then(
    (response) => response.status,
    () => 0,
  );
}

export function httpGet(port: number, path: string, timeoutMs = 2000): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, timeout: timeoutMs, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
  });
}

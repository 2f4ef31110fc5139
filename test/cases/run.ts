// Runs one case against a server over one transport.

import { sleep } from '../e2e/support/child.ts';
import { type DnsClient, openStream, TcpClient, UdpClient } from '../e2e/support/dns-client.ts';
import { formatMessage, parseMessage } from '../e2e/support/message.ts';
import { lowerCase } from '../e2e/support/name.ts';
import type { Upstream } from '../e2e/support/upstream.ts';
import type { Case } from './case-file.ts';
import { checkReply } from './check.ts';
import type { Ask, SeenStep, Transport } from './step.ts';

/** Longer than the 5 s that CoreDNS gives a forwarded query. */
const REPLY_TIMEOUT_MS = 12_000;
/** How long nothing must come where no reply is expected. */
const SILENCE_MS = 700;
/** How exactly the moment of closing a stream is checked. */
const CLOSING_SLACK_S = 1.5;

export interface Run {
  readonly port: number;
  readonly transport: Transport;
  readonly upstream: Upstream;
  /** See Circumstances. */
  readonly isExact: boolean;
}

/** The transports over which a case runs: those that it names, else UDP and TCP. */
export function transportsOf(subject: Case): readonly Transport[] {
  const asks = subject.steps.filter((step) => step.kind === 'ask');
  const isFixed = asks.every((ask) => ask.transport !== undefined);
  if (isFixed) return asks.every((ask) => ask.transport === 'tcp') ? ['tcp'] : ['udp'];
  return asks.some((ask) => ask.transport !== undefined) ? ['udp'] : ['udp', 'tcp'];
}

export interface CaseResult {
  /** What is wrong, one finding a line; empty if nothing. */
  readonly findings: readonly string[];
  /** What the case took beyond its waits. */
  readonly lateMs: number;
}

export async function runCase(subject: Case, run: Run): Promise<CaseResult> {
  const runner = new CaseRunner(subject, run);
  try {
    const findings = await runner.run();
    return { findings, lateMs: runner.lateMs };
  } finally {
    runner.close();
  }
}

class CaseRunner {
  private readonly subject: Case;
  private readonly target: Run;
  private readonly clients = new Map<Transport, UdpClient | TcpClient>();
  private readonly names: Set<string>;
  private readonly startedAt = performance.now();
  private waitedSeconds = 0;
  private lastTransport: Transport;

  constructor(subject: Case, target: Run) {
    this.subject = subject;
    this.target = target;
    this.lastTransport = target.transport;
    const asks = subject.steps.filter((step) => step.kind === 'ask');
    this.names = new Set(asks.flatMap((ask) => ask.names.map(lowerCase)));
  }

  async run(): Promise<string[]> {
    for (const step of this.subject.steps) {
      const findings = step.kind === 'ask' ? await this.ask(step) : step.kind === 'seen' ? this.checkSeen(step) : [];
      if (findings.length > 0) return findings;
      if (step.kind === 'wait') {
        this.waitedSeconds += step.seconds;
        await sleep(step.seconds * 1000);
      }
    }
    const strays = [...this.clients.values()].flatMap((client: DnsClient) => client.strays);
    return strays.map((octets) => `a reply that nobody waits for: ${Buffer.from(octets).toString('hex')}`);
  }

  get lateMs(): number {
    return performance.now() - this.startedAt - this.waitedSeconds * 1000;
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }

  private async ask(ask: Ask): Promise<string[]> {
    this.lastTransport = ask.transport ?? this.target.transport;
    if (ask.isStream) return this.stream(ask);
    const expected = ask.expected[0]!;
    const client = this.client(this.lastTransport);
    const sent = withRandomId(ask);
    const reply = await client.exchange(sent, expected === 'silence' ? SILENCE_MS : REPLY_TIMEOUT_MS);
    const elapsed = Math.floor((performance.now() - this.startedAt) / 1000);
    const words = {
      port: String(await client.localPort),
      proto: this.lastTransport === 'tcp' ? 'tcp' : 'udp',
      address: this.lastTransport === 'udp6' ? '::1' : '127.0.0.1',
    };
    const lateSeconds = elapsed - Math.floor(this.waitedSeconds);
    return place(ask, checkReply(reply, expected, { sent, lateSeconds, words, isExact: this.target.isExact }));
  }

  /** Sends the octets on a connection of their own and reads until all replies have come or it is closed. */
  private async stream(ask: Ask): Promise<string[]> {
    const stream = await openStream(this.target.port);
    const openedAt = performance.now();
    if (ask.octets.length > 0) stream.write(ask.octets);
    const findings: string[] = [];
    const sent = Uint8Array.of(0x12, 0x34);
    for (const expected of ask.expected) {
      const reply = await stream.nextFrame(REPLY_TIMEOUT_MS);
      const about = { sent: questionAfter(sent, reply), lateSeconds: 0, words: {}, isExact: this.target.isExact };
      findings.push(...checkReply(reply, expected, about));
    }
    if (ask.closing === 'open' || ask.closing === undefined) {
      if (await closesWithin(stream.closed, SILENCE_MS)) findings.push('the server closed the connection');
    } else {
      const isClosed = await closesWithin(stream.closed, (ask.closing + CLOSING_SLACK_S) * 1000);
      const seconds = (performance.now() - openedAt) / 1000;
      if (!isClosed) findings.push(`the connection is still open after ${seconds.toFixed(1)} s`);
      else if (seconds < ask.closing - 0.1) findings.push(`the connection was closed after ${seconds.toFixed(1)} s`);
    }
    for (const extra of stream.frames) findings.push(`one reply too many: ${formatMessage(parseMessage(extra))}`);
    stream.destroy();
    return place(ask, findings);
  }

  private checkSeen(step: SeenStep): string[] {
    const proto = this.lastTransport === 'tcp' ? 'tcp' : 'udp';
    const want = step.texts.map((text) => (/^(udp|tcp) /.test(text) ? text : `${proto} ${text}`));
    const is = this.target.upstream.takeSeen(this.names);
    if (is.join('\n') === want.join('\n')) return [];
    const show = (texts: string[]) => texts.join(' / ') || 'nothing';
    return [`${step.place}: upstream: expected ${show(want)}, got ${show(is)}`];
  }

  private client(transport: Transport): UdpClient | TcpClient {
    const address = transport === 'udp6' ? '::1' : '127.0.0.1';
    const made = this.clients.get(transport);
    if (made !== undefined) return made;
    const client = transport === 'tcp' ? new TcpClient(this.target.port) : new UdpClient(this.target.port, address);
    this.clients.set(transport, client);
    return client;
  }
}

function place(ask: Ask, findings: readonly string[]): string[] {
  return findings.length === 0 ? [] : [`${ask.place}: ${ask.text}`, ...findings];
}

/** Raw octets are sent as they stand; a composed question gets a random id. */
function withRandomId(ask: Ask): Uint8Array {
  if (ask.text.startsWith('hex ')) return ask.octets;
  const octets = Uint8Array.from(ask.octets);
  octets[0] = Math.floor(Math.random() * 256);
  octets[1] = Math.floor(Math.random() * 256);
  return octets;
}

/** In a stream the question that a reply belongs to is not known: the echo is taken as it is. */
function questionAfter(id: Uint8Array, reply: Uint8Array | undefined): Uint8Array {
  return reply === undefined ? id : Buffer.concat([id, reply.subarray(2)]);
}

async function closesWithin(closed: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isClosed = await Promise.race([closed.then(() => true), late]);
  clearTimeout(timer);
  return isClosed;
}

// Two servers asked the same at the same time.

import { type Comparison, compareReplies, type RecordOrder } from '../support/compare.ts';
import { type DnsClient, TcpClient, UdpClient } from '../support/dns-client.ts';
import { formatMessage, parseMessage } from '../support/message.ts';
import { askedName, composeProbe, isSilenceDue, nextToken, type Probe } from './probe.ts';

const REPLY_TIMEOUT_MS = 8000;
const SILENCE_MS = 400;

/** One of the two servers: its ports by their words in the Corefile. */
export interface Side {
  readonly seat: string;
  readonly ports: Readonly<Record<string, number>>;
  /** What the server itself takes for its port, when something stands before it. */
  readonly ownPort?: number;
}

/** What a Corefile promises of its answers. */
export interface Promises {
  /** By how much TTLs may differ. */
  ttlSlackSeconds(name: string): number;
  order(name: string): RecordOrder;
  /** Longer than the 5 s that a forwarded query may take, unless the caller cannot wait. */
  readonly replyTimeoutMs?: number | undefined;
}

export interface Outcome {
  readonly sent: Uint8Array;
  readonly replies: readonly [Uint8Array | undefined, Uint8Array | undefined];
  readonly comparison: Comparison;
}

export type Sides = readonly [Side, Side];

/** A lane asks one probe after the other; lanes run side by side. */
export class Lane {
  private readonly sides: Sides;
  private readonly promises: Promises;
  private readonly clients = new Map<string, readonly [DnsClient, DnsClient]>();
  /** How lines of plugins log and errors name the queries that had a TSIG. */
  readonly signed: string[] = [];
  private nextId: number;

  constructor(sides: Sides, promises: Promises, firstId: number) {
    this.sides = sides;
    this.promises = promises;
    this.nextId = firstId;
  }

  /** Asks as often as the probe says; ends with the first outcome that differs, or with the last one. */
  async run(probe: Probe): Promise<Outcome> {
    const token = nextToken();
    let outcome = await this.exchange(probe, token);
    for (let n = 1; n < probe.times && outcome.comparison.differences.length === 0; n++) {
      outcome = await this.exchange(probe, token);
    }
    return outcome;
  }

  close(): void {
    for (const pair of this.clients.values()) for (const client of pair) client.close();
    this.clients.clear();
  }

  /** Replies that came when none was awaited any more. */
  strays(): Uint8Array[] {
    return [...this.clients.values()].flatMap((pair) => pair.flatMap((client) => client.strays));
  }

  private async exchange(probe: Probe, token: string): Promise<Outcome> {
    this.nextId = (this.nextId + 1) & 0xffff;
    const sent = composeProbe(probe, token, this.nextId);
    if (probe.extras.includes('tsig'))
      this.signed.push(`- ${this.nextId} "`, `: 2 ${askedName(sent)} `, `: 0 ${askedName(sent)} `);
    const timeoutMs = isSilenceDue(sent) ? SILENCE_MS : (this.promises.replyTimeoutMs ?? REPLY_TIMEOUT_MS);
    const [left, right] = this.pair(probe);
    const replies = await Promise.all([left.exchange(sent, timeoutMs), right.exchange(sent, timeoutMs)]);
    const name = askedName(sent) ?? '';
    const comparison = compareReplies(replies[0], replies[1], {
      ttlSlackSeconds: this.promises.ttlSlackSeconds(name),
      order: this.promises.order(name),
    });
    return { sent, replies, comparison };
  }

  private pair({ transport, listener }: Probe): readonly [DnsClient, DnsClient] {
    const address = transport === 'udp6' ? '::1' : listener.address;
    const key = `${transport} ${listener.word} ${address}`;
    const made = this.clients.get(key);
    if (made !== undefined) return made;
    const open = ({ ports }: Side): DnsClient => {
      const port = ports[listener.word]!;
      return transport === 'tcp' ? new TcpClient(port, address) : new UdpClient(port, address);
    };
    const pair = [open(this.sides[0]), open(this.sides[1])] as const;
    this.clients.set(key, pair);
    return pair;
  }
}

/** Both answers in full, for a person. */
export function formatOutcome(outcome: Outcome, sides: Sides): string {
  const show = (reply: Uint8Array | undefined) => {
    if (reply === undefined) return 'no reply';
    try {
      return formatMessage(parseMessage(reply));
    } catch (error) {
      return `malformed (${(error as Error).message}): ${Buffer.from(reply).toString('hex')}`;
    }
  };
  return [
    `sent ${Buffer.from(outcome.sent).toString('hex')}`,
    ...outcome.comparison.differences.map((difference) => `difference: ${difference}`),
    `${sides[0].seat} (left): ${show(outcome.replies[0])}`,
    `${sides[1].seat} (right): ${show(outcome.replies[1])}`,
  ].join('\n');
}

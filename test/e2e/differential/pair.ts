// Two servers asked the same at the same time.

import { type Comparison, compareReplies } from '../support/compare.ts';
import { type DnsClient, TcpClient, UdpClient } from '../support/dns-client.ts';
import { formatMessage, parseMessage } from '../support/message.ts';
import type { DnsServer } from '../support/server.ts';
import { askedName, composeProbe, isSilenceDue, nextToken, type Probe } from './probe.ts';

/** Longer than the 5 s that a forwarded query may take. */
const REPLY_TIMEOUT_MS = 8000;
const SILENCE_MS = 500;

export interface Outcome {
  readonly sent: Uint8Array;
  readonly replies: readonly [Uint8Array | undefined, Uint8Array | undefined];
  readonly comparison: Comparison;
}

/** A lane asks one probe after the other; lanes run side by side. */
export class Lane {
  private readonly servers: readonly [DnsServer, DnsServer];
  private readonly clients = new Map<string, readonly [DnsClient, DnsClient]>();
  private nextId: number;

  constructor(servers: readonly [DnsServer, DnsServer], firstId: number) {
    this.servers = servers;
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
  }

  /** Replies that came when none was awaited any more. */
  strays(): Uint8Array[] {
    return [...this.clients.values()].flatMap((pair) => pair.flatMap((client) => client.strays));
  }

  private async exchange(probe: Probe, token: string): Promise<Outcome> {
    this.nextId = (this.nextId + 1) & 0xffff;
    const sent = composeProbe(probe, token, this.nextId);
    const timeoutMs = isSilenceDue(sent) ? SILENCE_MS : REPLY_TIMEOUT_MS;
    const [left, right] = this.pair(probe.transport);
    const replies = await Promise.all([left.exchange(sent, timeoutMs), right.exchange(sent, timeoutMs)]);
    // Answers out of the cache count down; the two servers read their clocks at two moments.
    const slack =
      askedName(sent)?.endsWith('svc.cluster.local.') === true && !probe.name.startsWith('external') ? 0 : 1;
    return { sent, replies, comparison: compareReplies(replies[0], replies[1], slack) };
  }

  private pair(transport: Probe['transport']): readonly [DnsClient, DnsClient] {
    const made = this.clients.get(transport);
    if (made !== undefined) return made;
    const open = ({ port }: DnsServer): DnsClient => {
      if (transport === 'tcp') return new TcpClient(port);
      return new UdpClient(port, transport === 'udp6' ? '::1' : '127.0.0.1');
    };
    const pair = [open(this.servers[0]), open(this.servers[1])] as const;
    this.clients.set(transport, pair);
    return pair;
  }
}

/** Both answers in full, for a person. */
export function formatOutcome(outcome: Outcome, servers: readonly [DnsServer, DnsServer]): string {
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
    `${servers[0].seat} (left): ${show(outcome.replies[0])}`,
    `${servers[1].seat} (right): ${show(outcome.replies[1])}`,
  ].join('\n');
}

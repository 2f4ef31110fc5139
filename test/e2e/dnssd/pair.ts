// Two servers with one Corefile and one API server: what one of them answers, the other must as well.

import assert from 'node:assert/strict';
import { answerText } from '../support/ask.ts';
import { sleep } from '../support/child.ts';
import { compareReplies } from '../support/compare.ts';
import { type DnsClient, TcpClient } from '../support/dns-client.ts';
import { formatMessage, parseMessage } from '../support/message.ts';
import { FLAGS, rcodeName, TYPES } from '../support/numbers.ts';
import { composeQuery } from '../support/query.ts';
import { type DnsServer, type ServerOptions, seatUnderTest, startServer } from '../support/server.ts';

/** After this a change counts as lost. */
const LOST_MS = 10_000;
const STEP_MS = 20;

export class Pair {
  readonly servers: readonly [DnsServer, DnsServer];
  readonly #tcp: readonly [DnsClient, DnsClient];
  #id = 0;

  private constructor(servers: readonly [DnsServer, DnsServer]) {
    this.servers = servers;
    this.#tcp = [new TcpClient(servers[0].port), new TcpClient(servers[1].port)];
  }

  static async start(template: string, options: ServerOptions): Promise<Pair> {
    const servers = await Promise.all([
      startServer(seatUnderTest, template, options),
      startServer('coredns', template, options),
    ]);
    return new Pair(servers as [DnsServer, DnsServer]);
  }

  async stop(): Promise<void> {
    for (const client of this.#tcp) client.close();
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  /** Both give the same reply, and this answer: an rcode and rdata in any order. Waits for changes to arrive. */
  async answers(name: string, type: keyof typeof TYPES, rcode: string, rdata: readonly string[] = []): Promise<void> {
    const wanted = answerText(rcode, rdata);
    const deadline = performance.now() + LOST_MS;
    for (;;) {
      const replies = await this.#ask(name, type);
      const texts = replies.map(textOf);
      const { differences } = compareReplies(replies[0], replies[1], { ttlSlackSeconds: 0 });
      if (differences.length === 0 && texts[0] === wanted) return;
      if (performance.now() < deadline) {
        await sleep(STEP_MS);
        continue;
      }
      const full = replies.map((reply) => (reply === undefined ? 'silence' : formatMessage(parseMessage(reply))));
      assert.fail([`${name} ${type}: expected ${wanted}`, ...differences, ...full].join('\n'));
    }
  }

  /** Both give the same reply, whatever it is. */
  async agree(name: string, type: keyof typeof TYPES): Promise<void> {
    const replies = await this.#ask(name, type);
    assert.deepEqual(compareReplies(replies[0], replies[1], { ttlSlackSeconds: 0 }).differences, [], `${name} ${type}`);
  }

  #ask(name: string, type: keyof typeof TYPES): Promise<(Uint8Array | undefined)[]> {
    this.#id = (this.#id + 1) & 0xffff;
    const query = composeQuery({ id: this.#id, name, type: TYPES[type]!, flags: FLAGS['rd']! });
    // Over TCP nothing is cut.
    const clients = this.#tcp;
    return Promise.all(clients.map((client) => client.exchange(query, 2000)));
  }
}

function textOf(octets: Uint8Array | undefined): string {
  if (octets === undefined) return 'silence';
  const reply = parseMessage(octets);
  return answerText(
    rcodeName(reply.rcode),
    reply.answer.map((record) => record.rdata),
  );
}

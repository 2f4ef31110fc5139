// Rdata of every type that CoreDNS's DNS library knows, whole and damaged: in replies of an upstream and in the additional
// section of queries. Both servers take or refuse the same, pack it anew in the same way, and measure it alike.
//
//   WASMDNS_E2E_SEED=N            repeats the random damage of a run
//   WASMDNS_E2E_MUTATIONS=N       damaged forms of each rdata (12), besides all cuts

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { after, before, test } from 'node:test';
import { RDATA, STUCK } from '../dns/rdata-samples.ts';
import { sleep } from './support/child.ts';
import { compareReplies } from './support/compare.ts';
import { UdpClient } from './support/dns-client.ts';
import { wireName } from './support/name.ts';
import { TYPES } from './support/numbers.ts';
import { freePort } from './support/ports.ts';
import { composeQuery } from './support/query.ts';
import { Random } from './support/random.ts';
import { type DnsServer, seatUnderTest, startServer } from './support/server.ts';

const seed = Number(process.env['WASMDNS_E2E_SEED'] ?? 1);
const mutations = Number(process.env['WASMDNS_E2E_MUTATIONS'] ?? 12);
const LANES = 24;
/** What the log says of each query: its first label, its size and that of the reply. */
const SIZES = /sizes (r[0-9]+)\.test\. ([0-9]+ [0-9]+)/g;

interface Form {
  readonly type: number;
  readonly rdata: Uint8Array;
}

/** The rdata itself, all its cuts, one octet more, and random damage. */
function forms(): Form[] {
  const random = new Random(seed);
  return RDATA.flatMap(([type, text]) => {
    const whole = Buffer.from(text.replaceAll(' ', ''), 'hex');
    const list: Uint8Array[] = [whole, Buffer.concat([whole, Uint8Array.of(0)])];
    for (let bytes = 0; bytes < whole.length; bytes++) list.push(whole.subarray(0, bytes));
    while (list.length < whole.length + 2 + mutations) {
      const form = damaged(whole, random);
      // A pointer may lead to the message's id, which CoreDNS chooses by chance
      if (!/c0(?!0c)/.test(Buffer.from(form).toString('hex'))) list.push(form);
    }
    return list.map((rdata) => ({ type, rdata }));
  });
}

function damaged(whole: Uint8Array, random: Random): Uint8Array {
  const copy = [...whole];
  for (let n = random.below(3); n >= 0; n--) {
    const at = random.below(copy.length + 1);
    const octet = random.pick([0, 1, 2, 3, 4, 0x22, 0x5c, 0xc0, 0x0c, 0x3f, 0xff, random.below(256)]);
    const kind = random.below(4);
    if (kind === 0) copy.splice(at, 0, octet);
    else if (kind === 1) copy.splice(at, 1);
    else if (at < copy.length) copy[at] = octet;
  }
  return Uint8Array.from(copy);
}

function record(owner: string, { type, rdata }: Form): Uint8Array {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(300, 4);
  fixed.writeUInt16BE(rdata.length, 8);
  return Buffer.concat([wireName(owner), fixed, rdata]);
}

/** Answers with the form that the first label numbers, and remembers what stood behind each question. */
class FormUpstream {
  readonly port: number;
  readonly #socket: Socket;
  readonly #forms: readonly Form[];
  readonly seen = new Map<string, string>();

  constructor(port: number, all: readonly Form[]) {
    this.port = port;
    this.#forms = all;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
    this.#socket.on('message', (query, { port: to, address }) => this.#socket.send(this.#reply(query), to, address));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.bind(this.port, '127.0.0.1', resolve));
  }

  stop(): void {
    this.#socket.close();
  }

  #reply(query: Buffer): Uint8Array {
    const label = query.subarray(13, 13 + query[12]!).toString('latin1');
    const behind = query.indexOf(0, 12) + 5;
    this.seen.set(label, query.subarray(behind).toString('hex'));
    const form = this.#forms[Number(label.slice(1))];
    const reply = Buffer.from(query.subarray(0, behind));
    reply[2] = 0x81;
    reply[3] = 0x80;
    reply.fill(0, 6, 12);
    if (!label.startsWith('r') || form === undefined) return reply;
    reply[7] = 2;
    return Buffer.concat([
      reply,
      record('x.test.', { type: 1, rdata: Uint8Array.of(192, 0, 2, 1) }),
      record('x.test.', form),
    ]);
  }
}

const all = forms();
const stuck = STUCK.map(([type, text]) => ({ type, rdata: Buffer.from(text.replaceAll(' ', ''), 'hex') }));
let upstreams: FormUpstream[] = [];
let servers: DnsServer[] = [];
let clients: UdpClient[] = [];

before(async () => {
  const corefile =
    '.:@PORT@ {\n  log . "sizes {name} {size} {rsize}"\n  forward . 127.0.0.1:@UPSTREAM@ {\n    max_fails 0\n  }\n}\n';
  for (const seat of ['coredns', seatUnderTest] as const) {
    const upstream = new FormUpstream(await freePort(), [...all, ...stuck]);
    await upstream.start();
    upstreams = [...upstreams, upstream];
    servers = [...servers, await startServer(seat, corefile, { upstreamPort: upstream.port })];
  }
  clients = servers.map(({ port }) => new UdpClient(port));
});

after(async () => {
  for (const client of clients) client.close();
  for (const server of servers) await server.stop();
  for (const upstream of upstreams) upstream.stop();
});

/** Asks both servers; what differs, a line each. */
async function compared(query: Uint8Array): Promise<readonly string[]> {
  const [left, right] = await Promise.all(clients.map((client) => client.exchange(query, 3000)));
  const { differences } = compareReplies(left, right, { ttlSlackSeconds: 0, order: 'sequence' });
  // Both may be what is no message: rdata that was cut is packed anew with zeros
  return differences.filter((difference) => !/^form: malformed .*\/ malformed/.test(difference));
}

async function overAll(check: (form: Form, index: number) => Promise<readonly string[]>): Promise<void> {
  const failures: string[] = [];
  let next = 0;
  const lane = async () => {
    while (next < all.length) {
      const index = next++;
      const form = all[index]!;
      const differences = await check(form, index);
      if (differences.length > 0)
        failures.push(`TYPE${form.type} ${Buffer.from(form.rdata).toString('hex') || '-'}: ${differences.join('; ')}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  assert.deepEqual(failures.toSorted(), [], `seed ${seed}`);
}

test('rdata in the reply of an upstream', async () => {
  await overAll((_, index) => compared(composeQuery({ id: index, name: `r${index}.test.`, type: 255, flags: 0x0100 })));
});

test('rdata that cannot be packed: no reply', async () => {
  for (const index of STUCK.keys()) {
    const id = all.length + index;
    const query = composeQuery({ id, name: `r${id}.test.`, type: 255, flags: 0x0100, edns: { size: 4096 } });
    const replies = await Promise.all(clients.map((client) => client.exchange(query, 700)));
    assert.deepEqual(replies, [undefined, undefined], STUCK[index]!.join(' '));
  }
});

test('rdata in the additional section of a query', async () => {
  await overAll(async (form, index) => {
    const label = `q${index}`;
    const query = composeQuery({ id: index, name: `${label}.test.`, type: 1, flags: 0x0100 });
    query[11] = 1;
    const differences = await compared(Buffer.concat([query, record('x.test.', form)]));
    // A query with a TSIG that is forwarded: docs/differences.md
    if (form.type === TYPES['TSIG']) return differences;
    const [left, right] = upstreams.map(({ seen }) => seen.get(label));
    return left === right ? differences : [...differences, `upstream saw: ${left} / ${right}`];
  });
});

// The last one: every query has been asked
test('sizes of replies as they are logged', async () => {
  const [left, right] = await Promise.all(
    servers.map(async ({ child }) => {
      const sizes = () => new Map([...child.output().matchAll(SIZES)].map(([, label, text]) => [label!, text!]));
      // The log may lag behind the replies
      await sleep(1500);
      return sizes();
    }),
  );
  const failures = [...left!].flatMap(([label, text]) => {
    const form = all[Number(label.slice(1))];
    if (text === right!.get(label) || form === undefined) return [];
    return [`TYPE${form.type} ${Buffer.from(form.rdata).toString('hex')}: ${text} / ${right!.get(label)}`];
  });
  assert.deepEqual(failures, [], `seed ${seed}`);
});

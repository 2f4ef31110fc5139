import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import {
  compileEngine,
  createMemory,
  IMAGE_BAD,
  IMAGE_OK,
  OUT_BYTES,
  optRecord,
  TestEngine,
  u16,
} from './image-engine.ts';
import { a, cname, composeReply, mx, ns, type Reply, soa, srv, txt } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300_000);
const FENCE = 0xa7;
const FENCE_BYTES = 64;

/** xorshift32: the same mutations in every run of a seed, which a failure prints. */
class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed | 0 || 1;
  }
  below(bound: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % bound;
  }
}

function seeds(question: string): Uint8Array[] {
  const flags = 0x8180;
  const of = (...sections: [Reply['sections'][0], Reply['sections'][1], Reply['sections'][2]]): Reply => ({
    flags,
    question,
    type: 1,
    sections,
  });
  const replies: Reply[] = [
    of([a(question, 30, 192, 0, 2, 1), a(question, 30, 192, 0, 2, 2)], [], []),
    of(
      [
        cname(question, 20, 'b.example.org.'),
        cname('b.example.org.', 30, `c.${question}`),
        a(`c.${question}`, 9, 1, 2, 3, 4),
      ],
      [],
      [],
    ),
    of([], [soa('example.org.', 600)], []),
    of(
      [mx(question, 30, 10, 'mx1.example.org.'), mx(question, 30, 20, 'mx2.example.org.')],
      [ns('example.org.', 5, 'ns.example.org.')],
      [a('mx1.example.org.', 1, 1, 1, 1, 1)],
    ),
    of(
      [srv(question, 30, 80, 'h0.example.org.'), srv(question, 30, 80, 'h1.example.org.')],
      [],
      [a('h0.example.org.', 3, 1, 1, 1, 1), a('h1.example.org.', 3, 1, 1, 1, 2)],
    ),
    of([txt(question, 30, 'some', 'text', 'x'.repeat(120))], [], []),
    {
      ...of([a(question, 30, 1, 2, 3, 4)], [], []),
      opt: optRecord(1232, 0x8000, Uint8Array.from([...u16(10), 0, 8, 1, 2, 3, 4, 5, 6, 7, 8])),
    },
    of(
      [
        {
          name: question,
          type: 46,
          class: 1,
          ttl: 30,
          rdata: [
            new Array<number>(18).fill(1),
            { name: 'example.org.', pointer: false },
            new Array<number>(64).fill(9),
          ],
        },
      ],
      [],
      [],
    ),
    of(
      [
        {
          name: question,
          type: 35,
          class: 1,
          ttl: 30,
          rdata: [[0, 1, 0, 2, 1, 83, 0, 2, 33, 33], { name: 'n.example.org.', pointer: false }],
        },
      ],
      [],
      [],
    ),
  ];
  return replies.flatMap((reply) => [composeReply(reply, 'standard'), composeReply(reply, 'all')]);
}

/** A few changes behind the header and the question, now and then anywhere; sometimes cut or lengthened. */
function mutate(message: Uint8Array, from: number, random: Random): Uint8Array {
  let out = Uint8Array.from(message);
  const first = random.below(16) === 0 ? 0 : from;
  for (let i = 1 + random.below(4); i > 0; i--) {
    const at = first + random.below(Math.max(1, out.length - first));
    const kind = random.below(6);
    if (kind === 0) out[at] = random.below(256);
    else if (kind === 1) out[at] = 0xc0 | random.below(2);
    else if (kind === 2) out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    else if (kind === 3) out[at] = [0, 1, 63, 64, 127, 128, 191, 192, 255][random.below(9)] ?? 0;
    else if (kind === 4) out = out.slice(0, at + 1);
    else out[6 + random.below(6)] = random.below(4);
    if (random.below(40) === 0) out = Uint8Array.from([...out, ...out.slice(from)]);
  }
  return out;
}

test(`${RUNS} mutated replies: no trap, no octet outside the scratch, and what is taken is sent well-formed`, () => {
  const engine = new TestEngine(compileEngine(), createMemory(), 0);
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0x7fffffff);
  const random = new Random(seed);
  const octets = engine.octets;
  const fences = [
    engine.area + layout.IMAGE_SCRATCH - FENCE_BYTES,
    engine.area + layout.COMPRESS_SCRATCH - FENCE_BYTES,
    engine.area + layout.UPSTREAM_SLOTS,
    engine.outAt - FENCE_BYTES,
  ];
  for (const fence of fences) octets.fill(FENCE, fence, fence + FENCE_BYTES);
  const question = 'www.Sub.example.org.';
  const messages = seeds(question);
  const behind = 12 + 21 + 4;
  let taken = 0;
  let bad = 0;
  for (let run = 0; run < RUNS; run++) {
    if (run % 1000 === 0)
      engine.ask(question, [{}, { edns: 1232 }, { tcp: true }, { edns: 700, isDo: true, tcp: true }][(run / 1000) % 4]);
    const message = mutate(messages[random.below(messages.length)] ?? new Uint8Array(), behind, random);
    const result = engine.take(message, { canonical: random.below(2) === 1, keepOpt: random.below(2) === 1 });
    if (result === IMAGE_BAD) bad++;
    if (result !== IMAGE_OK) continue;
    taken++;
    const outMax = [OUT_BYTES, 4096, 512, 300, 60][random.below(5)] ?? OUT_BYTES;
    octets.fill(FENCE, engine.outAt + outMax, engine.outAt + outMax + FENCE_BYTES);
    const reply = engine.emit({ ttl: random.below(2) ? -1 : 30, rotate: random.below(2) === 1, outMax });
    const where = `seed ${seed} run ${run}: ${Buffer.from(message).toString('hex')}`;
    for (const fence of [...fences, engine.outAt + outMax]) {
      for (let i = 0; i < FENCE_BYTES; i++)
        if (octets[fence + i] !== FENCE) assert.fail(`octet ${fence + i} was written, ${where}`);
    }
    if (!reply) continue;
    try {
      parseReply(reply);
    } catch (error) {
      assert.fail(`${String(error)}, ${where}, reply ${Buffer.from(reply).toString('hex')}`);
    }
  }
  // The mutations must reach both sides of the checks.
  assert.ok(taken > RUNS / 20 && bad > RUNS / 20, `taken ${taken}, refused ${bad}`);
});

test('random octets behind a good question', () => {
  const engine = new TestEngine(compileEngine(), createMemory(), 0);
  const random = new Random(7);
  engine.ask('a.example.', { tcp: true });
  const head = composeReply({ flags: 0x8180, question: 'a.example.', type: 1, sections: [[], [], []] }, 'none');
  for (let run = 0; run < 20_000; run++) {
    const message = new Uint8Array(head.length + random.below(300));
    message.set(head);
    for (let i = head.length; i < message.length; i++)
      message[i] = random.below(3) ? random.below(256) : ([0, 1, 0xc0, 12][random.below(4)] ?? 0);
    for (let i = 6; i < 12; i++) message[i] = random.below(4) ? 0 : random.below(256);
    if (engine.take(message, { canonical: true, keepOpt: true }) !== IMAGE_OK) continue;
    const reply = engine.emit({ rotate: true });
    if (reply) parseReply(reply);
  }
});

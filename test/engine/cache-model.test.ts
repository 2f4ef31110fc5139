import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as layout from '../../engine-as/shared/layout.ts';
import { CacheClient } from './cache-client.ts';
import { compileEngine, createMemory, DENIAL, SUCCESS } from './image-engine.ts';
import { a, type Reply, soa } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const module = compileEngine();
const memory = createMemory();

interface Stored {
  readonly at: number;
  readonly ttl: number;
  readonly address: number;
  readonly isServfail: boolean;
}

interface Step {
  readonly wait: number;
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly isDo: boolean;
  readonly cd: boolean;
  readonly kind: 'answer' | 'nxdomain' | 'servfail' | 'refused';
  readonly ttl: number;
}

const NO_SUCCESS = ['off.example.org.'];
const NO_DENIAL = ['off.example.org.', 'example.net.'];
const FLAGS = { answer: 0x8180, nxdomain: 0x8183, servfail: 0x8182, refused: 0x8185 };

const steps = fc.array(
  fc.record<Step>({
    wait: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 4000, max: 40_000 })),
    name: fc.constantFrom(
      'a.example.org.',
      'A.Example.ORG.',
      'b.example.org.',
      'off.example.org.',
      'x.off.example.org.',
      'xoff.example.org.',
      'a.example.net.',
      '.',
    ),
    type: fc.constantFrom(1, 28),
    class: fc.constantFrom(1, 3),
    isDo: fc.boolean(),
    cd: fc.boolean(),
    kind: fc.constantFrom('answer', 'answer', 'nxdomain', 'servfail', 'refused'),
    ttl: fc.constantFrom(0, 3, 7, 20, 100),
  }),
  { minLength: 1, maxLength: 60 },
);

const isBelow = (name: string, zones: readonly string[]): boolean =>
  zones.some((zone) => name === zone || name.endsWith(`.${zone}`));

/** The reply of a backend; `address` ends the rdata of its only RR of the asked type. */
function backend(one: Step, address: number): Reply {
  const octets = one.type === 1 ? [10, 0, 0, address] : [...new Array<number>(15).fill(0), address];
  const rr = { ...a(one.name, one.ttl), type: one.type, class: one.class, rdata: [octets] };
  const question = { question: one.name, type: one.type, class: one.class, flags: FLAGS[one.kind] };
  if (one.kind === 'answer') return { ...question, sections: [[rr], [], []] };
  return { ...question, sections: [[], [{ ...soa('zone.', one.ttl), class: one.class }], [{ ...rr, name: 'mark.' }]] };
}

/** CoreDNS's plugin cache as two maps without bounds. */
class Model {
  readonly success = new Map<string, Stored>();
  readonly denial = new Map<string, Stored>();

  static left(entry: Stored | undefined, now: number): number {
    return entry ? entry.ttl - Math.floor((now - entry.at) / 1000) : 0;
  }

  find(key: string, now: number): Stored | undefined {
    const denial = this.denial.get(key);
    const success = this.success.get(key);
    const isFresh = Model.left(denial, now) > 0;
    if (isFresh && !denial?.isServfail) return denial;
    if (Model.left(success, now) > 0) return success;
    return isFresh ? denial : undefined;
  }

  /** TTL that the client sees. */
  store(key: string, one: Step, now: number, address: number): number {
    const [min, max] = one.kind === 'nxdomain' ? [2, 10] : [5, 60];
    const clamped = Math.min(Math.max(one.kind === 'refused' ? 5 : one.ttl, min), max);
    const ttl = one.kind === 'servfail' ? 4 : clamped;
    const lower = one.name.toLowerCase();
    const entry = { at: now, ttl, address, isServfail: one.kind === 'servfail' };
    if (one.kind === 'answer') {
      if (!isBelow(lower, NO_SUCCESS)) this.success.set(key, entry);
    } else if (one.kind !== 'refused' && !isBelow(lower, NO_DENIAL)) this.denial.set(key, entry);
    return ttl;
  }
}

function play(all: readonly Step[]): void {
  const words = new Uint32Array(memory.buffer);
  words[layout.CONTROL_ARENA_TOP / 4] = words[layout.CONTROL_ARENA_START / 4] ?? 0;
  const client = new CacheClient(module, 1024, 1024, memory);
  const limits = { success: [5, 60], denial: [2, 10], servfail: 4 } as const;
  const step = client.engine.step({
    cache: client.cache,
    ...limits,
    disableSuccess: NO_SUCCESS,
    disableDenial: NO_DENIAL,
  });
  const model = new Model();
  let now = 5_000_000;
  for (const [index, one] of all.entries()) {
    now += one.wait;
    client.engine.setNow(now);
    const key = JSON.stringify([one.name.toLowerCase(), one.type, one.class, one.isDo, one.cd]);
    const expected = model.find(key, now);
    const edns = one.isDo ? { edns: 1232, isDo: true } : {};
    const flags = 0x0100 | (one.cd ? 0x10 : 0);
    const query = { type: one.type, class: one.class, flags, ...edns };
    const got = client.serve(step, one.name, () => backend(one, index), query);
    assert.equal(got.hit, expected !== undefined, `step ${index} ${key}`);
    assert.equal(got.ttl, expected ? Model.left(expected, now) : model.store(key, one, now, index));
    const records = parseReply(got.octets).sections.flat();
    const marks = records.filter((rr) => rr.type === one.type).map((rr) => (rr.rdata[0] as number[]).at(-1));
    assert.deepEqual(marks, [expected ? expected.address : index]);
  }
  assert.equal(client.entries(SUCCESS), model.success.size);
  assert.equal(client.entries(DENIAL), model.denial.size);
}

test('ageing, DO and CD in the key, letter case, disabled zones, replacement: as the model has it', () => {
  fc.assert(fc.property(steps, play), { numRuns: 500 });
});

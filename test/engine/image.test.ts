import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { compileEngine, createMemory, IMAGE_BAD, IMAGE_MISMATCH, IMAGE_OK, TestEngine } from './image-engine.ts';
import {
  a,
  cname,
  composeReply,
  mx,
  ns,
  plainLength,
  type Rr,
  replyArbitrary,
  replyOf,
  soa,
  srv,
  truncateModel,
  txt,
} from './image-messages.ts';
import { meaning, parseReply } from './image-reader.ts';

const engine = new TestEngine(compileEngine(), createMemory(), 0);
const RUNS = 3000;

/** Types that dns-packet decodes whatever the octets are. */
const ORACLE_TYPES = new Set([1, 28, 5, 2, 12, 15, 6, 33, 39, 17, 16, 65280]);

function emitted(options: Parameters<TestEngine['emit']>[0] = {}): Uint8Array {
  const octets = engine.emit(options);
  assert.ok(octets);
  return octets;
}

function meanings(records: readonly Rr[]): string[] {
  return records.map(meaning);
}

function oracle(octets: Uint8Array): unknown {
  const { answers, authorities, additionals } = dnsPacket.decode(Buffer.from(octets));
  return JSON.parse(JSON.stringify([answers, authorities, additionals]).toLowerCase());
}

test('a random reply keeps its meaning through image and emit', () => {
  fc.assert(
    fc.property(
      replyArbitrary(8),
      fc.constantFrom('none', 'standard', 'all' as const),
      fc.boolean(),
      (model, mode, upper) => {
        engine.ask(upper ? model.question.toUpperCase() : model.question, { tcp: true });
        const octets = composeReply(model, mode);
        assert.equal(engine.take(octets), IMAGE_OK);
        const out = emitted();
        const parsed = parseReply(out);
        assert.equal(parsed.question, upper ? model.question.toUpperCase() : model.question);
        assert.equal(parsed.flags, model.flags);
        assert.deepEqual(parsed.sections.map(meanings), model.sections.map(meanings));
        assert.equal(engine.exports.emittedPlainBytes.value, plainLength(model));
        assert.ok(out.length <= composeReply(model, 'none').length);
        if (model.sections.flat().every((rr) => ORACLE_TYPES.has(rr.type)))
          assert.deepEqual(oracle(out), oracle(octets));
      },
    ),
    { numRuns: RUNS },
  );
});

test('names are compressed as well as an independent compressor does it', () => {
  fc.assert(
    fc.property(replyArbitrary(8), (model) => {
      engine.ask(model.question, { tcp: true });
      assert.equal(engine.take(composeReply(model, 'none')), IMAGE_OK);
      assert.equal(emitted().length, composeReply(model, 'standard').length);
    }),
    { numRuns: RUNS },
  );
});

test('truncation keeps the RRs that miekg/dns keeps', () => {
  const limit = fc.oneof(fc.integer({ min: 0, max: 1500 }), fc.constant(undefined));
  fc.assert(
    fc.property(replyArbitrary(14), limit, (model, edns) => {
      engine.ask(model.question, { edns, isDo: true });
      assert.equal(engine.take(composeReply(model, 'standard')), IMAGE_OK);
      const out = emitted();
      const parsed = parseReply(out);
      const optBytes = edns === undefined ? 0 : 11;
      const expected = truncateModel(model, Math.max(512, edns ?? 0), optBytes);
      assert.deepEqual(
        parsed.sections.map((section) => section.length),
        expected.counts,
      );
      assert.equal((parsed.flags & 0x0200) !== 0, expected.truncated);
      for (const [index, section] of parsed.sections.entries()) {
        assert.deepEqual(meanings(section), meanings((model.sections[index] ?? []).slice(0, section.length)));
      }
      assert.ok(out.length <= Math.max(512, edns ?? 0));
      assert.equal(parsed.opt !== undefined, edns !== undefined);
    }),
    { numRuns: RUNS },
  );
});

test('the buffer limit is told apart from the client limit', () => {
  engine.ask('big.example.', { tcp: true });
  const answers = Array.from({ length: 100 }, (_, i) => a('big.example.', 30, 192, 0, 2, i));
  assert.equal(engine.take(composeReply(replyOf('big.example.', answers), 'standard')), IMAGE_OK);
  assert.equal(engine.emit({ outMax: 1000 }), undefined);
  assert.equal(parseReply(emitted({ outMax: 1700 })).sections[0]?.length, 100);
  engine.ask('big.example.', { edns: 1232 });
  assert.equal(engine.take(composeReply(replyOf('big.example.', answers), 'standard')), IMAGE_OK);
  assert.equal(engine.emit({ outMax: 1000 }), undefined);
  assert.equal(parseReply(emitted({ outMax: 1232 })).sections[0]?.length, 74);
});

test('letter case: the question as asked, other names as received', () => {
  engine.ask('WWW.example.org.', { tcp: true });
  const model = replyOf('WWW.example.org.', [
    cname('www.EXAMPLE.org.', 30, 'Target.Example.org.'),
    a('Target.example.ORG.', 30, 192, 0, 2, 1),
    cname('tARGET.example.org.', 30, 'other.NET.'),
  ]);
  assert.equal(engine.take(composeReply(model, 'none')), IMAGE_OK);
  engine.exports.respellReply();
  const [answers] = parseReply(emitted()).sections;
  assert.deepEqual(
    answers?.map((rr) => rr.name),
    ['www.EXAMPLE.org.', 'Target.example.ORG.', 'tARGET.example.org.'],
  );
  assert.deepEqual(answers?.[2]?.rdata, [{ name: 'other.NET.', pointer: true }]);
});

test('one TTL for all RRs, or the TTLs of the image', () => {
  fc.assert(
    fc.property(replyArbitrary(4), fc.nat(0x7fffffff), (model, ttl) => {
      engine.ask(model.question, { tcp: true });
      assert.equal(engine.take(composeReply(model, 'standard')), IMAGE_OK);
      const parsed = parseReply(emitted({ ttl }));
      const expected = model.sections.map((section) => section.map((rr) => meaning({ ...rr, ttl })));
      assert.deepEqual(parsed.sections.map(meanings), expected);
    }),
    { numRuns: 500 },
  );
});

const place = (rr: Rr): number => (rr.type === 5 ? 0 : rr.type === 1 || rr.type === 28 ? 2 : rr.type === 15 ? 3 : 1);

test('canonical order and shuffle: every RR stays, groups stand in order, the others keep theirs', () => {
  fc.assert(
    fc.property(replyArbitrary(10), fc.boolean(), fc.constantFrom(-1, 77), (model, small, ttl) => {
      const isRotated = (model.flags & 15) === 0;
      engine.ask(model.question, small ? {} : { tcp: true });
      assert.equal(engine.take(composeReply(model, 'standard'), { canonical: true }), IMAGE_OK);
      const parsed = parseReply(emitted({ rotate: true, ttl }));
      const isCut = (parsed.flags & 0x0200) !== 0;
      for (const [index, section] of parsed.sections.entries()) {
        const source = (model.sections[index] ?? []).map((rr) => (ttl < 0 ? rr : { ...rr, ttl }));
        const got = meanings(section);
        if (!isRotated) {
          assert.deepEqual(got, meanings(source).slice(0, got.length));
          continue;
        }
        const places = section.map(place);
        assert.deepEqual(
          places,
          places.toSorted((x, y) => x - y),
        );
        const still = (records: readonly Rr[]): string[] =>
          meanings(records.filter((rr) => place(rr) < 2).toSorted((x, y) => place(x) - place(y)));
        assert.deepEqual(still(section), still(source).slice(0, still(section).length));
        const left = meanings(source);
        for (const one of got) {
          const found = left.indexOf(one);
          assert.ok(found >= 0, one);
          left.splice(found, 1);
        }
        if (!isCut) assert.equal(left.length, 0);
      }
    }),
    { numRuns: RUNS },
  );
});

test('every order of addresses comes up, in whole and in cut replies', () => {
  for (const mixed of [false, true]) {
    const answers = [1, 2, 3].map((i) => a('multi.example.', 30, 192, 0, 2, i));
    if (mixed) answers.push({ ...a('multi.example.', 30), type: 28, rdata: [Array.from({ length: 16 }, (_, i) => i)] });
    engine.ask('multi.example.');
    assert.equal(
      engine.take(composeReply(replyOf('multi.example.', answers), 'standard'), { canonical: true }),
      IMAGE_OK,
    );
    const orders = new Map<string, number>();
    for (let i = 0; i < 4800; i++) {
      const key =
        parseReply(emitted({ rotate: true }))
          .sections[0]?.map(meaning)
          .join() ?? '';
      orders.set(key, (orders.get(key) ?? 0) + 1);
    }
    const total = mixed ? 24 : 6;
    assert.equal(orders.size, total);
    // 4800 / 24 = 200 each; five standard deviations are 70.
    for (const count of orders.values()) assert.ok(Math.abs(count - 4800 / total) < 140, `${count} of ${4800 / total}`);
  }
});

test('SRV: additional owners point at the targets, which stand in full; order of SRV stays', () => {
  const hosts = [0, 1, 2].map((i) => `host${i}.example.org.`);
  const model = replyOf(
    'svc.example.org.',
    hosts.map((host) => srv('svc.example.org.', 30, 80, host)),
    [],
    hosts.map((host, i) => a(host, 30, 192, 0, 2, i)),
  );
  engine.ask('svc.example.org.', { tcp: true });
  assert.equal(engine.take(composeReply(model, 'none'), { canonical: true }), IMAGE_OK);
  const out = emitted({ rotate: true });
  assert.equal(out.length, composeReply(model, 'standard').length);
  const parsed = parseReply(out);
  assert.deepEqual(meanings(parsed.sections[0] ?? []), meanings(model.sections[0]));
  assert.deepEqual(new Set(meanings(parsed.sections[2] ?? [])), new Set(meanings(model.sections[2])));
});

test('only a response to the very question is taken', () => {
  const good = replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4)]);
  engine.ask('WWW.example.');
  assert.equal(engine.take(composeReply(good, 'standard')), IMAGE_OK);
  assert.equal(engine.take(composeReply({ ...good, question: 'www.example.net.' }, 'standard')), IMAGE_MISMATCH);
  assert.equal(engine.take(composeReply({ ...good, question: 'xxw.example.' }, 'standard')), IMAGE_MISMATCH);
  assert.equal(engine.take(composeReply({ ...good, type: 28 }, 'standard')), IMAGE_MISMATCH);
  assert.equal(engine.take(composeReply({ ...good, flags: 0x0100 }, 'standard')), IMAGE_MISMATCH);
  const two = composeReply(good, 'standard');
  two[5] = 2;
  assert.equal(engine.take(two), IMAGE_MISMATCH);
  engine.ask('www.example.', { class: 3 });
  assert.equal(engine.take(composeReply(good, 'standard')), IMAGE_MISMATCH);
});

test('malformed replies are refused', () => {
  engine.ask('www.example.');
  const good = composeReply(
    replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4), ns('www.example.', 1, 'ns.example.')]),
    'standard',
  );
  const behind = 12 + 13 + 4;
  const changed = (at: number, ...octets: number[]): Uint8Array => {
    const copy = Uint8Array.from(good);
    copy.set(octets, at);
    return copy;
  };
  assert.equal(engine.take(good.slice(0, 11)), IMAGE_BAD);
  assert.equal(engine.take(changed(behind, 0xc0, behind)), IMAGE_BAD, 'pointer to itself');
  assert.equal(engine.take(changed(behind, 0xc0, behind + 16)), IMAGE_OK, 'pointer forward: CoreDNS follows it');
  assert.equal(engine.take(changed(behind, 0x80)), IMAGE_BAD, 'label type');
  assert.equal(engine.take(changed(behind + 10, 0, 5)), IMAGE_BAD, 'A with five octets');
  assert.equal(engine.take(changed(good.length - 1, 0xff)), IMAGE_BAD, 'target behind the end');
  for (let cut = behind + 1; cut < good.length; cut++) {
    // A count may promise more RRs than there are, if the last one is whole.
    assert.equal(engine.take(good.slice(0, cut)), cut === behind + 16 ? IMAGE_OK : IMAGE_BAD, `cut at ${cut}`);
  }
  assert.equal(engine.take(good.slice(0, behind)), IMAGE_OK);
});

test('the longest messages', () => {
  engine.ask('a.', { tcp: true });
  const root = (i: number): Rr => ({ name: '.', type: 65280, class: 1, ttl: i, rdata: [[]] });
  const most = replyOf(
    'a.',
    Array.from({ length: 5956 }, (_, i) => root(i)),
  );
  const octets = composeReply(most, 'standard');
  assert.equal(octets.length, 12 + 7 + 5956 * 11);
  assert.equal(engine.take(octets, { canonical: true }), IMAGE_OK);
  assert.deepEqual(emitted({ rotate: true }).slice(12), octets.slice(12));
  const large = replyOf('a.', [txt('a.', 1, ...Array.from({ length: 255 }, () => 'x'.repeat(255)))]);
  assert.equal(engine.take(composeReply(large, 'standard')), IMAGE_OK);
  assert.deepEqual(emitted().slice(12), composeReply(large, 'standard').slice(12));
  // Targets that arrive compressed grow: 3000 SRV RRs of 20 octets would become 258 each.
  const long = `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.a.`;
  const growing = replyOf(
    'a.',
    Array.from({ length: 3000 }, () => srv('a.', 1, 80, long)),
  );
  assert.equal(engine.take(composeReply(growing, 'all')), IMAGE_BAD);
  // 400 become some 85 KB: inside the scratch, but more than a message can hold.
  const some = { ...growing, sections: [growing.sections[0].slice(0, 400), [], []] } as const;
  assert.equal(engine.take(composeReply(some, 'all')), IMAGE_BAD);
  const few = { ...growing, sections: [growing.sections[0].slice(0, 280), [], []] } as const;
  assert.equal(engine.take(composeReply(few, 'all')), IMAGE_OK);
  assert.deepEqual(emitted().slice(12), composeReply(few, 'standard').slice(12));
});

test('MX is shuffled too, and stays behind the addresses', () => {
  const model = replyOf('example.org.', [
    mx('example.org.', 30, 10, 'mx1.example.org.'),
    a('example.org.', 30, 192, 0, 2, 1),
    mx('example.org.', 30, 20, 'mx2.example.org.'),
    soa('example.org.', 30),
  ]);
  engine.ask('example.org.', { tcp: true });
  assert.equal(engine.take(composeReply(model, 'standard'), { canonical: true }), IMAGE_OK);
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const types = parseReply(emitted({ rotate: true })).sections[0] ?? [];
    assert.deepEqual(
      types.map((rr) => rr.type),
      [6, 1, 15, 15],
    );
    seen.add(meaning(types[2] as Rr));
  }
  assert.equal(seen.size, 2);
});

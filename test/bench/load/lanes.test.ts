import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BATCH, Outstanding, Pool } from '../../../bench/load/lanes.ts';
import { FRESH_LABEL, parseQuestions } from '../../../bench/load/questions.ts';

/** Entry `entry` as TCP would send it, without the length. */
function messageOf(pool: Pool, entry: number, bytes: number): Buffer {
  const target = new Uint8Array(bytes + 2);
  assert.equal(pool.frame(entry, bytes, target, 0), bytes + 2);
  assert.equal((target[0]! << 8) | target[1]!, bytes);
  return Buffer.from(target.subarray(2));
}

test('a pool of one question is repeated, so that a batch never holds an entry twice', () => {
  const pool = new Pool(parseQuestions('a.example. A', 'file'), 0);
  assert.ok(pool.count >= BATCH);
  assert.equal(pool.questionCount, 1);
});

test('patching changes the id and nothing else', () => {
  const questions = parseQuestions('a.example. A\nlonger.name.example. AAAA', 'file');
  const pool = new Pool(questions, 0);
  assert.equal(pool.patch(3, 0xbeef), 1);
  const expected = Buffer.from(questions[1]!.message);
  expected.writeUInt16BE(0xbeef, 0);
  assert.deepEqual(messageOf(pool, 3, expected.length), expected);
  assert.deepEqual(messageOf(pool, 1, expected.length), Buffer.from(questions[1]!.message));
});

test('a fresh label is another number each time, ten digits long', () => {
  const questions = parseQuestions(`${FRESH_LABEL}.example. A`, 'file');
  const pool = new Pool(questions, 99);
  const names = new Set<string>();
  for (let turn = 0; turn < 1000; turn++) {
    const entry = turn % pool.count;
    pool.patch(entry, turn);
    names.add(messageOf(pool, entry, questions[0]!.message.length).toString('latin1', 13, 23));
  }
  assert.equal(names.size, 1000);
  assert.ok(names.has('0000000100') && names.has('0000001099'));
});

test('headers are one mmsghdr apart', () => {
  const pool = new Pool(parseQuestions('a. A', 'file'), 0);
  assert.equal(pool.headerAt(5) - pool.headerAt(4), 64);
});

test('what is held is released once, under its own id', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 200 }), (indexes) => {
      const outstanding = new Outstanding();
      const ids = indexes.map((index) => {
        const id = outstanding.idAhead(0);
        outstanding.hold(index);
        return id;
      });
      assert.equal(outstanding.count, indexes.length);
      for (const [turn, id] of ids.entries()) {
        assert.equal(outstanding.release(id), indexes[turn]);
        assert.equal(outstanding.release(id), -1);
      }
      assert.equal(outstanding.count, 0);
    }),
  );
});

test('ids go round at 65,536', () => {
  const outstanding = new Outstanding();
  for (let turn = 0; turn < 65536; turn++) {
    assert.equal(outstanding.idAhead(0), turn);
    outstanding.hold(7);
    outstanding.release(turn);
  }
  assert.equal(outstanding.idAhead(0), 0);
  assert.equal(outstanding.idAhead(2), 2);
});

test('a query is given up at the second call after it was sent, not at the first', () => {
  const outstanding = new Outstanding();
  outstanding.hold(1);
  assert.equal(outstanding.giveUp(), 0);
  outstanding.hold(2);
  assert.equal(outstanding.giveUp(), 1);
  assert.equal(outstanding.count, 1);
  assert.equal(outstanding.release(0), -1);
  assert.equal(outstanding.giveUp(), 1);
  assert.equal(outstanding.count, 0);
});

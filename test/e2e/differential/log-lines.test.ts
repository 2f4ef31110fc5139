import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareLogs, type Logging } from './log-lines.ts';

const logging = (port: number, lines: readonly string[]): Logging => ({
  child: { output: () => `${lines.join('\n')}\n` },
  ports: { PORT: port, PORTB: 0, PORTC: 0, HEALTH: 0, READY: 0, METRICS: 0 },
});
const line = (client: number, size: number, duration: string) =>
  `[INFO] 127.0.0.1:${client} - 7 "A IN a.org. udp ${size} false 512" NOERROR qr,aa 55 ${duration}`;
const failed = (why: string) => `[ERROR] plugin/errors: 2 a.org. A: read udp 127.0.0.1:41000->127.0.0.1:53: ${why}`;
const STRICT = { lines: 0, hasManyUpstreams: false, showsFirst: false, skipped: [] };

test('ports, durations and the order of queries are no difference', async () => {
  const left = logging(5001, [line(40001, 30, '0.001s'), line(40002, 31, '0.5s'), failed('i/o timeout')]);
  const right = logging(5002, [failed('i/o timeout'), line(50002, 31, '0.000012s'), line(50001, 30, '1e-05s')]);
  assert.deepEqual(await compareLogs(left, right, STRICT), []);
});

test('durations and ports are known in every format', async () => {
  const told = (duration: string, port: number) => [
    `[INFO] -%s-${duration}-`,
    `[INFO] {, a.org., ${port}, ${duration}, text`,
    `[INFO] a.org.${duration}`,
    '[INFO] 5s.example.org. 1232',
  ];
  const [left, right] = [logging(5001, told('0.007878673s', 33775)), logging(5002, told('0.0000126s', 60999))];
  assert.deepEqual(await compareLogs(left, right, STRICT), []);
  const others = logging(5002, ['[INFO] 6s.example.org. 1232', '[INFO] 5s.example.org. 1233']);
  assert.equal((await compareLogs(logging(5001, ['[INFO] 5s.example.org. 1232']), others, STRICT)).length, 3);
});

test('a word, a line more or less, another reason are differences', async () => {
  const left = logging(5001, [line(1, 30, '1s'), line(1, 30, '1s'), failed('i/o timeout'), '[INFO] plugin/x: y']);
  const right = logging(5002, [line(1, 31, '1s'), failed('connection refused')]);
  const found = await compareLogs(left, right, STRICT);
  assert.equal(found.filter((text) => text.startsWith('line only on the left')).length, 3);
  assert.equal(found.filter((text) => text.startsWith('line only on the right')).length, 2);
  assert.equal((await compareLogs(left, right, { ...STRICT, hasManyUpstreams: true })).length, 3);
  assert.deepEqual(await compareLogs(left, right, { ...STRICT, lines: 5 }), []);
});

test('which failure is shown first is chance, whether one is shown is not', async () => {
  const [left, right] = [logging(5001, [failed('i/o timeout')]), logging(5002, [failed('connection refused')])];
  const chance = { ...STRICT, showsFirst: true };
  assert.equal((await compareLogs(left, right, STRICT)).length, 2);
  assert.deepEqual(await compareLogs(left, right, chance), []);
  assert.equal((await compareLogs(left, logging(5002, []), chance)).length, 1);
});

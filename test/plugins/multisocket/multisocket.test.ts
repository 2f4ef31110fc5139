import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMultisocket } from '../../../host/plugins/multisocket/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, serve, socketsOn } from '../../server/process.ts';
import { readerOf, refusal } from '../support/reader.ts';

const parse = (inside: string) => parseMultisocket(readerOf('multisocket', inside)).sockets;

test('parse: a number, or as many as threads', () => {
  assert.equal(parse('multisocket'), 'auto');
  assert.equal(parse('multisocket 1'), 1);
  assert.equal(parse('multisocket 1024'), 1024);
  assert.equal(parse('multisocket +3'), 3);
});

test('parse: refusals', () => {
  const argument = (word: string) => `Wrong argument count or unexpected line ending after '${word}'`;
  const cases: readonly (readonly [string, number, string])[] = [
    ['multisocket 0', 2, 'num sockets can not be zero or negative: 0'],
    ['multisocket -2', 2, 'num sockets can not be zero or negative: -2'],
    ['multisocket 1025', 2, 'num sockets exceeds maximum (1024): 1025'],
    ['multisocket x', 2, 'invalid num sockets: strconv.Atoi: parsing "x": invalid syntax'],
    [
      'multisocket 99999999999999999999',
      2,
      'invalid num sockets: strconv.Atoi: parsing "99999999999999999999": value out of range',
    ],
    ['multisocket 2 3', 2, argument('3')],
    ['multisocket 2\nmultisocket 2', 3, argument('multisocket')],
    ['multisocket 2 {\n}', 2, "Unexpected token '{', expecting argument"],
  ];
  for (const [inside, line, text] of cases) {
    assert.equal(
      refusal(() => parse(inside)),
      `plugin/multisocket: Corefile:${line} - Error during parsing: ${text}`,
    );
  }
});

test('the start lines come as often as there would be sockets; there is one a thread', async (t) => {
  const port = await freePort();
  const started = await serve(t, `a.example:${port} b.example:${port} {\n    multisocket 3\n    whoami\n}\n`);
  const lines = [`a.example.:${port}`, `b.example.:${port}`];
  assert.deepEqual(started.lines.slice(0, 6), [...lines, ...lines, ...lines]);
  assert.equal(await ask(port, 'a.example.'), 'NOERROR');
  assert.equal(socketsOn(started.pid, port).length, 2, 'UDP and TCP of one thread');
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseOptions } from '../../bench/options.ts';

const SETS = ['clusterip', 'cached', 'uncached', 'tcp'];
const PEERS = ['wasmdns', 'coredns', 'nsd'];
const parse = (...words: string[]) => parseOptions(words, SETS, PEERS);

test('without words: everything, three runs of five seconds', () => {
  const options = parse();
  assert.deepEqual(options.sets, SETS);
  assert.deepEqual(options.peers, PEERS);
  assert.deepEqual([options.runs, options.seconds, options.isShort], [3, 5, false]);
  assert.notEqual(options.serverCore, options.loadCore);
});

test('--short: three sets, two servers, two seconds', () => {
  const options = parse('--short');
  assert.deepEqual(options.sets, ['clusterip', 'cached', 'uncached']);
  assert.deepEqual(options.peers, ['coredns', 'wasmdns']);
  assert.equal(options.seconds, 2);
});

test('lists keep the order of the tables', () => {
  const options = parse('--sets', 'tcp,clusterip', '--peers', 'nsd,wasmdns', '--runs', '5', '--seconds', '0.5');
  assert.deepEqual(options.sets, ['clusterip', 'tcp']);
  assert.deepEqual(options.peers, ['wasmdns', 'nsd']);
  assert.deepEqual([options.runs, options.seconds], [5, 0.5]);
});

test('another build is named by its directory, from wherever the bench is started', () => {
  assert.equal(parse().against, '');
  assert.equal(parse('--against', 'earlier/dist').against, join(process.cwd(), 'earlier', 'dist'));
});

for (const [words, message] of [
  [['--sets', 'bogus'], /unknown set "bogus", expected one of clusterip, cached/],
  [['--peers', 'bind'], /unknown peer "bind"/],
  [['--peers', ','], /no peer is named/],
  [['--runs', '0'], /--runs: expected a number from 1, got "0"/],
  [['--runs', 'x'], /--runs/],
  [['--seconds', '-1'], /--seconds: expected seconds up to 600, got "-1"|ambiguous/],
  [['--seconds', '1000'], /--seconds: expected seconds up to 600/],
  [['--services', '10'], /--services: expected a number from 1000/],
  [['--frobnicate'], /frobnicate/],
] as const) {
  test(`refused: ${words.join(' ')}`, () => {
    assert.throws(() => parse(...words), message);
  });
}

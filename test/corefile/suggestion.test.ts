import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggestion } from '../../host/corefile/suggestion.ts';

const WORDS = ['success', 'denial', 'prefetch', 'serve_stale', 'ttl', 'keepttl', 'class', 'log'];

test('the closest word, if it is close', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['sucess', 'success'],
    ['succes', 'success'],
    ['successs', 'success'],
    ['denail', 'denial'],
    ['servestale', 'serve_stale'],
    ['SERVE_STALE', 'serve_stale'],
    ['tll', 'ttl'],
    ['tl', 'ttl'],
    ['lgo', 'log'],
    ['clas', 'class'],
    ['keeptll', 'keepttl'],
    ['nosuch', undefined],
    ['x', undefined],
    ['', undefined],
    ['log4j', 'log'],
    ['prefetching', undefined],
  ];
  for (const [text, word] of cases) {
    assert.equal(suggestion(text, WORDS), word === undefined ? '' : `, did you mean "${word}"?`, text);
  }
  assert.equal(suggestion('success', []), '');
});

test('of two that are equally close the first', () => {
  assert.equal(suggestion('bast', ['best', 'last']), ', did you mean "best"?');
});

test('a long word costs no more than its letters', () => {
  assert.equal(suggestion('x'.repeat(1_000_000), WORDS), '');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileExpression } from '../../host/plugin/expression.ts';

function groupsOf(pattern: string, text: string) {
  const { regex, names } = compileExpression(pattern);
  const matcher = regex.matcher(text);
  assert.ok(matcher.find());
  assert.equal(matcher.groupCount() + 1, names.length);
  return names.map((name, i) => [name, matcher.group(i)]);
}

test('several groups of one name, as in Go', () => {
  assert.deepEqual(groupsOf('(?P<a>x+)(?<a>y)(?P<b>z)(q)', 'xxyzq'), [
    ['', 'xxyzq'],
    ['a', 'xx'],
    ['a', 'y'],
    ['b', 'z'],
    ['', 'q'],
  ]);
});

test('parentheses that open no group', () => {
  assert.deepEqual(groupsOf('(?:a)\\([(?P<n>]\\Q(?P<n>\\E(?P<n>b)', 'a(<(?P<n>b'), [
    ['', 'a(<(?P<n>b'],
    ['n', 'b'],
  ]);
});

test('what is no expression is told in the words of Go', () => {
  assert.throws(() => compileExpression('('), { message: 'error parsing regexp: missing closing ): `(`' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { OUTCOME_SLOW, TYPE_A, TYPE_ANY } from '../../../engine-as/shared/codes.ts';
import { composeMessage } from '../../../host/dns/message.ts';
import { composeName, nameText } from '../../../host/dns/name.ts';
import { literalOf, literalsOf } from '../../../host/plugins/template/literals.ts';
import { EngineWorld } from '../../engine/world.ts';

test('what an expression begins and ends with', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['^ip-(?P<a>[0-9]*)-x[.]example[.]$', 'ip-', '-x.example.'],
    ['(^|[.])ip-(?P<a>[0-9]*)[.]example[.]$', '', '.example.'],
    ['[.]dc1\\.example\\.$', '', '.dc1.example.'],
    ['^foogle\\.com\\.$', 'foogle.com.', 'foogle.com.'],
    ['^www[.]', 'www.', ''],
    ['^ab*c', 'a', ''],
    ['^ab{0,3}c$', 'a', 'c'],
    ['^[^.]+[.]x[.]$', '', '.x.'],
    ['^(a|b)x$', '', 'x'],
    ['^a|b$', '', ''],
    ['(?i)^a$', '', ''],
    ['.*', '', ''],
    ['^A', '', ''],
    ['^a.$', 'a', ''],
    ['^\\Qa\\E', '', ''],
    ['^\\pLa$', '', ''],
    ['a$b$', '', 'b'],
  ];
  for (const [pattern, prefix, suffix] of cases) {
    const literal = literalOf(pattern) ?? { prefix: '', suffix: '' };
    assert.deepEqual(literal, { prefix, suffix }, pattern);
  }
  assert.deepEqual(literalsOf(['^a', '^b']), [
    { prefix: 'a', suffix: '' },
    { prefix: 'b', suffix: '' },
  ]);
  assert.equal(literalsOf(['^a', '.*']), undefined);
});

test('the engine passes by only what no expression matches', () => {
  const world = new EngineWorld();
  const atom = fc.constantFrom(
    ...[
      'a',
      'b',
      '1',
      '-',
      '[.]',
      '\\.',
      '.',
      '[ab]',
      '[0-9]+',
      'x?',
      '(a)',
      '(?:[a-z]*)',
      'b*',
      '7',
      '_',
      '\\d',
      '1{2}',
    ],
  );
  const pattern = fc
    .tuple(fc.boolean(), fc.array(atom, { minLength: 1, maxLength: 6 }), fc.boolean())
    .map(([starts, atoms, ends]) => `${starts ? '^' : ''}${atoms.join('')}${ends ? '$' : ''}`);
  const octet = fc.constantFrom(
    ...['a', 'b', '1', '-', 'x', '7', '_', '\\.', '\\001', '\\017', '\\049', '\\255', '\\"', 'A', '0'],
  );
  const name = fc
    .array(fc.array(octet, { minLength: 1, maxLength: 12 }), { maxLength: 4 })
    .map((labels) => labels.map((label) => `${label.join('')}.`).join('') || '.');
  let passed = 0;
  let run = 0;
  fc.assert(
    fc.property(pattern, fc.array(name, { minLength: 30, maxLength: 60 }), (source, asked) => {
      const literals = literalsOf([source]);
      world.load(['.'], (steps) => {
        steps.slowFor([{ zones: ['.'], class: 255, type: TYPE_ANY, literals, fallthrough: ['.'] }]);
        steps.whoami();
      });
      const expression = RE2JS.compile(source);
      for (const text of asked) {
        run++;
        const wire = composeName(text);
        const question = { name: nameText(wire), type: TYPE_A, class: 1, wire };
        const message = { id: 1, flags: 0, questions: [question], answer: [], authority: [], additional: [] };
        const isSlow = world.ask(composeMessage(message)).outcome === OUTCOME_SLOW;
        if (isSlow) continue;
        passed++;
        assert.ok(!expression.matcher(question.name).find(), `${source} matches ${question.name}`);
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(passed > run / 20, `${passed} of ${run} names passed by`);
});

test('zone, class, type and fallthrough decide who leaves the fast face', () => {
  const world = new EngineWorld();
  const literals = [{ prefix: 'ip-', suffix: '' }];
  world.load(['.'], (steps) => {
    steps.slowFor([
      { zones: ['a.example.', 'b.example.'], class: 1, type: TYPE_A, literals: undefined, fallthrough: undefined },
      { zones: ['c.example.'], class: 1, type: 255, literals, fallthrough: ['x.c.example.'] },
      { zones: ['d.example.'], class: 3, type: 16, literals: undefined, fallthrough: ['.'] },
    ]);
    steps.whoami();
    steps.anyClass();
    steps.relay({ zone: '.', except: [] });
  });
  const isSlow = (name: string, type: number, rclass = 1) => {
    const wire = composeName(name);
    const questions = [{ name, type, class: rclass, wire }];
    const message = { id: 1, flags: 0, questions, answer: [], authority: [], additional: [] };
    return world.ask(composeMessage(message)).outcome === OUTCOME_SLOW;
  };
  const cases: readonly (readonly [boolean, string, number, number?])[] = [
    [true, 'w.a.example.', 1],
    [true, 'W.B.example.', 1],
    [true, 'w.a.example.', 255],
    [true, 'w.a.example.', 1, 255],
    [false, 'w.a.example.', 28],
    [false, 'w.a.example.', 1, 3],
    [false, 'wa.example.', 1],
    [true, 'c.example.', 5],
    [true, 'ip-1.x.c.example.', 1],
    [false, 'ap-1.x.c.example.', 1],
    [true, 'ap-1.y.c.example.', 1],
    [true, 'd.example.', 16, 3],
    [false, 'd.example.', 16, 1],
  ];
  for (const [expected, name, type, rclass] of cases) {
    assert.equal(isSlow(name, type, rclass), expected, `${name} ${type} ${rclass}`);
  }
});

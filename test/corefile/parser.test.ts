import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parseCorefile, TOKENS_MAX } from '../../host/corefile/parser.ts';
import { CorefileError } from '../../host/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'wasmdns-corefile-'));
after(() => rmSync(directory, { recursive: true }));
const main = join(directory, 'Corefile');
mkdirSync(join(directory, 'parts'));
writeFileSync(join(directory, 'parts', 'b.conf'), 'log . {\n  class error\n}\nimport ../more\n');
writeFileSync(join(directory, 'parts', 'a.conf'), 'errors\n');
writeFileSync(join(directory, 'parts', '.hidden.conf'), 'health');
writeFileSync(join(directory, 'more'), 'ready');
writeFileSync(join(directory, 'itself'), 'import itself\n');
writeFileSync(join(directory, 'block'), 'b.org {\n whoami\n}\n');
writeFileSync(join(directory, 'open'), 'whoami {');

const ENVIRONMENT = {
  ZONE: 'env.org',
  TWO: 'x y',
  NESTED: '{$ZONE}',
  LOOP: '{$LOOP}',
  GROW: '{$GROW}{$GROW}',
  WORD: 'whoami',
};

/** `KEYS | word word ; word` for each block. */
function parsed(text: string): string[] {
  return parseCorefile(text, main, { environment: ENVIRONMENT }).blocks.map(
    (block) =>
      `${block.keys.map((key) => key.text).join(' ')} | ${block.directives
        .map((directive) => [directive.name, ...directive.tokens.slice(1).map((token) => token.text)].join(' '))
        .join(' ; ')}`,
  );
}

const RIGHT: readonly (readonly [title: string, text: string, expected: readonly string[]])[] = [
  ['one block', '. {\n whoami\n log a b\n}', ['. | whoami ; log a b']],
  ['two blocks', 'a {\n whoami\n}\nb c {\n}', ['a | whoami', 'b c | ']],
  ['no braces', 'a b\nwhoami\ncache 30', ['a b | whoami ; cache 30']],
  ['only addresses', 'a:53 b', ['a:53 b | ']],
  ['brace on the next line', 'a\n{\n whoami\n}', ['a | whoami']],
  ['directive on the line of the brace', 'a { whoami\n}', ['a | whoami']],
  ['comma continues the addresses', 'a,\nb, c {\n}', ['a b c | ']],
  ['comma inside an address', 'a,b {\n}', ['a,b | ']],
  ['nested blocks', 'a {\n x 1 {\n y {\n z\n }\n }\n w\n}', ['a | x 1 { y { z } } ; w']],
  ['surplus closing brace is an address', 'a {\n x\n}\n}', ['a | x', '} | ']],
  ['a closing brace ends a block without braces', 'a\nx\n}\nb\ny', ['a | x', 'b | y']],
  ['empty file', '', []],
  ['comments only', '# a\n#b', []],
  [
    'environment',
    '{$ZONE}:53 a{%ZONE%}b {\n {$WORD} {$NESTED} {$NOSUCH}- {$} {%%}\n}',
    ['env.org:53 aenv.orgb | whoami env.org - {$} {%%}'],
  ],
  ['environment values are one word', 'a {\n x {$TWO}\n}', ['a | x x y']],
  ['an address from an unset variable is no address', '{$NOSUCH} a {\n}', ['a | ']],
  ['a block without any address serves nothing', '{$NOSUCH} {\n whoami\n}\nb {\n}', ['b | ']],
  ['snippet', '(s) {\n x\n y 1\n}\na {\n import s\n}\nb {\n import s\n z\n}', ['a | x ; y 1', 'b | x ; y 1 ; z']],
  ['snippet inside a directive', '(s) {\n p 1\n}\na {\n x {\n import s\n q\n }\n}', ['a | x { p 1 q }']],
  ['snippet in a snippet', '(s) {\n x\n}\n(t) {\n import s\n y\n}\na {\n import t\n}', ['a | x ; y']],
  ['import of files, sorted', 'a {\n import parts/*.conf\n}', ['a | health ; errors ; log . { class error } ; ready']],
  ['import of blocks', 'import block\na {\n}', ['b.org | whoami', 'a | ']],
  ['import by absolute path', `a {\n import ${join(directory, 'more')}\n}`, ['a | ready']],
  ['import pattern from the environment', 'a {\n import mor{$NOSUCH}e\n}', ['a | ready']],
  ['question mark', 'a {\n import mor?\n}', ['a | ready']],
  ['the word import as an argument', 'a {\n x import\n}', ['a | x import']],
];

for (const [title, text, expected] of RIGHT) {
  test(`parser: ${title}`, () => {
    assert.deepEqual(parsed(text), expected);
  });
}

const WRONG: readonly (readonly [title: string, text: string, line: number, word: string, message: string])[] = [
  ['missing closing brace', '.:5590 {\nwhoami', 2, 'whoami', "Syntax error: Unexpected token 'whoami', expecting '}'"],
  ['one-line block', '. { whoami }', 1, '}', "Error during parsing: Unexpected '}' because no matching opening brace"],
  ['open block of a directive', 'a {\n x {\n', 2, '{', 'Error during parsing: Unexpected EOF'],
  [
    'comma before the brace',
    'a.org:5590, {\n}',
    1,
    '{',
    "Error during parsing: Expected another address but had '{' - check for extra comma",
  ],
  ['comma at the end', 'a,', 1, 'a,', 'Error during parsing: Unexpected EOF'],
  [
    'missing file',
    'a {\n import nosuch.conf\n}',
    2,
    'nosuch.conf',
    'Error during parsing: File to import not found: nosuch.conf',
  ],
  [
    'snippet that does not exist',
    'import nosuch',
    1,
    'nosuch',
    'Error during parsing: File to import not found: nosuch',
  ],
  [
    'snippet used before it exists',
    'a {\n import s\n}\n(s) {\n x\n}',
    2,
    's',
    'Error during parsing: File to import not found: s',
  ],
  [
    'snippet that imports itself',
    '(s) {\n import s\n}\na {\n import s\n}',
    3,
    '}',
    'Error during parsing: maximum snippet import depth (10000) exceeded',
  ],
  [
    'snippet declared twice',
    '(s) {\n}\n(s) {\n}',
    3,
    '{',
    'Error during parsing: redeclaration of previously declared snippet s',
  ],
  ['snippet without braces', '(s)\nx', 2, 'x', "Syntax error: Unexpected token 'x', expecting '{'"],
  ['snippet without its end', '(s) {\n x {\n }\n', 3, '}', "Syntax error: Unexpected token '}', expecting '}'"],
  [
    'import of nothing',
    'a {\n import\n}',
    2,
    'import',
    "Error during parsing: Wrong argument count or unexpected line ending after 'import'",
  ],
  [
    'import of an empty text',
    'a {\n import {$NOSUCH}\n}',
    2,
    '',
    'Error during parsing: Import requires a non-empty filepath',
  ],
  [
    'import of two files',
    'a {\n import b c\n}',
    2,
    'c',
    'Error during parsing: Import takes only one argument (glob pattern or file)',
  ],
  [
    'two stars',
    'a {\n import */*.conf\n}',
    2,
    '*/*.conf',
    `Error during parsing: Glob pattern may only contain one wildcard (*), but has others: ${directory}/*/*.conf`,
  ],
  [
    'character class',
    'a {\n import [ab].conf\n}',
    2,
    '[ab].conf',
    `Error during parsing: Glob pattern may only contain one wildcard (*), but has others: ${directory}/[ab].conf`,
  ],
  [
    'half a class',
    'a {\n import [ab\n}',
    2,
    '[ab',
    'Error during parsing: Failed to use import pattern [ab: syntax error in pattern',
  ],
  [
    'directory',
    'a {\n import parts\n}',
    2,
    'parts',
    `Error during parsing: Could not import ${directory}/parts: is a directory`,
  ],
  [
    'endless variable',
    'a {\n x {$LOOP}\n}',
    2,
    '{$LOOP}',
    "Error during parsing: environment variable 'LOOP' does not stop expanding",
  ],
  [
    'growing variable',
    '{$GROW} {\n}',
    1,
    '{$GROW}',
    "Error during parsing: environment variable 'GROW' does not stop expanding",
  ],
];

for (const [title, text, line, word, message] of WRONG) {
  test(`parser refuses: ${title}`, () => {
    assert.throws(() => parsed(text), {
      name: 'CorefileError',
      file: main,
      line,
      word,
      message: `${main}:${line} - ${message}`,
    });
  });
}

test('an error in an imported file names that file', () => {
  assert.throws(() => parsed('a {\n import open'), {
    file: join(directory, 'open'),
    line: 1,
    word: '{',
    message: `${join(directory, 'open')}:1 - Error during parsing: Unexpected EOF`,
  });
});

test('a pattern without matches and a block without address are warnings', () => {
  const { blocks, warnings } = parseCorefile('a {\n import nosuch/*.conf\n}\n{\n whoami\n}', main, { environment: {} });
  assert.equal(blocks.length, 1);
  assert.deepEqual(warnings, [
    'No files matching import glob pattern: nosuch/*.conf',
    `${main}:4 - a server block without an address is ignored`,
  ]);
});

test('a file that imports itself, and snippets that import each other, end in an error', () => {
  assert.throws(() => parsed('import itself'), {
    message: /maximum file import depth \(100000\) exceeded/,
    word: 'itself',
  });
  const mutual = '(a) {\n import b\n import b\n}\n(b) {\n import a\n import a\n}\n. {\n import a\n}';
  assert.throws(() => parsed(mutual), { message: /maximum snippet import depth \(10000\) exceeded/ });
});

test('snippets cannot grow without bounds', () => {
  const levels = Array.from({ length: 12 }, (_, i) => `(s${i + 1}) {\n${`import s${i}\n`.repeat(4)}}\n`).join('');
  const text = `(s0) {\n${'x 1 2 3 4 5 6 7 8 9\n'.repeat(200)}}\n${levels}. {\n import s12\n}`;
  assert.throws(() => parsed(text), { name: 'CorefileError', message: new RegExp(`exceeds ${TOKENS_MAX} words`) });
});

test('checkDirective sees each directive once, in file order, with its place', () => {
  const seen: string[] = [];
  const text = 'a {\n x {\n y\n }\n z\n}\n{$ZONE}\n{$WORD}';
  const checkDirective = (name: string, at: { line: number }): void => void seen.push(`${at.line}:${name}`);
  parseCorefile(text, main, { environment: ENVIRONMENT, checkDirective });
  assert.deepEqual(seen, ['2:x', '5:z', '8:whoami']);
});

test('property: any text is parsed or refused with a CorefileError', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '\n',
      ' ',
      '"',
      '\\',
      '#',
      ',',
      'a',
      '.:53',
      'import',
      'more',
      'block',
      'open',
      'nosuch*',
      '(s)',
      's',
    ],
    ...['{$ZONE}', '{%TWO%}', '{$LOOP}', '{$NOSUCH}', '\r', '"x\ny"', '\u0000', 'é'],
  );
  const pieces = fc.array(fc.tuple(piece, fc.constantFrom(' ', ' ', '\n', '')), { maxLength: 40 });
  const text = pieces.map((list) => list.map((pair) => pair.join('')).join(''));
  const snippet = text.map((body) => `(s) {\n a\n b {\n}\n}\n. {\n${body}\n}\n`);
  fc.assert(
    fc.property(fc.oneof(text, snippet, fc.string()), (candidate) => {
      try {
        parseCorefile(candidate, main, { environment: ENVIRONMENT });
      } catch (error) {
        assert.ok(error instanceof CorefileError, String(error));
        assert.ok(error.line >= 1);
        assert.doesNotMatch(error.message, /\n/);
      }
    }),
    { numRuns: 1500 },
  );
});

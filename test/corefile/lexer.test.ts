import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lex } from '../../host/corefile/lexer.ts';

/** Words with their lines: `LINE:WORD`. */
const words = (text: string): string[] => lex(text, 'f').map((token) => `${token.line}:${token.text}`);

const CASES: readonly (readonly [title: string, text: string, expected: readonly string[]])[] = [
  ['white space', ' a\tb\n\n c\u00a0d\u3000e\u0085f ', ['1:a', '1:b', '3:c', '3:d', '3:e', '3:f']],
  ['nothing', ' \n \n', []],
  ['byte order mark', '\ufeffa', ['1:a']],
  ['byte order mark elsewhere', 'a\ufeffb', ['1:a\ufeffb']],
  ['CRLF', 'a b\r\nc\r\n', ['1:a', '1:b', '2:c']],
  ['CR inside a word', 'a\rb c', ['1:ab', '1:c']],
  ['quotes', '"a b" "c\nd" e', ['1:a b', '1:c\nd', '2:e']],
  ['empty quotes', '"" a', ['1:', '1:a']],
  ['escaped quote', '"a\\"b" c', ['1:a"b', '1:c']],
  ['other backslashes stay', '"a\\n\\\\b\\" c', ['1:a\\n\\\\b" c']],
  ['backslash before the closing quote', '"a\\\\" b', ['1:a\\\\', '1:b']],
  ['backslash outside quotes', 'a\\"b c\\', ['1:a\\"b', '1:c\\']],
  ['a word ends at the closing quote', '"a"b', ['1:a', '1:b']],
  ['quote inside a word', 'a"b c"d', ['1:a"b', '1:c"d']],
  ['no closing quote', 'x "a b\nc', ['1:x', '1:a b\nc']],
  ['only an opening quote at the end', 'a "', ['1:a']],
  ['backslash as the last character', '"a\\', ['1:a']],
  ['CR inside quotes', '"a\r\nb"', ['1:a\r\nb']],
  ['comment', 'a # b c\nd #e', ['1:a', '2:d']],
  ['comment glued to a word', 'foo#bar baz', ['1:foo', '1:baz']],
  ['comment glued to a word, line end', 'foo#bar\nbaz', ['1:foo', '2:baz']],
  ['comment with quotes', '# "a\nb', ['2:b']],
  ['second hash', 'a#b#c d', ['1:a', '1:d']],
  ['hash in quotes', '"a # b"', ['1:a # b']],
  ['braces', 'a { b } {c}', ['1:a', '1:{', '1:b', '1:}', '1:{c}']],
  ['beyond the basic plane', '😀 b', ['1:😀', '1:b']],
];

for (const [title, text, expected] of CASES) {
  test(`lexer: ${title}`, () => {
    assert.deepEqual(words(text), expected);
  });
}

test('property: the words of plain text are what lies between white space', () => {
  const word = fc.stringMatching(/^[a-z0-9.:/{}*-]{1,8}$/);
  const space = fc.constantFrom(' ', '\t', '\n', '  ', '\r\n');
  fc.assert(
    fc.property(fc.array(fc.tuple(word, space)), (pairs) => {
      const text = pairs.map((pair) => pair.join('')).join('');
      let line = 1;
      const expected = pairs.map(([each, gap]) => {
        const at = `${line}:${each}`;
        if (gap.includes('\n')) line++;
        return at;
      });
      assert.deepEqual(words(text), expected);
    }),
  );
});

test('property: quoting any text gives it back as one word', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '"', ' ', '\n', '#', '{', 'é') }), (text) => {
      const tokens = lex(`"${text.replaceAll('"', '\\"')}" end`, 'f');
      assert.deepEqual(
        tokens.map((token) => token.text),
        [text, 'end'],
      );
      assert.equal(tokens[1]?.line, text.split('\n').length);
    }),
  );
});

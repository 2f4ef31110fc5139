// Mistakes of the text, whatever it says: a word lost, doubled or misspelt, a brace too many, a line gone.

import type { Random } from '../../support/random.ts';

export function mutateText(text: string, random: Random): { text: string; note: string } {
  const lines = text.split('\n');
  const filled = [...lines.keys()].filter((at) => lines[at]!.trim() !== '');
  const at = random.pick(filled);
  const [note, change] = random.pick(WAYS);
  const changed = change(lines[at]!, random);
  return { text: lines.toSpliced(at, 1, ...changed).join('\n'), note: `${note} on line ${at + 1}` };
}

/** A change of one line into any number of lines. */
type Change = (line: string, random: Random) => string[];

const WAYS: readonly (readonly [string, Change])[] = [
  ['word removed', (line, random) => [withWords(line, (words) => words.splice(random.below(words.length), 1))]],
  ['word doubled', (line, random) => [withWords(line, (words) => insert(words, random, random.pick(words)))]],
  ['word added', (line, random) => [withWords(line, (words) => insert(words, random, random.pick(JUNK)))]],
  [
    'word misspelt',
    (line, random) => [
      withWords(line, (words) => {
        const at = random.below(words.length);
        words[at] = misspell(words[at]!, random);
      }),
    ],
  ],
  ['line removed', () => []],
  ['line doubled', (line) => [line, line]],
  ['line broken', (line, random) => withWords(line, (words) => insert(words, random, '\n')).split('\n')],
  ['brace opened', (line) => [`${line} {`]],
  ['brace closed', (line) => [line, '}']],
  ['quote opened', (line, random) => [withWords(line, (words) => insert(words, random, '"'))]],
];
const JUNK = [
  'x',
  '1',
  '-1',
  '{',
  '}',
  '"',
  '""',
  '.',
  '#',
  'example.org',
  '30s',
  '{$NOSUCH}',
  '\\',
  'a"b',
  '"a b"',
  '\u00e4',
];

function withWords(line: string, change: (words: string[]) => unknown): string {
  const words = line.trim().split(/ +/);
  change(words);
  return `${/^\s*/.exec(line)![0]}${words.join(' ')}`;
}

function insert(words: string[], random: Random, word: string): void {
  words.splice(random.below(words.length + 1), 0, word);
}

/** Ports and paths stay as they are: what stands between `@` is not the Corefile's. */
function misspell(word: string, random: Random): string {
  if (word.includes('@') || word.length < 2) return `${word}x`;
  const at = random.below(word.length);
  const ways = [
    word.slice(0, at) + word.slice(at + 1),
    word.slice(0, at) + word[at] + word.slice(at),
    word.slice(0, at) + word[at]!.toUpperCase() + word.slice(at + 1),
    `${word.slice(0, at)}x${word.slice(at)}`,
  ];
  return random.pick(ways);
}

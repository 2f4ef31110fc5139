import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line, Token } from '../../host/corefile/reader.ts';
import { CorefileError } from '../../host/errors.ts';
import { readerOf } from './reader-of.ts';

const read = (body: string) => readerOf('x', body);
/** `WORD ARG ARG { PROPERTY ARG; PROPERTY }`, each line of a block read to its end. */
const shapes = (body: string): string[] => {
  const reader = read(body);
  return reader.each((line) => {
    const words = shape(line);
    const properties: string[] = [];
    for (const word of reader.wordsOfBlock()) properties.push(textOf([word, ...reader.restOfLine()]));
    return properties.length === 0 ? words : `${words} { ${properties.join('; ')} }`;
  });
};
const shape = ({ word, args }: Line): string => textOf([word, ...args]);
const textOf = (words: readonly Token[]): string => words.map(({ text }) => text).join(' ');
const argumentsOf = (body: string): readonly Token[] => read(body).once(({ args }) => args);
const error = (line: number, word: string, text: string) => ({
  name: 'CorefileError',
  file: 'Corefile',
  line,
  word,
  message: `plugin/x: Corefile:${line} - Error during parsing: ${text}`,
});

test('occurrences, arguments and properties', () => {
  assert.deepEqual(shapes(' x'), ['x']);
  assert.deepEqual(shapes(' x a "b c"\n x {\n }\n x d { }'), ['x a b c', 'x', 'x d']);
  assert.deepEqual(shapes(' x a {\n p 1 2\n q\n }'), ['x a { p 1 2; q }']);
  assert.deepEqual(shapes(' x { p 1\n q\n }'), ['x { p 1; q }']);
  assert.deepEqual(shapes(' x "a\nb" c {\n p\n }'), ['x a\nb c { p }']);
});

test('braces where nobody expects them are words like others', () => {
  // The closing brace is an argument, and the block goes on behind it
  assert.deepEqual(shapes(' x {\n p }\n x a'), ['x { p }; x a }']);
  assert.deepEqual(shapes(' x\n {\n p\n }'), ['x', '{', 'p', '}']);
  assert.deepEqual(shapes(' x {\n } y'), ['x', 'y']);
  assert.deepEqual(shapes(' x {\n p\n } {\n q\n }'), ['x { p }', '{', 'q', '}']);
  assert.deepEqual(shapes(' x {\n {\n }\n }'), ['x { { }', '}']);
  assert.deepEqual(shapes(' x {\n p 1 {\n r\n }\n }'), ['x { p 1; {; r }', '}']);
  assert.deepEqual(shapes(' x { { } }'), ['x { { } } }']);
  assert.deepEqual(shapes(' x { p { } }'), ['x { p; { } } }']);
});

test('two blocks behind each other', () => {
  const reader = read(' x {\n p\n } {\n q\n }\n x {\n r\n }');
  const blocks = reader.each(() => [textOf([...reader.wordsOfBlock()]), textOf([...reader.wordsOfBlock()])]);
  assert.deepEqual(blocks, [
    ['p', 'q'],
    ['r', ''],
  ]);
});

test('words that nobody asks for begin a property or an occurrence', () => {
  const reader = read(' x a b {\n p 1 q 2\n }');
  assert.deepEqual(
    reader.each(({ word }) => word.text),
    ['x', 'a', 'b', '{', 'p', '1', 'q', '2', '}'],
  );
  reader.first(({ args }) => assert.equal(textOf(args), 'a b'));
  const words: string[] = [];
  const seen = (line: Line) => words.push(shape(line));
  const places = reader.properties({
    p: ({ word }) => words.push(word.text),
    1: ({ word }) => words.push(word.text),
    q: seen,
  });
  assert.deepEqual(words, ['p', '1', 'q 2']);
  assert.deepEqual(
    [...places.keys()],
    words.map((word) => word.slice(0, 1)),
  );
});

test('word by word', () => {
  const wrong = (word: string) => error(2, word, `Wrong argument count or unexpected line ending after '${word}'`);
  const brace = error(2, '{', "Unexpected token '{', expecting argument");
  const reader = read(' x a {\n p\n }');
  reader.first(({ word }) => {
    const next = reader.needOnLine(word);
    assert.equal(next.text, 'a');
    assert.equal(reader.needOnLine(next).text, '{');
    assert.throws(() => reader.needOnLine(next), wrong('a'));
    assert.equal(reader.nextOnLine(), undefined);
    reader.endOfLine();
    assert.throws(() => reader.endOfAll(), error(3, 'p', wrong('p').message.replace(/^.*parsing: /, '')));
  });
  const ended = read(' x a {\n }');
  assert.throws(() => ended.first(() => ended.endOfLine()), wrong('a'));
  assert.throws(() => ended.first((line) => line.args.length > 0 && ended.endOfLine()), brace);
});

test('once', () => {
  assert.equal(argumentsOf(' x a')[0]?.text, 'a');
  const twice = 'this plugin can only be used once per Server Block';
  assert.throws(() => argumentsOf(' x a\n x b'), error(3, 'x', twice));
  assert.throws(() => argumentsOf(' x\n {\n }'), error(3, '{', twice));
  const reader = read(' x a\n x b');
  assert.throws(
    () => reader.once((line) => reader.arguments(line, 0, 0)),
    error(2, 'a', "Wrong argument count or unexpected line ending after 'a'"),
  );
  assert.equal(
    reader.first(({ args }) => args[0]?.text),
    'a',
  );
});

test('argument counts', () => {
  const wrong = (word: string) => error(2, word, `Wrong argument count or unexpected line ending after '${word}'`);
  const reader = read(' x a b c');
  reader.once((line) => {
    assert.equal(reader.arguments(line, 0).length, 3);
    assert.equal(reader.arguments(line, 3, 3).length, 3);
    assert.throws(() => reader.arguments(line, 4), wrong('c'));
    assert.throws(() => reader.arguments(line, 0, 1), wrong('c'));
    assert.throws(() => reader.argument(line), wrong('c'));
  });
  const bare = read(' x');
  assert.throws(() => bare.once((line) => bare.argument(line)), wrong('x'));
});

test('property tables', () => {
  const reader = read(' x {\n p 1\n toString\n }');
  const seen: string[] = [];
  assert.throws(
    () => reader.once(() => reader.properties({ p: (property) => seen.push(shape(property)) })),
    error(4, 'toString', "unknown property 'toString'"),
  );
  assert.deepEqual(seen, ['p 1']);
  const misspelt = read(' x {\n ttll 1\n }');
  const table = { ttl: () => assert.fail('no such word') };
  assert.throws(
    () => misspelt.once(() => misspelt.properties(table)),
    error(3, 'ttll', 'unknown property \'ttll\', did you mean "ttl"?'),
  );
  assert.throws(
    () => misspelt.once(() => misspelt.properties(table, (word, known) => misspelt.argumentError(word, known))),
    error(3, 'ttll', 'Wrong argument count or unexpected line ending after \'ttll\', did you mean "ttl"?'),
  );
  assert.throws(
    () => {
      throw misspelt.notSupported(misspelt.word);
    },
    error(2, 'x', "'x' is not supported yet"),
  );
});

test('a property with a block', () => {
  const reader = read(' x {\n p 1 {\n }\n }');
  const table = { p: (line: Line) => assert.equal(line.args.length, 1) };
  assert.throws(() => reader.once(() => reader.properties(table)), error(3, '{', "unknown property '{'"));
});

test('values', () => {
  const token = (text: string) => argumentsOf(` x ${text}`)[0]!;
  const reader = read(' x');
  assert.equal(reader.durationMs(token('1m30s')), 90_000);
  assert.throws(() => reader.durationMs(token('5')), error(2, '5', 'time: missing unit in duration "5"'));
  assert.equal(reader.integer(token('-5')), -5);
  assert.equal(reader.integer(token('+007')), 7);
  assert.throws(() => reader.integer(token('5x')), error(2, '5x', 'strconv.Atoi: parsing "5x": invalid syntax'));
  assert.throws(() => reader.integer(token('1_0')), CorefileError);
  const huge = '9'.repeat(30);
  assert.throws(
    () => reader.integer(token(huge)),
    error(2, huge, `strconv.Atoi: parsing "${huge}": value out of range`),
  );
  assert.equal(reader.maybeInteger(token('x')), undefined);
  assert.equal(reader.maybeInteger(token('0')), 0);
});

test('IP endpoints', () => {
  const reader = read(' x');
  const endpoint = (text: string) => reader.ipEndpoint(argumentsOf(` x ${text}`)[0]!, 53);
  assert.deepEqual(endpoint('10.0.0.1'), { address: '10.0.0.1', port: 53 });
  assert.deepEqual(endpoint('10.0.0.1:54'), { address: '10.0.0.1', port: 54 });
  assert.deepEqual(endpoint('10.0.0.1:'), { address: '10.0.0.1', port: 53 });
  assert.deepEqual(endpoint('::1'), { address: '::1', port: 53 });
  assert.deepEqual(endpoint('[::1]'), { address: '::1', port: 53 });
  assert.deepEqual(endpoint('[fe80::1%lo]:54'), { address: 'fe80::1%lo', port: 54 });
  for (const text of ['localhost', '1.2.3.4.5', '[::1', '1.2.3']) {
    assert.throws(() => endpoint(text), error(2, text, `must specify an IP address: \`${text}'`));
  }
  assert.throws(() => endpoint('localhost:53'), error(2, 'localhost:53', "must specify an IP address: `localhost'"));
  assert.throws(() => endpoint('10.0.0.1:x'), error(2, '10.0.0.1:x', 'address 10.0.0.1:x: invalid port'));
});

test('listen addresses', () => {
  const reader = read(' x');
  const address = (text: string) => reader.listenAddress(argumentsOf(` x ${text}`)[0]!);
  const right = (text: string, at: string, port: number, fault?: string) =>
    assert.deepEqual(address(text), { address: at, port, fault });
  right(':8080', '', 8080);
  right('localhost:0', 'localhost', 0);
  right('[::1]:9153', '::1', 9153);
  right(':70000', '', 0, 'address 70000: invalid port');
  right('a:http-alt', 'a', 0, 'lookup tcp/http-alt: unknown port');
  assert.throws(() => address('y'), error(2, 'y', 'address y: missing port in address'));
});

test('zones', () => {
  const zones = (body: string) => {
    const reader = read(body);
    return reader.once(({ args }) => reader.zones(args));
  };
  assert.deepEqual(zones(' x'), ['.', 'example.org.']);
  assert.deepEqual(zones(' x A.org 10.0.0.0/15 b..c'), ['a.org.', '0.10.in-addr.arpa.', '1.10.in-addr.arpa.']);
});

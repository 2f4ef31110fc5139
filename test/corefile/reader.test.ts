import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line } from '../../host/corefile/reader.ts';
import { CorefileError } from '../../host/errors.ts';
import { readerOf } from './reader-of.ts';

const read = (body: string) => readerOf('x', body);
/** `WORD ARG ARG { PROPERTY; PROPERTY }` */
const shape = (line: Line): string => {
  const words = [line.word, ...line.args].map((token) => token.text).join(' ');
  return line.properties.length === 0 ? words : `${words} { ${line.properties.map(shape).join('; ')} }`;
};
const shapes = (body: string): string[] => read(body).occurrences.map(shape);
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
  assert.deepEqual(shapes(' x {\n p 1 {\n r 2\n s {\n t\n }\n }\n q\n }'), ['x { p 1 { r 2; s { t } }; q }']);
  assert.deepEqual(shapes(' x "a\nb" c {\n p\n }'), ['x a\nb c { p }']);
});

test('misplaced braces', () => {
  assert.throws(() => shapes(' x {\n p }'.concat('\n')), error(3, '}', "'}' must begin a line"));
  assert.throws(() => shapes(' x\n {\n }'), error(3, '{', "'{' must stand on the line of 'x'"));
  assert.throws(() => shapes(' x {\n } y'), error(3, 'y', "Unexpected token 'y' behind '}'"));
  assert.throws(() => shapes(' x {\n {\n }\n }'), error(3, '{', "Unexpected token '{', expecting a property"));
  assert.throws(() => shapes(' x {\n p {\n } }\n'), error(4, '}', "Unexpected token '}' behind '}'"));
  const deep = ` x ${'{\n p '.repeat(17)}\n${' }\n'.repeat(17)}`;
  assert.throws(() => shapes(deep), error(18, '{', "'{' opens more than 16 blocks inside each other"));
});

test('once', () => {
  assert.equal(read(' x a').once().args[0]?.text, 'a');
  assert.throws(() => read(' x a\n x b').once(), error(3, 'x', 'this plugin can only be used once per Server Block'));
});

test('argument counts', () => {
  const reader = read(' x a b c');
  const line = reader.once();
  assert.equal(reader.arguments(line, 0).length, 3);
  assert.equal(reader.arguments(line, 3, 3).length, 3);
  const wrong = (word: string) => error(2, word, `Wrong argument count or unexpected line ending after '${word}'`);
  assert.throws(() => reader.arguments(line, 4), wrong('c'));
  assert.throws(() => reader.arguments(line, 0, 1), wrong('b'));
  assert.throws(() => reader.argument(line), wrong('b'));
  const bare = read(' x');
  assert.throws(() => bare.argument(bare.once()), wrong('x'));
});

test('property tables', () => {
  const reader = read(' x {\n p 1\n toString\n }');
  const seen: string[] = [];
  assert.throws(
    () => reader.properties(reader.once(), { p: (property) => seen.push(shape(property)) }),
    error(4, 'toString', "unknown property 'toString'"),
  );
  assert.deepEqual(seen, ['p 1']);
  assert.throws(() => reader.noProperties(reader.once()), error(3, 'p', "unknown property 'p'"));
  assert.throws(
    () => {
      throw reader.notSupported(reader.once().properties[0]!.word);
    },
    error(3, 'p', "'p' is not supported yet"),
  );
});

test('a property with a block', () => {
  const reader = read(' x {\n p 1 {\n }\n }');
  assert.throws(() => reader.properties(reader.once(), { p: () => {} }), error(3, '{', "unknown property '{'"));
});

test('values', () => {
  const token = (text: string) => read(` x ${text}`).once().args[0]!;
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
  const endpoint = (text: string) => reader.ipEndpoint(read(` x ${text}`).once().args[0]!, 53);
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
  const address = (text: string) => reader.listenAddress(read(` x ${text}`).once().args[0]!);
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
    return reader.zones(reader.once().args);
  };
  assert.deepEqual(zones(' x'), ['.', 'example.org.']);
  assert.deepEqual(zones(' x A.org 10.0.0.0/15 b..c'), ['a.org.', '0.10.in-addr.arpa.', '1.10.in-addr.arpa.']);
});

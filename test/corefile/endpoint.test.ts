import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portNumber, splitEndpoint } from '../../host/corefile/endpoint.ts';

test('endpoints', () => {
  assert.deepEqual(splitEndpoint('127.0.0.1:53'), { address: '127.0.0.1', port: '53' });
  assert.deepEqual(splitEndpoint('[::1]:53'), { address: '::1', port: '53' });
  assert.deepEqual(splitEndpoint('[fe80::1%lo]:x'), { address: 'fe80::1%lo', port: 'x' });
  assert.deepEqual(splitEndpoint(':8080'), { address: '', port: '8080' });
  assert.deepEqual(splitEndpoint('localhost:'), { address: 'localhost', port: '' });
});

test("wrong endpoints, in Go's words", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['x', 'missing port in address'],
    ['', 'missing port in address'],
    ['[::1]', 'missing port in address'],
    ['[::1]x:5', 'missing port in address'],
    ['[::1]:5:6', 'too many colons in address'],
    ['::1', 'too many colons in address'],
    ['[::1:53', "missing ']' in address"],
    ['a[b:53', "unexpected '[' in address"],
    ['a]b:53', "unexpected ']' in address"],
    ['[a[b]:53', "unexpected '[' in address"],
  ];
  for (const [text, reason] of cases) {
    assert.throws(() => splitEndpoint(text), {
      name: 'EndpointError',
      message: text === '' ? reason : `address ${text}: ${reason}`,
    });
  }
});

test('ports', () => {
  assert.equal(portNumber('0'), 0);
  assert.equal(portNumber('65535'), 65535);
  for (const text of ['65536', '-1', '', '5x', '1e3', '000053']) assert.equal(portNumber(text), undefined, text);
});

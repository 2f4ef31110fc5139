import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hasPreferredSyntax,
  parseKey,
  refuseOverlaps,
  refusePorts,
  zonesOfArgument,
} from '../../host/corefile/keys.ts';

const tokenOf = (text: string, line = 7) => ({ text, raw: text, file: 'Corefile', line, isImported: false });
const keysOf = (text: string): string[] => parseKey(tokenOf(text), 53).map(({ zone, port }) => `${zone} ${port}`);

test('addresses', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['.', ['. 53']],
    ['.:5300', ['. 5300']],
    ['Example.ORG', ['example.org. 53']],
    ['example.org.:0', ['example.org. 0']],
    ['dns://example.org:54', ['example.org. 54']],
    ['example.org:53-55', ['example.org:53-55. 53']],
    ['foo://example.org:5300', ['foo://example.org. 5300']],
    ['10.0.0.0/33:5590', ['10.0.0.0/33. 5590']],
    ['a,b', ['a,b. 53']],
    ['10.0.0.0/15:54', ['0.10.in-addr.arpa. 54', '1.10.in-addr.arpa. 54']],
    ['2001:db8::/32', ['8.b.d.0.1.0.0.2.ip6.arpa. 53']],
    ['2001:db8::/32:54', ['8.b.d.0.1.0.0.2.ip6.arpa. 54']],
    ['10.in-addr.arpa', ['10.in-addr.arpa. 53']],
    ['10.0.0.1', ['10.0.0.1. 53']],
    ['::1', [':. 1']],
    ['}', ['}. 53']],
  ];
  for (const [text, keys] of cases) assert.deepEqual(keysOf(text), keys, text);
  assert.equal(keysOf('10.9.0.0/18').length, 64);
});

test('wrong addresses name file, line and word', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['.:5590{', 'zone is not a valid domain name: .:5590{'],
    ['a..b:5590', 'zone is not a valid domain name: a..b'],
    [`${'a'.repeat(64)}.org`, `zone is not a valid domain name: ${'a'.repeat(64)}.org`],
    [`${'a.'.repeat(130)}org`, 'specified zone is too long: 263 > 255'],
    ['example.org:', 'expecting data after last colon: "example.org:"'],
    [':53', 'zone is not a valid domain name: '],
    ['', 'expecting data after last colon: ""'],
    ['dns://', 'expecting data after last colon: ""'],
    ['::/8', 'invalid CIDR ::/8'],
    ['0::/8', 'invalid CIDR 0::/8'],
    ['tls://example.org', "transport tls:// is not supported yet: 'tls://example.org'"],
    ['quic://.', "transport quic:// is not supported yet: 'quic://.'"],
    ['grpc://.:443', "transport grpc:// is not supported yet: 'grpc://.:443'"],
    ['https://.', "transport https:// is not supported yet: 'https://.'"],
    ['https3://.', "transport https3:// is not supported yet: 'https3://.'"],
    ['unix://', 'expecting data after last colon: ""'],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => keysOf(text), {
      name: 'CorefileError',
      file: 'Corefile',
      line: 7,
      word: text,
      message: `Corefile:7 - Error during parsing: ${message}`,
    });
  }
});

test('zone arguments of plugins', () => {
  assert.deepEqual(zonesOfArgument('Example.org'), ['example.org.']);
  assert.deepEqual(zonesOfArgument('10.0.0.0/15'), ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.']);
  assert.deepEqual(zonesOfArgument('tls://example.org:53'), ['example.org.']);
  assert.equal(zonesOfArgument('a..b'), undefined);
  assert.equal(zonesOfArgument('a:'), undefined);
});

test('RFC 1035 preferred syntax', () => {
  for (const zone of ['.', 'example.org.', 'a-b.c1.', '10.in-addr.arpa.', '0.2.ip6.arpa.']) {
    assert.ok(hasPreferredSyntax(zone), zone);
  }
  for (const zone of ['}.', 'a_b.org.', '1a.org.', '-a.org.', 'a-.org.', '10.0.0.0/33.', 'foo://example.org.']) {
    assert.ok(!hasPreferredSyntax(zone), zone);
  }
});

test('ports that are none are refused when every address is known', () => {
  const binding = (text: string, line = 1) => ({ key: parseKey(tokenOf(text, line), 53)[0]!, address: '' });
  refusePorts([binding('.'), binding('.:0'), binding('a:65535')]);
  for (const port of [99999, 65536, -1]) {
    assert.throws(() => refusePorts([binding('.'), binding(`a:${port}`, 9)]), {
      line: 9,
      word: `a:${port}`,
      message: `Corefile:9 - Error during parsing: address ${port}: invalid port`,
    });
  }
});

test('the same zone twice on one port is refused', () => {
  const binding = (text: string, address = '', line = 1) => ({ key: parseKey(tokenOf(text, line), 53)[0]!, address });
  refuseOverlaps([binding('.'), binding('.:54'), binding('a'), binding('b', '127.0.0.1'), binding('b', '127.0.0.2')]);
  assert.throws(() => refuseOverlaps([binding('.'), binding('dns://.:53', '', 9)]), {
    line: 9,
    word: 'dns://.:53',
    message: 'Corefile:9 - Error during parsing: cannot serve dns://.:53 - it is already defined',
  });
  assert.throws(() => refuseOverlaps([binding('a', '::1'), binding('b'), binding('A.', '::1', 3)]), {
    message: 'Corefile:3 - Error during parsing: cannot serve dns://a.:53 on ::1 - it is already defined',
  });
  assert.throws(() => refuseOverlaps([binding('a', '::1'), binding('a', '', 3)]), {
    message:
      'Corefile:3 - Error during parsing: cannot serve dns://a.:53 - zone overlap listener capacity with dns://a.:53 on ::1',
  });
  assert.throws(() => refuseOverlaps([binding('a'), binding('a', '::1', 3)]), {
    message:
      'Corefile:3 - Error during parsing: cannot serve dns://a.:53 on ::1 - zone overlap listener capacity with dns://a.:53',
  });
});

test('unix:// is a key that nobody serves', () => {
  const key = (text: string) => parseKey(tokenOf(text), 53).map(({ transport, zone, port }) => [transport, zone, port]);
  assert.deepEqual(key('unix://X.test:5300'), [['unix', 'x.test.', 5300]]);
  assert.deepEqual(key('unix:///tmp/socket'), [['unix', '/tmp/socket.', undefined]]);
  const binding = (text: string) => ({ key: parseKey(tokenOf(text), 53)[0]!, address: '' });
  const twice = (text: string) => () => refuseOverlaps([binding(text), binding(text)]);
  assert.throws(twice('unix://x'), { message: /cannot serve unix:\/\/x\.: - it is already defined/ });
  assert.throws(() => refusePorts([binding('unix://x:99999')]), { message: /address 99999: invalid port/ });
  refuseOverlaps([binding('unix://x:53'), binding('x:53'), binding('unix://x')]);
  refusePorts([binding('unix://x')]);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { createForward, forward } from '../../../host/plugins/forward/forward.ts';
import type { Stanza } from '../../../host/plugins/forward/parse.ts';
import { dialProblem, type UpstreamTarget } from '../../../host/plugins/forward/targets.ts';
import { readerOf } from '../../corefile/reader-of.ts';

const PREFIX = 'plugin/forward: Corefile:';

function parse(body: string): readonly Stanza[] {
  return forward.parse(readerOf('forward', body)).stanzas;
}

/** The only stanza of `forward . 127.0.0.1 { OPTIONS }`. */
function withOptions(options: string): Stanza {
  return parse(`forward . 127.0.0.1 {\n${options}\n}`)[0]!;
}

const upstreams = (stanza: Stanza) => stanza.to as readonly UpstreamTarget[];
/** `192.0.2.1:53`, and `NAME@PORT` for host names. */
const texts = (stanza: Stanza) =>
  stanza.to.map((each) => ('text' in each ? each.text : `${each.host}@${each.portText}`));

test('defaults', () => {
  const [stanza] = parse('forward . 127.0.0.1');
  const { to, ...rest } = stanza!;
  assert.deepEqual(to, [{ text: '127.0.0.1:53', address: '127.0.0.1', port: 53, portText: '53' }]);
  assert.deepEqual(rest, {
    from: '.',
    except: [],
    resolvers: [],
    sourceAddress: undefined,
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdleConns: 0,
    readTimeoutMs: 2000,
    maxFails: 2,
    maxConnectAttempts: undefined,
    policy: 'random',
    healthIntervalMs: 500,
    healthRecursion: true,
    healthDomain: '.',
    maxConcurrent: 0,
    maxConcurrentText: '0',
    next: [],
    nextOnNodata: false,
    failover: [],
    failfast: false,
    warnings: [],
  });
});

test('FROM', () => {
  const cases: [string, string][] = [
    ['Example.ORG', 'example.org.'],
    ['dns://example.org:5300', 'example.org.'],
    ['10.0.0.0/8', '10.in-addr.arpa.'],
    ['2001:db8::/32', '8.b.d.0.1.0.0.2.ip6.arpa.'],
  ];
  for (const [from, zone] of cases) assert.equal(parse(`forward ${from} 127.0.0.1`)[0]!.from, zone, from);
  const [split] = parse('forward 10.9.3.0/18 127.0.0.1');
  assert.equal(split!.from, '0.9.10.in-addr.arpa.');
  assert.deepEqual(split!.warnings, [
    "Unsupported CIDR notation: '10.9.3.0/18' expands to multiple zones. Using only '0.9.10.in-addr.arpa.'.",
  ]);
});

test('TO: addresses in every spelling, in order and once', () => {
  const cases: [string, string[]][] = [
    ['127.0.0.1:5300', ['127.0.0.1:5300']],
    ['dns://127.0.0.1', ['127.0.0.1:53']],
    ['dns://127.0.0.1:54 [::1]:53 ::1 [2003::1]', ['127.0.0.1:54', '[::1]:53', '[2003::1]:53']],
    ['fe80::1%eth0 [fe80::2%eth0]:54', ['[fe80::1]:53', '[fe80::2]:54']],
    ['127.0.0.2 127.0.0.1 127.0.0.2:53 dns://127.0.0.1', ['127.0.0.2:53', '127.0.0.1:53']],
    ['127.0.0.1: 127.0.0.1:x 127.0.0.1:99999', ['127.0.0.1:', '127.0.0.1:x', '127.0.0.1:99999']],
  ];
  for (const [to, expected] of cases) assert.deepEqual(texts(parse(`forward . ${to}`)[0]!), expected, to);
  const [stanza] = parse('forward . fe80::1%eth0 127.0.0.1:x 127.0.0.1:99999');
  assert.equal(upstreams(stanza!)[0]!.address, 'fe80::1%eth0');
  assert.deepEqual(
    upstreams(stanza!).map(({ port }) => port),
    [53, -1, -1],
  );
});

test('TO: nameservers of files like resolv.conf, paths relative to the working directory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'forward-'));
  try {
    const file = (name: string, text: string) => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const two = file(
      'two',
      '# nameserver 1.1.1.1\nsearch x\n nameserver 10.0.0.1 # first\nnameserver 10.0.0.2\nnameserver\n',
    );
    const zoned = file('zoned', 'nameserver 0388:d254:7aec:6892:9f7f:e93b:5806:1b0f%en0\n');
    const empty = file('empty', '; nothing\n#nameserver 1.1.1.1\n');
    const many = file('many', Array.from({ length: 20 }, (_, i) => `nameserver 10.0.1.${i}`).join('\n'));
    const wrong = file('wrong', 'nameserver dns.example\n');
    assert.deepEqual(texts(parse(`forward . ${two}`)[0]!), ['10.0.0.1:53', '10.0.0.2:53']);
    assert.deepEqual(texts(parse(`forward . ${relative('.', two)}`)[0]!), ['10.0.0.1:53', '10.0.0.2:53']);
    assert.deepEqual(texts(parse(`forward . 10.0.0.2 dns://${two}`)[0]!), ['10.0.0.2:53', '10.0.0.1:53']);
    assert.deepEqual(texts(parse(`forward . ${zoned}`)[0]!), ['[0388:d254:7aec:6892:9f7f:e93b:5806:1b0f]:53']);
    assert.deepEqual(texts(parse(`forward . ${empty} 127.0.0.1`)[0]!), ['127.0.0.1:53']);
    assert.equal(parse(`forward . ${many}`)[0]!.to.length, 20);
    assert.throws(() => parse(`forward . ${empty}`), {
      message: `${PREFIX}2 - Error during parsing: no valid upstream addresses found: no nameservers found in ${empty}`,
    });
    // CoreDNS takes a nameserver as it stands, and looks it up for every dial
    assert.deepEqual(parse(`forward . ${wrong}`)[0]!.to, [{ host: 'dns.example', portText: '53', isNameserver: true }]);
    // A directory reads as a file without nameservers
    assert.throws(() => parse(`forward . ${directory}`), { message: /no valid upstream addresses found/ });
    const tolerant = createForward({ mayLackUpstreams: true });
    assert.deepEqual(tolerant.parse(readerOf('forward', `forward . ${empty}`)).stanzas[0]!.to, []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('TO: host names, with ports, in order between addresses', () => {
  const cases: [string, string[]][] = [
    ['dns.example', ['dns.example@53']],
    ['dns://DNS.example:54', ['DNS.example@54']],
    ['10.0.0.1 dns.example. 10.0.0.1 10.0.0.2', ['10.0.0.1:53', 'dns.example.@53', '10.0.0.2:53']],
    ['1.2.3.4.5 /etc/nosuch.conf', ['1.2.3.4.5@53', '/etc/nosuch.conf@53']],
    ['dns.example%zone:55 dns.example%zone', ['dns.example@55', 'dns.example@53']],
    ['[dns.example]:x', ['dns.example@x']],
  ];
  for (const [to, expected] of cases) assert.deepEqual(texts(parse(`forward . ${to}`)[0]!), expected, to);
});

test('options', () => {
  const cases: [string, Partial<Stanza>][] = [
    [
      'except Example.net 10.0.0.0/15\nexcept a.b',
      { except: ['example.net.', '0.10.in-addr.arpa.', '1.10.in-addr.arpa.', 'a.b.'] },
    ],
    ['force_tcp\nprefer_udp', { forceTcp: true, preferUdp: true }],
    ['expire 5s\nmax_age 1m', { expireMs: 5000, maxAgeMs: 60_000 }],
    ['expire 0s', { expireMs: 0 }],
    ['read_timeout 1.5s', { readTimeoutMs: 1500 }],
    ['max_fails 0\nmax_connect_attempts 0', { maxFails: 0, maxConnectAttempts: 0 }],
    ['max_fails 4294967295', { maxFails: 4294967295 }],
    ['max_idle_conns 7\nmax_concurrent 1000', { maxIdleConns: 7, maxConcurrent: 1000 }],
    ['policy round_robin', { policy: 'round_robin' }],
    ['policy sequential\npolicy random', { policy: 'random' }],
    [
      'health_check 5s no_rec domain Example.org',
      { healthIntervalMs: 5000, healthRecursion: false, healthDomain: 'example.org.' },
    ],
    ['health_check 0s', { healthIntervalMs: 0 }],
    ['next NXDOMAIN refused\nnext BADSIG', { next: [3, 5, 16] }],
    ['next_on_nodata\nfailfast_all_unhealthy_upstreams', { nextOnNodata: true, failfast: true }],
    ['failover servfail NOTIMPL', { failover: [2, 4] }],
    ['next dsotypeni BADCOOKIE', { next: [11, 23] }],
    ['source_address 127.0.0.9', { sourceAddress: '127.0.0.9' }],
    ['source_address ::1', { sourceAddress: '::1' }],
    ['max_concurrent +07', { maxConcurrent: 7, maxConcurrentText: '+07' }],
    // What follows an argument that is complete is read as another property
    ['policy sequential force_tcp\nexpire 5s max_age 6s', { policy: 'sequential', forceTcp: true, maxAgeMs: 6000 }],
  ];
  for (const [options, expected] of cases) {
    const stanza = withOptions(options);
    assert.deepEqual({ ...stanza, ...expected }, stanza, options);
  }
});

test('resolver', () => {
  const { resolvers } = withOptions('resolver 10.0.0.1 10.0.0.2:54 ::1 [::2]:55 10.0.0.3:x');
  assert.deepEqual(
    resolvers.map(({ text, port }) => [text, port]),
    [
      ['10.0.0.1:53', 53],
      ['10.0.0.2:54', 54],
      ['[::1]:53', 53],
      ['[::2]:55', 55],
      ['10.0.0.3:x', -1],
    ],
  );
  // The last line counts
  assert.equal(withOptions('resolver 10.0.0.1\nresolver ::1').resolvers[0]!.text, '[::1]:53');
});

test('several stanzas', () => {
  const stanzas = parse('forward a.test ::1 {\nforce_tcp\n}\nforward . ::2');
  assert.deepEqual(
    stanzas.map(({ from, forceTcp }) => [from, forceTcp]),
    [
      ['a.test.', true],
      ['.', false],
    ],
  );
});

test('https3:// without a port leads nowhere, and every transport takes a file', () => {
  const [nowhere, other] = parse('forward . https3://9.9.9.9 https3://[2001:db8::1] 9.9.9.9')[0]!.to;
  assert.ok(nowhere !== undefined && 'text' in nowhere && other !== undefined && 'text' in other);
  assert.equal(nowhere.text, '');
  assert.equal(other.text, '9.9.9.9:53');
  assert.equal(dialProblem(nowhere, 'udp'), 'dial udp: missing address');
  assert.equal(dialProblem(nowhere, 'tcp'), 'dial tcp: missing address');
  assert.equal(dialProblem(other, 'udp'), undefined);
  const file = join(mkdtempSync(join(tmpdir(), 'forward-')), 'resolv.conf');
  writeFileSync(file, 'nameserver 192.0.2.5\n');
  for (const transport of ['tls', 'quic', 'grpc', 'https3']) {
    const [target] = parse(`forward . ${transport}://${file}`)[0]!.to;
    assert.ok(target !== undefined && 'text' in target);
    assert.equal(target.text, '192.0.2.5:53');
  }
});

test('wrong stanzas', () => {
  const long = 'x'.repeat(64);
  const cases: [string, string][] = [
    ['forward', "2 - Error during parsing: Wrong argument count or unexpected line ending after 'forward'"],
    ['forward .', "2 - Error during parsing: Wrong argument count or unexpected line ending after '.'"],
    [`forward ${long} 127.0.0.1`, `2 - Error during parsing: unable to normalize '${long}'`],
    ['forward . ./nosuch.conf', '2 - Error during parsing: not an IP address, file, or valid domain: "./nosuch.conf"'],
    ['forward . dns://', '2 - Error during parsing: invalid address: "dns://"'],
    ['forward . grpc://name', '2 - Error during parsing: not an IP address, file, or valid domain: "grpc://name"'],
    ['forward . https3://', '2 - Error during parsing: invalid address: "https3://"'],
    [
      'forward . https3://9.9.9.9:443',
      "2 - Error during parsing: 'https3' is not supported as a destination protocol in forward: https3://9.9.9.9:443",
    ],
    [
      'forward . unix://[fe80::1%eth0]:53',
      "2 - Error during parsing: 'unix' is not supported as a destination protocol in forward: unix://[fe80::1]:53",
    ],
    ['forward . quic://9.9.9.9 :53', '2 - Error during parsing: not an IP address, file, or valid domain: ":53"'],
    [
      'forward . :53 https://9.9.9.9/x',
      '2 - Error during parsing: paths are not allowed in HTTPS upstream addresses (the /dns-query path is used by default): https://9.9.9.9/x',
    ],
    ['forward . a..b', '2 - Error during parsing: not an IP address, file, or valid domain: "a..b"'],
    ['forward . :53', '2 - Error during parsing: not an IP address, file, or valid domain: ":53"'],
    ['forward . tls://9.9.9.9', "2 - Error during parsing: transport tls:// is not supported yet: 'tls://9.9.9.9'"],
    [
      'forward . https://9.9.9.9',
      "2 - Error during parsing: transport https:// is not supported yet: 'https://9.9.9.9'",
    ],
    [
      'forward . quic://9.9.9.9',
      "2 - Error during parsing: 'quic' is not supported as a destination protocol in forward: quic://9.9.9.9:853",
    ],
    [
      'forward . grpc://9.9.9.9',
      "2 - Error during parsing: 'grpc' is not supported as a destination protocol in forward: grpc://9.9.9.9:443",
    ],
    [
      `forward . ${Array.from({ length: 16 }, (_, i) => `10.0.0.${i}`).join(' ')}`,
      '2 - Error during parsing: more than 15 TOs configured: 16',
    ],
  ];
  for (const [body, text] of cases)
    assert.throws(() => parse(body), { name: 'CorefileError', message: PREFIX + text }, body);
});

test('wrong options', () => {
  const argument = (word: string) => `Wrong argument count or unexpected line ending after '${word}'`;
  const cases: [string, string][] = [
    ['nosuch', "unknown property 'nosuch'"],
    ['policy best', "unknown policy 'best'"],
    ['policy', argument('policy')],
    ['policy random x', "unknown property 'x'"],
    ['except', argument('except')],
    ['force_tcp x', argument('x')],
    ['prefer_udp x', argument('x')],
    ['next_on_nodata x', argument('x')],
    ['failfast_all_unhealthy_upstreams x', argument('x')],
    ['expire 10', 'time: missing unit in duration "10"'],
    ['expire -5s', "expire can't be negative: -5s"],
    ['max_age -90s', "max_age can't be negative: -1m30s"],
    ['max_age 5s', 'max_age (5s) must not be less than expire (10s)'],
    ['read_timeout 0s', 'read_timeout must be positive: 0s'],
    ['read_timeout -500ms', 'read_timeout must be positive: -500ms'],
    ['max_idle_conns -4', "max_idle_conns can't be negative: -4"],
    ['max_concurrent many', 'strconv.Atoi: parsing "many": invalid syntax'],
    ['max_concurrent -4', "max_concurrent can't be negative: -4"],
    ['max_fails -1', 'strconv.ParseUint: parsing "-1": invalid syntax'],
    ['max_fails 4294967296', 'strconv.ParseUint: parsing "4294967296": value out of range'],
    ['max_connect_attempts', argument('max_connect_attempts')],
    ['health_check', argument('health_check')],
    ['health_check -1s', "health_check can't be negative: -1000000000"],
    ['health_check 1s often', 'health_check: unknown option often'],
    ['health_check 1s domain', argument('domain')],
    ['health_check 1s domain a..b', 'health_check: invalid domain name a..b'],
    ['next', argument('next')],
    ['next NOSUCH', 'NOSUCH is not a valid rcode'],
    ['next RCODE3', 'RCODE3 is not a valid rcode'],
    ['failover SERVFAIL noerror', 'NoError cannot be used in failover'],
    ['tls', "'tls' is not supported yet"],
    ['tls_servername dns.example', "'tls_servername' is not supported yet"],
    ['doh_method GET', "'doh_method' is not supported yet"],
    ['resolver', argument('resolver')],
    ['resolver 10.0.0.1 dns.example', 'resolver must be an IP address or IP:port: "dns.example"'],
    ['resolver dns.example:53', 'resolver must be an IP address or IP:port: "dns.example:53"'],
    ['resolver [::1]', 'resolver must be an IP address or IP:port: "[::1]"'],
    ['source_address', argument('source_address')],
    ['source_address dns.example', 'invalid IP address: dns.example'],
    ['source_address 10.0.0.1:53', 'invalid IP address: 10.0.0.1:53'],
    ['next BADVERS', 'BADVERS is not a valid rcode'],
  ];
  for (const [options, text] of cases) {
    const line = options === 'max_age 5s' ? 2 : 3;
    const message = `${PREFIX}${line} - Error during parsing: ${text}`;
    assert.throws(() => withOptions(options), { name: 'CorefileError', message }, options);
  }
});

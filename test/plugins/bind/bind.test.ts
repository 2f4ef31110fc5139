import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { boundAddresses } from '../../../host/plugins/bind/addresses.ts';
import { parseBind } from '../../../host/plugins/bind/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, page, serve, socketsOn, start } from '../../server/process.ts';
import { readerOf, refusal } from '../support/reader.ts';

const parse = (inside: string) => parseBind(readerOf('bind', inside));
const HAS_IPV6 = networkInterfaces()['lo']?.some(({ family }) => family === 'IPv6') ?? false;

test('parse: addresses, interfaces, except, several lines', () => {
  assert.deepEqual(parse('bind 127.0.0.1 ::1'), { lists: [{ words: ['127.0.0.1', '::1'], except: [] }] });
  assert.deepEqual(parse('bind lo {\nexcept ::1 127.0.0.2\n}\nbind eth0'), {
    lists: [
      { words: ['lo'], except: ['::1', '127.0.0.2'] },
      { words: ['eth0'], except: [] },
    ],
  });
  assert.deepEqual(parse('bind lo {\nexcept a\nexcept b\n}').lists[0]!.except, ['b'], 'the last one counts');
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['bind', 2, 'at least one address or interface name is expected'],
    ['bind lo {\nexcept\n}', 3, 'at least one address or interface must be given to except subdirective'],
    ['bind lo {\nexcpet ::1\n}', 3, 'invalid option "excpet", did you mean "except"?'],
    ['bind lo {\nnosuch\n}', 3, 'invalid option "nosuch"'],
  ];
  for (const [inside, line, text] of cases) {
    assert.equal(
      refusal(() => parse(inside)),
      `plugin/bind: Corefile:${line} - Error during parsing: ${text}`,
    );
  }
});

test('interfaces stand for their addresses', () => {
  const interfaces: Record<string, string[]> = {
    lo: ['127.0.0.1', '::1'],
    eth0: ['192.0.2.7', 'fe80::1%eth0'],
    down: [],
  };
  const addresses = (inside: string) => boundAddresses(parse(inside), (name) => interfaces[name]);
  assert.deepEqual(addresses('bind lo'), ['127.0.0.1', '::1']);
  assert.deepEqual(addresses('bind eth0 lo\nbind 192.0.2.8'), [
    ...['192.0.2.7', 'fe80::1%eth0', '127.0.0.1', '::1'],
    '192.0.2.8',
  ]);
  assert.deepEqual(addresses('bind lo eth0 {\nexcept lo 192.0.2.7\n}'), ['fe80::1%eth0']);
  assert.deepEqual(addresses('bind lo {\nexcept lo\n}\nbind lo'), ['127.0.0.1', '::1'], 'except is for its own line');
  assert.deepEqual(addresses('bind down'), []);
  assert.throws(() => addresses('bind nosuch'), { message: 'not a valid IP address or interface name: "nosuch"' });
  assert.throws(() => addresses('bind lo {\nexcept 1.2.3\n}'), {
    message: 'not a valid IP address or interface name: "1.2.3"',
  });
  assert.throws(() => addresses('bind fe80::1%eth0'), /not a valid IP address/, 'as in CoreDNS: name the interface');
});

test('the loopback interface of this machine', () => {
  const addresses = boundAddresses(parse('bind lo'));
  assert.equal(addresses[0], '127.0.0.1');
  assert.equal(addresses.includes('::1'), HAS_IPV6);
});

test('an unknown interface refuses the start, with file and line', async (t) => {
  const started = start(t, ['-conf', 'Corefile'], { corefile: '. {\n    bind nosuch0\n    whoami\n}\n' });
  assert.equal((await started.ends()).code, 1);
  assert.equal(
    started.err,
    'plugin/bind: Corefile:2 - Error during parsing: not a valid IP address or interface name: "nosuch0"\n',
  );
});

test('blocks on their own addresses: routing, labels, start lines, {local}', async (t) => {
  const [port, metrics] = [await freePort(), await freePort()];
  const started = await serve(
    t,
    `.:${port} {
    bind 127.0.0.1 127.0.0.2
    prometheus 127.0.0.1:${metrics}
    log . "one {proto} {local}"
    whoami
}
a.example:${port} {
    bind 127.0.0.3
    log . "two {proto} {local}"
    whoami
}
`,
  );
  assert.deepEqual(started.lines.slice(0, 3), [
    `.:${port} on 127.0.0.1`,
    `.:${port} on 127.0.0.2`,
    `a.example.:${port} on 127.0.0.3`,
  ]);
  for (const [host, name, outcome] of [
    ['127.0.0.1', 'x.test.', 'NOERROR'],
    ['127.0.0.2', 'a.example.', 'NOERROR'],
    ['127.0.0.3', 'a.example.', 'NOERROR'],
    ['127.0.0.3', 'x.test.', 'REFUSED'],
    ['127.0.0.4', 'x.test.', 'silence'],
  ] as const) {
    for (const proto of ['udp', 'tcp'] as const) {
      const withinMs = outcome === 'silence' ? 300 : 5000;
      assert.equal(await ask(port, name, { host, proto, withinMs }), outcome, `${host} ${name} ${proto}`);
    }
  }
  for (const line of ['one udp 127.0.0.1', 'one tcp 127.0.0.2', 'two udp 127.0.0.3', 'two tcp 127.0.0.3']) {
    await started.says(new RegExp(`\\[INFO\\] ${line}\\n`));
  }
  const text = await page(metrics, '/metrics');
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const labels = `server="dns://${host}:${port}",zone=".",view=""`;
    assert.ok(text.includes(`coredns_plugin_enabled{${labels},name="log"} 1\n`), labels);
    assert.ok(text.includes(`coredns_dns_requests_total{${labels},proto="udp",family="1",type="A"} 1\n`), labels);
  }
});

test('an IPv6 address', { skip: HAS_IPV6 ? false : 'this machine has no IPv6' }, async (t) => {
  const port = await freePort();
  const started = await serve(t, `.:${port} {\n    bind ::1\n    log . "{local}"\n    whoami\n}\n`);
  assert.equal(started.lines[0], `.:${port} on ::1`);
  assert.equal(await ask(port, 'x.test.', { host: '::1' }), 'NOERROR');
  await started.says(/\[INFO\] \[::1\]\n/);
});

test('a reload with other addresses keeps the sockets of those that stay', async (t) => {
  const port = await freePort();
  const corefile = (...addresses: string[]) => `.:${port} {\n    bind ${addresses.join(' ')}\n    whoami\n}\n`;
  const started = await serve(t, corefile('127.0.0.1', '127.0.0.2'));
  const before = socketsOn(started.pid, port);
  assert.equal(before.length, 4);
  assert.match(await started.reload(corefile('127.0.0.2', '127.0.0.3')), /Reloading complete/);
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.3' }), 'NOERROR');
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.2', proto: 'tcp' }), 'NOERROR');
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.1', withinMs: 300 }), 'silence');
  const after = socketsOn(started.pid, port);
  assert.equal(after.length, 4);
  assert.equal(after.filter((inode) => before.includes(inode)).length, 2);
  assert.match(await started.reload(corefile('nosuch0')), /not a valid IP address or interface name/);
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.3' }), 'NOERROR', 'the old one goes on');
});

test('the unspecified address of either family stands for all addresses', async (t) => {
  const port = await freePort();
  const corefile = `.:${port} {\n    bind 0.0.0.0\n    log . "{proto} {local}"\n    whoami\n}\n`;
  const started = await serve(t, corefile);
  assert.equal(started.lines[0], `.:${port} on 0.0.0.0`);
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.2' }), 'NOERROR');
  assert.equal(await ask(port, 'x.test.', { host: '127.0.0.2', proto: 'tcp' }), 'NOERROR');
  if (HAS_IPV6) assert.equal(await ask(port, 'x.test.', { host: '::1' }), 'NOERROR');
  await started.says(/\[INFO\] udp \[::\]\n/);
  await started.says(/\[INFO\] tcp 127\.0\.0\.2\n/);
});

test('a block that is left without an address serves nowhere', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const lonely = `.:${port} {\n    bind lo {\n        except lo\n    }\n    whoami\n}\n`;
  const started = await serve(t, `${lonely}.:${other} {\n    whoami\n}\n`);
  assert.equal(started.lines[0], `.:${other}`);
  assert.equal(await ask(port, 'x.test.', { withinMs: 300 }), 'silence');
  assert.equal(await ask(other, 'x.test.'), 'NOERROR');
  const nothing = start(t, ['-conf', 'Corefile'], { corefile: lonely });
  assert.equal((await nothing.ends()).code, 0, 'nothing to serve: the process ends behind its banner');
  assert.match(nothing.lines[0]!, /^wasmdns-/);
});

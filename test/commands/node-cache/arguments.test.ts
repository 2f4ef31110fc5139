import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../host/commands/flags.ts';
import { type NodeCacheArguments, parseNodeCacheArguments } from '../../../host/commands/node-cache/arguments.ts';
import { isNodeCache } from '../../../host/commands/node-cache/mode.ts';
import { UserError } from '../../../host/errors.ts';

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));
const parse = (text: string): NodeCacheArguments => parseNodeCacheArguments(words(text));
/** Of a field anywhere in it. */
const field = (text: string, name: string): unknown => {
  const { network, ...rest } = parse(`-localip 169.254.20.10 ${text}`.trim());
  return { ...rest, ...network }[name as keyof typeof network];
};

test('the words of the DaemonSet ask for it, and so does its name', () => {
  const its =
    '-localip 169.254.20.10,10.96.0.10 -conf /etc/Corefile -upstreamsvc kube-dns-upstream -pidfile /tmp/node-cache.pid';
  for (const argv of [its, 'node-cache', 'node-cache -h', '--localip=::1', '-conf a -localip ::1']) {
    assert.equal(isNodeCache(words(argv)), true, argv);
  }
  for (const argv of ['', '-conf Corefile', 'simulate', '-conf node-cache', '-localipx a']) {
    assert.equal(isNodeCache(words(argv)), false, argv);
  }
  assert.deepEqual(parse(its), {
    network: {
      addresses: ['169.254.20.10', '10.96.0.10'],
      dnsPort: 53,
      healthPort: 8080,
      interfaceName: 'nodelocaldns',
      kind: 'auto',
      rules: 'nftables',
      isKept: false,
    },
    baseCorefile: '/etc/coredns/Corefile.base',
    corefile: '/etc/Corefile',
    kubeDnsFolder: undefined,
    upstreamService: 'kube-dns-upstream',
    metricsAddress: '0.0.0.0:9353',
    syncMs: 60_000,
    isReloadedBySignal: false,
    pidFile: '/tmp/node-cache.pid',
    isQuiet: false,
    isVersion: false,
    isPlugins: false,
    shards: undefined,
  });
});

const ACCEPTED: readonly (readonly [argv: string, field: string, value: unknown])[] = [
  ['-basecorefile /a', 'baseCorefile', '/a'],
  ['', 'corefile', '/etc/Corefile'],
  ['-corefile /b', 'corefile', '/b'],
  ['-corefile /b -conf /c', 'corefile', '/c'],
  ['', 'upstreamService', 'kube-dns'],
  ['-kubednscm /d', 'kubeDnsFolder', '/d'],
  ['-kubednscm=', 'kubeDnsFolder', undefined],
  ['-metrics-listen-address 127.0.0.1:1', 'metricsAddress', '127.0.0.1:1'],
  ['-dns.port 1053', 'dnsPort', 1053],
  ['-p 1054', 'dnsPort', 1054],
  ['-health-port 8081', 'healthPort', 8081],
  ['-interfacename dns0', 'interfaceName', 'dns0'],
  ['-interfacekind tun', 'kind', 'tun'],
  ['-interfacekind=dummy', 'kind', 'dummy'],
  ['-interfacekind=dummy -setupinterface=false', 'kind', 'none'],
  ['-setupinterface', 'kind', 'auto'],
  ['-rules iptables', 'rules', 'iptables'],
  ['-rules none', 'rules', 'none'],
  ['-rules iptables -setupiptables=false', 'rules', 'none'],
  ['-skipteardown', 'isKept', true],
  ['-reloadwithsignal', 'isReloadedBySignal', true],
  ['-reloadwithsignal=false', 'isReloadedBySignal', false],
  // node-cache takes the nanoseconds for seconds
  ['-syncinterval 30', 'syncMs', 30_000],
  ['-syncinterval 30ns', 'syncMs', 30_000],
  ['-syncinterval 2m', 'syncMs', 120_000],
  ['-pidfile /p', 'pidFile', '/p'],
  ['-quiet', 'isQuiet', true],
  ['-plugins', 'isPlugins', true],
  ['-version', 'isVersion', true],
  ['-shards 3', 'shards', 3],
];

for (const [argv, name, value] of ACCEPTED) {
  test(`${argv || 'nothing'}: ${name}`, () => assert.equal(field(argv, name), value));
}

test('addresses are counted once', () => {
  assert.deepEqual(parse('-localip fd00::a,fd00::b,fd00::a').network.addresses, ['fd00::a', 'fd00::b']);
});

const REFUSED: readonly (readonly [argv: string, kind: typeof UserError | typeof UsageError, message: RegExp])[] = [
  ['node-cache', UserError, /^invalid localip specified - ""$/],
  ['-localip 169.254.20.10,', UserError, /^invalid localip specified - ""$/],
  ['-localip nohost', UserError, /^invalid localip specified - "nohost"$/],
  ['-localip 10.0.0.1,fd00::a', UserError, /^unexpected IP Family for localIP - "fd00::a", want IPv6=false$/],
  ['-localip ::1 -interfacename a-name-too-long-', UserError, /^invalid interfacename specified - "a-name-too-long-"$/],
  ['-localip ::1 -interfacename a/b', UserError, /^invalid interfacename/],
  ['-localip ::1 -interfacename=', UserError, /^invalid interfacename/],
  [
    '-localip ::1 -interfacekind bridge',
    UsageError,
    /^invalid value "bridge" for flag -interfacekind: must be one of auto, tun, dummy$/,
  ],
  [
    '-localip ::1 -rules ebtables',
    UsageError,
    /^invalid value "ebtables" for flag -rules: must be one of nftables, iptables, none$/,
  ],
  [
    '-localip ::1 -skipteardown -interfacekind tun',
    UserError,
    /^-skipteardown: an interface of kind tun ends with the process$/,
  ],
  ['-localip ::1 -syncinterval 0', UserError, /^invalid value "0" for flag -syncinterval: from 1 second to a day$/],
  ['-localip ::1 -syncinterval soon', UserError, /-syncinterval/],
  ['-localip ::1 -health-port 70000', UsageError, /-health-port/],
  ['-localip ::1 -nosuch', UsageError, /^flag provided but not defined: -nosuch$/],
  ['-localip ::1 more', UserError, /^extra command line arguments: \[more\]$/],
];

for (const [argv, kind, message] of REFUSED) {
  test(`refused: ${argv}`, () => {
    assert.throws(
      () => parse(argv),
      (error) => error instanceof kind && message.test(error.message),
    );
  });
}

test('-version needs no addresses', () => {
  assert.equal(parse('node-cache -version').isVersion, true);
});

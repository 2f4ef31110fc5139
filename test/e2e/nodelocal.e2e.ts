// The DNS cache of a node (wasmdns node-cache) on a node with a pod, kube-proxy's rules and the cluster's DNS server: what it makes
// of interface and rules and removes again, who answers, and that a killed one costs nothing but what it held.
//
// test/e2e/run.sh nodelocal makes the namespace.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  type Asked,
  BY_CLUSTER,
  BY_NODE,
  IPTABLES_RULES,
  idleKind,
  iptablesRules,
  KUBE_DNS,
  kubeProxy,
  LOCAL,
  link,
  NOBODY,
  Node,
  NodeCache,
  type NodeCacheOptions,
  nft,
  run,
  tableRules,
  UPSTREAM_SERVICE,
  watchTracking,
} from './nodelocal/node.ts';
import { scratchDirectory, sleep, until } from './support/child.ts';

/** A client that asks every 20 ms, for longer than anything here takes. */
const STEADY = { count: 400, intervalMs: 20 };
const FALLBACK_MS_MAX = 1000;
/** Around a change of the rules: as long as a query over TCP takes on a busy machine. */
const CUT_MS_MAX = 500;
const RULES_PER_ADDRESS = 8;
const IDLE = idleKind();

const node = new Node();
let running: NodeCache | undefined;

before(async () => {
  assert.match(run('ip', 'route'), /^default via 192\.0\.2\.254/m, 'run it by test/e2e/run.sh nodelocal');
  await node.start();
});
after(() => node.stop());

async function start(options: NodeCacheOptions = {}): Promise<NodeCache> {
  running = await NodeCache.start(options);
  return running;
}

afterEach(async () => {
  if (running?.child.hasExited === false) await running.kill();
  running = undefined;
  if (link() !== undefined) run('ip', 'link', 'delete', 'nodelocaldns');
  if (tableRules().length > 0) run('nft', 'delete', 'table', 'ip', 'wasmdns-node-cache');
  for (const rule of iptablesRules()) {
    const table = rule.includes('NOTRACK') ? 'raw' : 'filter';
    run('bash', '-c', `iptables -t ${table} ${rule.replace('-A', '-D')}`);
  }
});

function assertNothingLeft(): void {
  assert.equal(link(), undefined);
  assert.deepEqual(tableRules(), []);
  assert.deepEqual(iptablesRules(), []);
}

interface Mode {
  readonly args: readonly string[];
  readonly kind: string | undefined;
  readonly nftables: number;
  readonly iptables: number;
  /** Who answers the cluster's address. */
  readonly kubeDns: string;
  readonly left: 'nothing' | 'all';
}

const MODES: readonly Mode[] = [
  { args: [], kind: 'tun', nftables: 16, iptables: 0, kubeDns: BY_NODE, left: 'nothing' },
  { args: ['-interfacekind=dummy'], kind: IDLE, nftables: 16, iptables: 0, kubeDns: BY_NODE, left: 'nothing' },
  { args: ['-rules=iptables'], kind: 'tun', nftables: 0, iptables: IPTABLES_RULES, kubeDns: BY_NODE, left: 'nothing' },
  {
    args: ['-interfacekind=dummy', '-rules=iptables'],
    kind: IDLE,
    nftables: 0,
    iptables: IPTABLES_RULES,
    kubeDns: BY_NODE,
    left: 'nothing',
  },
  { args: ['-rules=none'], kind: 'tun', nftables: 0, iptables: 0, kubeDns: BY_CLUSTER, left: 'nothing' },
  { args: ['-setupiptables=false'], kind: 'tun', nftables: 0, iptables: 0, kubeDns: BY_CLUSTER, left: 'nothing' },
  { args: ['-skipteardown'], kind: IDLE, nftables: 16, iptables: 0, kubeDns: BY_NODE, left: 'all' },
];

describe('each way of making interface and rules', () => {
  for (const { args, kind, nftables, iptables, kubeDns, left } of MODES) {
    test(args.join(' ') || 'as it comes', async () => {
      const cache = await start({ args });
      assert.deepEqual(link(), { kind, addresses: [`${LOCAL}/32`, `${KUBE_DNS}/32`] });
      assert.equal(tableRules().length, nftables);
      assert.equal(iptablesRules().length, iptables);
      const tracking = watchTracking();
      for (const way of ['fresh', 'tcp'] as const) {
        assert.equal(await node.ask(LOCAL, way), BY_NODE);
        assert.equal(await node.ask(KUBE_DNS, way), kubeDns);
      }
      assert.equal(await node.askFromNode(LOCAL), BY_NODE);
      assert.equal(await node.askFromNode(KUBE_DNS), kubeDns);
      const { tracked, untracked } = tracking();
      if (nftables + iptables > 0) assert.ok(tracked === 0 && untracked > 4, `${tracked} tracked, ${untracked} not`);
      else assert.ok(tracked > 4 && untracked === 0, `${tracked} tracked, ${untracked} not`);
      if (nftables > 0) assertCounted();
      assert.equal(await cache.end(), 0);
      if (left === 'nothing') {
        assertNothingLeft();
        assert.equal(await node.ask(KUBE_DNS), BY_CLUSTER);
      } else {
        assert.deepEqual(link(), { kind, addresses: [`${LOCAL}/32`, `${KUBE_DNS}/32`] });
        assert.equal(tableRules().length, nftables);
      }
    });
  }

  test('-setupinterface=false serves on addresses that are there', async () => {
    run('ip', 'address', 'add', `${LOCAL}/32`, 'dev', 'own0');
    run('ip', 'address', 'add', `${KUBE_DNS}/32`, 'dev', 'own0');
    try {
      const cache = await start({ args: ['-setupinterface=false'] });
      assert.equal(link(), undefined);
      assert.equal(await node.ask(KUBE_DNS), BY_NODE);
      assert.equal(await cache.end(), 0);
      assertNothingLeft();
    } finally {
      run('ip', 'address', 'del', `${LOCAL}/32`, 'dev', 'own0');
      run('ip', 'address', 'del', `${KUBE_DNS}/32`, 'dev', 'own0');
    }
  });

  test('-interfacename, and IPv6', async () => {
    const address = 'fd00:10:96::a';
    const template = `.:53 {\n    bind __PILLAR__LOCAL__DNS__\n    template IN A . {\n        answer "{{ .Name }} 60 IN A 192.0.2.10"\n    }\n}\n`;
    const cache = await start({ args: ['-interfacename=dns6'], addresses: address, template });
    assert.deepEqual(link('dns6'), { kind: 'tun', addresses: [`${address}/128`] });
    assert.equal(tableRules('ip6').length, RULES_PER_ADDRESS);
    for (const way of ['fresh', 'tcp'] as const) assert.equal(await node.ask(address, way), BY_NODE);
    const counted = tableRules('ip6').filter(({ queries }) => queries > 0);
    assert.deepEqual(
      counted.map(({ rule }) => rule),
      ['daddr', 'saddr'].flatMap((end) =>
        ['tcp', 'udp'].map((proto) => `ip6 ${end} ${address} ${proto} ${end === 'daddr' ? 'dport' : 'sport'} 53`),
      ),
    );
    assert.equal(await cache.end(), 0);
    assert.equal(link('dns6'), undefined);
    assert.deepEqual(tableRules('ip6'), []);
  });
});

/** Every rule but those of the probe, which nobody has made. */
function assertCounted(): void {
  const idle = tableRules().filter(({ rule, queries }) => queries === 0 && !rule.includes('8080'));
  // The node itself asks over UDP only
  const byNode = idle.filter(({ rule }) => !/daddr .* tcp dport 53/.test(rule));
  assert.deepEqual(byNode, []);
}

describe('the end', () => {
  test('killed, it leaves nothing, and the cluster answers within a second; started again, it takes over', async () => {
    const cache = await start();
    const clients = (['fresh', 'pinned'] as const).map((way) => ({
      way,
      asking: node.keepAsking(KUBE_DNS, { ...STEADY, way }),
    }));
    await until('both clients are answered', 20_000, () => clients.every(({ asking }) => asking.soFar().length > 20));
    const killedAt = Date.now();
    await cache.kill();
    await until('nothing is left', FALLBACK_MS_MAX, () => link() === undefined && tableRules().length === 0, 5);
    const goneMs = Date.now() - killedAt;
    await sleep(1500);
    const restartedAt = Date.now();
    await start();
    const takenAt = Date.now();
    for (const { way, asking } of clients) {
      const asked = await asking.end;
      const before = asked.filter(({ atMs }) => atMs < killedAt - 50);
      assertAll(before, BY_NODE, `${way}, before`);
      const lost = asked.filter(({ answer }) => answer === NOBODY);
      const back = asked.find(({ atMs, answer }) => atMs >= killedAt && answer === BY_CLUSTER)!;
      assert.ok(back.atMs - killedAt < FALLBACK_MS_MAX, `${way}: the cluster answers after ${back.atMs - killedAt} ms`);
      const meanwhile = asked.filter(({ atMs }) => atMs > back.atMs && atMs < restartedAt);
      assertAll(meanwhile, BY_CLUSTER, `${way}, meanwhile`);
      assert.ok(meanwhile.length > 20);
      const later = asked.filter(({ atMs }) => atMs > takenAt + 50);
      assertAll(later, BY_NODE, `${way}, again`);
      assert.ok(later.length > 20);
      const figures = `${lost.length} of ${asked.length} lost, the cluster answers ${back.atMs - killedAt} ms after the kill`;
      process.stdout.write(`kill -9, ${way} ports: ${figures}, nothing left after ${goneMs} ms\n`);
      assert.ok(
        lost.every(({ atMs }) => atMs < killedAt + FALLBACK_MS_MAX),
        `${way}: lost later`,
      );
    }
  });

  test('told to end, it loses no query but those of TCP connections that are open in that moment', async () => {
    const cache = await start();
    const clients = (['fresh', 'pinned', 'tcp'] as const).map((way) => ({
      way,
      asking: node.keepAsking(KUBE_DNS, { ...STEADY, way }),
    }));
    await until('the clients are answered', 20_000, () => clients.every(({ asking }) => asking.soFar().length > 20));
    const endedAt = Date.now();
    assert.equal(await cache.end(), 0);
    assertNothingLeft();
    await sleep(500);
    await start();
    const moments = [endedAt, Date.now()];
    for (const { way, asking } of clients) {
      const asked = await asking.end;
      const lost = asked.filter(({ answer }) => answer === NOBODY);
      const answers = [...new Set(asked.filter(({ answer }) => answer !== NOBODY).map(({ answer }) => answer))].sort();
      assert.deepEqual(answers, [BY_NODE, BY_CLUSTER], way);
      process.stdout.write(`SIGTERM and start, ${way}: ${lost.length} of ${asked.length} lost\n`);
      if (way !== 'tcp') assert.deepEqual(lost, [], way);
      const isCut = ({ atMs }: Asked) => moments.some((moment) => Math.abs(atMs - moment) < CUT_MS_MAX);
      assert.deepEqual(
        lost.filter((each) => !isCut(each)),
        [],
      );
    }
  });

  test('what cannot start leaves nothing', async () => {
    await assert.rejects(start({ template: 'nosuch {\n    nosuch\n}\n' }), /Unknown directive 'nosuch'/);
    assertNothingLeft();
    assert.equal(await node.ask(KUBE_DNS), BY_CLUSTER);
  });
});

function assertAll(asked: readonly Asked[], answer: string, what: string): void {
  assert.deepEqual([...new Set(asked.map((each) => each.answer))], [answer], what);
}

describe('what others do', () => {
  test('an interface that is removed comes back, and so do rules', async () => {
    await start({ args: ['-syncinterval=1', '-rules=iptables'] });
    run('ip', 'link', 'delete', 'nodelocaldns');
    run('bash', '-c', `iptables -t raw ${iptablesRules()[0]!.replace('-A', '-D')}`);
    await until(
      'both are back',
      20_000,
      () => link()?.addresses.length === 2 && iptablesRules().length === IPTABLES_RULES,
    );
    assert.equal(await node.ask(KUBE_DNS), BY_NODE);
    run('ip', 'address', 'delete', `${KUBE_DNS}/32`, 'dev', 'nodelocaldns');
    await until('the address is back', 20_000, () => link()?.addresses.length === 2);
    assert.equal(await node.ask(KUBE_DNS), BY_NODE);
  });

  test('rules of a table without owner come back', async () => {
    await start({ args: ['-syncinterval=1s', '-skipteardown'] });
    run('nft', 'flush', 'chain', 'ip', 'wasmdns-node-cache', 'prerouting');
    assert.equal(tableRules().length, 12);
    await until('they are back', 20_000, () => tableRules().length === 16);
    run('nft', 'delete', 'table', 'ip', 'wasmdns-node-cache');
    await until('it is back', 20_000, () => tableRules().length === 16);
    assert.equal(await node.ask(KUBE_DNS), BY_NODE);
  });

  test('nobody changes a table that has an owner', async () => {
    await start();
    run('nft', 'flush', 'ruleset');
    nft(kubeProxy);
    assert.equal(tableRules().length, 16);
    assert.throws(() => run('nft', 'delete', 'table', 'ip', 'wasmdns-node-cache'), /not permitted/);
  });
});

describe('the DaemonSet of the addon', () => {
  const folder = join(scratchDirectory(), 'kube-dns');
  /** What its installation puts in; the rest is ours to know. */
  const template = (): string =>
    readFileSync(join(import.meta.dirname, 'nodelocal/Corefile.base'), 'utf8')
      .replaceAll('__PILLAR__LOCAL__DNS__', LOCAL)
      .replaceAll('__PILLAR__DNS__SERVER__', KUBE_DNS)
      .replaceAll('__PILLAR__DNS__DOMAIN__', 'cluster.local');

  test('its Corefile is taken, with the variables filled in', async () => {
    const cache = await start({ template: template(), args: ['-pidfile', join(scratchDirectory(), 'node-cache.pid')] });
    const text = readFileSync(cache.corefile, 'utf8');
    assert.doesNotMatch(text, /__PILLAR__/);
    assert.match(text, new RegExp(`forward \\. ${UPSTREAM_SERVICE.replaceAll('.', '\\.')} \\{`));
    assert.match(text, /forward \. \/etc\/resolv.conf/);
    // whoami of the cluster's server has the client in its additional section only: the answer is empty
    assert.equal(await node.ask(KUBE_DNS, 'fresh', 'a.default.svc.cluster.local.'), 'NOERROR');
    assert.match(node.clusterLog(), /"A IN a\.default\.svc\.cluster\.local\. tcp /);
    const health = await fetch(`http://${LOCAL}:8080/health`);
    assert.equal(health.status, 200);
    for (const port of [9253, 9353]) {
      const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      for (const kind of ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap']) {
        assert.ok(page.includes(`\ncoredns_nodecache_setup_errors_total{errortype="${kind}"} 0\n`), `${port} ${kind}`);
      }
      assert.match(page, /^coredns_build_info/m);
    }
  });

  test('stub domains and upstreams of the ConfigMap kube-dns, and a change of them', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'stubDomains'), JSON.stringify({ example: [UPSTREAM_SERVICE] }));
    writeFileSync(join(folder, 'upstreamNameservers'), JSON.stringify([UPSTREAM_SERVICE]));
    const args = ['-kubednscm', folder, '-reloadwithsignal'];
    const cache = await start({ template: template(), args });
    assert.equal(await node.ask(LOCAL), BY_CLUSTER);
    assert.match(readFileSync(cache.corefile, 'utf8'), /^example:53 \{$/m);
    rmSync(join(folder, 'stubDomains'));
    writeFileSync(join(folder, 'upstreamNameservers'), '["no address"]');
    await until('it says what is wrong', 30_000, () =>
      cache.child.output().includes('invalid nameserver: "no address"'),
    );
    assert.match(readFileSync(cache.corefile, 'utf8'), /^example:53 \{$/m);
    const page = await (await fetch('http://127.0.0.1:9353/metrics')).text();
    assert.match(page, /errortype="configmap"} 1$/m);
    writeFileSync(join(folder, 'upstreamNameservers'), '[]');
    await until('it reloads', 30_000, () => cache.child.output().includes('[INFO] Reloading complete'));
    assert.doesNotMatch(readFileSync(cache.corefile, 'utf8'), /^example:53/m);
  });

  test('what node-cache has left is taken over', async () => {
    run('ip', 'link', 'add', 'nodelocaldns', 'type', IDLE);
    run('ip', 'address', 'add', `${LOCAL}/32`, 'dev', 'nodelocaldns');
    const cache = await start();
    assert.deepEqual(link(), { kind: 'tun', addresses: [`${LOCAL}/32`, `${KUBE_DNS}/32`] });
    assert.equal(await cache.end(), 0);
    assertNothingLeft();
  });
});

describe('a container', () => {
  /** With an empty /dev/net, and the capabilities that are named. */
  const under = (capabilities: string): readonly string[] => [
    ...['unshare', '--mount', 'bash', '-c', 'mount -t tmpfs none /dev/net && exec setpriv --bounding-set "$0" "$@"'],
    `-all,${capabilities}`,
  ];

  test('makes the device file', async () => {
    const cache = await start({ under: under('+net_admin,+net_bind_service,+mknod,+dac_override') });
    assert.equal(link()?.kind, 'tun');
    assert.equal(await node.ask(KUBE_DNS), BY_NODE);
    await cache.kill();
    await until('nothing is left', FALLBACK_MS_MAX, () => link() === undefined && tableRules().length === 0, 5);
  });

  test('that may not makes a dummy, and says what that means', async () => {
    const cache = await start({ under: under('+net_admin,+net_bind_service,+dac_override') });
    assert.match(cache.child.output(), /\[WARNING\] No TUN device \(.*\): the interface will outlive a killed process/);
    assert.equal(link()?.kind, IDLE);
    assert.equal(await node.ask(KUBE_DNS), BY_NODE);
    await cache.kill();
    // The rules are gone, so the queries are not ours
    await until('the cluster answers', FALLBACK_MS_MAX, async () => (await node.ask(KUBE_DNS)) === BY_CLUSTER);
    assert.equal(link()?.kind, IDLE);
    assert.equal(await (await start()).end(), 0);
    assertNothingLeft();
  });

  test('without the right to make anything says so, and ends', async () => {
    await assert.rejects(
      start({ under: under('+net_bind_service,+dac_override') }),
      /\[ERROR\] Failed to add non-existent interface nodelocaldns: .*operation not permitted[\s\S]*cannot assign requested address/,
    );
    assertNothingLeft();
  });
});

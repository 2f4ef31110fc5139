// The plugin's halves: the main thread's against the demo API, the shard's against look-ups that the test makes up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FLAG_AA,
  FLAG_TC,
  RCODE_NXDOMAIN,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_TXT,
} from '../../../engine-as/shared/codes.ts';
import { composeName } from '../../../host/dns/name.ts';
import { UserError } from '../../../host/errors.ts';
import { createLog } from '../../../host/log.ts';
import type { Answer, BlockProgram, Query, RecordsStep, ShardServices } from '../../../host/plugin/contract.ts';
import { NO_LABELS } from '../../../host/plugin/metadata.ts';
import { createControl, waitForSync } from '../../../host/plugins/kubernetes/control.ts';
import { kubernetes } from '../../../host/plugins/kubernetes/kubernetes.ts';
import { composeTarget } from '../../dns/rdata-forms.ts';
import { testBlock } from '../support/services.ts';
import { configOf, demo, WEB } from './demo.ts';

const CONTROL = { records: 0, imported: undefined, shared: { clients: undefined } };

test('the start waits for the cluster, and the directive is ready then', async (t) => {
  const { url, services, stores, lines, expose } = await demo(t);
  const config = configOf(`kubernetes cluster.local in-addr.arpa {\nendpoint ${url} http://spare\nttl 30\n}`);
  const control = createControl(config, testBlock(['kubernetes']), services);
  t.after(() => control.stop?.());
  assert.equal(control.isReady?.(), false);
  await control.start?.();
  assert.equal(control.isReady?.(), true);
  assert.equal(stores[0]?.at('web.a.svc'), 'A 0a000001; SRV 0/100/80/@');
  assert.ok(stores[0].isSynced);
  assert.equal(
    lines[0],
    `[WARNING] plugin/kubernetes: Multiple endpoints have been deprecated, only the first specified endpoint '${url}' is used`,
  );
  const { host } = new URL(url);
  const page = await expose();
  assert.ok(
    page.includes(`coredns_kubernetes_rest_client_requests_total{code="200",host="${host}",method="GET"} 3`),
    page,
  );
});

test('a reload that changes nothing keeps the watch; one that does gets its own', async (t) => {
  const { url, services, stores } = await demo(t);
  const block = testBlock(['kubernetes']);
  const first = createControl(configOf(`kubernetes cluster.local {\nendpoint ${url}\n}`), block, services);
  await first.start?.();
  const second = createControl(configOf(`kubernetes cluster.local {\nendpoint ${url}\nttl 9\n}`), block, services);
  await second.start?.();
  assert.equal(second.records, first.records);
  assert.equal(stores.length, 1);
  await first.stop?.();
  assert.equal(stores[0]?.isReleased, false);
  const other = createControl(
    configOf(`kubernetes cluster.local {\nendpoint ${url}\npods insecure\n}`),
    block,
    services,
  );
  assert.equal(stores.length, 2);
  await second.stop?.();
  assert.ok(stores[0]?.isReleased);
  await other.stop?.();
});

test('the time from a change to its answer is measured', async (t) => {
  const { url, services, save, expose } = await demo(t);
  const control = createControl(configOf(`kubernetes cluster.local {\nendpoint ${url}\n}`), testBlock([]), services);
  t.after(() => control.stop?.());
  await control.start?.();
  const count = async () => {
    const line = /^coredns_kubernetes_dns_programming_duration_seconds_count\{service_kind="cluster_ip"\} (\d+)$/m;
    return Number(line.exec(await expose())?.[1] ?? 0);
  };
  // Of the first load it may be measured or not: a slice that comes before its service has no kind (as in CoreDNS).
  const before = await count();
  save(WEB.replace('10.0.1.1', '10.0.1.2').replace('2026-01-01', '2026-01-02'));
  for (let i = 0; i < 1000 && (await count()) === before; i++) await delay(10);
  assert.equal(await count(), before + 1);
});

test('without a cluster the server starts late, and says so', async (t) => {
  const { services, lines } = await demo(t);
  const config = configOf('kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1100ms\n}');
  const control = createControl(config, testBlock([]), services);
  t.after(() => control.stop?.());
  await control.start?.();
  assert.equal(control.isReady?.(), false);
  assert.equal(lines.at(-1), '[WARNING] plugin/kubernetes: starting server with unsynced Kubernetes API');
  assert.ok(
    lines
      .slice(0, -1)
      .every((line) => line === '[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server'),
  );
  assert.ok(lines.length >= 2);
});

test('a cluster that is synced is not waited for', async () => {
  const lines: string[] = [];
  await waitForSync(
    { isSynced: true, synced: new Promise(() => {}) },
    60_000,
    createLog((line) => lines.push(line)),
  );
  assert.deepEqual(lines, []);
});

test('a configuration that cannot work refuses the start', async (t) => {
  const { services } = await demo(t);
  const config = configOf('kubernetes cluster.local {\nkubeconfig /nosuch/kubeconfig\n}');
  assert.throws(
    () => createControl(config, testBlock([]), services),
    (error: unknown) =>
      error instanceof UserError &&
      error.message === 'plugin/kubernetes: stat /nosuch/kubeconfig: no such file or directory',
  );
});

test('the step of the fast face', () => {
  const steps: RecordsStep[] = [];
  const partial: Partial<BlockProgram> = { records: (step) => void steps.push(step) };
  const config = configOf(
    'kubernetes cluster.local in-addr.arpa {\nttl 600\npods verified\nfallthrough in-addr.arpa\n}',
  );
  kubernetes.compile?.(config, partial as BlockProgram, { ...CONTROL, records: 77 });
  assert.deepEqual(steps, [
    {
      address: 77,
      zones: ['cluster.local.', 'in-addr.arpa.'],
      ttl: 600,
      soa: { mname: 'ns.dns', rname: 'hostmaster', refresh: 7200, retry: 1800, expire: 86400, minimum: 600, ttl: 300 },
      pods: 'verified',
      fallthrough: ['in-addr.arpa.'],
      kubernetes: true,
      zonal: false,
    },
  ]);
});

test('zones of a cluster set have a step of their own, before the others', () => {
  const steps: RecordsStep[] = [];
  const partial: Partial<BlockProgram> = { records: (step) => void steps.push(step) };
  const config = configOf('kubernetes local set.local {\nmulticluster set.local\nzonal\n}');
  kubernetes.compile?.(config, partial as BlockProgram, { ...CONTROL, records: 77, imported: 78 });
  const shown = steps.map(({ address, zones, importedAddress, except, zonal }) => ({
    address,
    zones,
    importedAddress,
    except,
    zonal,
  }));
  assert.deepEqual(shown, [
    { address: 77, zones: ['set.local.'], importedAddress: 78, except: undefined, zonal: undefined },
    { address: 77, zones: ['local.'], importedAddress: undefined, except: ['set.local.'], zonal: true },
  ]);
});

// ------------------------------------------------------------------------------------------------ the slow face

const QUERY: Query = {
  message: {
    id: 1,
    flags: 0x0100,
    questions: [
      { name: 'ext.a.svc.cluster.local.', type: TYPE_A, class: 1, wire: composeName('Ext.a.svc.cluster.local.') },
    ],
    answer: [],
    authority: [],
    additional: [],
  },
  name: 'ext.a.svc.cluster.local.',
  type: TYPE_A,
  class: 1,
  proto: 'udp',
  remote: { address: '127.0.0.1', port: 5353, family: 4 },
  local: { address: '127.0.0.1', port: 53, family: 4 },
  zone: '.',
  server: 'dns://:53',
  handle: 3,
  bytes: 40,
  metadata: NO_LABELS,
};

function answerOf(answer: Answer['answer'], more: Partial<Answer> = {}): Answer {
  return {
    kind: 'answer',
    rcode: 0,
    flags: FLAG_AA,
    answer,
    authority: [],
    additional: [],
    from: 'kubernetes',
    ...more,
  };
}

function alias(name: string, target: string) {
  return { name, type: TYPE_CNAME, class: 1, ttl: 5, rdata: composeTarget(target) };
}

type Records = (query: Query) => Answer | 'miss' | 'chase' | 'servfail';

function plugin(records: Records, resolve: ShardServices['resolve'] = () => assert.fail('not to be resolved')) {
  const services: Partial<ShardServices> = {
    lookup: { records } as unknown as ShardServices['lookup'],
    resolve,
  };
  const config = configOf('kubernetes cluster.local');
  return kubernetes.create!(config, testBlock([]), services as ShardServices, undefined);
}

const next = () => Promise.resolve({ kind: 'drop' as const });

test('what the engine finds is the answer; what it does not know goes on', async () => {
  const found = answerOf([{ name: QUERY.name, type: TYPE_A, class: 1, ttl: 5, rdata: new Uint8Array(4) }]);
  assert.equal(await plugin(() => found).answer?.(QUERY, next), found);
  assert.deepEqual(await plugin(() => 'miss').answer?.(QUERY, next), { kind: 'drop' });
  const failed = await plugin(() => 'servfail').answer?.(QUERY, next);
  assert.equal(failed?.kind === 'answer' && failed.rcode, 2);
});

test('an alias out of the zone is followed through the whole server', async () => {
  const asked: string[] = [];
  const records: Records = (query) => {
    asked.push(
      `${query.name} ${query.type} ${Buffer.from(query.message.questions[0]!.wire).toString('latin1').slice(1, 4)}`,
    );
    if (query.type !== TYPE_CNAME) return 'chase';
    return query.name === QUERY.name
      ? answerOf([alias(query.name, 'in.a.svc.cluster.local.')])
      : answerOf([alias(query.name, 'WWW.example.org.')]);
  };
  const address = { name: 'www.example.org.', type: TYPE_A, class: 1, ttl: 77, rdata: new Uint8Array([192, 0, 2, 1]) };
  const resolved = answerOf([address], { rcode: RCODE_NXDOMAIN, flags: FLAG_TC, from: 'forward' });
  const answer = await plugin(records, (origin, name, type) => {
    assert.equal(origin, QUERY);
    assert.deepEqual([name, type], ['www.example.org.', TYPE_A]);
    return Promise.resolve(resolved);
  }).answer?.(QUERY, next);
  assert.deepEqual(asked, [
    'ext.a.svc.cluster.local. 1 Ext',
    'ext.a.svc.cluster.local. 5 Ext',
    'in.a.svc.cluster.local. 5 in\x01',
  ]);
  const aliases = [alias(QUERY.name, 'in.a.svc.cluster.local.'), alias('in.a.svc.cluster.local.', 'WWW.example.org.')];
  assert.deepEqual(answer, answerOf([...aliases, address], { flags: FLAG_AA | FLAG_TC }));
});

test('a target that fails leaves the alias alone', async () => {
  const records: Records = (query) =>
    query.type === TYPE_CNAME ? answerOf([alias(query.name, 'www.example.org.')]) : 'chase';
  const failed = answerOf([], { rcode: 2, error: 'no upstream' });
  const query = { ...QUERY, type: TYPE_AAAA };
  const answer = await plugin(records, () => Promise.resolve(failed)).answer?.(query, next);
  assert.deepEqual(answer, answerOf([alias(QUERY.name, 'www.example.org.')]));
});

test('aliases that turn in a circle have no data', async () => {
  const soa = answerOf([], {
    authority: [{ name: 'cluster.local.', type: 6, class: 1, ttl: 5, rdata: new Uint8Array(22) }],
  });
  let steps = 0;
  const records: Records = (query) => {
    if (query.type === TYPE_TXT) return soa;
    steps++;
    return query.type === TYPE_CNAME ? answerOf([alias(query.name, 'ext.a.svc.cluster.local.')]) : 'chase';
  };
  assert.equal(await plugin(records).answer?.(QUERY, next), soa);
  assert.ok(steps <= 12);
});

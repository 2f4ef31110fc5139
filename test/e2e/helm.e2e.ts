// The Helm chart, by the real helm against a real API server: lint, what it renders (golden files beside the values), what its
// schema refuses, install, upgrade, uninstall, and whether the Corefile that it makes is served.
//
//   WASMDNS_E2E_RECORD=1   writes the golden files anew

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import type { KubernetesObject } from './support/api-client.ts';
import { ask } from './support/ask.ts';
import { scratchDirectory } from './support/child.ts';
import { ADMIN_TOKEN, ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { type DnsServer, startServer } from './support/server.ts';
import { repository, toolPath } from './support/tools.ts';

const CHART = join(repository, 'deploy/helm/wasmdns');
const VALUES = join(repository, 'test/e2e/helm');
const cases = readdirSync(VALUES)
  .filter((file) => file.endsWith('.yaml') && !file.endsWith('.golden.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

let plane: ControlPlane;
let kubeconfig: string;
const home = mkdtempSync(join(scratchDirectory(), 'helm-'));

before(async () => {
  plane = await ControlPlane.start();
  kubeconfig = plane.writeKubeconfig({ token: ADMIN_TOKEN });
});

after(async () => {
  await plane?.stop();
});

interface Said {
  readonly code: number;
  readonly text: string;
}

function helm(...args: readonly string[]): Promise<Said> {
  const env = { ...process.env, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
  return new Promise((resolve) => {
    execFile(toolPath('helm'), args, { env, timeout: 120_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, text: `${stdout}${error === null ? '' : stderr}` });
    });
  });
}

async function right(...args: readonly string[]): Promise<string> {
  const { code, text } = await helm(...args);
  assert.equal(code, 0, text);
  return text;
}

const valuesOf = (name: string) => ['-f', join(VALUES, `${name}.yaml`)];
const template = (name: string) => right('template', 'dns', CHART, '-n', 'kube-system', ...valuesOf(name));
const inCluster = () => ['-n', 'kube-system', '--kubeconfig', kubeconfig];

/** What is looked at of a Deployment or a Service. */
interface Workload {
  readonly spec: {
    readonly replicas: number;
    readonly selector: unknown;
    readonly clusterIP: string;
    readonly ports: readonly { readonly port: number; readonly protocol: string }[];
    readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

test('lint', async () => {
  for (const name of cases) {
    const said = await right('lint', '--strict', CHART, ...valuesOf(name));
    assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/);
  }
});

for (const name of cases) {
  test(`${name}.yaml renders what its golden file says`, async () => {
    const text = await template(name);
    const golden = join(VALUES, `${name}.golden.yaml`);
    if (process.env['WASMDNS_E2E_RECORD'] !== undefined) writeFileSync(golden, text);
    assert.ok(existsSync(golden), `${golden} is missing`);
    assert.equal(text, readFileSync(golden, 'utf8'));
  });
}

test('an ending pod serves on for what its grace period leaves, or as the values say', async () => {
  const drainOf = async (...args: readonly string[]) => {
    const text = await right('template', 'dns', CHART, ...args);
    return /^ +env:\n( +- .*\n +value: .*\n)+/m
      .exec(text)?.[0]
      .match(/name: \S+\n +value: \S+/g)
      ?.map((each) => each.split(/\s+/));
  };
  const drain = (seconds: string) => ['name:', 'WASMDNS_DRAIN_SECONDS', 'value:', `"${seconds}"`];
  const times = { 120: '110', 60: '50', 41: '31', 40: '38', 30: '28', 1: '0' };
  for (const [grace, seconds] of Object.entries(times)) {
    assert.deepEqual(await drainOf('--set', `terminationGracePeriodSeconds=${grace}`), [drain(seconds)], grace);
  }
  assert.deepEqual(await drainOf('--set-json', 'env=null'), [drain('50')]);
  const other = ['name:', 'A', 'value:', 'b'];
  const own = (...names: readonly string[]) =>
    `env=${JSON.stringify(names.map((name) => ({ name, value: name === 'A' ? 'b' : '7' })))}`;
  assert.deepEqual(await drainOf('--set-json', own('A')), [drain('50'), other]);
  assert.deepEqual(await drainOf('--set-json', own('A', 'WASMDNS_DRAIN_SECONDS')), [other, drain('7')]);
});

test('values of a wrong shape are refused', async () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['replicaCount=two', /replicaCount/],
    ['image.pullPolicy=Sometimes', /pullPolicy/],
    ['servers[0].port=99999', /port/],
    ['servers[0].plugins[0].nam=errors', /nam/],
    ['serviceType=External', /serviceType/],
    ['deployment.dnsPolicy=None', /deployment\.dnsPolicy None needs deployment\.dnsConfig/],
  ];
  for (const [value, complaint] of wrong) {
    const { code, text } = await helm('template', 'dns', CHART, '--set', value);
    assert.equal(code, 1, `${value} was taken`);
    assert.match(text, complaint);
  }
});

test('installs, upgrades and goes', async () => {
  const get = (path: string) => plane.api.get(path) as Promise<Workload>;
  const deployment = '/apis/apps/v1/namespaces/kube-system/deployments/coredns';
  await right('install', 'dns', CHART, ...inCluster(), ...valuesOf('adopted'));
  const first = await get(deployment);
  assert.match(first.spec.template.spec.containers[0]!.image, /^registry\.example\/dns\/wasmdns:v0\.1/);
  const service = await get('/api/v1/namespaces/kube-system/services/kube-dns');
  assert.equal(service.spec.clusterIP, '10.96.0.10');
  const ports = service.spec.ports.map(({ port, protocol }) => `${port}/${protocol}`);
  assert.deepEqual(ports, ['53/UDP', '53/TCP']);
  await right('upgrade', 'dns', CHART, ...inCluster(), ...valuesOf('adopted'), '--set', 'replicaCount=4');
  const second = await get(deployment);
  assert.equal(second.spec.replicas, 4);
  assert.deepEqual(second.spec.selector, first.spec.selector);
  await right('uninstall', 'dns', ...inCluster());
  await assert.rejects(get(deployment));
});

test('everything it renders is taken by the API server', async () => {
  await plane.api.create({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'servicemonitors.monitoring.coreos.com' },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { plural: 'servicemonitors', singular: 'servicemonitor', kind: 'ServiceMonitor' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  } as unknown as KubernetesObject);
  await plane.api.createAll([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'monitoring' } }]);
  for (const name of cases.filter((each) => each !== 'adopted')) {
    await right('install', `dns-${name}`, CHART, ...inCluster(), ...valuesOf(name));
    await right('uninstall', `dns-${name}`, ...inCluster());
  }
});

test('the Corefile is served', async () => {
  const config = objectsOf(await template('external')).find(({ kind }) => kind === 'ConfigMap')!;
  const data = config['data'] as Record<string, string>;
  const hosts = join(home, 'names.hosts');
  writeFileSync(hosts, data['names.hosts']!);
  const corefile = data['Corefile']!.replaceAll(':5300', ':@PORT@')
    .replaceAll('.:5301', 'other.test:@PORT@')
    .replace('/etc/coredns/names.hosts', hosts)
    .replace(':9253', ':@METRICS@')
    .replace('cache 0.5', 'cache 5')
    .replace('import /opt/custom/*.conf\n', '');
  const server = await startServer('wasmdns', corefile);
  await answers(server, 'www.hello.world.', 'NOERROR 192.0.2.7');
  const byDefault = objectsOf(await template('default')).find(({ kind }) => kind === 'ConfigMap')!;
  const text = (byDefault['data'] as Record<string, string>)
    ['Corefile']!.replace('.:53', '.:@PORT@')
    .replace('0.0.0.0:9153', ':@METRICS@')
    .replace(/health \{/, 'health 127.0.0.1:@HEALTH@ {')
    .replace(/^(\s*)ready$/m, '$1ready 127.0.0.1:@READY@')
    .replace('pods insecure', 'kubeconfig @KUBECONFIG@\n pods insecure');
  const whole = await startServer('wasmdns', text, { kubeconfig: plane.writeKubeconfig() });
  await answers(whole, 'kubernetes.default.svc.cluster.local.', 'NOERROR 10.96.0.1');
});

async function answers(server: DnsServer, name: string, expected: string): Promise<void> {
  const client = new UdpClient(server.port);
  try {
    assert.equal(await ask(client, name, 'A'), expected);
  } finally {
    client.close();
    await server.stop();
  }
}

test('the chart is of the version of the package', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { appVersion: string };
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
  assert.equal(chart.appVersion, manifest.version);
});

// The image as it is shipped: what is in it, how it is called, and that it binds port 53 with the rights of a pod.
// In a network namespace of its own (test/e2e/run.sh sees to it), where port 53 is free and nothing leads out.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BigCluster } from '../../bench/big/cluster.ts';
import { askedClusterIps, type Service, service } from '../../bench/inventory.ts';
import { serviceObject } from '../../bench/objects.ts';
import { Bundle, type BundleOptions, Root } from './image/bundle.ts';
import { attempt, IMAGE, type ImageConfig, loadImage, pidOf, run, unpackArchive } from './image/container.ts';
import { only, writePod } from './image/manifest.ts';
import { Pod, READY_PORT } from './image/pod.ts';
import { forEach } from './support/api-client.ts';
import { answerText, ask } from './support/ask.ts';
import { scratchDirectory, sleep, until } from './support/child.ts';
import { type DnsClient, TcpClient, UdpClient } from './support/dns-client.ts';
import { startLoad } from './support/dnsperf.ts';
import { httpStatus, isServing } from './support/server.ts';

const UNPACKED_BYTES_MAX = 135e6;
const COMPRESSED_BYTES_MAX = 50e6;
const NET_BIND = ['CAP_NET_BIND_SERVICE'];
const SERVICES = 10_000;
/** It is ended before. */
const LOAD_SECONDS_MAX = 120;
/** The kubeadm Corefile's. */
const LAMEDUCK_MS = 5000;
/** The manifest's. */
const GRACE_SECONDS = 60;
const COREFILE = '.:53 {\n    whoami\n}\n';

let layers: readonly string[];
let config: ImageConfig;
let root: Root;

before(() => {
  const addresses = Object.keys(networkInterfaces());
  assert.deepEqual(
    addresses.filter((name) => !['lo', 'own0', 'own1'].includes(name)),
    [],
    'run it by test/e2e/run.sh image',
  );
  loadImage();
  ({ layers, config } = unpackArchive());
  root = Root.mount();
  // The image's user has to get there.
  chmodSync(scratchDirectory(), 0o755);
  mkdirSync(join(scratchDirectory(), 'etc'));
  writeFileSync(join(scratchDirectory(), 'etc/Corefile'), COREFILE);
});

after(() => root?.remove());

/** `MODE PATH` of everything in the image's layers. */
function listing(): { readonly mode: string; readonly path: string }[] {
  return layers.flatMap((layer) =>
    execFileSync('tar', ['-tvf', layer], { encoding: 'utf8' })
      .split('\n')
      .flatMap((line) => {
        const match = /^(\S+) +\S+ +\d+ +\S+ +\S+ (.*)$/.exec(line);
        return match === null ? [] : [{ mode: match[1]!, path: match[2]!.replace(/^\.?\//, '') }];
      }),
  );
}

test('it is small', () => {
  const unpacked = layers.reduce((sum, layer) => sum + statSync(layer).size, 0);
  const compressed = layers.reduce((sum, layer) => sum + gzipSync(readFileSync(layer)).length, 0);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  process.stdout.write(`image: ${megabytes(unpacked)} MB unpacked, ${megabytes(compressed)} MB compressed\n`);
  assert.ok(unpacked < UNPACKED_BYTES_MAX, `${unpacked} octets unpacked`);
  assert.ok(compressed < COMPRESSED_BYTES_MAX, `${compressed} octets compressed`);
});

test('there is one program in it: no shell, nothing that installs', () => {
  const programs = listing().filter(({ mode, path }) => /^-..x/.test(mode) && !/\.so[.\d]*$|\.cjs$/.test(path));
  assert.deepEqual(
    programs.map(({ path }) => path),
    ['wasmdns'],
  );
  const folders = listing().filter(({ path }) => /^(usr\/)?s?bin\/./.test(path));
  assert.deepEqual(folders, []);
});

test('it is called as CoreDNS is', () => {
  assert.equal(config.User, '65532:65532');
  assert.deepEqual(config.Entrypoint, ['/wasmdns']);
  assert.equal(config.WorkingDir, '/');
  for (const port of ['53', '53/udp'])
    assert.ok(Object.keys(config.ExposedPorts).some((each) => each.startsWith(port)));
  const confined = [
    'run',
    '--rm',
    '--network',
    'none',
    '--read-only',
    '--cap-drop',
    'ALL',
    '--cap-add',
    'NET_BIND_SERVICE',
  ];
  const version = attempt('podman', ...confined, IMAGE, '-version');
  assert.match(version.stdout, /^wasmdns-[\d.]+\nlinux\/\w+, node26\./);
  const named = attempt('podman', ...confined, '--entrypoint', '/coredns', IMAGE, '-version');
  assert.equal(named.stdout, version.stdout);
  const wrong = attempt('podman', ...confined, IMAGE, '-zone');
  assert.equal(wrong.status, 2);
  assert.match(wrong.output, /flag provided but not defined: -zone/);
});

/** What the server says, once it has ended or answers on port 53. */
async function startBundle(name: string, options: Omit<BundleOptions, 'root' | 'folder'>): Promise<Bundle> {
  const bundle = Bundle.start(name, { ...options, root, folder: join(scratchDirectory(), 'etc') });
  await until(`${name} serves or ends`, 20_000, async () => bundle.child.hasExited || (await isServing(53)), 100);
  return bundle;
}

const serve = ['-conf', join(scratchDirectory(), 'etc/Corefile')];

for (const program of ['/wasmdns', '/coredns']) {
  test(`${program} binds port 53 as containerd would start it: not root, no new privileges, one capability`, async () => {
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').trim(), '1024');
    const bundle = await startBundle(`port-53-${program.slice(1)}`, {
      args: [program, ...serve],
      capabilities: NET_BIND,
    });
    const output = bundle.child.output();
    const isUp = await isServing(53);
    await bundle.stop();
    assert.ok(isUp, output);
  });
}

test('without the capability in the file it could not', async () => {
  const program = join(root.path, 'wasmdns');
  execFileSync('setcap', ['-r', program]);
  try {
    const bundle = await startBundle('no-file-capability', { args: ['/wasmdns', ...serve], capabilities: NET_BIND });
    const output = bundle.child.output();
    await bundle.stop();
    assert.match(output, /^Listen: listen tcp :53: bind: permission denied$/m);
  } finally {
    execFileSync('setcap', ['cap_net_bind_service=+ep', program]);
  }
});

/** A container of its own network; what `look` finds once it is not undefined. */
async function found<T>(words: readonly string[], look: (container: string) => T | undefined): Promise<T> {
  const probe = join(scratchDirectory(), 'etc');
  const fixed = ['--network', 'none', '--read-only', '--volume', `${probe}:/probe:ro`];
  const container = run('podman', 'run', '--detach', ...fixed, ...words, IMAGE, '-conf', '/probe/Corefile');
  try {
    let value: T | undefined;
    const isFound = () => {
      value = look(container);
      return value !== undefined;
    };
    await until('the container shows it', 20_000, isFound, 200);
    return value!;
  } finally {
    run('podman', 'rm', '--force', '--time', '0', container);
  }
}

test("V8's heaps follow the memory limit: of the main thread, and of each serving thread", async () => {
  const probe = `const { heap_size_limit } = require('node:v8').getHeapStatistics();
const { isMainThread } = require('node:worker_threads');
process.stderr.write(\`\${isMainThread ? 'main' : 'thread'} heap \${heap_size_limit}\\n\`);`;
  writeFileSync(join(scratchDirectory(), 'etc/probe.cjs'), probe);
  for (const megabytes of [170, 400]) {
    const words = ['--memory', `${megabytes}m`, '--cpus', '1', '--env', 'NODE_OPTIONS=--require=/probe/probe.cjs'];
    const [main, thread] = await found(words, (container) => {
      const { output } = attempt('podman', 'logs', container);
      const limits = ['main', 'thread'].map((place) =>
        Number(new RegExp(`^${place} heap (\\d+)$`, 'm').exec(output)?.[1]),
      );
      return limits.some(Number.isNaN) ? undefined : limits;
    });
    for (const limit of [main!, thread!]) {
      const share = limit / (megabytes * 1024 * 1024);
      assert.ok(share > 0.45 && share < 0.6, `heap of ${limit} octets in ${megabytes} MiB`);
    }
  }
});

test('the serving threads follow the CPU limit', async () => {
  // Each has a UDP socket of its own.
  const threads = (limit: readonly string[]) =>
    found(limit, (container) => {
      // All of them are there when it says that it serves.
      if (!attempt('podman', 'logs', container).output.includes('linux/')) return undefined;
      return readFileSync(`/proc/${pidOf(container)}/net/udp6`, 'utf8').match(/^ *\d+: \S+:0035 /gm)?.length;
    });
  const cores = availableParallelism();
  assert.equal(await threads(['--cpus', '0.5']), 1);
  assert.equal(await threads(['--cpus', '1.5']), Math.min(2, cores));
  assert.equal(await threads([]), cores);
});

describe('a pod of the manifest, in a cluster of 10,000 services and 50,000 endpoints', () => {
  let cluster: BigCluster;
  let pod: Pod;

  before(async () => {
    cluster = await BigCluster.start({ services: SERVICES, withEndpoints: SERVICES, endpointsPerService: 5 });
    for (const kind of ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding'])
      await cluster.plane.api.apply(only(kind));
    pod = await Pod.start(await writePod(cluster.plane));
  });

  after(async () => {
    pod?.remove();
    await cluster?.stop();
  });

  /** Of 1,000 ClusterIP services, over UDP and half of them over TCP: the wrong answers. */
  async function askSome(): Promise<string[]> {
    const asked = askedClusterIps(SERVICES);
    const wrong: string[] = [];
    const check = async (client: DnsClient, { owner, clusterIp }: Service) => {
      const is = await ask(client, owner, 'A', 5000);
      if (is !== answerText('NOERROR', [clusterIp])) wrong.push(`${owner}: ${is}`);
    };
    const datagrams = new UdpClient(53);
    await forEach(asked, 16, (one) => check(datagrams, one));
    datagrams.close();
    await forEach([0, 1, 2, 3], 4, async (lane) => {
      const stream = new TcpClient(53);
      for (const [at, one] of asked.entries()) if (at % 8 === lane) await check(stream, one);
      stream.close();
    });
    return wrong;
  }

  test('it has the memory of the manifest and answers right', async () => {
    assert.equal(pod.memory.limitBytes, 170 * 1024 * 1024);
    assert.deepEqual(await askSome(), []);
  });

  test('it is not killed by its memory limit, under full load and while everything is listed again', async () => {
    const questions = askedClusterIps(SERVICES).map(({ owner }) => `${owner} A`);
    const load = startLoad({ port: 53, seconds: LOAD_SECONDS_MAX, queriesPerSecond: 1_000_000, questions });
    await sleep(2000);
    await cluster.forgetWatches();
    const one = service(0);
    const object = serviceObject(one);
    const { ports } = object['spec'] as { ports: { port: number }[] };
    await cluster.plane.api.patch(object, { spec: { ports: [{ ...ports[0], port: 4711 }, ...ports.slice(1)] } });
    const client = new UdpClient(53);
    await until('the change after the list is answered', 100_000, async () =>
      (await ask(client, `_http._tcp.${one.owner}`, 'SRV')).includes(' 4711 '),
    );
    client.close();
    assert.ok(!load.child.hasExited, 'the load ended before the list was there');
    load.child.kill('SIGINT');
    const result = await load.finished;
    const { limitBytes, usageBytes, peakBytes, oomKills } = pod.memory;
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    process.stdout.write(
      `pod: ${result.sent} queries, ${result.lost} lost, ${result.rcodes}; memory ${megabytes(usageBytes)} MB, ` +
        `peak ${peakBytes === undefined ? '?' : megabytes(peakBytes)} MB of ${megabytes(limitBytes)} MB (page cache included)\n`,
    );
    assert.match(result.rcodes, /^NOERROR \d+ \(100.00%\)$/);
    assert.ok(result.lost <= result.sent / 10_000, `${result.lost} of ${result.sent} queries lost`);
    assert.equal(oomKills, 0);
    assert.deepEqual(pod.state(), { status: 'running', restarts: 0, exitCode: 0 });
    assert.deepEqual(await askSome(), []);
  });

  test('told to end it is unready at once, answers on for its lameduck, and ends by itself', async () => {
    const since = performance.now();
    const stopped = pod.stop(GRACE_SECONDS);
    await until('/ready says no', 1500, async () => (await httpStatus(READY_PORT, '/ready')) !== 200);
    const client = new UdpClient(53);
    let answered = 0;
    for (; performance.now() - since < LAMEDUCK_MS - 500; answered++) {
      assert.notEqual(await ask(client, service(1).owner, 'A', 1000), 'silence', `${answered} answers before`);
      await sleep(20);
    }
    client.close();
    assert.ok(answered > 20);
    await stopped;
    assert.equal(pod.state().exitCode, 0);
    const seconds = (performance.now() - since) / 1000;
    assert.ok(seconds > LAMEDUCK_MS / 1000 && seconds < GRACE_SECONDS / 2, `it took ${seconds} s`);
  });
});

// Kubernetes' own end-to-end suite, its specs about DNS, with our image behind deploy/kubernetes.yaml: `npm run
// test:conformance`. agnhost and glibc-dns-testing, which its pods run, are made of the same module and Debian, under the
// names that the suite asks for; the suite and the manifest are as they are.
//
//   WASMDNS_CONFORMANCE_IMAGE=coredns     CoreDNS in kubeadm's manifest instead: checks the cluster itself

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { repository } from '../e2e/support/tools.ts';
import { CommandFailed, clusterDirectory, inside } from './support/cluster.ts';
import { deploy, kubeadmManifest, ownManifest } from './support/dns-service.ts';

const run = promisify(execFile);
const TOOLS = process.env['WASMDNS_TOOLS'] ?? join(homedir(), '.cache/wasmdns-tools');
const SUITE = join(TOOLS, 'bin/e2e.test');
const IS_COREDNS = process.env['WASMDNS_CONFORMANCE_IMAGE'] === 'coredns';

/** Specs of one cloud provider, the one that asks the internet, and the 10,000 services. */
const SKIP = 'Provider:GCE|Forward PTR lookup|maximum number of services';
before(async () => {
  await importImages();
  await deploy(IS_COREDNS ? kubeadmManifest('localhost/coredns:test') : ownManifest());
});

test('the DNS specs pass', async () => {
  await pass('\\[sig-network\\] DNS ', SKIP, 18);
});

/** Runs the specs that match `focus` and not `skip`; at least `count` must run, and all pass. */
async function pass(focus: string, skip: string, count: number): Promise<void> {
  const output = await inside([
    SUITE,
    ...[`--kubeconfig=${join(clusterDirectory, 'kubeconfig')}`, '--provider=local', '--num-nodes=1'],
    ...[`--ginkgo.focus=${focus}`, `--ginkgo.skip=${skip}`, '--ginkgo.no-color', '--ginkgo.v'],
  ]).catch((error: unknown) => {
    assert(error instanceof CommandFailed);
    return error.message;
  });
  const ran = /Ran (\d+) of \d+ Specs/.exec(output)?.[1];
  const passed = /(\d+) Passed \| (\d+) Failed/.exec(output);
  process.stdout.write(`${passed?.[0] ?? 'no summary'} of ${ran ?? '0'} specs: ${focus}\n`);
  for (const [line] of output.matchAll(/^\s*\[FAIL\].*$/gm)) process.stdout.write(`${line.trim()}\n`);
  assert.equal(passed?.[2], '0', output.slice(-20_000));
  assert(Number(passed?.[1]) >= count, `${passed?.[1]} specs instead of ${count}`);
}

/** Under the names that the suite asks for, which it lists itself. */
async function importImages(): Promise<void> {
  const { stdout } = await run(SUITE, ['--list-images'], { maxBuffer: 1 << 24 });
  const names = stdout.split('\n').filter((name) => /\/(agnhost|glibc-dns-testing):/.test(name));
  assert(names.length >= 2, stdout);
  const archive = join(repository, 'dist/images/agnhost.tar');
  if (!existsSync(archive)) await packImage(names, archive);
  const socket = join(clusterDirectory, 'containerd.sock');
  await run('ctr', ['-a', socket, '-n', 'k8s.io', 'images', 'import', archive]);
}

async function packImage(names: readonly string[], archive: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'wasmdns-agnhost-'));
  try {
    await run('tar', ['-C', root, '-xf', join(TOOLS, 'agnhost-base.tar')]);
    mkdirSync(join(root, 'uploads'));
    for (const name of ['agnhost', 'coredns']) cpSync(join(TOOLS, 'bin', name), join(root, name));
    cpSync(join(TOOLS, 'bin/agnhost'), join(root, 'agnhost-2'));
    mkdirSync(join(repository, 'dist/images'), { recursive: true });
    const script = join(repository, 'test/cluster/image.sh');
    await run('bash', [script, names.join(','), root, archive, '/agnhost']);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

// The image's files for the other architecture, put together on this one and looked at: nothing of them can be run here.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { before, test } from 'node:test';
import { scratchDirectory } from './support/child.ts';
import { repository } from './support/tools.ts';

/** e_machine of the ELF header. */
const EM_AARCH64 = 183;
/** Node looks behind this for whether it carries a script. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';

const modules = join(scratchDirectory(), 'arm64');
const out = join(scratchDirectory(), 'arm64-image');

before(() => {
  mkdirSync(modules);
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(repository, name), join(modules, name));
  const words = ['ci', '--cpu=arm64', '--os=linux', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', words, { cwd: modules, stdio: ['ignore', 'ignore', 'inherit'] });
  const assemble = join(repository, 'deploy/image/assemble.ts');
  const where = ['--arch', 'arm64', '--modules', join(modules, 'node_modules'), '--strip', 'aarch64-linux-gnu-strip'];
  execFileSync(process.execPath, [assemble, out, ...where], { stdio: ['ignore', 'ignore', 'inherit'] });
});

/** Machine of an ELF file; undefined = it is none. */
function machineOf(path: string): number | undefined {
  const octets = readFileSync(path);
  return octets.subarray(0, 4).toString('latin1') === '\x7fELF' ? octets.readUInt16LE(18) : undefined;
}

test('all that the processor runs is for arm64', () => {
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).map((name) => join(out, name));
  const programs = files.filter((path) => statSync(path).isFile() && machineOf(path) !== undefined);
  const machines = Object.fromEntries(programs.map((path) => [relative(out, path), machineOf(path)]));
  assert.deepEqual(machines, {
    wasmdns: EM_AARCH64,
    coredns: EM_AARCH64,
    'node-cache': EM_AARCH64,
    'usr/lib/wasmdns/node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node': EM_AARCH64,
  });
  for (const name of ['coredns', 'node-cache']) assert.equal(readlinkSync(join(out, name)), 'wasmdns');
});

test('the program carries the script that starts the bundle', () => {
  const program = readFileSync(join(out, 'wasmdns')).toString('latin1');
  const entry = readFileSync(join(repository, 'deploy/image/entry.cjs'), 'latin1');
  assert.ok(program.includes(`${FUSE}1`), 'the fuse is not set');
  assert.ok(program.includes(entry), 'the script is not in it');
  assert.ok(program.includes('--max-old-space-size-percentage=50'));
});

test('the bundle is the same one', () => {
  const dist = join(repository, 'dist');
  for (const name of readdirSync(dist).filter((each) => /\.(js|wasm)$/.test(each))) {
    assert.ok(readFileSync(join(dist, name)).equals(readFileSync(join(out, 'usr/lib/wasmdns/dist', name))), name);
  }
});

// Puts the image's files together:
//
//   node deploy/image/assemble.ts OUT [--arch x64|arm64] [--modules node_modules] [--strip strip]
//
//   OUT/wasmdns                                  Node, stripped, with entry.cjs inside: a single executable
//   OUT/coredns, OUT/node-cache -> wasmdns       for a Deployment or a DaemonSet that names it
//   OUT/usr/lib/wasmdns/dist                     the bundle and engine.wasm
//   OUT/usr/lib/wasmdns/node_modules             koffi and its library for the architecture
//   OUT/usr/lib/ARCH-linux-gnu/libatomic.so.1    which Node needs and distroless images lack, where this machine has it
//   OUT/usr/share/doc/wasmdns                    licences
//
// OUT may be for another architecture than this machine's: nothing of it is run.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../..');
const HERE = import.meta.dirname;
/** Share of the memory that the cgroup grants which a V8 heap may take; the rest is the engine's, and the kernel's. */
const OLD_SPACE_PERCENT = 50;
const TRIPLETS: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

main();

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      arch: { type: 'string', default: process.arch },
      modules: { type: 'string', default: join(ROOT, 'node_modules') },
      strip: { type: 'string', default: 'strip' },
    },
  });
  const [out] = positionals;
  const triplet = TRIPLETS[values.arch];
  if (out === undefined || triplet === undefined) {
    process.stderr.write('usage: assemble.ts OUT [--arch x64|arm64] [--modules FOLDER] [--strip PROGRAM]\n');
    process.exit(2);
  }
  rmSync(out, { recursive: true, force: true });
  const library = join(out, 'usr/lib/wasmdns');
  const documents = join(out, 'usr/share/doc/wasmdns');
  for (const folder of [library, documents]) mkdirSync(folder, { recursive: true });
  makeExecutable(join(values.modules, `node-linux-${values.arch}`), out, values.strip);
  copyBundle(library);
  copyKoffi(values.modules, join(library, 'node_modules'), values.arch);
  copyLibatomic(join(out, 'usr/lib', triplet), triplet);
  cpSync(join(ROOT, 'LICENSE'), join(documents, 'LICENSE'));
  cpSync(join(values.modules, `node-linux-${values.arch}`, 'LICENSE'), join(documents, 'LICENSE.node'));
  cpSync(join(values.modules, 'koffi/LICENSE.txt'), join(documents, 'LICENSE.koffi'));
}

/** OUT/wasmdns and its other name. */
function makeExecutable(nodePackage: string, out: string, strip: string): void {
  const bare = join(out, 'node');
  const settings = join(out, 'executable.json');
  execFileSync(strip, ['-o', bare, join(nodePackage, 'bin/node')]);
  const description = {
    main: join(HERE, 'entry.cjs'),
    executable: bare,
    output: join(out, 'wasmdns'),
    disableExperimentalSEAWarning: true,
    useCodeCache: false,
    useSnapshot: false,
    execArgv: [`--max-old-space-size-percentage=${OLD_SPACE_PERCENT}`],
  };
  writeFileSync(settings, JSON.stringify(description));
  execFileSync(process.execPath, ['--build-sea', settings], { stdio: ['ignore', 'ignore', 'inherit'] });
  for (const path of [bare, settings]) rmSync(path);
  chmodSync(join(out, 'wasmdns'), 0o755);
  for (const name of ['coredns', 'node-cache']) symlinkSync('wasmdns', join(out, name));
}

function copyBundle(library: string): void {
  const dist = join(ROOT, 'dist');
  for (const name of readdirSync(dist)) {
    if (/\.(js|wasm)$/.test(name)) cpSync(join(dist, name), join(library, 'dist', name));
  }
  writeFileSync(join(library, 'package.json'), '{ "type": "module" }\n');
  cpSync(join(HERE, 'start.cjs'), join(library, 'start.cjs'));
}

/** The one package that is not in the bundle: what require('koffi') loads, without its sources and other platforms. */
function copyKoffi(modules: string, to: string, arch: string): void {
  const copy = (file: string) => cpSync(join(modules, file), join(to, file));
  for (const file of ['package.json', 'index.cjs', 'src/koffi/index.cjs']) copy(`koffi/${file}`);
  for (const name of readdirSync(join(modules, 'koffi/src/koffi/src'))) {
    if (name.endsWith('.cjs')) copy(`koffi/src/koffi/src/${name}`);
  }
  const native = `@koromix/koffi-linux-${arch}`;
  for (const file of ['package.json', 'index.js', `linux_${arch}/koffi.node`]) copy(`${native}/${file}`);
}

function copyLibatomic(to: string, triplet: string): void {
  const path = join('/usr/lib', triplet, 'libatomic.so.1');
  if (!existsSync(path)) return;
  mkdirSync(to, { recursive: true });
  cpSync(realpathSync(path), join(to, 'libatomic.so.1'));
}

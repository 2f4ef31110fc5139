// Modules that tests compile for themselves out of the engine's sources.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Compiles an entry whose source says `engine-as/` where it imports, in a folder that is gone afterwards.
 * @param options of asc, beside those of asconfig.json
 */
export function compileEntry(source: string, options: Readonly<Record<string, unknown>> = {}): Uint8Array<ArrayBuffer> {
  const folder = mkdtempSync(join(tmpdir(), 'wasmdns-compile-'));
  try {
    const at = (file: string): string => join(folder, file);
    const asconfig = JSON.parse(readFileSync(join(ROOT, 'asconfig.json'), 'utf8')) as { options: object };
    writeFileSync(at('asconfig.json'), JSON.stringify({ options: { ...asconfig.options, ...options } }));
    writeFileSync(at('entry.ts'), source.replaceAll("'engine-as/", `'${relative(folder, ROOT)}/engine-as/`));
    const asc = join(ROOT, 'node_modules/assemblyscript/bin/asc.js');
    // With the flag asc stays in this process instead of starting another one
    const words = ['--enable-source-maps', asc, at('entry.ts'), '--config', at('asconfig.json'), '--baseDir', '/'];
    execFileSync(process.execPath, [...words, '-o', at('entry.wasm')], { cwd: ROOT, stdio: 'pipe' });
    return readFileSync(at('entry.wasm'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The same, kept as dist/test/NAME.wasm for the other test files: compiled anew when the engine or `makers`, files of
 * the tests, are newer.
 */
export function compileOnce(
  name: string,
  source: string,
  options: Readonly<Record<string, unknown>>,
  makers: readonly string[],
): Uint8Array<ArrayBuffer> {
  const path = join(ROOT, 'dist/test', `${name}.wasm`);
  const inputs = ['engine-as', 'asconfig.json', 'package-lock.json'].map((file) => join(ROOT, file));
  const newest = Math.max(...[...inputs, fileURLToPath(import.meta.url), ...makers].map(newestIn));
  if (existsSync(path) && statSync(path).mtimeMs > newest) return readFileSync(path);
  const begun = new Date();
  const octets = compileEntry(source, options);
  mkdirSync(dirname(path), { recursive: true });
  // Other test files may be at the same, so the file comes whole; its time is that of the sources that were read
  const part = `${path}.${process.pid}`;
  writeFileSync(part, octets);
  utimesSync(part, begun, begun);
  renameSync(part, path);
  return octets;
}

function newestIn(path: string): number {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  const entries = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return Math.max(status.mtimeMs, ...entries.map((name) => statSync(join(path, name)).mtimeMs));
}

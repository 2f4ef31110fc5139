// npm run build: engine-as -> dist/engine.wasm, host -> dist/wasmdns.js, dist/shard.js and piscina's worker.js. Does
// nothing where the outputs are newer than everything they are made of.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');
const SECTION_DATA = 11;

await main();

async function main(): Promise<void> {
  mkdirSync(DIST, { recursive: true });
  const common = ['package.json', 'package-lock.json', 'host/build.ts'];
  if (isStale(['engine.wasm'], ['engine-as', 'asconfig.json', ...common])) buildEngine();
  const host = ['wasmdns.js', 'shard.js', 'worker.js'];
  if (isStale(host, ['host', 'engine-as/shared', ...common])) await buildHost();
}

function buildEngine(): void {
  const asc = join(ROOT, 'node_modules/assemblyscript/bin/asc.js');
  const run = spawnSync(process.execPath, [asc, '--config', 'asconfig.json', '--target', 'release'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (run.status !== 0) {
    process.stderr.write(run.error === undefined ? run.stdout + run.stderr : `asc: ${run.error.message}\n`);
    process.exit(1);
  }
  checkEngine(readFileSync(join(DIST, 'engine.wasm')));
}

/** Every instance copies data segments into the memory again; and nothing but the memory may come from outside. */
function checkEngine(octets: Uint8Array<ArrayBuffer>): void {
  const module = new WebAssembly.Module(octets);
  const imports = WebAssembly.Module.imports(module).map((each) => `${each.module}.${each.name}`);
  const hasData = sectionIds(octets).includes(SECTION_DATA);
  if (imports.join() === 'env.memory' && !hasData) return;
  rmSync(join(DIST, 'engine.wasm'));
  process.stderr.write(
    `engine.wasm must import env.memory only and have no data section; imports: ${imports.join(', ')}\n`,
  );
  process.exit(1);
}

function sectionIds(octets: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = 8; at < octets.length; ) {
    ids.push(octets[at++]!);
    let bytes = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = octets[at++]!;
      bytes |= (octet & 127) << shift;
      if (octet < 128) break;
    }
    at += bytes;
  }
  return ids;
}

async function buildHost(): Promise<void> {
  const require = createRequire(import.meta.url);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      wasmdns: 'host/main.ts',
      shard: 'host/shard/worker.ts',
      // piscina looks for its own worker beside the file it was bundled into.
      worker: join(dirname(require.resolve('piscina')), 'worker.js'),
    },
    outdir: DIST,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    splitting: true,
    // Beside the entries: piscina asks for its own folder.
    chunkNames: 'chunk-[name]-[hash]',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // Native libraries stay where npm put them.
    external: ['koffi', '@napi-rs/nice'],
    plugins: [shakeable('@kubernetes/client-node'), plainHttp(), withoutUndici()],
    // CommonJS packages in the bundle ask for these.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; import { fileURLToPath as __fileURLToPath } from 'node:url'; import { dirname as __dirnameOf } from 'node:path'; const require = __createRequire(import.meta.url); const __filename = __fileURLToPath(import.meta.url); const __dirname = __dirnameOf(__filename);",
    },
  });
  // Behind the new ones, so that a failed build leaves the last good one whole.
  const made = Object.keys(metafile.outputs).map((path) => basename(path));
  for (const name of readdirSync(DIST)) if (name.endsWith('.js') && !made.includes(name)) rmSync(join(DIST, name));
}

/**
 * Node's HTTP modules by a way that leaves their lazy parts alone: an import reads every export, the getters of fetch and
 * WebSocket too, and so loads and compiles the whole HTTP client that nobody uses.
 */
function plainHttp(): Plugin {
  const contents = (path: string) =>
    `module.exports = process.getBuiltinModule('${path.replace(/^(node:)?/, 'node:')}');`;
  return substitute('plain http', /^(node:)?https?$/, contents);
}

/** @kubernetes/client-node needs it for fetch alone; its API is asked through node:https here. */
function withoutUndici(): Plugin {
  return substitute('without undici', /^undici$/, () => 'module.exports = {};');
}

function substitute(name: string, filter: RegExp, contents: (path: string) => string): Plugin {
  return {
    name,
    setup(builder) {
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: name }));
      builder.onLoad({ filter, namespace: name }, ({ path }) => ({ contents: contents(path), loader: 'js' }));
    },
  };
}

/** A package whose modules may be left out where nothing of them is used, though it does not say so itself. */
function shakeable(name: string): Plugin {
  const filter = new RegExp(`node_modules/${name}/.*\\.js$`);
  return {
    name: `shakeable ${name}`,
    setup(builder) {
      builder.onResolve({ filter: /^\.|^@kubernetes/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
        if (pluginData === name || !(filter.test(importer) || path.startsWith(name))) return undefined;
        const resolved = await builder.resolve(path, { importer, kind, resolveDir, pluginData: name });
        return { path: resolved.path, external: resolved.external, sideEffects: false };
      });
    },
  };
}

function isStale(outputs: readonly string[], inputs: readonly string[]): boolean {
  const made = outputs.map((name) => join(DIST, name));
  if (!made.every(existsSync)) return true;
  const oldest = Math.min(...made.map((path) => statSync(path).mtimeMs));
  return inputs.some((name) => newestIn(resolve(ROOT, name)) > oldest);
}

function newestIn(path: string): number {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  const entries = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return Math.max(status.mtimeMs, ...entries.map((name) => statSync(join(path, name)).mtimeMs));
}

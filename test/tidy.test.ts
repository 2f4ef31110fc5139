// The house's rules, held by a test: who may import whom, how large a file or a function may grow, which words we do
// not use. The rooms and the arrows are drawn in docs/architecture.md.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

/** Leaves of the host: everybody may import them. */
const LEAVES = ['host/log.ts', 'host/clock.ts', 'host/errors.ts'];

/** Room -> prefixes it may import beside itself and the leaves. The longest matching room counts. */
const ARROWS: Record<string, readonly string[]> = {
  'engine-as/shared': [],
  'engine-as': [],
  'host/main.ts': [
    'host/commands',
    'host/corefile/source.ts',
    'host/plugins/order.ts',
    'host/net/sockets.ts',
    'host/server/footprint.ts',
  ],
  'host/build.ts': [],
  'host/commands': [
    'host/server',
    'host/corefile',
    'host/plugins/order.ts',
    'host/kubernetes',
    'host/dns',
    'host/plugin',
    'host/nodelocal',
  ],
  'host/server': [
    'host/engine',
    'host/corefile',
    'host/plugin',
    'host/plugins/order.ts',
    'host/metrics',
    'host/net',
    'host/dns',
    'engine-as/shared',
  ],
  'host/shard': [
    'host/engine',
    'host/plugin',
    'host/plugins/order.ts',
    'host/net',
    'host/dns',
    'host/metrics',
    'engine-as/shared',
  ],
  'host/engine': ['engine-as/shared', 'host/plugin/contract.ts', 'host/plugin/steps.ts', 'host/dns', 'host/net'],
  'host/plugins/order.ts': ['host/plugins', 'host/plugin'],
  'host/plugins/kubernetes': [
    'host/kubernetes',
    'host/plugin',
    'host/corefile',
    'host/dns',
    'host/metrics',
    'engine-as/shared',
  ],
  'host/plugins': ['host/plugin', 'host/corefile', 'host/dns', 'host/metrics', 'engine-as/shared'],
  'host/plugin': ['host/corefile', 'host/dns', 'host/metrics', 'engine-as/shared'],
  'host/kubernetes': ['host/dns', 'host/plugin', 'host/metrics', 'engine-as/shared'],
  'host/corefile': ['host/dns'],
  'host/dns': ['engine-as/shared'],
  'host/metrics': ['engine-as/shared', 'host/plugin/contract.ts', 'host/plugin/steps.ts'],
  'host/nodelocal': ['host/corefile', 'host/dns', 'host/net'],
  'host/net': ['engine-as/shared', 'host/dns'],
};

test('imports point one way', () => {
  const wrong: string[] = [];
  for (const file of sources('host').concat(sources('engine-as'))) {
    const room = roomOf(file);
    if (room === undefined) {
      if (!LEAVES.includes(file)) wrong.push(`${file} stands in no room`);
      continue;
    }
    for (const target of importsOf(file)) {
      if (!mayImport(room, file, target)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no plugin imports another plugin', () => {
  const wrong: string[] = [];
  for (const file of sources('host/plugins')) {
    const own = file.split('/').slice(0, 3).join('/');
    if (own === 'host/plugins/order.ts') continue;
    for (const target of importsOf(file)) {
      if (target.startsWith('host/plugins/') && !target.startsWith(`${own}/`)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('the engine imports nothing outside itself', () => {
  const wrong = sources('engine-as').flatMap((file) =>
    importsOf(file).flatMap((target) => (target.startsWith('engine-as/') ? [] : [`${file} imports ${target}`])),
  );
  assert.deepEqual(wrong, []);
});

test('every plugin has a README with syntax, examples and metrics', () => {
  for (const entry of readdirSync(join(ROOT, 'host/plugins'), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(ROOT, 'host/plugins', entry.name, 'README.md');
    assert.ok(existsSync(path), `host/plugins/${entry.name} has no README.md`);
    const text = readFileSync(path, 'utf8').toLowerCase();
    for (const part of ['## syntax', '## example', '## metrics']) {
      assert.ok(text.includes(part), `host/plugins/${entry.name}/README.md has no section "${part}"`);
    }
  }
});

test(`files stay below ${FILE_LINES_MAX} lines`, () => {
  const long = everySource().flatMap((file) => {
    const lines = read(file).split('\n').length;
    return lines > FILE_LINES_MAX ? [`${file}: ${lines}`] : [];
  });
  assert.deepEqual(long, []);
});

test(`functions stay below ${FUNCTION_LINES_MAX} lines`, () => {
  const long = everySource()
    .filter((file) => !file.startsWith('test/') && !file.startsWith('bench/'))
    .flatMap(longFunctions);
  assert.deepEqual(long, []);
});

test("the field's words, not others", () => {
  const banned = /\b(packet|utils?|helpers?|managers?)\b/i;
  // Names that are not ours to choose: modules, packages, Debian's packages, fields of the API.
  const foreign =
    /node:util|util-linux|dns-packet|dnsPacket|\.Packet|\bpacket\.(encode|decode|Answer|streamEncode)|import packet\b|kube-controller-manager|manager: (?:writer|\[1)/g;
  const wrong: string[] = [];
  for (const file of everySource()) {
    if (file === 'test/tidy.test.ts') continue;
    const lines = read(file).split('\n');
    lines.forEach((line, i) => {
      if (banned.test(line.replaceAll(foreign, ''))) wrong.push(`${file}:${i + 1}: ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test('the project stands alone', () => {
  const wrong = everySource().flatMap((file) => {
    const text = read(file);
    return /\/work\/|\.\.\/shared\/(design|reference|tools)/.test(text) && file !== 'test/tidy.test.ts' ? [file] : [];
  });
  assert.deepEqual(wrong, []);
});

function sources(folder: string): string[] {
  const at = join(ROOT, folder);
  if (!existsSync(at)) return [];
  return readdirSync(at, { recursive: true, encoding: 'utf8' })
    .map((name) => normalize(join(folder, name)))
    .filter((file) => file.endsWith('.ts') && statSync(join(ROOT, file)).isFile());
}

function everySource(): string[] {
  return ['host', 'engine-as', 'test', 'bench'].flatMap(sources);
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function roomOf(file: string): string | undefined {
  let best: string | undefined;
  for (const room of Object.keys(ARROWS)) {
    const isInside = file === room || file.startsWith(`${room}/`);
    if (isInside && (best === undefined || room.length > best.length)) best = room;
  }
  return best;
}

function mayImport(room: string, file: string, target: string): boolean {
  if (LEAVES.includes(target) || target === 'package.json' || roomOf(target) === room) return true;
  if (file.startsWith('engine-as/')) return target.startsWith('engine-as/');
  return (ARROWS[room] ?? []).some((prefix) => target === prefix || target.startsWith(`${prefix}/`));
}

/** Relative imports of a file, as paths from the root. */
function importsOf(file: string): string[] {
  const pattern = /(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;
  return [...read(file).matchAll(pattern)].map((match) => {
    const path = relative(ROOT, join(ROOT, dirname(file), match[1]!));
    return /\.\w+$/.test(path) ? path : `${path}.ts`;
  });
}

/** Functions and methods found by their indentation: a head that ends in an opening brace, and the line that closes it. */
function longFunctions(file: string): string[] {
  const lines = read(file).split('\n');
  const found: string[] = [];
  lines.forEach((line, i) => {
    const indent = /^\s*/.exec(line)![0];
    if (!isFunctionHead(line.trim())) return;
    // A parameter list of several lines ends in a line of the same indent.
    const open = line.endsWith('{') ? i : lines.findIndex((each, k) => k > i && each.startsWith(`${indent})`));
    if (open < 0 || !lines[open]!.endsWith('{')) return;
    const end = lines.findIndex((each, k) => k > open && each.startsWith(`${indent}}`));
    if (end - i > FUNCTION_LINES_MAX) found.push(`${file}:${i + 1}: ${end - i} lines`);
  });
  return found;
}

function isFunctionHead(line: string): boolean {
  if (/^(?:if|for|while|switch|return|test|describe|else|try|do)\b/.test(line)) return false;
  return (
    /^(?:export )?(?:async )?function\b/.test(line) || /^(?:static |async |get |set )*#?\w+\(.*(?:\{|\()$/.test(line)
  );
}

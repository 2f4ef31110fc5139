// The alerts, the dashboard and the list of metrics in docs/operations.md name only what the server exports.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';

const root = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Names of metrics as they stand in the sources, in quotes. */
const exported = new Set(
  readdirSync(join(root, 'host'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(join('host', file)).matchAll(/['"`]((?:coredns|wasmdns|process)_[a-z_]+)['"`]/g)])
    .map(([, name]) => name!),
);

const isExported = (name: string) => exported.has(name) || exported.has(name.replace(/_(?:bucket|sum|count)$/, ''));

function namesIn(text: string): string[] {
  return [...text.matchAll(/\b(?:coredns|wasmdns|process)_[a-z_]*[a-z]\b/g)].map(([name]) => name);
}

test('alerts', () => {
  const { spec } = parse(read('deploy/monitoring/rules.yaml')) as {
    spec: { groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[] };
  };
  const rules = spec.groups.flatMap((group) => group.rules);
  assert.ok(rules.length >= 10);
  for (const { alert, expr, annotations } of rules) {
    assert.ok(annotations.summary.length > 10, alert);
    for (const name of namesIn(expr)) assert.ok(isExported(name), `${alert}: ${name}`);
  }
});

test('dashboard', () => {
  const { panels } = JSON.parse(read('deploy/monitoring/dashboard.json')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      assert.ok(namesIn(expr).length > 0, title);
      for (const name of namesIn(expr)) assert.ok(isExported(name), `${title}: ${name}`);
    }
  }
});

test('docs/operations.md tells every metric of coredns_ and wasmdns_, and no other', () => {
  const text = read('docs/operations.md');
  const told = new Set(namesIn(text).filter((name) => !name.startsWith('process_')));
  // `coredns_a_b_total`, `_c_total` in one row: the second is coredns_a_c_total
  for (const [, first, ...others] of text.matchAll(/`((?:coredns|wasmdns)_[a-z_]+)`, (`_[a-z_]+`(?:, `_[a-z_]+`)*)/g)) {
    for (const [, tail] of others.join().matchAll(/`(_[a-z_]+)`/g)) {
      const whole = [...exported].find((name) => name.endsWith(tail!) && shares(name, first!));
      assert.ok(whole !== undefined, `${first}, ${tail}`);
      told.add(whole);
    }
  }
  for (const name of told) assert.ok(isExported(name) || /_$/.test(name), `no such metric: ${name}`);
  for (const name of exported) if (!name.startsWith('process_')) assert.ok(told.has(name), `not told: ${name}`);
});

/** The same plugin's: two words in front are equal. */
function shares(name: string, other: string): boolean {
  return name.split('_').slice(0, 2).join('_') === other.split('_').slice(0, 2).join('_');
}

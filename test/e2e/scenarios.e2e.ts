// Time: what CoreDNS and wasmdns do one after the other, compared step by step, with metrics and log lines.
//
//   WASMDNS_E2E_SCENARIOS=short   only those that take a few seconds

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EXPRESSIONS, groupingsOf, select, selectorsOf } from './scenarios/dashboards.ts';
import { scenarios } from './scenarios/list.ts';
import type { Sample } from './scenarios/page.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { Stage, type StageOptions } from './scenarios/stage.ts';
import type { ApiClient } from './support/api-client.ts';
import { ControlPlane } from './support/control-plane.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const isShort = process.env['WASMDNS_E2E_SCENARIOS'] === 'short';
const all = scenarios.filter((scenario) => !isShort || scenario.isShort === true);
/** Metrics that CoreDNS has given up. */
const NOWHERE = /coredns_forward_(?:requests|request_duration|responses|healthcheck_failures)_/;
const pages: (readonly [Sample[], Sample[]])[] = [];

describe('scenarios', { concurrency: 4 }, () => {
  for (const scenario of all) test(scenario.name, () => run(scenario));
});

async function run(scenario: Scenario): Promise<void> {
  if (scenario.needs !== 'api server') return play(scenario, scenario);
  const plane = await ControlPlane.start();
  const api = await TcpProxy.start(plane.port);
  await api.setMode('refuse');
  try {
    const options = { ...scenario, api, kubeconfig: plane.writeKubeconfig({ port: api.port }) };
    await play(scenario, options, plane.api);
  } finally {
    await api.stop();
    await plane.stop();
  }
}

async function play(scenario: Scenario, options: StageOptions, objects?: ApiClient): Promise<void> {
  const stage = await Stage.open(options);
  try {
    await scenario.script(stage, objects);
  } finally {
    await stage.close();
  }
  pages.push(stage.lastPages);
  assert.deepEqual(stage.findings, []);
}

test('dashboards and alerts see the same series', { skip: isShort && 'needs all scenarios' }, () => {
  const found = new Set<string>();
  for (const [board, expressions] of Object.entries(EXPRESSIONS)) {
    for (const expression of expressions) {
      for (const selector of selectorsOf(expression)) {
        for (const [left, right] of pages) {
          const series = select(left, selector);
          assert.deepEqual(select(right, selector), series, `${board}: ${expression}`);
          if (series.length > 0) found.add(expression);
          checkLabels(right, selector.metric, groupingsOf(expression), expression);
        }
      }
      const isMissing = !found.has(expression) && !NOWHERE.test(expression);
      assert.ok(!isMissing, `${board}: no scenario has a series for ${expression}`);
    }
  }
});

/** Prometheus adds these itself. */
const ADDED = ['job', 'instance'];

function checkLabels(samples: readonly Sample[], metric: string, groupings: readonly string[], what: string): void {
  const sample = samples.find(({ name }) => name === metric);
  if (sample === undefined) return;
  const missing = groupings.filter((label) => !ADDED.includes(label) && !(label in sample.labels));
  // Board 15762 groups misses and panics by labels that CoreDNS does not have either
  assert.deepEqual(
    missing.filter((label) => !(metric === 'coredns_cache_misses_total' && label === 'type')),
    [],
    what,
  );
}

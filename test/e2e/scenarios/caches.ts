// Scenarios of plugin cache beyond one entry's life: stale answers and what may replace them, a full cache.

import { corefile, FORWARD, type Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

const isCounted = (family: string) => /^coredns_(?:cache|dns)/.test(family);

/** Asks all names, waits, and so on: names of the upstream that answer otherwise each time. */
async function rounds(stage: Stage, count: number, labels: readonly string[]): Promise<void> {
  const names = labels.map((label) => `${label}.example.org.`);
  for (let round = 0; round < count; round++) {
    for (const name of names) await stage.ask(name);
    await stage.wait(1300);
  }
  // Each by itself: refreshes in the background overtake one another.
  for (const name of names) stage.compareSeen(name);
  await stage.compareMetrics(isCounted);
  stage.compareLogs();
}

export const cacheScenarios: readonly Scenario[] = [
  {
    name: 'serve_stale verify with prefer_positive and RECHECK: denials and failures do not replace an answer',
    corefile: corefile(
      'cache {\n success 1000 1 1\n denial 1000 1 1\n servfail 1s\n serve_stale 1h verify 500ms 3s 2s\n serve_stale_policy prefer_positive\n }',
      FORWARD,
    ),
    script: (stage) =>
      rounds(stage, 5, [
        'www.nx1.www.then',
        'www.servfail.www.then',
        'www.drop.drop.www.then',
        'nx1.www.nx1.then',
        'www.nodata1.www.then',
      ]),
  },
  {
    name: 'serve_stale immediate with a TTL and RECHECK: a failed refresh is not tried again at once',
    corefile: corefile(
      'cache {\n success 1000 1 1\n denial 1000 1 1\n servfail 1s\n serve_stale 1h immediate 7s 3s\n }',
      FORWARD,
    ),
    script: (stage) =>
      rounds(stage, 6, [
        'www.nx1.www.then',
        'www.servfail.servfail.www.then',
        'nx1.www.nx1.then',
        'www.nodata1.www.then',
        'www.refused.refused.then',
      ]),
  },
  {
    name: 'stale answers with keepttl',
    corefile: corefile('cache {\n success 1000 2 1\n denial 1000 2 1\n keepttl\n serve_stale\n }', FORWARD),
    script: (stage) => rounds(stage, 4, ['www-ks', 'nx1-ks', 'mix-ks']),
  },
  {
    name: 'a full cache gives entries up',
    corefile: corefile('cache 300 {\n success 1 300\n denial 1 300\n }', FORWARD),
    async script(stage) {
      const askMany = async (label: string, count: number) => {
        for (let n = 0; n < count; n += 50) {
          await Promise.all(Array.from({ length: 50 }, (_, k) => stage.ask(`${label}-e${n + k}.example.org.`)));
        }
      };
      await askMany('www', 2600);
      await askMany('nx1', 2600);
      // Which names share a part of the cache is each server's own.
      await stage.compareMetrics((family) => !/evictions|entries|conn_cache/.test(family));
    },
  },
  {
    name: 'rewrite over a cache: what is stored, counted, logged and told to errors',
    corefile: corefile(
      'rewrite stop name regex (.*)[.]alias[.]test {1}.example.org answer auto',
      'rewrite rcode exact servfail.example.org SERVFAIL NXDOMAIN',
      'rewrite continue edns0 local set 0xff10 {qname}',
      'rewrite type TXT A',
      'rewrite continue ttl regex .* 60',
      'cache 30',
      'forward . 127.0.0.1:@UPSTREAM@ {\n read_timeout 300ms\n max_fails 0\n }',
    ),
    async script(stage) {
      const labels = ['www', 'nx', 'refused', 'echo', 'alias', 'mix', 'drop', 'garbage'];
      const names = [...labels.map((label) => `${label}.Alias.test.`), 'www.example.org.', 'servfail.example.org.'];
      for (const name of [...names, ...names]) {
        for (const type of ['A', 'TXT'] as const) await stage.ask(name, type);
        await stage.ask(name, 'AAAA', { edns: { size: 1232, isDo: true } });
        await stage.ask(name, 'A', { tcp: true });
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
];

// Counters of plugin cache, and what reaches the upstream, beside the real CoreDNS: the same questions at the same
// moments to a server for each way of refreshing, through both faces.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from './support/child.ts';
import { UdpClient } from './support/dns-client.ts';
import { composeQuery } from './support/query.ts';
import { httpGet, type Seat, seatUnderTest, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const BLOCKS: Readonly<Record<string, string>> = {
  plain: '',
  keep: 'keepttl',
  off: 'disable success\n disable denial',
  prefetch: 'prefetch 2 1m 90%',
  stale: 'serve_stale',
  half: 'servfail 500ms\n serve_stale',
  pause: 'serve_stale 1h immediate 30s 3s',
  verify: 'serve_stale 1h verify',
  timed: 'serve_stale 1h verify 500ms 7s 60s',
  prefer: 'serve_stale 1h verify\n serve_stale_policy prefer_positive',
  prefernow: 'serve_stale 1h immediate\n serve_stale_policy prefer_positive',
};

/** See upstream-zone.ts. */
const NAMES = [
  'www',
  'mix',
  'half',
  'referral',
  'refused',
  'notimp',
  'servfail',
  'mismatch',
  'nxnosoa',
  'late',
  'ttl2.www.then',
  'nx1.www.then',
  'nodata1.www.then',
  'ttl1.www.then',
  'ttl1.nx.then',
  'ttl1.empty1.then',
  'ttl1.empty1.www.then',
  'ttl1.servfail.www.then',
  'ttl1.refused.then',
  'ttl1.mismatch.then',
  'ttl1.late.then',
];
const ROUNDS = 4;
/** With the 1.5 s that `late` takes, well between two whole seconds after a store. */
const PAUSE_MS = 1100;
/** For what runs in the background. */
const REST_MS = 1500;

const TEMPLATE = Object.entries(BLOCKS)
  .map(
    ([name, options]) => `${name}.example.org:@PORT@ {
    prometheus 127.0.0.1:@METRICS@
    cache {
        success 1024 3600 1
        denial 1024 1800 1
        ${options}
    }
    forward . 127.0.0.1:@UPSTREAM@
}`,
  )
  .join('\n');

interface Played {
  readonly series: readonly string[];
  readonly asked: readonly string[];
}

async function play(seat: Seat, env: Readonly<Record<string, string>>): Promise<Played> {
  const upstream = await Upstream.start();
  const server = await startServer(seat, TEMPLATE, { upstreamPort: upstream.port, env });
  const client = new UdpClient(server.port);
  let id = 0;
  const ask = (name: string) => {
    const message = composeQuery({ name, type: 1, flags: 0x0100 });
    id++;
    message.set([id >> 8, id & 0xff]);
    return client.exchange(message, 8000);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const names = Object.keys(BLOCKS).flatMap((block) => NAMES.map((name) => `${name}.${block}.example.org.`));
    await Promise.all(names.map(ask));
    await sleep(PAUSE_MS);
  }
  await sleep(REST_MS);
  const { body } = await httpGet(server.ports.metrics, '/metrics');
  client.close();
  await server.stop();
  await upstream.stop();
  const lines = body.split('\n').filter((line) => /^(# (HELP|TYPE) )?coredns_cache_/.test(line));
  return {
    series: lines.map((line) => sortedLabels(line).replaceAll(`:${server.port}`, ':PORT')).sort(),
    asked: upstream.seen.flatMap(({ name, text }) => (name === '.' ? [] : [`${name} ${text}`])).sort(),
  };
}

function sortedLabels(line: string): string {
  return line.replace(
    /\{(.*)\}/,
    (_, labels: string) =>
      `{${labels
        .match(/\w+="[^"]*"/g)!
        .sort()
        .join(',')}}`,
  );
}

let reference: Promise<Played> | undefined;

for (const [face, env] of [['fast', {}] as const, ['slow', { WASMDNS_FORCE_SLOW: '1' }] as const]) {
  test(`the ${face} face counts, and asks the upstream, as CoreDNS does`, { timeout: 120_000 }, async () => {
    reference ??= play('coredns', {});
    const [expected, seen] = await Promise.all([reference, play(seatUnderTest, env)]);
    assert.ok(expected.series.length > 80, 'the reference counts');
    assert.deepEqual(seen.series, expected.series);
    assert.deepEqual(seen.asked, expected.asked);
  });
}

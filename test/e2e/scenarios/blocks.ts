// Scenarios of several blocks, of configurations and files that come and go, and of what is written about a query.

import { namespace, service, slice, sliceEndpoints } from '../support/objects.ts';
import { corefile, FORWARD, type Scenario } from './scenario.ts';

const RELOAD = 'reload 2s 1s';

function block(keys: string, ...directives: readonly string[]): string {
  return `${keys} {\n    ${directives.join('\n    ')}\n}\n`;
}

export const blockScenarios: readonly Scenario[] = [
  {
    name: 'zones, classes, opcodes and names of no block: their labels and lines',
    isShort: true,
    corefile: [
      block('example.org:@PORT@', 'errors', 'log', 'prometheus 127.0.0.1:@METRICS@', 'whoami'),
      block(
        'sub.example.org:@PORT@ a.test:@PORT@',
        'log . "{remote} {name} {rcode} {>id}" {\n class error\n }',
        'prometheus 127.0.0.1:@METRICS@',
        FORWARD,
      ),
    ].join(''),
    async script(stage) {
      for (const name of [
        'example.org.',
        'www.example.org.',
        'www.sub.example.org.',
        'b.a.test.',
        'other.test.',
        '.',
      ]) {
        for (const type of ['A', 'DS', 'ANY'] as const) await stage.ask(name, type);
        await stage.ask(name, 'AXFR', { tcp: true });
        await stage.ask(name, 'TXT', { class: 3 });
        for (const opcode of [4, 5]) await stage.ask(name, 'A', { opcode });
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'log formats with every placeholder, labels and odd names',
    isShort: true,
    corefile: block(
      '.:@PORT@',
      'errors {\n stacktrace\n }',
      'metadata',
      'log . "{combined} {type} {/forward/upstream} {/log/class} {local} {remote} {proto} {>do} {>bufsize} {nosuch}"',
      'prometheus 127.0.0.1:@METRICS@',
      FORWARD,
    ),
    async script(stage) {
      for (const name of ['www.example.org.', 'WwW.nx.Test.', '.', 'a\\.b.example.org.', '\\000\\255x.test.']) {
        for (const type of [1, 28, 65, 0, 65_000, 0xffff]) await stage.ask(name, 'A', { type });
        await stage.ask(name, 'AAAA', { tcp: true, edns: { size: 100, isDo: true } });
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'reload: blocks, snippets and imports come and go',
    corefile: corefile(RELOAD, FORWARD),
    async script(stage) {
      const ask = async () => {
        for (const name of ['www.example.org.', 'x.a.test.', 'y.b.test.']) await stage.ask(name);
      };
      const whoami = (imported: string) =>
        `(s) {\n errors\n log\n}\n${block('.:@PORT@', `import ${imported}`, 'prometheus 127.0.0.1:@METRICS@', RELOAD, 'whoami')}`;
      const [good, refused, unread] = [
        /^\[INFO\] Reloading complete/,
        /reload: Corefile changed but reload failed/,
        /reload: Corefile parse failed/,
      ];
      const steps: readonly (readonly [RegExp, number, string])[] = [
        [good, 1, corefile(RELOAD, FORWARD) + block('a.test:@PORT@', 'whoami', 'errors')],
        [unread, 1, corefile(RELOAD, 'import @DIR@/missing.conf', FORWARD)],
        [good, 2, corefile(RELOAD, FORWARD) + block('a.test:@PORT@', 'hosts {\n 192.0.2.9 x.a.test\n }', 'errors')],
        [refused, 1, corefile(RELOAD, FORWARD) + block('b.test:@PORT@ b.test:@PORT@', 'whoami')],
        [refused, 2, corefile(RELOAD, 'cache 30 {\n servfail 10m\n }', FORWARD)],
        [good, 3, whoami('s')],
        [unread, 2, whoami('t')],
        [good, 4, corefile(RELOAD, 'cache 30', FORWARD)],
      ];
      await ask();
      for (const [line, count, text] of steps) {
        await stage.rewriteCorefile(text);
        await stage.logged(line, count);
        await ask();
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      // The warning comes with each tick; a refusal names file and line here (docs/differences.md).
      stage.compareLogs((line) => !unread.test(line) && !refused.test(line) && !line.includes('Restart failed'));
    },
  },
  {
    name: 'a hosts file that appears and grows, weights that change and break',
    isShort: true,
    files: { weights: 'multi.example.org\n192.0.2.3 255\n' },
    corefile: [
      corefile('hosts @DIR@/late {\n reload 300ms\n fallthrough\n }', FORWARD),
      block('example.org:@PORT@', 'loadbalance weighted @DIR@/weights {\n reload 500ms\n }', 'errors', FORWARD),
    ].join(''),
    async script(stage) {
      const hosts = async () => {
        for (const name of ['one.test.', 'host19999.test.', 'alias5.']) await stage.ask(name);
        for (const name of ['1.2.0.192.in-addr.arpa.', '5.0.0.10.in-addr.arpa.']) await stage.ask(name, 'PTR');
      };
      await hosts();
      const addresses = Array.from({ length: 20_000 }, (_, n) => `10.0.${n >> 8}.${n & 255} host${n}.test alias${n}`);
      for (const text of ['192.0.2.1 one.test\n', addresses.join('\n')]) {
        await stage.wait(1200);
        stage.write('late', text);
        await stage.wait(2500);
        await hosts();
      }
      for (const weights of [
        'broken line here\n',
        'multi.example.org\n192.0.2.3 999\n',
        'multi.example.org\n192.0.2.4 9\n',
      ]) {
        stage.write('weights', weights);
        await stage.wait(1600);
        await stage.ask('www.example.org.');
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'an API server that goes away, changes meanwhile and comes back',
    needs: 'api server',
    isUnsynced: true,
    corefile: corefile(
      'ready 127.0.0.1:@READY@ {\n monitor continuously\n }',
      'kubernetes cluster.local in-addr.arpa {\n kubeconfig @KUBECONFIG@\n fallthrough in-addr.arpa\n }',
      'cache 2',
      FORWARD,
    ),
    async script(stage, objects) {
      const place = (name: string) => ({ namespace: 'life', name });
      const endpoints = (last: number) => [{ address: `10.1.5.${last}`, hostname: 'h' }];
      const headless = slice({ ...place('s'), service: 'hl' }, endpoints(5));
      const gone = service(place('gone'), { clusterIP: '10.98.0.3' });
      await objects!.createAll([namespace('life'), service(place('a'), { clusterIP: '10.98.0.1' }), gone]);
      await objects!.createAll([service(place('hl'), { clusterIP: 'None' }), headless]);
      const ask = async () => {
        for (const label of ['a', 'b', 'hl', 'h.hl', 'gone']) {
          for (const type of ['A', 'SRV'] as const) await stage.ask(`${label}.life.svc.cluster.local.`, type);
        }
        for (const last of [5, 6, 7]) await stage.ask(`${last}.5.1.10.in-addr.arpa.`, 'PTR');
        await stage.compareHttp('ready', '/ready');
      };
      await stage.setApi('pass');
      await stage.untilReady();
      await ask();
      const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() };
      await objects!.patch(headless, { metadata: { annotations }, endpoints: sliceEndpoints(endpoints(7)) });
      await stage.wait(2500);
      await ask();
      await stage.setApi('refuse');
      await objects!.createAll([service(place('b'), { clusterIP: '10.98.0.2' })]);
      await objects!.patch(headless, { endpoints: sliceEndpoints(endpoints(6)) });
      await objects!.delete(gone);
      await stage.wait(2500);
      await ask();
      await stage.setApi('pass');
      // Both try again with pauses that grow, up to half a minute.
      await stage.wait(45_000);
      await ask();
      await stage.compareMetrics((family) => /^coredns_(?:dns|cache|kubernetes_dns)/.test(family));
      stage.compareLogs((line) => !/plugin\/(?:kubernetes|ready)/.test(line));
    },
  },
];

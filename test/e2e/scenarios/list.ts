// The scenarios of caches, files, reloads, templates and the API server, and all together.

import { blockScenarios } from './blocks.ts';
import { cacheScenarios } from './caches.ts';
import { corefile, FORWARD, type Scenario } from './scenario.ts';
import { upstreamScenarios } from './upstreams.ts';

export const scenarios: readonly Scenario[] = [
  ...upstreamScenarios,
  ...cacheScenarios,
  ...blockScenarios,
  {
    name: 'TTLs count down, entries expire and are fetched again',
    isShort: true,
    corefile: corefile('cache 30', FORWARD),
    async script(stage) {
      const names = ['ttl2', 'ttl1', 'nx1', 'nodata1', 'alias', 'mix', 'www'].map((label) => `${label}.example.org.`);
      for (const name of names) await stage.ask(name);
      await stage.wait(1100);
      for (const name of names) await stage.ask(name);
      await stage.ask(names[0]!, 'A', { edns: { size: 1232, isDo: true } });
      await stage.ask(names[0]!, 'A', { tcp: true });
      await stage.wait(5200);
      for (const name of names) await stage.ask(name);
      stage.compareSeen(...names);
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
  {
    name: 'minimum and maximum TTLs, keepttl',
    corefile: corefile('cache 20 {\n success 1000 8 2\n denial 1000 4 1\n keepttl\n }', FORWARD),
    async script(stage) {
      const names = ['ttl1', 'www', 'nx1', 'nodata', 'alias'].map((label) => `${label}-k.example.org.`);
      for (let round = 0; round < 3; round++) {
        for (const name of names) await stage.ask(name);
        await stage.wait(2100);
      }
      stage.compareSeen(...names);
      await stage.compareMetrics();
    },
  },
  {
    name: 'prefetch: a popular name is fetched before it expires',
    corefile: corefile('cache 20 {\n success 1000 6 1\n prefetch 2 1m 90%\n }', FORWARD),
    async script(stage) {
      const name = 'www-p.example.org.';
      for (let n = 0; n < 4; n++) {
        await stage.ask(name);
        await stage.wait(300);
      }
      await stage.wait(1000);
      await stage.ask(name);
      await stage.wait(500);
      await stage.ask(name);
      await stage.ask('mix-p.example.org.');
      await stage.wait(500);
      await stage.compareMetrics((family) => !family.startsWith('coredns_proxy_conn'));
      stage.compareLogs();
    },
  },
  {
    name: 'serve_stale immediate: the old answer at once, a new one behind it',
    isShort: true,
    corefile: corefile(
      'cache {\n success 1000 1 1\n denial 1000 1 1\n servfail 0\n serve_stale 1h immediate\n }',
      FORWARD,
    ),
    async script(stage) {
      const name = 'www.drop.ttl1.then.example.org.';
      await stage.ask(name);
      await stage.wait(1200);
      await stage.ask(name);
      await stage.ask('nx1-stale.example.org.');
      await stage.wait(1200);
      await stage.ask('nx1-stale.example.org.');
      await stage.wait(300);
      await stage.ask('nx1-stale.example.org.');
      await stage.upstreams(({ upstream }) => {
        upstream.isMute = true;
      });
      await stage.wait(1200);
      await stage.ask('nx1-stale.example.org.');
      await stage.compareMetrics((family) => family.startsWith('coredns_cache') || family.startsWith('coredns_dns'));
    },
  },
  {
    name: 'serve_stale verify: the upstream first, the old answer if it has none',
    corefile: corefile('cache {\n success 1000 1 1\n denial 1000 1 1\n serve_stale 1h verify\n }', FORWARD),
    async script(stage) {
      const [changing, failing] = ['ttl1.www.then.example.org.', 'www.servfail.servfail.then.example.org.'];
      await stage.ask(changing);
      await stage.ask(failing);
      await stage.wait(1200);
      await stage.ask(changing);
      await stage.ask(failing);
      await stage.wait(200);
      await stage.ask(failing);
      await stage.compareMetrics((family) => family.startsWith('coredns_cache') || family.startsWith('coredns_dns'));
      stage.compareLogs();
    },
  },
  {
    name: 'serve_stale verify with a timeout, and its limit',
    corefile: corefile('cache {\n success 1000 1 1\n serve_stale 3s verify 200ms 7s 1s\n }', FORWARD),
    async script(stage) {
      const slow = 'www.late.www.then.example.org.';
      await stage.ask(slow);
      await stage.wait(1200);
      await stage.ask(slow);
      await stage.wait(200);
      await stage.ask(slow);
      await stage.ask('ttl1.drop.then.example.org.');
      await stage.wait(5000);
      await stage.ask('ttl1-late.example.org.');
      await stage.compareMetrics((family) => family.startsWith('coredns_dns'));
    },
  },
  {
    name: 'SERVFAIL and NOTIMP are kept for the servfail time only',
    isShort: true,
    corefile: corefile('cache {\n servfail 2s\n }', FORWARD),
    async script(stage) {
      const names = ['servfail-t', 'notimp-t', 'refused-t', 'formerr-t'].map((label) => `${label}.example.org.`);
      for (const pause of [500, 2200, 0]) {
        for (const name of names) await stage.ask(name);
        await stage.wait(pause);
      }
      stage.compareSeen(...names);
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
  {
    name: 'a hosts file that changes',
    isShort: true,
    files: { hosts: '192.0.2.1 one.example.net\n2001:db8::1 one.example.net\n' },
    corefile: corefile(
      'hosts @DIR@/hosts {\n 192.0.2.5 inline.example.net\n reload 200ms\n ttl 77\n fallthrough\n }',
      FORWARD,
    ),
    async script(stage) {
      const all = async () => {
        for (const name of ['one', 'two', 'inline']) {
          await stage.ask(`${name}.example.net.`);
          await stage.ask(`${name}.example.net.`, 'AAAA');
        }
        for (const last of [1, 2, 5]) await stage.ask(`${last}.2.0.192.in-addr.arpa.`, 'PTR');
      };
      await all();
      await stage.wait(1100);
      stage.write('hosts', '192.0.2.2 two.example.net TWO\n# nothing\n');
      await stage.wait(1500);
      await all();
      stage.write('hosts', 'nonsense\n192.0.2.1 one.example.net one.example.net\n');
      await stage.wait(1500);
      await all();
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
  {
    name: 'reload: a good Corefile, a bad one, a good one again',
    corefile: corefile('reload 2s 1s', 'health 127.0.0.1:@HEALTH@', 'ready 127.0.0.1:@READY@', 'cache 30', FORWARD),
    async script(stage) {
      const ask = () => stage.ask('www-r.example.org.');
      await ask();
      const base = ['health 127.0.0.1:@HEALTH@', 'ready 127.0.0.1:@READY@'] as const;
      await stage.rewriteCorefile(corefile('reload 2s 1s', ...base, 'cache 20', FORWARD));
      await stage.logged(/Reloading complete/);
      await ask();
      await stage.compareHttp('health', '/health');
      await stage.compareHttp('ready', '/ready');
      await stage.rewriteCorefile(corefile('reload 2s 1s', ...base, 'cache {\n success\n }', FORWARD));
      await stage.logged(/Corefile changed but reload failed/);
      await ask();
      await stage.compareHttp('ready', '/ready');
      const template = 'template IN A example.org {\n answer "{{ .Name }} 7 A 192.0.2.77"\n }';
      await stage.rewriteCorefile(corefile('reload 2s 1s', ...base, 'cache 30', template));
      await stage.logged(/Reloading complete/, 2);
      await ask();
      await stage.compareMetrics((family) => !/coredns_health|coredns_reload/.test(family));
      stage.compareLogs();
    },
  },
  {
    name: 'templates: their metrics and errors',
    isShort: true,
    corefile: corefile(
      'template IN A t.example {\n match "^(?P<n>[0-9]+)[.]"\n answer "{{ .Name }} 60 IN A 192.0.2.{{ .Group.n }}"\n }',
      'template ANY ANY f.example {\n answer "{{ .Nope }}"\n }',
      FORWARD,
    ),
    async script(stage) {
      for (const name of ['7.t.example.', '999.t.example.', 'x.t.example.', 'f.example.']) await stage.ask(name);
      await stage.ask('f.example.', 'TXT');
      await stage.ask('f.example.', 'NAPTR');
      await stage.ask('www-t.example.org.');
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
  {
    name: 'an API server that is away at the start and comes later',
    needs: 'api server',
    isUnsynced: true,
    corefile: corefile(
      'ready 127.0.0.1:@READY@',
      'kubernetes cluster.local in-addr.arpa {\n kubeconfig @KUBECONFIG@\n startup_timeout 1s\n fallthrough in-addr.arpa\n }',
      'cache 30',
      FORWARD,
    ),
    async script(stage) {
      const ask = async () => {
        await stage.ask('web.default.svc.cluster.local.');
        await stage.ask('kubernetes.default.svc.cluster.local.');
        await stage.ask('none.default.svc.cluster.local.');
        await stage.ask('1.0.0.10.in-addr.arpa.', 'PTR');
        await stage.ask('www-u.example.org.');
      };
      await stage.wait(1500);
      await ask();
      await stage.compareHttp('ready', '/ready');
      await stage.setApi('pass');
      await stage.untilReady();
      await ask();
      await stage.compareHttp('ready', '/ready');
      await stage.setApi('refuse');
      await stage.wait(500);
      await ask();
      await stage.compareMetrics((family) => /^coredns_(?:dns|cache|forward)/.test(family));
    },
  },
];

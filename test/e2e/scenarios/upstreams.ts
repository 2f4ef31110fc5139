// Scenarios of upstreams: silent, gone, slow, lying.

import { Upstream } from '../support/upstream.ts';
import { corefile, FORWARD, type Scenario } from './scenario.ts';

export const upstreamScenarios: readonly Scenario[] = [
  {
    name: 'an upstream that says wrong things',
    isShort: true,
    corefile: corefile(FORWARD),
    async script(stage) {
      const labels = [
        'garbage',
        'lower',
        'mismatch',
        'wrongid',
        'bigu',
        'big',
        'badtxt',
        'shorta',
        'noedns',
        'ede',
        'six',
        'aa',
        'ad',
      ];
      for (const label of labels) {
        await stage.ask(`${label}.example.org.`);
        await stage.ask(`${label}.example.org.`, 'A', { edns: { size: 1232, isDo: true } });
      }
      for (const label of ['big', 'bigu', 'mid', 'longtxt'])
        await stage.ask(`${label}.example.org.`, 'A', { tcp: true });
      await stage.ask('WwW.ExAmPlE.oRg.');
      await stage.ask('LoWeR.ExAmPlE.oRg.');
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
  {
    name: 'a silent upstream: retries, SERVFAIL, probes, and back',
    corefile: corefile('forward . 127.0.0.1:@UPSTREAM@ {\n max_fails 1\n health_check 0.5s\n }'),
    async script(stage) {
      await stage.ask('www-a.example.org.');
      await stage.upstreams(({ upstream }) => {
        upstream.isMute = true;
      });
      await stage.ask('www-b.example.org.');
      await stage.wait(2500);
      await stage.ask('www-c.example.org.');
      await stage.upstreams(({ upstream }) => {
        upstream.isMute = false;
      });
      await stage.wait(1500);
      await stage.ask('www-d.example.org.');
      await stage.compareMetrics((family) => !/healthcheck|conn_cache/.test(family));
      stage.compareLogs();
    },
  },
  {
    name: 'an upstream that is gone and comes back on its port',
    isShort: true,
    corefile: corefile('cache 30 {\n servfail 0\n }', 'forward . 127.0.0.1:@UPSTREAM@ {\n max_fails 2\n }'),
    async script(stage) {
      await stage.ask('www-e.example.org.');
      await stage.upstreams(({ upstream }) => upstream.stop());
      await stage.ask('www-e.example.org.');
      await stage.ask('www-f.example.org.');
      await stage.ask('www-f.example.org.', 'A', { tcp: true });
      await stage.upstreams(async (side) => {
        side.upstream = await Upstream.start(side.upstream.port);
      });
      await stage.wait(1500);
      await stage.ask('www-f.example.org.');
      await stage.ask('www-g.example.org.', 'A', { tcp: true });
      await stage.compareMetrics((family) => !/healthcheck|conn_cache|coredns_proxy_request/.test(family));
      stage.compareLogs();
    },
  },
  {
    name: 'two upstreams in order, the first one dead',
    corefile: corefile('forward . 127.0.0.1:@CLOSED@ 127.0.0.1:@UPSTREAM@ {\n policy sequential\n max_fails 1\n }'),
    async script(stage) {
      for (const letter of 'abcd') {
        await stage.ask(`www-s${letter}.example.org.`);
        await stage.wait(400);
      }
      await stage.compareMetrics((family) => family.startsWith('coredns_dns'));
    },
  },
  {
    name: 'failover and next pass on what the first has no answer for',
    corefile: corefile(
      'forward . 127.0.0.1:@UPSTREAM@ 127.0.0.1:@UPSTREAM@ {\n policy sequential\n failover SERVFAIL REFUSED\n }',
    ),
    async script(stage) {
      for (const label of ['servfail', 'refused', 'nodata', 'www', 'nxnosoa'])
        await stage.ask(`${label}-o.example.org.`);
      await stage.compareMetrics((family) => family.startsWith('coredns_dns'));
      stage.compareLogs();
    },
  },
  {
    name: 'slow answers and many at the same time',
    corefile: corefile('cache 30', 'forward . 127.0.0.1:@UPSTREAM@ {\n max_concurrent 1000\n }'),
    async script(stage) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => stage.ask(`slow-m${n}.example.org.`)));
      await Promise.all(Array.from({ length: 20 }, (_, n) => stage.ask(`slow-m${n}.example.org.`)));
      await stage.ask('late-m.example.org.');
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
    },
  },
  {
    name: 'errors that are consolidated',
    corefile: `.:@PORT@ {
    errors {
        consolidate 2s ".* i/o timeout$" warning
        consolidate 2s "^bad question name: .*" error show_first
    }
    log . "{type} {name} {rcode} {>rflags} {rsize}"
    prometheus 127.0.0.1:@METRICS@
    forward . 127.0.0.1:@UPSTREAM@ {
        max_fails 0
        read_timeout 300ms
        max_connect_attempts 1
    }
}
`,
    async script(stage) {
      for (const label of ['garbage', 'drop', 'garbage', 'drop', 'www', 'garbage']) {
        await stage.ask(`${label}.example.org.`);
      }
      await stage.wait(2500);
      await stage.ask('drop.example.org.');
      await stage.wait(2500);
      await stage.compareMetrics((family) => family.startsWith('coredns_dns'));
      stage.compareLogs();
    },
  },
  {
    name: 'prefer_udp, force_tcp, next: blocks of their own',
    corefile: [
      ['udp.example.org', 'prefer_udp'],
      ['tcp.example.org', 'force_tcp'],
      ['example.org', 'next NXDOMAIN'],
    ]
      .map(
        ([zone, option]) => `${zone}:@PORT@ {
    errors
    log
    prometheus 127.0.0.1:@METRICS@
    forward . 127.0.0.1:@UPSTREAM@ {
        ${option}
    }
}
`,
      )
      .join(''),
    async script(stage) {
      for (const name of ['big.udp', 'www.udp', 'www.tcp', 'mid.tcp', 'www', 'nodata', 'servfail']) {
        await stage.ask(`${name}.example.org.`);
        await stage.ask(`${name}.example.org.`, 'A', { tcp: true });
        await stage.ask(`${name}.example.org.`, 'AAAA', { edns: { size: 4096 } });
      }
      stage.compareSeen('big.udp.example.org.', 'www.udp.example.org.', 'www.tcp.example.org.', 'mid.tcp.example.org.');
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'replies that are cut, loop, bare, too large or of odd records, with a cache and without',
    isShort: true,
    corefile: ['plain.example.org', 'kept.example.org']
      .map(
        (zone, at) => `${zone}:@PORT@ {
    errors
    log
    prometheus 127.0.0.1:@METRICS@
    ${at === 0 ? '' : 'cache 30'}
    forward . 127.0.0.1:@UPSTREAM@
}
`,
      )
      .join(''),
    async script(stage) {
      const damaged = ['bare', 'cut', 'loop', 'huge', 'bigu', 'mismatch', 'lower', 'garbage'];
      const odd = [
        'text',
        'twice',
        'longtxt',
        'ttl0',
        'referral',
        'dangle',
        'yxdomain',
        'nodatanosoa',
        'nxnosoa',
        'formerr',
      ];
      for (const label of [...damaged, ...odd]) {
        for (const zone of ['plain', 'kept', 'kept']) {
          const name = `${label}.${zone}.example.org.`;
          await stage.ask(name);
          await stage.ask(name, 'A', { edns: { size: 4096, isDo: true } });
          await stage.ask(name, 'A', { tcp: true });
        }
      }
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'no upstream is up: one of them is tried all the same, or none with failfast',
    isShort: true,
    corefile: [
      ['fast.example.org', 'failfast_all_unhealthy_upstreams'],
      ['example.org', 'health_check 200ms no_rec domain example.org'],
    ]
      .map(
        ([zone, option]) => `${zone}:@PORT@ {
    errors
    log
    prometheus 127.0.0.1:@METRICS@
    forward . 127.0.0.1:@CLOSED@ {
        max_fails 1
        health_check 200ms
        ${option}
    }
}
`,
      )
      .join(''),
    async script(stage) {
      const names = ['www.fast.example.org.', 'www.example.org.'];
      for (const name of names) await stage.ask(name);
      await stage.wait(2000);
      for (const name of names) {
        await stage.ask(name);
        await stage.ask(name, 'A', { tcp: true });
      }
      // How often a probe had the time to fail is a matter of the clock.
      await stage.compareMetrics((family) => !/healthcheck_failures|conn_cache/.test(family));
      stage.compareLogs();
    },
  },
  {
    name: 'more queries at the same time than max_concurrent allows',
    isShort: true,
    corefile: corefile('forward . 127.0.0.1:@UPSTREAM@ {\n max_concurrent 1\n }'),
    async script(stage) {
      const first = stage.ask('late-c.example.org.');
      await stage.wait(500);
      for (let n = 0; n < 5; n++) await stage.ask(`www-c${n}.example.org.`);
      await first;
      await stage.ask('www-c9.example.org.');
      await stage.compareMetrics((family) => !family.includes('conn_cache'));
      stage.compareLogs();
    },
  },
  {
    name: 'connections to an upstream: used again, too old, too long idle, gone',
    corefile: ['udp.example.org', 'example.org']
      .map(
        (zone, at) => `${zone}:@PORT@ {
    errors
    log
    prometheus 127.0.0.1:@METRICS@
    forward . 127.0.0.1:@UPSTREAM@ {
        expire 1s
        max_fails 0
        ${at === 0 ? '' : 'max_age 2s\n max_idle_conns 1\n force_tcp'}
    }
}
`,
      )
      .join(''),
    async script(stage) {
      for (const [n, pause] of [0, 0, 300, 1500, 100, 100, 2500, 0].entries()) {
        await stage.wait(pause);
        for (const zone of ['udp.example.org.', 'example.org.']) {
          await stage.ask(`www-o${n}.${zone}`);
          await stage.ask(`big-o${n}.${zone}`, 'A', { tcp: true });
        }
      }
      await stage.upstreams(async (side) => {
        await side.upstream.stop();
        side.upstream = await Upstream.start(side.upstream.port);
      });
      await stage.wait(200);
      await stage.ask('www-o9.example.org.');
      await stage.compareMetrics();
      stage.compareLogs();
    },
  },
];

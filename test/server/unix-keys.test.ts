// Keys with `unix://`: CoreDNS takes them, makes no server for them, and ends where there is no other. Their zones are
// their block's all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, start } from './process.ts';

test('a block with another key answers, and counts for the zone', async (t) => {
  const [dns, metrics] = [await freePort(), await freePort()];
  const corefile = `unix://x.test:1 unix://y.test .:${dns} {
    prometheus 127.0.0.1:${metrics}
    loop
    hosts {
        192.0.2.1 a.x.test
        192.0.2.2 a.y.test
    }
}
`;
  const started = await start(t, ['-conf', 'Corefile'], { corefile }).serves();
  await started.says(/wasmdns-/);
  assert.deepEqual(started.lines[0], `.:${dns}`);
  assert.ok(!started.lines.some((line) => line.includes('test')), started.lines.join('\n'));
  assert.equal(await ask(dns, 'a.x.test', { type: 'A' }), 'NOERROR 192.0.2.1');
  assert.equal(await ask(dns, 'a.y.test', { type: 'A' }), 'NOERROR 192.0.2.2');
  const counted = [...(await page(metrics, '/metrics')).matchAll(/^coredns_dns_requests_total\{(.*type="A".*)\} 1$/gm)];
  assert.deepEqual(counted.map(([, labels]) => /zone="([^"]*)"/.exec(labels!)?.[1]).sort(), ['.', 'x.test.']);
});

test('without any other key the process ends', async (t) => {
  const corefile = 'unix:///tmp/socket {\n    loop\n    cache\n    whoami\n}\n';
  const process = start(t, ['-conf', 'Corefile'], { corefile });
  assert.deepEqual(await process.exited, { code: 0, signal: null });
  assert.match(process.out, /^wasmdns-\S+\nlinux\/\S+, \S+\n$/);
});

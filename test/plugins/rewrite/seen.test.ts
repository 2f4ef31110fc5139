// What the plugins above see of rewritten queries: log lines, errors, counters. With WASMDNS_E2E_SEAT=coredns the same
// expectations are held against the real CoreDNS.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '../../e2e/support/child.ts';
import { UdpClient } from '../../e2e/support/dns-client.ts';
import { composeQuery, type Edns } from '../../e2e/support/query.ts';
import { type DnsServer, httpGet, seatUnderTest, startServer } from '../../e2e/support/server.ts';
import { Upstream } from '../../e2e/support/upstream.ts';

const COREFILE = `.:@PORT@ {
  prometheus 127.0.0.1:@METRICS@
  errors
  log . "{type} {class} {name} {size} {>do} {>bufsize} {rcode} {>rflags} {rsize}"
  rewrite continue type MX A
  rewrite name exact a.example www-seen.example.org
  rewrite name suffix .down.example .away.example
  rewrite name exact bare.example noedns-seen.example.org
  rewrite name suffix .opt.example .gone.example answer name (.*) {1}
  rewrite continue name regex ^(wrong)\\. {1}..
  rewrite continue edns0 local set 0xffee abcd
  rewrite continue name exact keeps.example www-keeps.example.org
  forward away.example 127.0.0.1:1
  forward example.org 127.0.0.1:@UPSTREAM@
}
`;

let upstream: Upstream;
let server: DnsServer;
before(async () => {
  upstream = await Upstream.start();
  server = await startServer(seatUnderTest, COREFILE, { upstreamPort: upstream.port });
});
after(async () => {
  await server.stop();
  await upstream.stop();
});

async function ask(name: string, type: number, edns?: Edns): Promise<void> {
  await send(composeQuery({ name, type, flags: 0x0100, ...(edns && { edns }) }));
}

async function send(query: Uint8Array): Promise<void> {
  const client = new UdpClient(server.port);
  await client.exchange(query, 9000);
  client.close();
}

/** An NSEC without rdata behind the question: CoreDNS measures it as one with the root's name and an empty bitmap. */
async function askWithBareRecord(name: string): Promise<void> {
  const query = composeQuery({ name, type: 1, flags: 0x0100 });
  query[11] = 1;
  await send(Uint8Array.from([...query, ...Buffer.from('00 002f 0001 00000000 0000'.replaceAll(' ', ''), 'hex')]));
}

test('lines and counters', async () => {
  await ask('A.Example.', 1);
  await ask('a.example.', 15);
  await ask('x.down.example.', 15);
  await ask('wrong.example.', 1);
  await ask('nobody.example.', 15, { size: 1232 });
  await ask('keeps.example.', 1);
  const options = [{ code: 65111, octets: new Uint8Array(3) }];
  await ask('a.example.', 1, { size: 1232, options });
  await ask('bare.example.', 1, { size: 1232, options });
  await askWithBareRecord('nsec.example.');
  await ask('x.opt.example.', 1, { size: 1232 });
  await sleep(300);
  const lines = server.child
    .output()
    .split('\n')
    .filter((line) => /^\[(INFO|ERROR)\] (\S+ IN|plugin\/errors)/.test(line))
    .map((line) => line.replace(/127\.0\.0\.1:\d+->127/, '127.0.0.1:PORT->127'));
  assert.deepEqual(lines.sort(), EXPECTED.toSorted());
  const { body } = await httpGet(server.ports.metrics, '/metrics');
  const series = body
    .split('\n')
    .filter((line) => /^coredns_dns_(requests_total|responses_total|request_size_bytes_sum)/.test(line))
    .map((line) => line.replace(/server="[^"]*"/, 'server=""'));
  assert.deepEqual(series.map(sortedLabels).sort(), SERIES.toSorted());
});

/** Labels in the order of their names. */
function sortedLabels(line: string): string {
  return line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`);
}

const EXPECTED: readonly string[] = [
  '[ERROR] plugin/errors: 0 x.gone.example. A: plugin/forward: no next plugin found',
  '[ERROR] plugin/errors: 0 x.away.example. A: read udp 127.0.0.1:PORT->127.0.0.1:1: read: connection refused',
  '[ERROR] plugin/errors: 2 nobody.example. A: plugin/forward: no next plugin found',
  '[ERROR] plugin/errors: 2 nsec.example. A: plugin/forward: no next plugin found',
  '[ERROR] plugin/errors: 2 wrong.example. A: invalid name after rewrite: wrong..',
  '[INFO] A IN a.example. 38 false 512 NOERROR qr,rd,ra 52',
  '[INFO] A IN a.example. 38 false 512 NOERROR qr,rd,ra 52',
  '[INFO] A IN a.example. 56 false 1232 NOERROR qr,rd,ra 63',
  '[INFO] A IN bare.example. 52 false 1232 NOERROR qr,rd,ra 58',
  '[INFO] A IN keeps.example. 58 false 4096 NOERROR qr,rd,ra 71',
  '[INFO] A IN nsec.example. 63 false 4096 SERVFAIL qr,rd 30',
  '[INFO] A IN nobody.example. 51 false 1232 SERVFAIL qr,rd 32',
  '[INFO] A IN wrong.example. 31 false 512 SERVFAIL qr,rd 31',
  // docs/differences.md: CoreDNS takes the OPT of this reply for a record whose owner the rule makes `..`
  `[INFO] A IN x.opt.example. 43 false 1232 SERVFAIL qr,rd ${seatUnderTest === 'coredns' ? 44 : 42}`,
  '[INFO] A IN x.down.example. 32 false 512 SERVFAIL qr,rd 32',
];
const SERIES: readonly string[] = [
  'coredns_dns_request_size_bytes_sum{proto="udp",server="",view="",zone="."} 370',
  'coredns_dns_requests_total{family="1",proto="udp",server="",type="A",view="",zone="."} 10',
  'coredns_dns_responses_total{plugin="",rcode="SERVFAIL",server="",view="",zone="."} 3',
  'coredns_dns_responses_total{plugin="errors",rcode="NOERROR",server="",view="",zone="."} 5',
  'coredns_dns_responses_total{plugin="errors",rcode="SERVFAIL",server="",view="",zone="."} 2',
];

// {server_ip}: the listener's address over UDP, the connection's over TCP. With WASMDNS_E2E_SEAT=coredns the same is held
// against the real CoreDNS.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DnsClient, TcpClient, UdpClient } from '../../e2e/support/dns-client.ts';
import { parseMessage } from '../../e2e/support/message.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { composeQuery } from '../../e2e/support/query.ts';
import { type DnsServer, seatUnderTest, startServer } from '../../e2e/support/server.ts';

let server: DnsServer;
let boundPort: number;
before(async () => {
  boundPort = await freePort();
  const block = `rewrite edns0 local set 0xffee {server_ip}
  whoami
}`;
  server = await startServer(seatUnderTest, `.:@PORT@ {\n${block}\n.:${boundPort} {\nbind 127.0.0.1\n${block}\n`);
});
after(() => server.stop());

async function given(client: DnsClient): Promise<string | undefined> {
  const octets = await client.exchange(composeQuery({ name: 'a.test.', type: 1, edns: { size: 1232 } }), 3000);
  client.close();
  return parseMessage(octets!).opts[0]!.options.find(({ code }) => code === 0xffee)?.hex;
}

test('of a wildcard listener: nothing for IPv4, the unspecified address for IPv6', async () => {
  assert.equal(await given(new UdpClient(server.port)), undefined);
  assert.equal(await given(new UdpClient(server.port, '::1')), '0'.repeat(32));
});

test('of a connection: the address that was asked', async () => {
  assert.equal(await given(new TcpClient(server.port, '127.0.0.1')), '7f000001');
  assert.equal(await given(new TcpClient(server.port, '::1')), `${'0'.repeat(31)}1`);
});

test('of a bound listener: its own', async () => {
  assert.equal(await given(new UdpClient(boundPort)), '7f000001');
});

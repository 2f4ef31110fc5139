// The order of addresses, which sets of records do not show: how often each comes first, in CoreDNS's seat and in ours,
// there through both faces.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { UdpClient } from './support/dns-client.ts';
import { parseMessage } from './support/message.ts';
import { TYPES } from './support/numbers.ts';
import { composeQuery } from './support/query.ts';
import { corefileTemplate, type DnsServer, seatUnderTest, startServer } from './support/server.ts';

const ROUNDS = 400;
const ADDRESSES = ['10.6.2.1', '10.6.1.1', '192.0.2.6'];
const faces = seatUnderTest === 'coredns' ? [{}] : [{}, { WASMDNS_FORCE_SLOW: '1' }];

for (const env of faces) {
  describe(`${seatUnderTest} ${Object.keys(env).length > 0 ? 'slow face' : ''}`, () => {
    let server: DnsServer;
    let client: UdpClient;
    before(async () => {
      server = await startServer(seatUnderTest, corefileTemplate('loadbalance'), { env });
      client = new UdpClient(server.port);
    });
    after(async () => {
      client.close();
      await server.stop();
    });

    async function ask(name: string, type: 'A' | 'AAAA', id: number): Promise<string[]> {
      const octets = await client.exchange(composeQuery({ id, name, type: TYPES[type]!, flags: 0x0100 }), 3000);
      assert.ok(octets, `${name} ${type}: no reply`);
      return parseMessage(octets).answer.map((record) => record.rdata);
    }

    /** Orders and how often each came. */
    async function orders(name: string, type: 'A' | 'AAAA' = 'A'): Promise<Map<string, number>> {
      const seen = new Map<string, number>();
      for (let id = 1; id <= ROUNDS; id++) {
        const order = (await ask(name, type, id)).join();
        seen.set(order, (seen.get(order) ?? 0) + 1);
      }
      return seen;
    }

    test('round_robin: every order, as often as any other', async () => {
      const seen = await orders('four.plain.test.');
      assert.equal(seen.size, 6);
      // 67 of 400 each; five standard deviations are 37
      for (const [order, count] of seen) assert.ok(count > 29 && count < 105, `${order}: ${count}`);
    });

    test('prefer: by the first subnet, what lies in none last; the same from the cache', async () => {
      assert.deepEqual([...(await orders('four.prefer.test.')).keys()], ['10.6.1.1,10.6.2.1,192.0.2.6']);
      assert.deepEqual([...(await orders('four.prefer.test.', 'AAAA')).keys()], ['2001:db8:6::1,2001:db8:7::1']);
    });

    for (const [zone, first, weight] of [
      ['weighted', '192.0.2.6', 255],
      ['cachedweights', '10.6.1.1', 200],
    ] as const) {
      test(`weighted: ${zone}: one changes places with the first, by its weight`, async () => {
        const seen = await orders(`four.${zone}.test.`);
        const share = [...seen].filter(([order]) => order.startsWith(first)).reduce((sum, [, count]) => sum + count, 0);
        const expected = (ROUNDS * weight) / (weight + 2);
        assert.ok(Math.abs(share - expected) < 16, `${share} of ${ROUNDS}`);
        for (const order of seen.keys()) {
          const swapped = [...ADDRESSES];
          const at = ADDRESSES.indexOf(order.split(',')[0]!);
          [swapped[0], swapped[at]] = [swapped[at]!, swapped[0]!];
          assert.equal(order, swapped.join());
        }
      });
    }

    test('weighted: without a weight each address is as likely as another', async () => {
      const seen = await orders('four.weighted.test.', 'AAAA');
      assert.equal(seen.size, 2);
      for (const count of seen.values()) assert.ok(Math.abs(count - ROUNDS / 2) < 50, String(count));
    });
  });
}

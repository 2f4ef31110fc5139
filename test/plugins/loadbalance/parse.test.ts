import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressOrder, BlockProgram } from '../../../host/plugin/contract.ts';
import { loadbalance } from '../../../host/plugins/loadbalance/loadbalance.ts';
import { parsed } from '../support/reader.ts';

const parse = (body: string) => parsed(loadbalance.parse, 'loadbalance', body);
const PLAIN = { policy: 'round_robin', weights: undefined, prefer: [] };
const weighted = (file: string, reloadMs: number) => ({ policy: 'weighted', weights: { file, reloadMs }, prefer: [] });
const subnet = (octets: readonly number[], prefixBits: number) => ({ octets: Uint8Array.from(octets), prefixBits });

test('parse: round_robin, weighted FILE with reload, prefer', () => {
  for (const body of [' loadbalance', ' loadbalance round_robin', ' loadbalance {\n }', ' loadbalance\n loadbalance']) {
    assert.deepEqual(parse(body), PLAIN, body);
  }
  assert.deepEqual(parse(' loadbalance weighted w.txt'), weighted('w.txt', 30_000));
  assert.deepEqual(parse(' loadbalance weighted /a/w {\n reload 1m\n reload 2s\n }'), weighted('/a/w', 2000));
  assert.deepEqual(parse(' loadbalance weighted w {\n reload 0\n }'), weighted('w', 0));
  const prefer = [subnet([10, 0, 0, 0], 8), subnet([192, 0, 2, 0], 24)];
  assert.deepEqual(parse(' loadbalance {\n prefer 10.1.2.3/8 192.0.2.0/24\n }'), { ...PLAIN, prefer });
  assert.deepEqual(parse(' loadbalance round_robin {\n prefer 10.0.0.0/8\n prefer\n prefer 192.0.2.9/24\n }'), {
    ...PLAIN,
    prefer,
  });
});

test('parse: IPv6 subnets, and mapped ones, which are IPv4', () => {
  const { prefer } = parse(' loadbalance {\n prefer 2001:db8::/32 ::ffff:10.0.0.0/104 ::/0 0.0.0.0/0\n }');
  assert.deepEqual(prefer, [
    subnet([0x20, 1, 0xd, 0xb8, ...Array(12).fill(0)], 32),
    subnet([10, 0, 0, 0], 8),
    subnet(Array(16).fill(0), 0),
    subnet([0, 0, 0, 0], 0),
  ]);
});

test('parse: repeated directives, as CoreDNS adds them up', () => {
  const body = ' loadbalance {\n prefer 10.0.0.0/8\n }\n loadbalance weighted w\n';
  assert.deepEqual(parse(body), weighted('w', 30_000));
  assert.deepEqual(parse(`${body} loadbalance {\n prefer 10.0.0.0/8\n }`), {
    policy: 'round_robin',
    weights: { file: 'w', reloadMs: 30_000 },
    prefer: [subnet([10, 0, 0, 0], 8)],
  });
  assert.deepEqual(parse(' loadbalance weighted a\n loadbalance weighted b'), weighted('b', 30_000));
});

test('parse: errors name file, line and word', () => {
  const wrong: readonly (readonly [string, number, string, string])[] = [
    [' loadbalance best', 2, 'best', 'unknown policy: best'],
    [' loadbalance round_robin x', 2, 'x', "unknown property for round_robin: 'x'"],
    [' loadbalance weighted', 2, 'weighted', 'missing weight file argument'],
    [' loadbalance weighted w x', 2, 'x', 'unexpected argument(s)'],
    [' loadbalance weighted w {\n prefer 10.0.0.0/8\n }', 3, 'prefer', "unknown property 'prefer'"],
    [' loadbalance weighted w {\n reload\n }', 3, 'reload', 'reload duration value is missing'],
    [' loadbalance weighted w {\n reload 1s 2s\n }', 3, '2s', 'unexpected argument'],
    [' loadbalance weighted w {\n reload 5\n }', 3, '5', "invalid reload duration '5'"],
    [' loadbalance weighted w {\n reload -5s\n }', 3, '-5s', "invalid reload duration '-5s'"],
    [' loadbalance weighted w {\n reload -5s\n }\n loadbalance best', 5, 'best', 'unknown policy: best'],
    [
      ' loadbalance weighted w {\n reload 5s\n } {\n prefer 10.0.0.0/8\n }',
      2,
      'weighted',
      "'prefer' with 'weighted' is not supported yet",
    ],
    [' loadbalance {\n prefer 10.0.0.0\n }', 3, '10.0.0.0', 'invalid CIDR "10.0.0.0": invalid CIDR address: 10.0.0.0'],
    [' loadbalance {\n prefer ::1/129\n }', 3, '::1/129', 'invalid CIDR "::1/129": invalid CIDR address: ::1/129'],
    [' loadbalance {\n reload 5s\n }', 3, 'reload', "unknown property 'reload'"],
    [' loadbalance\n loadbalance best', 3, 'best', 'unknown policy: best'],
  ];
  for (const [body, line, word, text] of wrong) {
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word }, body);
    const begin = `plugin/loadbalance: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(
      () => parse(body),
      ({ message }: Error) => message.startsWith(begin),
      body,
    );
  }
});

test('the fast face is one rotate step with the order', () => {
  const orderOf = (body: string): AddressOrder[] => {
    const orders: AddressOrder[] = [];
    const program = { rotate: (order: AddressOrder) => orders.push(order) } as unknown as BlockProgram;
    loadbalance.compile!(parse(body), program, { records: 4711 });
    return orders;
  };
  assert.deepEqual(orderOf(' loadbalance'), [{ policy: 'round_robin' }]);
  assert.deepEqual(orderOf(' loadbalance weighted w'), [{ policy: 'weighted', address: 4711 }]);
  assert.deepEqual(orderOf(' loadbalance {\n prefer ::/0\n }'), [
    { policy: 'prefer', subnets: [subnet(Array(16).fill(0), 0)] },
  ]);
});

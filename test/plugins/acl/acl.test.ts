import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTCOME_ANSWER, OUTCOME_DROP, TYPE_A, TYPE_AAAA, TYPE_TXT } from '../../../engine-as/shared/codes.ts';
import * as layout from '../../../engine-as/shared/layout.ts';
import { parseMessage } from '../../../host/dns/message.ts';
import type { BlockSteps } from '../../../host/engine/program.ts';
import { encodeSocketAddress } from '../../../host/net/socket-address.ts';
import { foldChain } from '../../../host/plugin/chain.ts';
import type { AccessPolicy, ServerBlock, ShardServices } from '../../../host/plugin/contract.ts';
import { acl } from '../../../host/plugins/acl/acl.ts';
import { parseAcl } from '../../../host/plugins/acl/parse.ts';
import { composeQuery } from '../../e2e/support/query.ts';
import { Random } from '../../e2e/support/random.ts';
import { EngineWorld } from '../../engine/world.ts';
import { answerOf, chainEnd, queryFor } from '../queries.ts';
import { parsed, refusal } from '../support/reader.ts';
import { testServices } from '../support/services.ts';

const parse = (inside: string) => parsed(parseAcl, 'acl', inside);

const octets = (text: string) => Uint8Array.from(text.split('.'), Number);

test('parse: every action and section', () => {
  assert.deepEqual(
    parse(`acl Example.ORG 10.0.0.0/8 a..b {
      allow
      block type A AAAA net 10.1.2.3/8 192.0.2.1
      FILTER Net 192.0.2.0/25 TYPE TXT Type Reserved
      Drop net 2001:db8::1 type MX net 127.0.0.1
    }`),
    {
      rules: [
        {
          zones: ['example.org.', '10.in-addr.arpa.'],
          policies: [
            { action: 'allow', types: undefined, subnets: undefined },
            {
              action: 'block',
              types: [1, 28],
              subnets: [
                { octets: octets('10.0.0.0'), prefixBits: 8 },
                { octets: octets('192.0.2.1'), prefixBits: 32 },
              ],
            },
            {
              action: 'filter',
              types: [16, 65535],
              subnets: [{ octets: octets('192.0.2.0'), prefixBits: 25 }],
            },
            {
              action: 'drop',
              types: [15],
              subnets: [
                { octets: octets('32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1'), prefixBits: 128 },
                { octets: octets('127.0.0.1'), prefixBits: 32 },
              ],
            },
          ],
        },
      ],
    },
  );
});

test('parse: * stands for everything, and hides what follows it', () => {
  const { rules } = parse(`acl {
    block type * nor-this net * not-looked-at
    block type A None MX net 10.0.0.0/8 type TXT
    block net * net 10.0.0.0/8
  }
  acl`);
  assert.deepEqual(rules, [
    {
      zones: ['.'],
      policies: [
        { action: 'block', types: undefined, subnets: undefined },
        { action: 'block', types: undefined, subnets: [{ octets: octets('10.0.0.0'), prefixBits: 8 }] },
        { action: 'block', types: undefined, subnets: undefined },
      ],
    },
    { zones: ['.'], policies: [] },
  ]);
});

test('parse: what is refused, with file, line and word', () => {
  const wrong = [
    ['permit', `unexpected token "permit"; expect 'allow', 'block', 'filter' or 'drop'`],
    ['blok', `unexpected token "blok"; expect 'allow', 'block', 'filter' or 'drop', did you mean "block"?`],
    ['block all', `unexpected token "all"; expect 'type | net'`],
    ['block typ A', `unexpected token "typ"; expect 'type | net', did you mean "type"?`],
    ['block TYPE', 'no token specified in "type" section'],
    ['block net type A', 'no token specified in "net" section'],
    ['block type a', 'unexpected token "a"; expect legal QTYPE'],
    ['block type None x', 'unexpected token "x"; expect legal QTYPE'],
    ['block net 10.0.0.0/33', 'illegal CIDR notation "10.0.0.0/33"'],
    ['block net 10.0.0.256', 'illegal CIDR notation "10.0.0.256/32"'],
    ['block net fe80::1%eth0', 'illegal CIDR notation "fe80::1%eth0/128"'],
  ];
  for (const [line, text] of wrong) {
    assert.equal(
      refusal(() => parse(`acl {\n${line}\n}`)),
      `plugin/acl: Corefile:3 - Error during parsing: ${text}`,
    );
  }
});

const SERVERS = ['dns://:53', 'dns://:5353'];
const block = {
  keys: SERVERS.map((server) => ({ transport: 'dns', zone: '.', port: 53, server })),
} as unknown as ServerBlock;

/** The slow face over real counters. */
function slowFace(inside: string) {
  const config = parse(inside);
  const { services, metrics } = testServices();
  const control = acl.control!(config, block, services);
  const plugin = acl.create!(config, block, { slots: metrics.slots } as unknown as ShardServices, control.shared);
  const end = chainEnd(answerOf({ rcode: 3 }));
  const ask = async (name: string, type: number, address: string, server = SERVERS[0]!) => {
    const family = address.includes(':') ? 6 : 4;
    const outcome = await plugin.answer!(
      queryFor(name, { type, remote: { address, port: 4711, family }, server }),
      end.next,
    );
    return outcome.kind === 'drop' ? 'drop' : `${outcome.rcode} ${outcome.edns?.options[0]?.octets.join('.') ?? '-'}`;
  };
  const counted = async () =>
    (await metrics.expose())
      .split('\n')
      .filter((line) => line.startsWith('coredns_acl_'))
      .sort();
  return { ask, counted };
}

test('the slow face: replies, the order of rules, and counters by the longest zone', async () => {
  const { ask, counted } = slowFace(`acl sub.example.org example.org {
    allow type SOA net 10.0.0.0/8
    block net 10.0.0.0/8
    filter net fe80::/10
  }
  acl {
    drop type TXT
  }`);
  assert.equal(await ask('a.sub.Example.org.', TYPE_A, '10.1.2.3'), '5 0.15');
  assert.equal(await ask('example.org.', TYPE_TXT, '10.1.2.3', SERVERS[1]), '5 0.15');
  assert.equal(await ask('example.org.', TYPE_A, 'fe80::1%eth0'), '0 0.17');
  assert.equal(await ask('example.org.', 6, '10.1.2.3'), '3 -');
  assert.equal(await ask('example.org.', TYPE_A, '11.1.2.3'), '3 -');
  assert.equal(await ask('example.org.', TYPE_TXT, '11.1.2.3'), 'drop');
  assert.equal(await ask('other.', TYPE_TXT, '10.1.2.3'), 'drop');
  assert.deepEqual(await counted(), [
    'coredns_acl_allowed_requests_total{server="dns://:53",view=""} 2',
    'coredns_acl_blocked_requests_total{server="dns://:53",zone="sub.example.org.",view=""} 1',
    'coredns_acl_blocked_requests_total{server="dns://:5353",zone="example.org.",view=""} 1',
    'coredns_acl_dropped_requests_total{server="dns://:53",zone=".",view=""} 2',
    'coredns_acl_filtered_requests_total{server="dns://:53",zone="example.org.",view=""} 1',
  ]);
});

const world = new EngineWorld();

/** The fast face alone, over whoami. Counter 100 is for allowed queries, those of rule i and zone j begin at 200 + 10 (i + j). */
function fastFace(inside: string): (name: string, type: number, address: string, asIpv6?: boolean) => string {
  const { rules } = parse(inside);
  const slots = (i: number, zones: number) => Array.from({ length: zones * 3 }, (_, n) => 200 + 10 * i + n);
  world.load(['.'], (steps: BlockSteps) => {
    const counted = rules.map((rule, i) => ({ ...rule, slots: slots(i, rule.zones.length) }));
    steps.access({ rules: counted, allowedSlots: [100] });
    steps.whoami();
  });
  return (name, type, address, asIpv6 = false) => {
    const sockaddr = new Uint8Array(28);
    encodeSocketAddress(sockaddr, 0, address, 4711, asIpv6);
    const { outcome, reply } = world.ask(composeQuery({ name, type, flags: 0x0100 }), { sockaddr });
    if (outcome === OUTCOME_DROP) return 'drop';
    assert.equal(outcome, OUTCOME_ANSWER);
    const { flags, additional, edns } = parseMessage(reply!);
    if (edns === undefined) return additional.length > 0 ? 'allow' : 'nothing';
    return `${flags & 15} ${edns.options[0]!.octets.join('.')}`;
  };
}

const slotOf = (slot: number) => world.view.getFloat64(world.area + layout.SLOTS + slot * 8, true);

test('the fast face: replies, the order of rules, counters', () => {
  const ask = fastFace(`acl sub.example.org example.org {
    allow type SOA net 10.0.0.0/8
    block net 10.0.0.0/8
    filter net fe80::/10
  }
  acl {
    drop type TXT
  }`);
  assert.equal(ask('a.sub.Example.org.', TYPE_A, '10.1.2.3'), '5 0.15');
  assert.equal(ask('example.org.', TYPE_TXT, '10.1.2.3', true), '5 0.15');
  assert.equal(ask('example.org.', TYPE_A, 'fe80::1'), '0 0.17');
  assert.equal(ask('example.org.', 6, '10.1.2.3'), 'allow');
  assert.equal(ask('example.org.', TYPE_A, '11.1.2.3'), 'allow');
  assert.equal(ask('example.org.', TYPE_TXT, '11.1.2.3'), 'drop');
  assert.equal(ask('other.', TYPE_TXT, '10.1.2.3'), 'drop');
  // Allowed; blocked in either zone, filtered in the second; dropped by the second rule
  assert.deepEqual([100, 200, 203, 204, 201, 212, 210].map(slotOf), [2, 1, 1, 1, 0, 2, 0]);
});

test('both faces find the same networks, however many there are and wherever an address lies', async () => {
  const random = new Random(7);
  const byte = () => random.pick([0, 1, 127, 128, 254, 255, 10]);
  const ipv4 = () => `10.${byte()}.${byte()}.${byte()}`;
  const ipv6 = () => `2001:db8::${random.pick(['', '0:'])}${byte().toString(16)}:${byte().toString(16)}`;
  for (let round = 0; round < 30; round++) {
    const nets = Array.from({ length: random.below(40) + 1 }, () =>
      random.chance(0.5)
        ? `${ipv4()}${random.pick(['', `/${random.below(33)}`, `/${20 + random.below(13)}`])}`
        : `${ipv6()}${random.pick(['', `/${random.below(129)}`, `/${90 + random.below(39)}`])}`,
    );
    const inside = `acl {\n block type A AAAA net ${nets.join(' ')}\n}`;
    const fast = fastFace(inside);
    const slow = slowFace(inside);
    for (let i = 0; i < 60; i++) {
      const address = random.pick([ipv4, ipv6, () => '0.0.0.0', () => '255.255.255.255', () => '::1'])();
      const type = random.pick([TYPE_A, TYPE_AAAA, TYPE_TXT]);
      const expected = (await slow.ask('x.', type, address)) === '5 0.15' ? '5 0.15' : 'allow';
      assert.equal(fast('x.', type, address), expected, `${address} ${type} in ${inside}`);
    }
  }
});

test('an IPv4-mapped network and an IPv6 one hold no IPv4 client', async () => {
  const inside = 'acl {\n block net ::ffff:127.0.0.1/96 ::/0\n}';
  const fast = fastFace(inside);
  const slow = slowFace(inside);
  for (const asIpv6 of [false, true]) assert.equal(fast('x.', TYPE_A, '127.0.0.1', asIpv6), 'allow');
  assert.equal(await slow.ask('x.', TYPE_A, '127.0.0.1'), '3 -');
  assert.equal(fast('x.', TYPE_A, '::1'), '5 0.15');
  assert.equal(await slow.ask('x.', TYPE_A, '::1'), '5 0.15');
});

test('where no plugin follows, the question stands for the name of the plugin', async () => {
  const config = parse('acl');
  const control = acl.control!(config, block, testServices().services);
  const services = { slots: { add: () => {} } } as unknown as ShardServices;
  const plugin = acl.create!(config, block, services, control.shared);
  const links = [{ name: 'acl', plugin, seesQueries: true }];
  const outcome = await foldChain(links, 0, () => assert.fail('no relay'))(queryFor('X.test.'));
  assert.ok(outcome.kind === 'answer');
  assert.equal(outcome.error, 'plugin/x.test.: no next plugin found');
});

test('compile: the configuration and its counters', () => {
  const config = parse('acl a.test b.test {\n block\n drop\n}');
  const control = acl.control!(config, block, testServices().services);
  const policies: readonly AccessPolicy[] = config.rules[0]!.policies;
  const steps: unknown[] = [];
  acl.compile!(config, { access: (step: unknown) => steps.push(step) } as never, control);
  const { allowed, rules } = control.shared;
  assert.deepEqual(steps, [
    { rules: [{ zones: ['a.test.', 'b.test.'], policies, slots: rules[0]! }], allowedSlots: allowed },
  ]);
  // Two servers with two zones each; nothing is filtered
  assert.equal(allowed.length, 2);
  assert.equal(rules[0]!.length, 12);
  assert.deepEqual(
    rules[0]!.map((slot) => slot === layout.SLOT_NONE),
    Array.from({ length: 12 }, (_, i) => i % 3 === 1),
  );
});

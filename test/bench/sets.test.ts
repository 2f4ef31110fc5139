import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dnsperfFile, parseDnsperf } from '../../bench/dnsperf.ts';
import {
  ASKED,
  askedClusterIps,
  endpointAddress,
  HOSTS,
  hostsFile,
  reverseOwner,
  service,
  staticZones,
} from '../../bench/inventory.ts';
import { parseQuestions } from '../../bench/load/questions.ts';
import { PEERS } from '../../bench/peers/order.ts';
import { SETS } from '../../bench/sets.ts';

const SERVICES = 10_000;

test('names of sets and peers are unique, and every set can be asked of CoreDNS and of wasmdns', () => {
  assert.equal(new Set(SETS.map((set) => set.name)).size, SETS.length);
  assert.equal(new Set(PEERS.map((peer) => peer.name)).size, PEERS.length);
  for (const name of ['coredns', 'wasmdns']) {
    const peer = PEERS.find((one) => one.name === name)!;
    for (const set of SETS)
      assert.ok(
        set.needs.some((need) => peer.abilities.includes(need)),
        `${name} ${set.name}`,
      );
  }
});

for (const set of SETS) {
  test(`${set.name}: a valid query file without a question asked twice`, () => {
    const lines = set.lines(SERVICES);
    const questions = parseQuestions(lines.join('\n'), set.name);
    assert.equal(new Set(lines).size, lines.length);
    if (set.name !== 'uncached') assert.ok(questions.length >= ASKED);
    assert.ok(questions.every((question) => question.isFresh === (set.name === 'uncached')));
  });
}

test('the search path asks four misses and one hit, for A and AAAA', () => {
  const questions = parseQuestions(
    SETS.find((set) => set.name === 'search')!
      .lines(SERVICES)
      .join('\n'),
    'search',
  );
  const first = questions.slice(0, 10);
  assert.deepEqual(
    first.map(({ rcode }) => rcode),
    [3, 3, 3, 3, 3, 3, 3, 3, 0, 0],
  );
  assert.deepEqual(
    first.map(({ qtype }) => qtype),
    [1, 28, 1, 28, 1, 28, 1, 28, 1, 28],
  );
});

test('the inventory: a tenth is headless, a hundredth external, addresses are unique', () => {
  const kinds = new Map<string, number>();
  const addresses = new Set<string>();
  for (let number = 0; number < SERVICES; number++) {
    const { kind, clusterIp } = service(number);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (clusterIp !== '') addresses.add(clusterIp);
  }
  assert.deepEqual(Object.fromEntries(kinds), { clusterIP: 8900, externalName: 100, headless: 1000 });
  assert.equal(addresses.size, 8900);
  const endpoints = new Set<string>();
  for (let number = 0; number < SERVICES; number++) {
    for (let turn = 0; turn < 5; turn++) endpoints.add(endpointAddress(number, turn));
  }
  assert.equal(endpoints.size, 50_000);
  assert.equal(reverseOwner('10.100.1.2'), '2.1.100.10.in-addr.arpa.');
});

test('the names asked are spread over all services, and the static zones hold them', () => {
  const asked = askedClusterIps(SERVICES);
  assert.equal(asked.length, ASKED);
  assert.ok(asked.at(-1)!.number > SERVICES * 0.99);
  const zones = staticZones(SERVICES);
  for (const { owner, clusterIp } of asked) {
    assert.ok(zones.forward.includes(`\n${owner} A ${clusterIp}\n`));
    assert.ok(zones.reverse.includes(`\n${reverseOwner(clusterIp)} PTR ${owner}\n`));
  }
});

test('dnsperf gets name and type of each line, and new names for a fresh label', () => {
  assert.equal(dnsperfFile(['a. A NOERROR 1', 'b. SRV NXDOMAIN 0']), 'a. A\nb. SRV\n');
  const lines = dnsperfFile(['##########.example. A NOERROR 1']).trimEnd().split('\n');
  assert.equal(new Set(lines).size, lines.length);
  assert.ok(lines.length >= 100_000);
  assert.match(lines[0]!, /^n*\d+\.example\. A$/);
});

test("dnsperf's rate is read from its report", () => {
  assert.equal(parseDnsperf('Statistics:\n\n  Queries sent: 10\n  Queries per second:   123456.789\n'), 123456.789);
  assert.throws(() => parseDnsperf('no server\n'), /dnsperf prints no rate/);
});

test('the hosts file has an address of its own for each name that is asked', () => {
  const lines = hostsFile().trimEnd().split('\n');
  assert.equal(lines.length, HOSTS);
  assert.equal(new Set(lines.map((line) => line.split(' ')[0])).size, HOSTS);
  const names = new Set(lines.map((line) => `${line.split(' ')[1]}.`));
  const questions = parseQuestions(
    SETS.find((set) => set.name === 'hosts')!
      .lines(SERVICES)
      .join('\n'),
    'hosts',
  );
  assert.equal(questions.length, HOSTS);
  for (const line of SETS.find((set) => set.name === 'hosts')!.lines(SERVICES))
    assert.ok(names.has(line.split(' ')[0]!));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, findAttribute, textAttribute } from '../../host/net/netlink.ts';
import { ruleWords } from '../../host/nodelocal/iptables.ts';
import { rulesFor } from '../../host/nodelocal/rules.ts';

test("node-cache's rules, as iptables takes them", () => {
  const rules = rulesFor({ addresses: ['169.254.20.10'], dnsPort: 53, healthPort: 8080 });
  const skip = '-m comment --comment NodeLocal DNS Cache: skip conntrack';
  const allow = '-m comment --comment NodeLocal DNS Cache: allow DNS traffic';
  const ip = '169.254.20.10';
  assert.deepEqual(
    rules.map((rule) => ruleWords('-I', rule).join(' ')),
    [
      `-t raw -I PREROUTING -p tcp -d ${ip} --dport 53 -j NOTRACK ${skip}`,
      `-t raw -I PREROUTING -p udp -d ${ip} --dport 53 -j NOTRACK ${skip}`,
      `-t filter -I INPUT -p tcp -d ${ip} --dport 53 -j ACCEPT ${allow}`,
      `-t filter -I INPUT -p udp -d ${ip} --dport 53 -j ACCEPT ${allow}`,
      `-t raw -I OUTPUT -p tcp -s ${ip} --sport 53 -j NOTRACK ${skip}`,
      `-t raw -I OUTPUT -p udp -s ${ip} --sport 53 -j NOTRACK ${skip}`,
      `-t filter -I OUTPUT -p tcp -s ${ip} --sport 53 -j ACCEPT ${allow}`,
      `-t filter -I OUTPUT -p udp -s ${ip} --sport 53 -j ACCEPT ${allow}`,
      `-t raw -I OUTPUT -p tcp -d ${ip} --dport 53 -j NOTRACK ${skip}`,
      `-t raw -I OUTPUT -p udp -d ${ip} --dport 53 -j NOTRACK ${skip}`,
      `-t raw -I OUTPUT -p tcp -d ${ip} --dport 8080 -j NOTRACK ${skip}`,
      `-t raw -I OUTPUT -p tcp -s ${ip} --sport 8080 -j NOTRACK ${skip}`,
    ],
  );
});

test('what takes queries over is what clients send, not what they are sent', () => {
  const taking = rulesFor({ addresses: ['fd00::a'], dnsPort: 53, healthPort: 8080 }).filter(({ isTaking }) => isTaking);
  assert.deepEqual(
    taking.map(({ hook, action, end, port }) => `${hook} ${action} ${end} ${port}`),
    [...Array(2).fill('prerouting notrack destination 53'), ...Array(2).fill('output notrack destination 53')],
  );
});

test('attributes are padded, nested and found', () => {
  assert.deepEqual([...textAttribute(3, 'tun')], [8, 0, 3, 0, 116, 117, 110, 0]);
  const nested = attribute(18, [textAttribute(1, 'dummy'), attribute(2, Uint8Array.of(1))]);
  assert.deepEqual([...nested.subarray(0, 4)], [24, 0, 18, 0x80]);
  const body = Buffer.concat([Buffer.alloc(16), textAttribute(3, 'x'), nested]);
  const details = findAttribute(body, 16, 18)!;
  assert.equal(findAttribute(details, 0, 1)!.toString(), 'dummy\0');
  assert.deepEqual([...findAttribute(details, 0, 2)!], [1]);
  assert.equal(findAttribute(details, 0, 3), undefined);
  assert.equal(findAttribute(Uint8Array.of(2, 0, 3, 0), 0, 3), undefined);
  assert.equal(findAttribute(Uint8Array.of(9, 0, 3, 0), 0, 3), undefined);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fillTemplate } from '../../host/nodelocal/corefile-template.ts';
import { NO_CONFIG, readKubeDnsConfig } from '../../host/nodelocal/kube-dns-config.ts';

const WORDS = { addresses: ['169.254.20.10', '10.96.0.10'], dnsPort: 53, clusterDns: '10.96.0.11' };

test('variables are filled in', () => {
  const template =
    'bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\nforward . __PILLAR__CLUSTER__DNS__\nforward . __PILLAR__UPSTREAM__SERVERS__\n';
  const text = 'bind 169.254.20.10 10.96.0.10 \nforward . 10.96.0.11\nforward . /etc/resolv.conf\n';
  assert.equal(fillTemplate(template, WORDS, NO_CONFIG), text);
});

test('a service that is not there is what node-cache prints', () => {
  const words = { ...WORDS, clusterDns: undefined };
  assert.equal(fillTemplate('forward . __PILLAR__CLUSTER__DNS__', words, NO_CONFIG), 'forward . <nil>');
});

test('own upstreams are asked over UDP', () => {
  const template = '.:53 {\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n    }\n}\n';
  const config = { stubDomains: [], upstreamNameservers: ['192.0.2.1', '192.0.2.2:5353'] };
  assert.equal(fillTemplate(template, WORDS, config), '.:53 {\n    forward . 192.0.2.1 192.0.2.2:5353\n}\n');
  const other = template.replaceAll('    ', '\t');
  assert.match(fillTemplate(other, WORDS, config), /force_tcp/);
});

test('stub domains are blocks of their own', () => {
  const config = { stubDomains: [['acme.local', ['192.0.2.1', '192.0.2.2']]] as const, upstreamNameservers: [] };
  const block =
    'acme.local:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n    forward . 192.0.2.1 192.0.2.2\n}\n';
  assert.equal(fillTemplate('.:53 {\n}\n', WORDS, config), `.:53 {\n}\n\n${block}`);
});

const folder = mkdtempSync(join(tmpdir(), 'kube-dns-'));
after(() => rmSync(folder, { recursive: true }));
const read = (files: Readonly<Record<string, string>>) => {
  for (const name of ['stubDomains', 'upstreamNameservers']) {
    if (files[name] === undefined) rmSync(join(folder, name), { force: true });
    else writeFileSync(join(folder, name), files[name]);
  }
  return readKubeDnsConfig(folder);
};

test('the ConfigMap kube-dns', () => {
  assert.deepEqual(read({}), NO_CONFIG);
  assert.deepEqual(readKubeDnsConfig(join(folder, 'nosuch')), NO_CONFIG);
  assert.deepEqual(
    read({ stubDomains: '{"b.example": ["192.0.2.1:53"], "a": []}', upstreamNameservers: '["::1", "[::1]:53"]' }),
    {
      stubDomains: [
        ['b.example', ['192.0.2.1:53']],
        ['a', []],
      ],
      upstreamNameservers: ['::1', '[::1]:53'],
    },
  );
});

const REFUSED: readonly (readonly [file: string, text: string, message: RegExp])[] = [
  ['stubDomains', '{', /^Invalid JSON "\{"$/],
  ['stubDomains', '[]', /^stubDomains is no object$/],
  ['stubDomains', '{"a": "192.0.2.1"}', /^stubDomains of a is no list of strings$/],
  ['stubDomains', '{"a_b": ["192.0.2.1"]}', /^invalid domain name: "a_b"$/],
  ['stubDomains', '{"a } .": ["192.0.2.1"]}', /^invalid domain name/],
  ['stubDomains', '{"a": ["192.0.2.1 { }"]}', /^invalid nameserver/],
  ['upstreamNameservers', '{}', /^upstreamNameservers is no list of strings$/],
  ['upstreamNameservers', '["192.0.2.1:x"]', /^invalid nameserver: "192.0.2.1:x"$/],
  ['upstreamNameservers', '["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]', /cannot have more than three entries$/],
];

for (const [file, text, message] of REFUSED) {
  test(`refused: ${file} ${text}`, () => assert.throws(() => read({ [file]: text }), { message }));
}

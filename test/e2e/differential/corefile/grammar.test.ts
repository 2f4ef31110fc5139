// The grammar reaches every option of every directive, in Corefiles that it means to be right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draftCorefile } from './grammar.ts';

const DRAFTS = 6000;

/** Beginnings of lines, blanks as one; an option stands in its directive's block. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes option': [
    ...['endpoint http://', 'endpoint https://', 'endpoint 127', 'tls ', 'kubeconfig @KUBECONFIG@ x', 'apiserver_qps '],
    ...['kubeconfig @FILES@/contexts.conf cert', 'kubeconfig @FILES@/contexts.conf dead', 'apiserver_burst '],
    ...['apiserver_max_inflight ', 'namespaces ', 'namespace_labels ', 'labels ', 'pods disabled', 'pods insecure'],
    ...['pods verified', 'endpoint_pod_names', 'ttl ', 'noendpoints', 'fallthrough', 'ignore empty_service'],
    ...['multicluster ', 'zonal', 'startup_timeout '],
  ],
  'forward option': [
    ...['except ', 'force_tcp', 'prefer_udp', 'expire ', 'max_age ', 'max_idle_conns ', 'read_timeout ', 'max_fails '],
    ...['max_connect_attempts ', 'policy random', 'policy round_robin', 'policy sequential', 'health_check '],
    ...['max_concurrent ', 'next ', 'next_on_nodata', 'failfast_all_unhealthy_upstreams', 'failover ', 'resolver '],
    'source_address ',
  ],
  'cache option': [
    ...['success ', 'denial ', 'prefetch ', 'serve_stale', 'serve_stale 1h immediate', 'serve_stale 10m verify'],
    ...['serve_stale_policy prefer_positive', 'servfail ', 'disable success', 'disable denial', 'keepttl'],
  ],
  'prometheus option': ['runtime_metrics', 'tls @FILES@/web.yml', 'tls @FILES@/web-users.yml'],
  'errors option': ['stacktrace', 'consolidate '],
  'log option': ['class '],
  'health option': ['lameduck '],
  'ready option': ['monitor until-ready', 'monitor continuously'],
  'bind option': ['except '],
  'acl option': ['allow', 'block', 'filter', 'drop'],
  'loadbalance option': ['reload ', 'prefer '],
  'hosts option': ['ttl ', 'no_reverse', 'reload ', 'fallthrough', 'fallthrough_unsupported', '192.0.2.', '2001:db8:'],
  'template option': [
    ...['match ', 'answer ', 'additional ', 'authority ', 'rcode ', 'ederror ', 'fallthrough', 'upstream'],
  ],
  line: [
    ...['loadbalance round_robin', 'loadbalance weighted @FILES@/odd-weights', 'reload ', 'multisocket ', 'bufsize '],
    ...['root ', 'debug', 'loop', 'whoami', 'metadata', 'import common', 'import part.conf', 'import nested.conf'],
    ...['rewrite name exact ', 'rewrite name prefix ', 'rewrite name suffix ', 'rewrite name substring '],
    ...['rewrite name regex ', 'rewrite stop name ', 'rewrite continue name ', 'rewrite class ', 'rewrite type '],
    ...['set', 'append', 'replace'].flatMap((action) => [
      ...[`rewrite edns0 local ${action} `, `rewrite edns0 nsid ${action}`, `rewrite edns0 subnet ${action} `],
    ]),
    ...['rewrite edns0 local unset ', 'rewrite edns0 nsid unset', 'rewrite edns0 subnet unset', 'rewrite {'],
    ...['rewrite stop {', 'rewrite continue {'],
    ...['ttl', 'cname', 'rcode'].flatMap((field) =>
      ['exact', 'prefix', 'suffix', 'substring', 'regex'].map((matcher) => `rewrite ${field} ${matcher} `),
    ),
  ],
};
/** Anywhere in a line. */
const PARTS = [
  ...[' answer auto', ' answer name ', ' answer value ', '{client_ip}', '{qname}', '{qtype}', '{protocol}', ' revert'],
  ...['{server_ip}', '{forward/upstream}', '{common}', '{combined}', '{>rflags}', '{>id}', '{>opcode}', '{>do}'],
  ...[
    '{>bufsize}',
    '{rcode}',
    '{rsize}',
    '{duration}',
    '{size}',
    '{remote}',
    '{local}',
    '{port}',
    '{/kubernetes/service}',
  ],
  ...[
    ' show_first',
    'parseInt',
    'printf',
    '.Meta',
    '.Group',
    '.Message',
    '.Question',
    '.Remote',
    '{{ with',
    '{{ range',
  ],
  ...['{{ define', '{{ block', 'home.example.org', '@FILES@/odd-resolv.conf', '@FILES@/odd-hosts', '10.0.0.0/8:@PORT@'],
  ...['{$ZONE}', '{%ZONE%}', '{$SECONDS}', '{$NESTED}', ' # said so', '\t'],
];

test('every option, field, matcher and placeholder comes up', () => {
  const seen = Object.fromEntries(Object.keys(WORDS).map((kind) => [kind, new Set<string>()]));
  let all = '';
  for (let seed = 0; seed < DRAFTS; seed++) {
    const { text } = draftCorefile(seed, true);
    all += text;
    let directive = '';
    let depth = 0;
    for (const line of text.split(/\r?\n/)) {
      const words = line.trim().replace(/\s+/g, ' ');
      if (depth <= 1) directive = words.split(' ', 1)[0]!;
      const kind = depth <= 1 ? 'line' : `${directive} option`;
      for (const word of WORDS[kind] ?? []) if (words.startsWith(word)) seen[kind]!.add(word);
      if (/\{(?: #.*)?$/.test(words)) depth++;
      else if (words.startsWith('}')) depth--;
    }
  }
  for (const [kind, words] of Object.entries(WORDS)) {
    assert.deepEqual(
      words.filter((word) => !seen[kind]!.has(word)),
      [],
      kind,
    );
  }
  assert.deepEqual(
    PARTS.filter((part) => !all.includes(part)),
    [],
  );
});

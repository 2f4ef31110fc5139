// Every option of CoreDNS's directives is named by a test of its plugin, and by its README; misspelt it is refused with
// file, line, word and what it may have meant.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CorefileError } from '../../host/errors.ts';
import { directives } from '../../host/plugins/order.ts';
import { readerOf } from './support/reader.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Words of CoreDNS 1.14.7's parsers, directive by directive. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  root: ['root'],
  metadata: ['metadata'],
  multisocket: ['multisocket'],
  reload: ['reload', '0s'],
  bufsize: ['bufsize'],
  bind: ['bind', 'except'],
  debug: ['debug'],
  ready: ['ready', 'monitor', 'until-ready', 'continuously'],
  health: ['health', 'lameduck'],
  prometheus: ['prometheus', 'runtime_metrics', 'tls'],
  errors: ['errors', 'stdout', 'stacktrace', 'consolidate', 'show_first', 'warning', 'error', 'info', 'debug'],
  log: [
    ...['log', 'class', 'success', 'denial', 'error', 'all', '{common}', '{combined}'],
    ...['{type}', '{name}', '{class}', '{proto}', '{remote}', '{local}', '{size}', '{port}', '{duration}'],
    ...['{rcode}', '{rsize}', '{>rflags}', '{>id}', '{>opcode}', '{>do}', '{>bufsize}', '{/'],
  ],
  loop: ['loop'],
  whoami: ['whoami'],
  loadbalance: ['round_robin', 'weighted', 'prefer', 'reload'],
  rewrite: [
    ...['continue', 'stop', 'name', 'exact', 'prefix', 'suffix', 'substring', 'regex', 'answer', 'auto', 'value'],
    ...[
      'class',
      'type',
      'ttl',
      'cname',
      'rcode',
      'edns0',
      'local',
      'nsid',
      'subnet',
      'set',
      'append',
      'replace',
      'unset',
    ],
    ...['revert', 'qname', 'qtype', 'client_ip', 'client_port', 'protocol', 'server_ip', 'server_port'],
  ],
  acl: ['allow', 'block', 'filter', 'drop', 'type', 'net', '*'],
  cache: [
    ...['success', 'denial', 'prefetch', 'serve_stale', 'immediate', 'verify', 'serve_stale_policy', 'prefer_positive'],
    ...['servfail', 'disable', 'keepttl'],
  ],
  template: ['match', 'answer', 'additional', 'authority', 'rcode', 'ederror', 'fallthrough', 'upstream', 'parseInt'],
  hosts: ['ttl', 'no_reverse', 'reload', 'fallthrough', 'fallthrough_unsupported'],
  kubernetes: [
    ...['endpoint', 'tls', 'kubeconfig', 'apiserver_qps', 'apiserver_burst', 'apiserver_max_inflight', 'namespaces'],
    ...['labels', 'namespace_labels', 'pods', 'disabled', 'insecure', 'verified', 'endpoint_pod_names', 'ttl'],
    ...['noendpoints', 'fallthrough', 'ignore', 'empty_service', 'multicluster', 'zonal', 'startup_timeout'],
  ],
  forward: [
    ...['except', 'force_tcp', 'prefer_udp', 'expire', 'max_age', 'max_idle_conns', 'read_timeout', 'max_fails'],
    ...['max_connect_attempts', 'policy', 'random', 'round_robin', 'sequential', 'health_check', 'no_rec', 'domain'],
    ...['max_concurrent', 'next', 'next_on_nodata', 'failover', 'failfast_all_unhealthy_upstreams', 'resolver'],
    'source_address',
  ],
};

function filesOf(folder: string): string[] {
  return readdirSync(folder).map((file) => join(folder, file));
}

test('a README tells every metric', () => {
  const sources = readdirSync(join(ROOT, 'host'), { recursive: true, encoding: 'utf8' });
  const texts = (end: string) =>
    sources.filter((file) => file.endsWith(end)).map((file) => readFileSync(join(ROOT, 'host', file), 'utf8'));
  const readmes = texts('README.md').join('\n');
  const families = texts('.ts').flatMap((text) => text.match(/(?<=')(?:coredns|wasmdns)_[a-z_]+(?=')/g) ?? []);
  assert.ok(families.length > 20, `${families.length}`);
  assert.deepEqual(
    families.filter((family) => !readmes.includes(family)),
    [],
  );
});

for (const [name, options] of Object.entries(OPTIONS)) {
  test(name, () => {
    const folder = join(ROOT, 'test/plugins', name);
    const tests = [
      ...filesOf(folder).filter((file) => file.endsWith('.test.ts')),
      // What the cases run with: `NAME.Corefile`, `NAME-more.Corefile`
      ...filesOf(join(ROOT, 'test/cases/corefiles')).filter((file) => new RegExp(`/${name}[-.]`).test(file)),
    ]
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const readme = readFileSync(join(ROOT, 'host/plugins', name, 'README.md'), 'utf8');
    const verdicts = readFileSync(join(ROOT, 'test/corefile/verdicts.txt'), 'utf8');
    assert.deepEqual(
      options.filter((option) => !tests.includes(option)),
      [],
      'options without a test',
    );
    const isWord = (option: string) => /^\w/.test(option) && option !== '0s';
    assert.deepEqual(
      options.filter((option) => isWord(option) && !readme.includes(option)),
      [],
      'options that the README does not tell',
    );
    assert.match(verdicts, new RegExp(`^\\s*${name}\\b`, 'm'), 'CoreDNS was asked about it');
  });
}

/** Where the words of a directive stand, with `@` for the word. */
const PLACES: readonly (readonly [line: string, words: string])[] = [
  ['bind lo {\n@\n}', 'except'],
  ['ready {\n@\n}', 'monitor'],
  ['ready {\nmonitor @\n}', 'until-ready continuously'],
  ['health {\n@\n}', 'lameduck'],
  ['prometheus {\n@\n}', 'runtime_metrics tls'],
  ['errors {\n@\n}', 'stacktrace consolidate'],
  ['errors {\nconsolidate 1m x @\n}', 'warning error info debug show_first'],
  ['log {\n@\n}', 'class'],
  ['log {\nclass @\n}', 'success denial error all'],
  ['loadbalance @', 'round_robin'],
  ['loadbalance {\n@\n}', 'prefer'],
  ['loadbalance weighted FILE {\n@\n}', 'reload'],
  ['rewrite @ a b', 'name class type ttl cname rcode edns0'],
  ['rewrite @ name a b', 'continue stop'],
  ['rewrite name @ a b', 'exact prefix suffix substring regex'],
  ['rewrite ttl @ a 5', 'exact prefix suffix substring regex'],
  ['rewrite edns0 @ set 1 a', 'local nsid subnet'],
  ['rewrite edns0 local @ 1 a', 'set append replace'],
  ['cache {\n@\n}', 'success denial prefetch serve_stale serve_stale_policy servfail disable keepttl'],
  ['acl {\n@\n}', 'allow block filter drop'],
  ['acl {\nblock @ A\n}', 'type'],
  ['template IN A {\n@\n}', 'match answer additional authority rcode ederror fallthrough upstream'],
  ['hosts {\nfallthrough\n@\n}', 'ttl no_reverse reload fallthrough fallthrough_unsupported'],
  [
    'kubernetes a.test {\n@\n}',
    'endpoint tls kubeconfig apiserver_qps apiserver_burst apiserver_max_inflight namespaces labels namespace_labels pods ' +
      'endpoint_pod_names ttl noendpoints fallthrough ignore multicluster zonal startup_timeout',
  ],
  ['kubernetes a.test {\npods @\n}', 'disabled insecure verified'],
  ['kubernetes a.test {\nignore @\n}', 'empty_service'],
  [
    'forward . 192.0.2.1 {\n@\n}',
    'except force_tcp prefer_udp expire max_age max_idle_conns read_timeout max_fails max_connect_attempts policy ' +
      'health_check max_concurrent next next_on_nodata failover failfast_all_unhealthy_upstreams resolver source_address',
  ],
  ['forward . 192.0.2.1 {\npolicy @\n}', 'random round_robin sequential'],
];

for (const [place, words] of PLACES) {
  test(`misspelt: ${place.replaceAll('\n', ' ')}`, () => {
    for (const word of words.split(' ')) {
      const wrong = word.length > 3 ? word.slice(0, 2) + word.slice(3) : `${word}x`;
      const error = refusalOf(place.replace('@', wrong));
      // The block's head is the first line.
      assert.equal(error.line, 2 + place.slice(0, place.indexOf('@')).split('\n').length - 1, error.message);
      assert.equal(error.file, 'Corefile');
      const told = new RegExp(`^plugin/\\w+: Corefile:\\d+ - .*${wrong}.*, did you mean "${word}"\\?$`);
      // CoreDNS does not repeat the word of these
      assert.match(error.message, /rewrite (?:@ name|ttl)/.test(place) ? /, did you mean/ : told);
    }
  });
}

function refusalOf(line: string): CorefileError {
  const name = line.slice(0, line.indexOf(' '));
  const directive = directives.find((each) => each.name === name)!;
  const reader = readerOf(name, line);
  try {
    directive.parse(reader);
  } catch (error) {
    if (error instanceof CorefileError) return error;
    throw error;
  }
  assert.ok(reader.lastRefusal !== undefined, `accepted: ${line}`);
  return reader.lastRefusal;
}

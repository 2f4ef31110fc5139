// Labels of plugin kubernetes, as CoreDNS 1.14.7 prints them (test/e2e/dnssd.e2e.ts asks both).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../host/plugin/metadata.ts';
import { type ClientTexts, collectLabels } from '../../../host/plugins/kubernetes/labels.ts';
import { parseKubernetes } from '../../../host/plugins/kubernetes/parse.ts';
import { queryFor } from '../queries.ts';
import { readerOf } from '../support/reader.ts';

const NAMES = ['kind', 'namespace', 'service', 'endpoint', 'protocol', 'port-name', 'cluster', 'zone', 'parse-error'];

function labelsOf(name: string, inside: string, clientOf: ClientTexts = () => undefined): Labels {
  const labels = new Labels();
  collectLabels(queryFor(name), labels, parseKubernetes(readerOf('kubernetes', inside)), clientOf);
  return labels;
}

function shown(name: string, inside = 'kubernetes cluster.local'): string {
  const labels = labelsOf(name, inside);
  return NAMES.map((label) => labels.get(`kubernetes/${label}`) ?? '-').join(' ');
}

test('what a name means', () => {
  const table: readonly (readonly [string, string])[] = [
    ['cluster.local.', '      - - -'],
    ['svc.cluster.local.', '      - - -'],
    ['a.svc.cluster.local.', 'svc a     - - -'],
    ['WEB.a.svc.cluster.local.', 'svc a web    - - -'],
    ['ep.web.a.svc.cluster.local.', 'svc a web ep   - - -'],
    ['_http._tcp.web.a.svc.cluster.local.', 'svc a web  tcp http - - -'],
    ['http.__tcp.web.a.svc.cluster.local.', 'svc a web  _tcp http - - -'],
    ['1-2-3-4.a.pod.cluster.local.', 'pod a 1-2-3-4    - - -'],
    ['x.y.z.web.a.svc.cluster.local.', '- - - - - - - - invalid query name'],
    ['web.a.cluster.local.', '- - - - - - - - invalid query name'],
    ['a\\.b.c.svc.cluster.local.', 'svc c a\\.b    - - -'],
    ['www.example.org.', '- - - - - - - - -'],
  ];
  for (const [name, text] of table) assert.equal(shown(name), text, name);
});

test('topology zones, and clusters, which CoreDNS only finds in the root zone', () => {
  const zonal = 'kubernetes cluster.local {\nzonal\n}';
  assert.equal(shown('eu.west.pin._zone.web.a.svc.cluster.local.', zonal), 'svc a web    - eu.west -');
  assert.equal(shown('web.a.svc.cluster.local.', zonal), 'svc a web    -  -');
  assert.equal(shown('x.pin._zone.web.a.pod.cluster.local.', zonal), '- - - - - - - - invalid query name');
  const set = 'kubernetes cluster.local {\nmulticluster cluster.local\n}';
  assert.equal(shown('ep.c1.web.a.svc.cluster.local.', set), 'svc a web  c1 ep - - -');
  const root = 'kubernetes . {\nmulticluster .\n}';
  assert.equal(shown('ep.c1.web.a.svc.', root), 'svc a web ep   c1 - -');
  assert.equal(shown('_p.c1.web.a.svc.', root), 'svc a web  c1 p  - -');
});

test('who asks: also for names outside of the zones', () => {
  const asked: string[] = [];
  const clientOf = (address: string) => {
    asked.push(address);
    return ['a', 'p', 'app', 'x', 'example.com/tier', ''];
  };
  const labels = labelsOf('www.example.org.', 'kubernetes cluster.local', clientOf);
  const values = ['namespace', 'pod-name', 'label/app', 'label/example.com/tier', 'label/nosuch'].map((label) =>
    labels.get(`kubernetes/client-${label}`),
  );
  assert.deepEqual(values, ['a', 'p', 'x', '', undefined]);
  assert.deepEqual(asked, ['127.0.0.1']);
});

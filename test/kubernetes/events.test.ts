// Protobuf and JSON say the same; garbage is refused and nothing else happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  parseJsonEvent,
  parsePage,
  parseProtobufEvent,
  parseStatus,
  type WatchEvent,
} from '../../host/kubernetes/events.ts';
import { eventSource } from '../../host/kubernetes/framing.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  PODS,
  type Resource,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { ProtocolError } from '../../host/kubernetes/protobuf.ts';
import {
  bytesField,
  encodeList,
  encodeNamespace,
  encodePod,
  encodeService,
  encodeSlice,
  encodeStatus,
  envelope,
  frame,
  namespaceArbitrary,
  numberField,
  podArbitrary,
  serviceArbitrary,
  sliceArbitrary,
} from './objects.ts';

const SLICES = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: false });

function agree<T extends Named, A>(
  resource: Resource<T>,
  arbitrary: fc.Arbitrary<A>,
  encode: (value: A) => Buffer,
): void {
  const types = fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'LATER');
  fc.assert(
    fc.property(types, arbitrary, (type, object) => {
      const framed = frame(type, encode(object));
      const fromProtobuf = parseProtobufEvent(framed, 4, framed.length, resource);
      const fromJson = parseJsonEvent(JSON.stringify({ type, object }), resource);
      assert.deepEqual(fromProtobuf, fromJson);
      assert.equal(fromJson === undefined, type === 'LATER');
    }),
  );
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 4 }), fc.constantFrom('', 'next'), (items, next) => {
      const fromProtobuf = parsePage(encodeList(items.map(encode), '7', next), true, resource);
      const page = { metadata: { resourceVersion: '7', ...(next !== '' && { continue: next }) }, items };
      assert.deepEqual(fromProtobuf, parsePage(Buffer.from(JSON.stringify(page)), false, resource));
      assert.equal(fromProtobuf.objects.length, items.length);
    }),
  );
}

test('when an object was written: not of a removal that has no time of its own', () => {
  const creationTimestamp = '2026-11-24T12:00:00Z';
  const deletionTimestamp = '2026-11-24T13:00:00Z';
  for (const [type, more, expected] of [
    ['ADDED', {}, creationTimestamp],
    ['DELETED', {}, undefined],
    ['DELETED', { deletionTimestamp }, deletionTimestamp],
  ] as const) {
    const metadata = { name: 'a', resourceVersion: '7', creationTimestamp, ...more };
    const event = parseJsonEvent(JSON.stringify({ type, object: { metadata } }), NAMESPACES);
    assert.ok(event !== undefined && 'writtenAt' in event);
    assert.equal(event.writtenAt, expected === undefined ? 0 : Date.parse(expected), `${type} ${expected}`);
  }
});

test('services are the same from protobuf and from JSON', () => agree(SERVICES, serviceArbitrary, encodeService));
test('slices are the same from protobuf and from JSON', () => {
  for (const [usesPodNames, keepsZones, isImported] of [
    [false, false, false],
    [true, false, false],
    [false, true, false],
    [true, true, true],
  ] as const) {
    agree(endpointSlices({ usesPodNames, keepsZones, isImported }), sliceArbitrary, encodeSlice);
  }
});
test('pods are the same from protobuf and from JSON', () => {
  agree(PODS, podArbitrary, encodePod);
  agree({ ...PODS, keepsLabels: true }, podArbitrary, encodePod);
});
test('namespaces are the same from protobuf and from JSON', () =>
  agree(NAMESPACES, namespaceArbitrary, encodeNamespace));

test('a slice is reduced to its ready endpoints', () => {
  const object = {
    metadata: {
      name: 's',
      namespace: 'n',
      labels: { 'kubernetes.io/service-name': 'web' },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-02T03:04:05Z' },
    },
    ports: [{ name: 'HTTP', protocol: 'TCP', port: 80 }],
    endpoints: [
      { addresses: ['10.0.0.1'], conditions: { ready: true }, hostname: 'web-0' },
      { addresses: ['10.0.0.2'], conditions: { ready: false } },
      { addresses: ['10.0.0.3'], conditions: {} },
      { addresses: ['not an address'], conditions: {} },
    ],
  };
  const event = parseJsonEvent(JSON.stringify({ type: 'ADDED', object }), SLICES);
  assert.equal(event?.type, 'put');
  assert.deepEqual(event.object, {
    namespace: 'n',
    name: 's',
    service: 'web',
    cluster: '',
    family: 4,
    addresses: '\x0a\0\0\x01\x0a\0\0\x03',
    hostnames: 'web-0\n',
    zones: '',
    ports: { key: 'http/tcp/80', list: [{ name: 'http', protocol: 'tcp', port: 80 }] },
    triggerTime: '2026-01-02T03:04:05Z',
    triggerService: 'web',
  });
});

test('pod names, topology zones and clusters of a slice are kept where they are asked for', () => {
  const labels = {
    'kubernetes.io/service-name': 'derived',
    'multicluster.kubernetes.io/service-name': 'web',
    'multicluster.kubernetes.io/source-cluster': 'c1',
  };
  const pod = (name: string) => ({ targetRef: { kind: 'Pod', name } });
  const object = {
    metadata: { name: 's', namespace: 'n', labels },
    endpoints: [
      { addresses: ['10.0.0.1'], hostname: 'web-0', ...pod('p-0'), zone: 'EU-1' },
      { addresses: ['10.0.0.2'], ...pod('p-1') },
      { addresses: ['10.0.0.3'], ...pod('p'.repeat(64)), zone: 'eu-1' },
      { addresses: ['10.0.0.3'], zone: 'eu.2' },
      { addresses: ['10.0.0.3'] },
    ],
  };
  const shape = { usesPodNames: true, keepsZones: true, isImported: true };
  const event = parseJsonEvent(JSON.stringify({ type: 'ADDED', object }), endpointSlices(shape));
  assert.equal(event?.type, 'put');
  const { service, cluster, triggerService, hostnames, zones } = event.object;
  assert.deepEqual([service, cluster, triggerService], ['web', 'c1', 'derived']);
  assert.equal(hostnames, 'web-0\n\tp-1\n\n\n');
  assert.equal(zones, 'eu-1\n\neu.2\neu.2\neu.2');
});

test('a service import becomes a service; without ports it has no entries', () => {
  const of = (spec: object) => {
    const object = { metadata: { name: 's', namespace: 'n' }, spec };
    const event = parseJsonEvent(JSON.stringify({ type: 'ADDED', object }), SERVICE_IMPORTS);
    assert.equal(event?.type, 'put');
    return event.object;
  };
  const port = { name: 'http', protocol: 'TCP', port: 80 };
  const addresses = of({ type: 'ClusterSetIP', ips: ['10.0.0.1', '2001:db8::'], ports: [port] });
  assert.deepEqual([addresses.kind, addresses.v4, addresses.ports.key], ['cluster-ip', '\x0a\0\0\x01', 'http/tcp/80']);
  assert.equal(addresses.v6.length, 16);
  assert.deepEqual([of({ type: 'Headless', ports: [] }).kind, of({ type: 'Headless' }).ports.list], ['headless', []]);
});

test('an address in an unusual spelling keeps it in its name', () => {
  const object = {
    metadata: { name: 's', namespace: 'n' },
    endpoints: [{ addresses: ['2001:DB8:0::A'] }, { addresses: ['2001:db8::b'] }],
  };
  const event = parseJsonEvent(JSON.stringify({ type: 'ADDED', object }), SLICES);
  assert.equal(event?.type === 'put' && event.object.hostnames, '2001-DB8-0--A\n');
});

test('the bookmark that ends the first load is told from others', () => {
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  const metadata = { name: '', resourceVersion: '12', annotations };
  const ends = { type: 'bookmark', version: '12', endsInitialEvents: true };
  const framed = frame('BOOKMARK', encodeNamespace({ metadata }));
  assert.deepEqual(parseProtobufEvent(framed, 4, framed.length, NAMESPACES), ends);
  assert.deepEqual(parseJsonEvent(JSON.stringify({ type: 'BOOKMARK', object: { metadata } }), NAMESPACES), ends);
  const plain = parseJsonEvent('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"13"}}}', NAMESPACES);
  assert.deepEqual(plain, { type: 'bookmark', version: '13', endsInitialEvents: false });
});

test('an ERROR event and a refused request carry their status', () => {
  const framed = frame('ERROR', encodeStatus(410, 'too old resource version'));
  const status = { code: 410, message: 'too old resource version' };
  assert.deepEqual(parseProtobufEvent(framed, 4, framed.length, SERVICES), { type: 'error', status });
  const line = JSON.stringify({ type: 'ERROR', object: { kind: 'Status', ...status } });
  assert.deepEqual(parseJsonEvent(line, SERVICES), { type: 'error', status });
  assert.deepEqual(parseStatus(envelope(encodeStatus(403, 'forbidden')), true, 403), {
    code: 403,
    message: 'forbidden',
  });
  assert.deepEqual(parseStatus(Buffer.from('{"message":"no"}'), false, 401), { code: 401, message: 'no' });
  assert.deepEqual(parseStatus(Buffer.from('<html>busy</html>\n'), false, 503), {
    code: 503,
    message: '<html>busy</html>',
  });
  assert.deepEqual(parseStatus(Buffer.from('busy'), true, 503), { code: 503, message: 'busy' });
});

test('events are the same however the stream is cut', () => {
  const arbitrary = fc.tuple(
    fc.array(serviceArbitrary, { minLength: 1, maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
    fc.boolean(),
  );
  fc.assert(
    fc.property(arbitrary, ([services, cuts, isProtobuf]) => {
      const parts = services.map((service) =>
        isProtobuf
          ? frame('ADDED', encodeService(service))
          : Buffer.from(`${JSON.stringify({ type: 'ADDED', object: service })}\n`),
      );
      const stream = Buffer.concat(parts);
      const source = eventSource(isProtobuf, SERVICES, 1 << 20);
      const whole: WatchEvent<Named>[] = [];
      eventSource(isProtobuf, SERVICES, 1 << 20).push(stream, (event) => whole.push(event));
      const events: WatchEvent<Named>[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const bytes = cuts[i % cuts.length]!;
        source.push(stream.subarray(at, at + bytes), (event) => events.push(event));
        at += bytes;
      }
      assert.equal(events.length, services.length);
      assert.deepEqual(events, whole);
    }),
  );
});

test('nothing comes of an event that is not whole', () => {
  const octets = frame('ADDED', encodeNamespace({ metadata: { name: 'a' } }));
  const protobuf = eventSource(true, NAMESPACES, 1 << 20);
  protobuf.push(octets.subarray(0, octets.length - 1), () => assert.fail('not whole'));
  const json = eventSource(false, NAMESPACES, 1 << 20);
  json.push(Buffer.from('{"type":"ADD'), () => assert.fail('not whole'));
});

test('an event above the bound is refused before it is collected', () => {
  const length = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
  assert.throws(() => eventSource(true, NAMESPACES, 1 << 20).push(length, () => {}), ProtocolError);
  const json = eventSource(false, NAMESPACES, 1024);
  assert.throws(() => {
    for (let i = 0; i < 2048; i++) json.push(Buffer.from('x'), () => {});
  }, ProtocolError);
});

test('random octets never crash the readers', () => {
  const octets = fc.uint8Array({ maxLength: 300 });
  const resources: readonly Resource<Named>[] = [SERVICES, SLICES, NAMESPACES, PODS];
  fc.assert(
    fc.property(octets, fc.constantFrom(...resources), fc.boolean(), (random, resource, isProtobuf) => {
      const chunk = Buffer.from(random);
      tolerate(() => eventSource(isProtobuf, resource, 4096).push(chunk, () => {}));
      tolerate(() => parsePage(chunk, isProtobuf, resource));
      tolerate(() => parsePage(envelope(chunk), true, resource));
      tolerate(() => parseProtobufEvent(frame('ADDED', chunk), 4, frame('ADDED', chunk).length, resource));
      parseStatus(chunk, isProtobuf, 500);
    }),
    { numRuns: 2000 },
  );
});

test('damaged events never crash the readers', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(sliceArbitrary, flips, (slice, changes) => {
      const framed = frame('ADDED', encodeSlice(slice));
      for (const [at, octet] of changes) framed[4 + (at % (framed.length - 4))] = octet;
      tolerate(() => parseProtobufEvent(framed, 4, framed.length, SLICES));
      const line = Buffer.from(JSON.stringify({ type: 'ADDED', object: slice }));
      for (const [at, octet] of changes) line[at % line.length] = octet;
      tolerate(() => parseJsonEvent(line.toString('utf8'), SLICES));
    }),
    { numRuns: 1000 },
  );
});

test('unknown fields of every wire type are passed over', () => {
  // Field 7 with four octets, field 8 with eight.
  const fixed = Buffer.from([(7 << 3) | 5, 1, 2, 3, 4, (8 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
  const unknown = Buffer.concat([fixed, bytesField(90, 'later'), numberField(91, -1)]);
  const object = Buffer.concat([unknown, encodeNamespace({ metadata: { name: 'a' } }), unknown]);
  const framed = frame('ADDED', object);
  const event = parseProtobufEvent(framed, 4, framed.length, NAMESPACES);
  assert.equal(event?.type === 'put' && event.object.name, 'a');
  // A group, which nothing has written for decades, is garbage here; so is field 0.
  for (const tag of [0x0b, 0x00, 0x07]) {
    const bad = frame('ADDED', Buffer.from([tag, 0]));
    assert.throws(() => parseProtobufEvent(bad, 4, bad.length, NAMESPACES), ProtocolError);
  }
});

function tolerate(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

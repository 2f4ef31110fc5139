// API objects for tests: plain JSON as the API writes it, random ones, and their protobuf form by an encoder that
// shares nothing with the reader under test.

import fc from 'fast-check';

export interface ApiMetadata {
  name: string;
  namespace?: string;
  resourceVersion?: string;
  uid?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  managedFields?: { operation: string; time?: string }[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
export interface ApiPort {
  name?: string;
  protocol?: string;
  port?: number;
}
export interface ApiService {
  metadata: ApiMetadata;
  spec: { type: string; clusterIP?: string; clusterIPs?: string[]; externalName?: string; ports?: ApiPort[] };
}
export interface ApiEndpoint {
  addresses: string[];
  conditions: { ready?: boolean; serving?: boolean };
  hostname?: string;
  nodeName?: string;
  targetRef?: { kind: string; name: string };
  zone?: string;
}
export interface ApiSlice {
  metadata: ApiMetadata;
  addressType: string;
  endpoints: ApiEndpoint[];
  ports: ApiPort[];
}
export interface ApiPod {
  metadata: ApiMetadata;
  status: { phase: string; podIP?: string; podIPs?: { ip: string }[] };
}
export interface ApiNamespace {
  metadata: ApiMetadata;
}

// ------------------------------------------------------------------------------------------------ protobuf encoder

type Octets = Buffer;

function varint(value: number | bigint): Octets {
  const octets: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    octets.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(octets);
}

export function bytesField(field: number, value: Octets | string): Octets {
  const octets = Buffer.from(value as string);
  return Buffer.concat([varint((field << 3) | 2), varint(octets.length), octets]);
}

export function numberField(field: number, value: number): Octets {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function optional<T>(value: T | undefined, encode: (value: T) => Octets): Octets {
  return value === undefined ? Buffer.alloc(0) : encode(value);
}

function mapField(field: number, map: Record<string, string> | undefined): Octets {
  const entries = Object.entries(map ?? {});
  return Buffer.concat(
    entries.map(([key, value]) => bytesField(field, Buffer.concat([bytesField(1, key), bytesField(2, value)]))),
  );
}

function metadataField(metadata: ApiMetadata): Octets {
  return bytesField(
    1,
    Buffer.concat([
      bytesField(1, metadata.name),
      bytesField(2, ''),
      optional(metadata.namespace, (text) => bytesField(3, text)),
      optional(metadata.uid, (text) => bytesField(5, text)),
      optional(metadata.resourceVersion, (text) => bytesField(6, text)),
      numberField(7, 3),
      optional(metadata.creationTimestamp, (time) => timeField(8, time)),
      optional(metadata.deletionTimestamp, (time) => timeField(9, time)),
      mapField(11, metadata.labels),
      mapField(12, metadata.annotations),
      ...(metadata.managedFields ?? []).map(writerField),
    ]),
  );
}

function timeField(field: number, time: string): Octets {
  return bytesField(field, numberField(1, Date.parse(time) / 1000));
}

function writerField({ operation, time }: { operation: string; time?: string }): Octets {
  const fields = bytesField(6, bytesField(1, '{"f:metadata":{}}'));
  return bytesField(
    17,
    Buffer.concat([bytesField(2, operation), optional(time, (text) => timeField(4, text)), fields]),
  );
}

function portField(field: number, port: ApiPort): Octets {
  return bytesField(
    field,
    Buffer.concat([
      optional(port.name, (text) => bytesField(1, text)),
      optional(port.protocol, (text) => bytesField(2, text)),
      optional(port.port, (number) => numberField(3, number)),
    ]),
  );
}

export function encodeService(service: ApiService): Octets {
  const { spec } = service;
  const encoded = Buffer.concat([
    ...(spec.ports ?? []).map((port) => portField(1, port)),
    mapField(2, { app: 'x' }),
    optional(spec.clusterIP, (text) => bytesField(3, text)),
    bytesField(4, spec.type),
    bytesField(7, 'None'),
    optional(spec.externalName, (text) => bytesField(10, text)),
    numberField(12, 0),
    ...(spec.clusterIPs ?? []).map((text) => bytesField(18, text)),
  ]);
  return Buffer.concat([metadataField(service.metadata), bytesField(2, encoded), bytesField(3, bytesField(1, ''))]);
}

export function encodeSlice(slice: ApiSlice): Octets {
  const endpoints = slice.endpoints.map((endpoint) => {
    const { conditions } = endpoint;
    const flags = [
      optional(conditions.ready, (value) => numberField(1, value ? 1 : 0)),
      optional(conditions.serving, (value) => numberField(2, value ? 1 : 0)),
    ];
    return bytesField(
      2,
      Buffer.concat([
        ...endpoint.addresses.map((address) => bytesField(1, address)),
        bytesField(2, Buffer.concat(flags)),
        optional(endpoint.hostname, (text) => bytesField(3, text)),
        optional(endpoint.targetRef, ({ kind, name }) =>
          bytesField(4, Buffer.concat([bytesField(1, kind), bytesField(3, name)])),
        ),
        optional(endpoint.nodeName, (text) => bytesField(6, text)),
        optional(endpoint.zone, (text) => bytesField(7, text)),
      ]),
    );
  });
  const ports = slice.ports.map((port) => portField(3, port));
  return Buffer.concat([metadataField(slice.metadata), ...endpoints, ...ports, bytesField(4, slice.addressType)]);
}

export function encodePod(pod: ApiPod): Octets {
  const status = Buffer.concat([
    bytesField(1, pod.status.phase),
    optional(pod.status.podIP, (text) => bytesField(6, text)),
    ...(pod.status.podIPs ?? []).map(({ ip }) => bytesField(12, bytesField(1, ip))),
  ]);
  return Buffer.concat([metadataField(pod.metadata), bytesField(2, bytesField(4, 'node')), bytesField(3, status)]);
}

export function encodeNamespace(namespace: ApiNamespace): Octets {
  return Buffer.concat([metadataField(namespace.metadata), bytesField(3, bytesField(1, 'Active'))]);
}

export function encodeStatus(code: number, message: string): Octets {
  return Buffer.concat([
    bytesField(2, 'Failure'),
    bytesField(3, message),
    bytesField(4, 'Expired'),
    numberField(6, code),
  ]);
}

export function envelope(message: Octets, kind = 'X'): Octets {
  const type = Buffer.concat([bytesField(1, 'v1'), bytesField(2, kind)]);
  return Buffer.concat([Buffer.from('k8s\0'), bytesField(1, type), bytesField(2, message), bytesField(4, '')]);
}

/** One frame of a protobuf watch. */
export function frame(type: string, message: Octets): Octets {
  const event = Buffer.concat([bytesField(1, type), bytesField(2, bytesField(1, envelope(message)))]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

export function encodeList(items: readonly Octets[], version: string, next = '', remaining = 0): Octets {
  const rest = next === '' ? [] : [bytesField(3, next), ...(remaining > 0 ? [numberField(4, remaining)] : [])];
  const metadata = Buffer.concat([bytesField(2, version), ...rest]);
  return envelope(Buffer.concat([bytesField(1, metadata), ...items.map((item) => bytesField(2, item))]));
}

// ------------------------------------------------------------------------------------------------- random objects

const label = fc.constantFrom('a', 'web', 'db', 'x-1', '0day', 'svc', 'pod', 'dns');
const v4 = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.1.2.3', '192.0.2.255', '0.0.0.0');
const v6 = fc.constantFrom('2001:db8::1', '2001:db8::', '::1', 'fd00:10:96::53', '2001:db8:0:1::2', '2001:DB8::A');
const portName = fc.constantFrom('http', 'dns', 'HTTP', 'grpc');
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP');
const port = fc.record(
  { name: portName, protocol, port: fc.constantFrom(53, 80, 443, 65535) },
  { requiredKeys: [] },
) as fc.Arbitrary<ApiPort>;

const extras = fc.record(
  {
    uid: fc.string({ maxLength: 40 }),
    resourceVersion: fc.nat().map(String),
    creationTimestamp: fc.constant('2025-12-31T23:59:59Z'),
    deletionTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2100-01-01T00:00:00Z'),
    managedFields: fc.array(
      fc.record(
        {
          operation: fc.constantFrom('Apply', 'Update'),
          time: fc.constantFrom('2026-02-03T04:05:06Z', '1970-01-01T00:00:00Z'),
        },
        { requiredKeys: ['operation'] },
      ),
      { maxLength: 3 },
    ),
    annotations: fc.dictionary(fc.string({ maxLength: 30 }), fc.string({ maxLength: 60 }), { maxKeys: 4 }),
  },
  { requiredKeys: [] },
);

export const serviceArbitrary: fc.Arbitrary<ApiService> = fc
  .tuple(
    label,
    label,
    extras,
    fc.record(
      {
        type: fc.constantFrom('ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'),
        clusterIP: fc.oneof(v4, v6, fc.constantFrom('None', '')),
        clusterIPs: fc.array(fc.oneof(v4, v6, fc.constant('None')), { maxLength: 2 }),
        externalName: fc.constantFrom('www.example.org', 'web.db.svc.cluster.local', '192.0.2.1', 'x.'),
        ports: fc.array(port, { maxLength: 3 }),
      },
      { requiredKeys: ['type'] },
    ),
  )
  .map(([name, namespace, metadata, spec]) => ({
    metadata: { name, namespace, ...metadata },
    spec: spec as ApiService['spec'],
  }));

export const sliceArbitrary: fc.Arbitrary<ApiSlice> = fc
  .tuple(
    label,
    label,
    label,
    extras,
    fc.constantFrom('IPv4', 'IPv6'),
    fc.array(port, { maxLength: 2 }),
    fc.array(
      fc.record(
        {
          v4,
          v6,
          ready: fc.boolean(),
          hostname: label,
          targetRef: fc.record({ kind: fc.constant('Pod'), name: fc.constantFrom('pod-1', 'p'.repeat(64)) }),
          zone: fc.constantFrom('eu-1', 'EU.West', ''),
        },
        { requiredKeys: ['v4', 'v6'] },
      ),
      { maxLength: 4 },
    ),
  )
  .map(([name, namespace, service, metadata, addressType, ports, endpoints]) => ({
    metadata: { name, namespace, ...metadata, labels: { 'kubernetes.io/service-name': service, app: 'x' } },
    addressType,
    ports,
    endpoints: endpoints.map(({ v4: four, v6: six, ready, ...more }) => ({
      addresses: [addressType === 'IPv4' ? four : six],
      conditions: { ...(ready !== undefined && { ready }), serving: true },
      ...more,
      nodeName: 'node-1',
    })) as ApiEndpoint[],
  }));

export const podArbitrary: fc.Arbitrary<ApiPod> = fc
  .tuple(label, label, extras, fc.option(fc.oneof(v4, v6), { nil: undefined }))
  .map(([name, namespace, metadata, podIP]) => ({
    metadata: { name, namespace, ...metadata },
    status: { phase: 'Running', ...(podIP !== undefined && { podIP, podIPs: [{ ip: podIP }] }) },
  }));

export const namespaceArbitrary: fc.Arbitrary<ApiNamespace> = fc
  .tuple(label, extras)
  .map(([name, metadata]) => ({ metadata: { name, ...metadata } }));

// A Service, reduced (k8s.io/api/core/v1/generated.proto).

import { packAddress } from '../addresses.ts';
import type { ProtobufReader } from '../protobuf.ts';
import { field, list, text } from './json.ts';
import type { Metadata } from './metadata.ts';
import { type Port, type Ports, portsOfJson, readPort, sharePorts } from './ports.ts';

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'cluster-ip' | 'headless' | 'external-name';
  /** Packed cluster IPs of each family. */
  readonly v4: string;
  readonly v6: string;
  readonly ports: Ports;
  /** Target of an external name, as written. */
  readonly externalName: string;
}

interface Spec {
  type: string;
  clusterIp: string;
  readonly clusterIps: string[];
  readonly ports: Port[];
  externalName: string;
}

/** Reads the fields of the message behind its metadata. */
export function readService(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): Service {
  const spec = emptySpec();
  while (reader.next()) {
    if (reader.is(1)) readMetadata();
    else if (reader.is(2)) readSpec(reader, spec);
    else reader.skip();
  }
  return serviceOf(metadata, spec);
}

export function serviceOfJson(object: unknown, metadata: Metadata): Service {
  const source = field(object, 'spec');
  return serviceOf(metadata, {
    type: text(source, 'type'),
    clusterIp: text(source, 'clusterIP'),
    clusterIps: list(source, 'clusterIPs').filter((item) => typeof item === 'string'),
    ports: portsOfJson(source, 0),
    externalName: text(source, 'externalName'),
  });
}

function readSpec(reader: ProtobufReader, spec: Spec): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.is(1)) spec.ports.push(readPort(reader, 0));
    else if (reader.is(3)) spec.clusterIp = reader.text();
    else if (reader.is(4)) spec.type = reader.text();
    else if (reader.is(10)) spec.externalName = reader.text();
    else if (reader.is(18)) spec.clusterIps.push(reader.text());
    else reader.skip();
  }
  reader.leave(outer);
}

function emptySpec(): Spec {
  return { type: '', clusterIp: '', clusterIps: [], ports: [], externalName: '' };
}

function serviceOf(metadata: Metadata, spec: Spec): Service {
  const texts = spec.clusterIps.length > 0 ? spec.clusterIps : [spec.clusterIp];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    kind: spec.type === 'ExternalName' ? 'external-name' : texts[0] === 'None' ? 'headless' : 'cluster-ip',
    ...packClusterIps(texts),
    ports: sharePorts(spec.ports),
    externalName: spec.externalName,
  };
}

export function packClusterIps(texts: readonly string[]): Pick<Service, 'v4' | 'v6'> {
  let v4 = '';
  let v6 = '';
  for (const text of texts) {
    const packed = packAddress(text);
    if (packed.length === 4) v4 += packed;
    else v6 += packed;
  }
  return { v4, v6 };
}

// An EndpointSlice, reduced to its ready endpoints (k8s.io/api/discovery/v1/generated.proto). Addresses and hostnames
// of a slice are two strings: 150,000 endpoints are too many for an object each.

import { dashedText, formatAddress, packAddress } from '../addresses.ts';
import type { ProtobufReader } from '../protobuf.ts';
import { field, list, text } from './json.ts';
import type { Metadata } from './metadata.ts';
import { PORT_NONE, type Port, type Ports, portsOfJson, readPort, sharePorts } from './ports.ts';

export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** Name of the service it belongs to; '' for none. */
  readonly service: string;
  /** Octets of an address: 4 or 16; 0 without addresses. */
  readonly family: number;
  /** Packed addresses of the ready endpoints, in the object's order. */
  readonly addresses: string;
  /** One hostname for each address, lines separated by \n; '' if none has one. */
  readonly hostnames: string;
  readonly ports: Ports;
  /** When the change that led here happened, as the endpoints controller notes it (RFC 3339); '' if unknown. */
  readonly triggerTime: string;
}

export function readEndpointSlice(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): EndpointSlice {
  const endpoints = new ReadyEndpoints();
  const ports: Port[] = [];
  while (reader.next()) {
    if (reader.is(1)) readMetadata();
    else if (reader.is(2)) readEndpoint(reader, endpoints);
    else if (reader.is(3)) ports.push(readPort(reader, PORT_NONE));
    else reader.skip();
  }
  return sliceOf(metadata, endpoints, ports);
}

export function endpointSliceOfJson(object: unknown, metadata: Metadata): EndpointSlice {
  const endpoints = new ReadyEndpoints();
  for (const endpoint of list(object, 'endpoints')) {
    const ready = field(field(endpoint, 'conditions'), 'ready');
    const addresses = list(endpoint, 'addresses').filter((address) => typeof address === 'string');
    if (ready !== false) endpoints.add(addresses, text(endpoint, 'hostname'));
  }
  return sliceOf(metadata, endpoints, portsOfJson(object, PORT_NONE));
}

/** An unknown readiness counts as ready, as the API says. */
function readEndpoint(reader: ProtobufReader, endpoints: ReadyEndpoints): void {
  const outer = reader.enter();
  const addresses: string[] = [];
  let hostname = '';
  let isReady = true;
  while (reader.next()) {
    if (reader.is(1)) addresses.push(reader.text());
    else if (reader.is(2)) isReady = readReady(reader);
    else if (reader.is(3)) hostname = reader.text();
    else reader.skip();
  }
  reader.leave(outer);
  if (isReady) endpoints.add(addresses, hostname);
}

function readReady(reader: ProtobufReader): boolean {
  const outer = reader.enter();
  let isReady = true;
  while (reader.next()) {
    if (reader.is(1)) isReady = reader.int32() !== 0;
    else reader.skip();
  }
  reader.leave(outer);
  return isReady;
}

/** Collects endpoints into two strings. */
class ReadyEndpoints {
  family = 0;
  addresses: string[] = [];
  hostnames: string[] = [];

  add(addresses: readonly string[], hostname: string): void {
    for (const address of addresses) {
      const packed = packAddress(address);
      if (this.family === 0) this.family = packed.length;
      // All addresses of a slice are of one family (API validation); an FQDN has no address record to give.
      if (packed === '' || packed.length !== this.family) continue;
      const name = hostname !== '' ? hostname : formatAddress(packed) === address ? '' : dashedText(address);
      this.addresses.push(packed);
      this.hostnames.push(name.includes('\n') ? '' : name);
    }
  }
}

function sliceOf(metadata: Metadata, endpoints: ReadyEndpoints, ports: readonly Port[]): EndpointSlice {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    service: metadata.serviceName,
    family: endpoints.family,
    addresses: flat(endpoints.addresses),
    hostnames: endpoints.hostnames.some((name) => name !== '') ? flat([endpoints.hostnames.join('\n')]) : '',
    ports: sharePorts(ports),
    triggerTime: metadata.triggerTime,
  };
}

/** One flat string: V8's concatenations would keep every piece alive. */
function flat(pieces: readonly string[]): string {
  return pieces.length === 0 ? '' : Buffer.from(pieces.join(''), 'latin1').toString('latin1');
}

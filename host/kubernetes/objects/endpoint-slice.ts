// An EndpointSlice, reduced to its ready endpoints (k8s.io/api/discovery/v1/generated.proto). Addresses and hostnames
// of a slice are two strings: 150,000 endpoints are too many for an object each.

import { cutAddresses, dashedText, formatAddress, packAddress } from '../addresses.ts';
import type { ProtobufReader } from '../protobuf.ts';
import { field, list, text } from './json.ts';
import type { Metadata } from './metadata.ts';
import { PORT_NONE, type Port, type Ports, portsOfJson, readPort, sharePorts } from './ports.ts';

export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** Name of the service, or of the service import, that it belongs to; '' for none. */
  readonly service: string;
  /** Cluster that an imported slice comes from; '' if it does not say. */
  readonly cluster: string;
  /** Octets of an address: 4 or 16; 0 without addresses. */
  readonly family: number;
  /** Packed addresses of the ready endpoints, in the object's order. */
  readonly addresses: string;
  /** One name for each address, lines separated by \n; '' if none has one. A pod's name stands behind POD_NAME. */
  readonly hostnames: string;
  /** Topology zone of each address, lower-case, lines separated by \n; '' if none is known or wanted. */
  readonly zones: string;
  readonly ports: Ports;
  /** When the change that led here happened, as the endpoints controller notes it (RFC 3339); '' if unknown. */
  readonly triggerTime: string;
  /** Name of the service whose change that was. */
  readonly triggerService: string;
}

/** What of a slice is kept. */
export interface SliceShape {
  /** An endpoint without a hostname is named by what it refers to: its pod. */
  readonly usesPodNames: boolean;
  readonly keepsZones: boolean;
  /** It belongs to a service import. */
  readonly isImported: boolean;
}

/** Marks a name that is no hostname: CoreDNS does not take its change for one of the DNS (SOA serial). */
export const POD_NAME = '\t';

/** Longer ones are no label of a name. */
const POD_NAME_CHARS_MAX = 63;

interface Endpoint {
  /** Number of its first address, if that is IPv4 and comes from protobuf; -1 otherwise. */
  ipv4: number;
  /** The others, or all. */
  readonly addresses: string[];
  hostname: string;
  podName: string;
  zone: string | undefined;
  isReady: boolean;
}

export function readEndpointSlice(
  reader: ProtobufReader,
  metadata: Metadata,
  readMetadata: () => void,
  shape: SliceShape,
): EndpointSlice {
  const endpoints = new ReadyEndpoints(shape);
  const ports: Port[] = [];
  while (reader.next()) {
    if (reader.is(1)) readMetadata();
    else if (reader.is(2)) readEndpoint(reader, shape, endpoints);
    else if (reader.is(3)) ports.push(readPort(reader, PORT_NONE));
    else reader.skip();
  }
  return sliceOf(metadata, shape, endpoints, ports);
}

export function endpointSliceOfJson(object: unknown, metadata: Metadata, shape: SliceShape): EndpointSlice {
  const endpoints = new ReadyEndpoints(shape);
  for (const endpoint of list(object, 'endpoints')) {
    const zone = field(endpoint, 'zone');
    endpoints.add({
      ipv4: -1,
      addresses: list(endpoint, 'addresses').filter((address) => typeof address === 'string'),
      hostname: text(endpoint, 'hostname'),
      podName: text(field(endpoint, 'targetRef'), 'name'),
      zone: typeof zone === 'string' ? zone : undefined,
      // An unknown readiness counts as ready, as the API says.
      isReady: field(field(endpoint, 'conditions'), 'ready') !== false,
    });
  }
  return sliceOf(metadata, shape, endpoints, portsOfJson(object, PORT_NONE));
}

function readEndpoint(reader: ProtobufReader, shape: SliceShape, endpoints: ReadyEndpoints): void {
  const outer = reader.enter();
  const endpoint: Endpoint = { ipv4: -1, addresses: [], hostname: '', podName: '', zone: undefined, isReady: true };
  while (reader.next()) {
    if (reader.is(1)) readAddress(reader, endpoint);
    else if (reader.is(2)) endpoint.isReady = readReady(reader);
    else if (reader.is(3)) endpoint.hostname = reader.text();
    else if (reader.is(4) && shape.usesPodNames) endpoint.podName = readReferenceName(reader);
    else if (reader.is(7) && shape.keepsZones) endpoint.zone = reader.text();
    else reader.skip();
  }
  reader.leave(outer);
  endpoints.add(endpoint);
}

/** Nearly every endpoint has one address, of IPv4: it becomes no text. */
function readAddress(reader: ProtobufReader, endpoint: Endpoint): void {
  if (endpoint.ipv4 < 0 && endpoint.addresses.length === 0) endpoint.ipv4 = reader.ipv4();
  else endpoint.addresses.push(reader.text());
  if (endpoint.ipv4 < 0 && endpoint.addresses.length === 0) endpoint.addresses.push(reader.text());
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

function readReferenceName(reader: ProtobufReader): string {
  const outer = reader.enter();
  let name = '';
  while (reader.next()) {
    if (reader.is(3)) name = reader.text();
    else reader.skip();
  }
  reader.leave(outer);
  return name;
}

/** The packed addresses of one slice on their way into a string. */
let packedRoom = Buffer.alloc(4096);

/** Collects endpoints into strings. */
class ReadyEndpoints {
  family = 0;
  readonly #shape: SliceShape;
  #bytes = 0;
  #count = 0;
  /** Undefined as long as no endpoint has a name. */
  #hostnames: string[] | undefined;
  readonly #zones = new Map<string, string>();

  constructor(shape: SliceShape) {
    this.#shape = shape;
  }

  add(endpoint: Endpoint): void {
    if (!endpoint.isReady) return;
    if (endpoint.ipv4 >= 0) this.#addIpv4(endpoint);
    for (const address of endpoint.addresses) {
      const packed = packAddress(address);
      if (this.family === 0) this.family = packed.length;
      // All addresses of a slice are of one family (API validation); an FQDN has no address record to give.
      if (packed === '' || packed.length !== this.family) continue;
      this.#reserve(packed.length);
      packedRoom.write(packed, this.#bytes, 'latin1');
      this.#bytes += packed.length;
      this.#note(endpoint, this.#nameOf(endpoint, address, packed), packed);
    }
  }

  /** One flat string: V8's concatenations would keep every piece alive. */
  addresses(): string {
    return packedRoom.toString('latin1', 0, this.#bytes);
  }

  /** Names in lines, '' if no endpoint has one. */
  hostnameLines(): string {
    return this.#hostnames === undefined ? '' : flat(this.#hostnames);
  }

  /** Zone of each address in lines, '' if none is known. */
  zoneLines(): string {
    if (this.#zones.size === 0) return '';
    const addresses = cutAddresses(this.addresses(), this.family);
    return flat(addresses.map((address) => (this.#zones.get(address) ?? '').toLowerCase()));
  }

  #addIpv4(endpoint: Endpoint): void {
    if (this.family === 0) this.family = 4;
    if (this.family !== 4) return;
    this.#reserve(4);
    const at = this.#bytes;
    packedRoom.writeUInt32BE(endpoint.ipv4, at);
    this.#bytes += 4;
    const packed = this.#shape.keepsZones ? packedRoom.toString('latin1', at, at + 4) : '';
    // There is but one way to spell an IPv4 address.
    this.#note(endpoint, this.#givenName(endpoint), packed);
  }

  /** @param packed the address, wanted where zones are kept. */
  #note({ zone }: Endpoint, name: string, packed: string): void {
    if (name !== '') this.#hostnames ??= new Array<string>(this.#count).fill('');
    this.#hostnames?.push(name);
    this.#count++;
    // The last endpoint with an address tells its zone.
    if (this.#shape.keepsZones && zone !== undefined) this.#zones.set(packed, oneLine(zone));
  }

  #reserve(bytes: number): void {
    if (this.#bytes + bytes <= packedRoom.length) return;
    const larger = Buffer.alloc(2 * packedRoom.length);
    packedRoom.copy(larger);
    packedRoom = larger;
  }

  #nameOf(endpoint: Endpoint, address: string, packed: string): string {
    if (endpoint.hostname !== '') return oneLine(endpoint.hostname);
    const given = this.#givenName(endpoint);
    if (given !== '') return given;
    return packed.length === 4 || formatAddress(packed) === address ? '' : dashedText(address);
  }

  #givenName({ hostname, podName }: Endpoint): string {
    if (hostname !== '') return oneLine(hostname);
    const isPod = this.#shape.usesPodNames && podName !== '' && podName.length <= POD_NAME_CHARS_MAX;
    return isPod && oneLine(podName) !== '' ? POD_NAME + podName : '';
  }
}

/** '' for what no label can hold: it must not end a line either. */
function oneLine(text: string): string {
  return /^[ -~]*$/.test(text) ? text : '';
}

function sliceOf(
  metadata: Metadata,
  shape: SliceShape,
  endpoints: ReadyEndpoints,
  ports: readonly Port[],
): EndpointSlice {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    service: shape.isImported ? metadata.importName : metadata.serviceName,
    cluster: shape.isImported ? metadata.sourceCluster : '',
    family: endpoints.family,
    addresses: endpoints.addresses(),
    hostnames: endpoints.hostnameLines(),
    zones: endpoints.zoneLines(),
    ports: sharePorts(ports),
    triggerTime: metadata.triggerTime,
    triggerService: metadata.serviceName,
  };
}

/** Lines as one flat string. */
function flat(lines: readonly string[]): string {
  return Buffer.from(lines.join('\n'), 'latin1').toString('latin1');
}

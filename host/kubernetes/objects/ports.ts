// Ports of services and EndpointSlices. Most objects of a cluster share a few lists of ports, so equal lists are kept
// once.

import type { ProtobufReader } from '../protobuf.ts';
import { integer, list, text } from './json.ts';

export interface Port {
  /** Lower-case; '' for an unnamed port. */
  readonly name: string;
  /** `tcp`, `udp` or `sctp`; '' if not given. */
  readonly protocol: string;
  /** PORT_NONE if the object names no port. */
  readonly port: number;
}

export interface Ports {
  /** The same text for equal lists. */
  readonly key: string;
  /** Of a service or a slice never empty: without ports there is one of number PORT_NONE, which gives it addresses and no SRV. */
  readonly list: readonly Port[];
}

export const PORT_NONE = -1;

/** Of an object that has no entries where it has no ports. */
export const NO_PORTS: Ports = { key: '', list: [] };

/** Lists remembered; a cluster with more of them shares less. */
const SHARED_MAX = 4096;
const shared = new Map<string, Ports>();

/** The one list for these ports. */
export function sharePorts(ports: readonly Port[]): Ports {
  const found = ports.length === 0 ? UNNUMBERED : ports;
  const key = found.map((port) => `${port.name}/${port.protocol}/${port.port}`).join(' ');
  const known = shared.get(key);
  if (known !== undefined) return known;
  if (shared.size >= SHARED_MAX) shared.clear();
  const made = { key, list: found };
  shared.set(key, made);
  return made;
}

/** Reads the field that `reader` stands on: ServicePort and EndpointPort have the same numbers for what we need. */
export function readPort(reader: ProtobufReader, unset: number): Port {
  const outer = reader.enter();
  let name = '';
  let protocol = '';
  let port = unset;
  while (reader.next()) {
    if (reader.is(1)) name = reader.text();
    else if (reader.is(2)) protocol = reader.text();
    else if (reader.is(3)) port = reader.int32();
    else reader.skip();
  }
  reader.leave(outer);
  return normalPort(name, protocol, port);
}

export function portsOfJson(object: unknown, unset: number): Port[] {
  return list(object, 'ports').map((port) =>
    normalPort(text(port, 'name'), text(port, 'protocol'), integer(port, 'port') ?? unset),
  );
}

/** CoreDNS compares names and protocols without case. A number that no SRV can carry counts as none. */
function normalPort(name: string, protocol: string, port: number): Port {
  const isUsable = port >= 0 && port <= 0xffff;
  return { name: name.toLowerCase(), protocol: protocol.toLowerCase(), port: isUsable ? port : PORT_NONE };
}

const UNNUMBERED: readonly Port[] = [{ name: '', protocol: '', port: PORT_NONE }];

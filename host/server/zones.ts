// From the keys of all server blocks to listeners and their zones (CoreDNS core, A3), and the lines that name them.

import { type Binding, hasPreferredSyntax, refuseOverlaps, refusePorts } from '../corefile/keys.ts';
import type { LoadedBlock } from '../corefile/loader.ts';
import { addressOctets, addressText } from '../dns/address.ts';
import { isInZone } from '../dns/name.ts';
import type { BlockSettings, ServerBlock, ServerKey } from '../plugin/contract.ts';

/** One address that is listened on, over UDP and TCP. */
export interface Listener {
  /** '' = all addresses. */
  readonly address: string;
  readonly port: number;
  readonly server: string;
  readonly zones: readonly ListenerZone[];
  readonly isDebugging: boolean;
  readonly showsStack: boolean;
  /** How often its start lines are printed: the sockets that CoreDNS would have there. */
  readonly sockets: number;
}

export interface ListenerZone {
  readonly zone: string;
  /** Index of the block. */
  readonly block: number;
  /** Ordinal of this listener's server label among the block's. */
  readonly serverOrdinal: number;
}

/** A block's directives in chain order, and what they say about the block. */
export interface BlockPlan {
  readonly loaded: LoadedBlock;
  readonly plugins: readonly string[];
  readonly settings: BlockSettings;
}

/** @param address that blocks without addresses of their own listen on; '' = all addresses */
export function defaultSettings(address: string): BlockSettings {
  return { addresses: [address], sockets: 1, root: '', isDebugging: false, showsStack: false };
}

/** Throws CorefileError for a zone that is served twice. */
export function serverBlocks(plans: readonly BlockPlan[]): ServerBlock[] {
  refuseInOrder(plans);
  return plans.map(({ loaded, plugins }, index) => {
    const keys = bindingsOf(plans[index]!).flatMap(({ key: { transport, zone, port }, address }): ServerKey[] => {
      if (transport !== 'dns' || port === undefined) return [];
      return [{ transport, zone, address, port, server: serverLabel(address, port) }];
    });
    return { index, keys, zones: loaded.zones, plugins, file: loaded.file, line: loaded.line };
  });
}

/** What CoreDNS refuses when every directive has been read: ports that are none, overlaps, what plugins fail at. */
function refuseInOrder(plans: readonly BlockPlan[]): void {
  const bindings = plans.flatMap(bindingsOf);
  refusePorts(bindings);
  refuseOverlaps(bindings);
  for (const { reader } of plans.flatMap(({ loaded }) => loaded.directives)) {
    if (reader.lastRefusal !== undefined) throw reader.lastRefusal;
  }
}

function bindingsOf({ loaded, settings }: BlockPlan): Binding[] {
  const addresses = settings.addresses.map(normalAddress);
  return loaded.keys.flatMap((key) => addresses.map((address) => ({ key, address })));
}

/** One spelling for one address, as Go prints it: IPv4 in IPv6 is IPv4. */
function normalAddress(address: string): string {
  const [text, zone] = address.split('%', 2) as [string, string?];
  const octets = addressOctets(text);
  if (octets === undefined) return address;
  const normal = addressText(octets).replace(/^::ffff:(?=\d+\.)/, '');
  return zone === undefined ? normal : `${normal}%${zone}`;
}

/** Other zones of a block that lie below `zone`. */
export function zonesBelow(zone: string, zones: readonly string[]): string[] {
  return [...new Set(zones)].filter((each) => each !== zone && isInZone(each, zone));
}

function serverLabel(address: string, port: number): string {
  return `dns://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** @param threads serving ones, the number of sockets that `auto` stands for */
export function listenersOf(
  blocks: readonly ServerBlock[],
  settings: readonly BlockSettings[],
  threads: number,
): Listener[] {
  const listeners = new Map<string, Listener & { zones: ListenerZone[] }>();
  for (const block of blocks) {
    const servers = [...new Set(block.keys.map(({ server }) => server))];
    const { isDebugging, showsStack, sockets } = settings[block.index]!;
    for (const { zone, address, port, server } of block.keys) {
      const first = { address, port, server, zones: [], sockets: sockets === 'auto' ? threads : sockets };
      const known = listeners.get(server) ?? { ...first, isDebugging: false, showsStack };
      // One debugged block is enough, the last block decides about stacks: CoreDNS core, NewServer
      const listener = { ...known, isDebugging: known.isDebugging || isDebugging, showsStack };
      listeners.set(server, listener);
      listener.zones.push({ zone, block: block.index, serverOrdinal: servers.indexOf(server) });
    }
  }
  return [...listeners.values()];
}

/**
 * Lines of the start: listener by listener its zones, sorted; a strange zone has a warning in front.
 * @param ports in use, by server label
 */
export function startLines(listeners: readonly Listener[], ports: ReadonlyMap<string, number>): string[] {
  return listeners.flatMap((listener) => {
    const { address, port, server, sockets } = listener;
    const place = `:${ports.get(server) ?? port}${address === '' ? '' : ` on ${address}`}`;
    const zones = [...new Set(listener.zones.map(({ zone }) => zone))].sort();
    const lines = zones.flatMap((zone) => {
      const warning = `Warning: Domain ${JSON.stringify(zone)} does not follow RFC1035 preferred syntax`;
      return hasPreferredSyntax(zone) ? [zone + place] : [warning, zone + place];
    });
    return Array.from({ length: sockets }, () => lines).flat();
  });
}

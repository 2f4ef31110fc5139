// From the keys of all server blocks to listeners and their zones (CoreDNS core, A3), and the lines that name them.

import { hasPreferredSyntax } from '../corefile/keys.ts';
import type { LoadedBlock } from '../corefile/loader.ts';
import type { ServerBlock, ServerKey } from '../plugin/contract.ts';

/** One address that is listened on, over UDP and TCP. */
export interface Listener {
  /** '' = all addresses. */
  readonly address: string;
  readonly port: number;
  readonly server: string;
  readonly zones: readonly ListenerZone[];
}

export interface ListenerZone {
  readonly zone: string;
  /** Index of the block. */
  readonly block: number;
  /** Ordinal of this listener's server label among the block's. */
  readonly serverOrdinal: number;
}

/**
 * @param order words of all directives in chain order
 * @param address that all listeners bind to; '' = all addresses
 */
export function serverBlocks(blocks: readonly LoadedBlock[], order: readonly string[], address: string): ServerBlock[] {
  const host = address.includes(':') ? `[${address}]` : address;
  return blocks.map((block, index) => {
    const keys = block.keys.map(
      ({ zone, port }): ServerKey => ({ transport: 'dns', zone, port, server: `dns://${host}:${port}` }),
    );
    const words = block.directives.map(({ name }) => name);
    const plugins = order.filter((name) => words.includes(name));
    return { index, keys, zones: block.zones, plugins, file: block.file, line: block.line };
  });
}

export function listenersOf(blocks: readonly ServerBlock[], address: string): Listener[] {
  const listeners = new Map<string, Listener & { zones: ListenerZone[] }>();
  for (const block of blocks) {
    const servers = [...new Set(block.keys.map(({ server }) => server))];
    for (const { zone, port, server } of block.keys) {
      const listener = listeners.get(server) ?? { address, port, server, zones: [] };
      listeners.set(server, listener);
      listener.zones.push({ zone, block: block.index, serverOrdinal: servers.indexOf(server) });
    }
  }
  return [...listeners.values()];
}

/**
 * Lines of the start: one for each zone and listener, sorted, after warnings about strange zones.
 * @param ports in use, by server label
 */
export function startLines(
  blocks: readonly ServerBlock[],
  ports: ReadonlyMap<string, number>,
  address: string,
): string[] {
  const keys = blocks.flatMap((block) => block.keys);
  const strange = [...new Set(keys.map(({ zone }) => zone))].filter((zone) => !hasPreferredSyntax(zone));
  const warnings = strange.map((zone) => `Warning: Domain "${zone}" does not follow RFC1035 preferred syntax`);
  const place = address === '' ? '' : ` on ${address}`;
  const served = keys.map(({ zone, port, server }) => `${zone}:${ports.get(server) ?? port}${place}`);
  return [...warnings, ...served.sort()];
}

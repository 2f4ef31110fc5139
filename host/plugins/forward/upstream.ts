// One upstream of a stanza: its sockets, and whether it is up.

import type { PoolTarget, RelayCore } from './connection.ts';
import { Dialling } from './dialling.ts';
import { Health } from './health.ts';
import { sendProbe } from './probe.ts';
import type { RelayOptions } from './relay.ts';
import { TcpPool } from './tcp-pool.ts';
import { UdpPool } from './udp-pool.ts';

export interface Upstream extends PoolTarget {
  readonly udp: UdpPool;
  readonly tcp: TcpPool;
  readonly health: Health;
}

export function createUpstream(core: RelayCore, options: RelayOptions, index: number): Upstream {
  const { upstreams, targets, states, counters, slots, schedule, ids, stanza } = options;
  const target = targets[index]!;
  const place: PoolTarget = { index, target };
  const dialling = new Dialling();
  const health = new Health({
    intervalMs: stanza.healthIntervalMs,
    schedule,
    state: states[index]!,
    probe: (report) => sendProbe({ upstreams, schedule, ids, stanza, target, octets: () => core.octets }, report),
    onFailure: () => counters.add(slots.upstreams[index]!.healthFailures, 1),
  });
  return { ...place, udp: new UdpPool(core, place, dialling), tcp: new TcpPool(core, place, dialling), health };
}

// The parts of a shard that a query meets, put together: engine, table of exchanges, slow path, TCP streams.

import { SLOT_NONE } from '../../engine-as/shared/layout.ts';
import type { Engine } from '../engine/load.ts';
import { areaAt } from '../engine/memory.ts';
import type { ShardTask } from '../engine/messages.ts';
import type { Log } from '../log.ts';
import { type SlotWriter, slotWriter } from '../metrics/slots.ts';
import { loadSockets, type NativeSockets } from '../net/sockets.ts';
import { PluginError } from '../plugin/chain.ts';
import { ShardArea } from './area.ts';
import { ExchangeTable } from './exchanges.ts';
import { Handoff } from './handoff.ts';
import { drainLogRecords } from './log-lines.ts';
import { Refresher } from './refresher.ts';
import { InnerQueries } from './services.ts';
import { SlowPath } from './slow-path.ts';
import { TcpStreams } from './tcp.ts';
import { obeyTestHooks } from './test-hooks.ts';

export interface DataPlane {
  readonly area: ShardArea;
  readonly engine: Engine;
  readonly log: Log;
  readonly slots: SlotWriter;
  /** Absent: node:dgram; `fallback` says why. */
  readonly sockets: NativeSockets | undefined;
  readonly fallback: string | undefined;
  readonly exchanges: ExchangeTable;
  readonly handoff: Handoff;
  readonly inner: InnerQueries;
  readonly refresher: Refresher;
  readonly slowPath: SlowPath;
  readonly streams: TcpStreams;
  /** Slot of coredns_panics_total. */
  panicsSlot: number;
}

/** @param onPanic see SlowPathParts */
export function createDataPlane(task: ShardTask, engine: Engine, log: Log, onPanic: (text: string) => void): DataPlane {
  const { memory, plan, shard, settings, ledger } = task;
  const area = new ShardArea(memory, areaAt(plan, shard));
  engine.prepareShard(area.at);
  const loaded = settings.useNative ? loadSockets(ledger) : { unavailable: 'switched off' };
  const isLoaded = !('unavailable' in loaded);
  const slots = slotWriter(memory, area.at);
  // The parts call each other; what is not there yet is reached through `plane`
  const runSlow = (handle: number): void => plane.slowPath.run(handle);
  const exchanges = new ExchangeTable({
    area,
    engine,
    capacity: plan.exchangesPerShard,
    onFailure: (handle, rcode, text) => plane.slowPath.report(handle, rcode, text),
    onRecords: (generation, path, metadata) => drainLogRecords(area, generation, path, 0, metadata),
    onForgotten: (at, bytes) => plane.sockets?.discard(area.octets.subarray(at, at + bytes)),
  });
  const handoff = new Handoff({
    area,
    exchanges,
    ...(settings.hasTestHooks && {
      onTaken: (handle: number) =>
        obeyTestHooks(exchanges, handle, (error) => plane.slowPath.panic(handle, new PluginError('test', error))),
    }),
    runSlow,
    refresh: (leaving) => plane.refresher.begin(leaving),
    onPanic: (handle, error) => plane.slowPath.panic(handle, error),
  });
  const inner = new InnerQueries({
    area,
    engine,
    exchanges,
    handoff,
    onRecords: (path, elapsedMs) => drainLogRecords(area, path.listening.generation, path, elapsedMs),
  });
  const plane: DataPlane = {
    area,
    engine,
    log,
    slots,
    sockets: isLoaded ? loaded : undefined,
    fallback: isLoaded ? undefined : loaded.unavailable,
    exchanges,
    handoff,
    inner,
    refresher: new Refresher({ area, engine, exchanges, handoff, runSlow, shardCount: plan.shardCount }),
    slowPath: new SlowPath({
      area,
      exchanges,
      log,
      slots,
      panicsSlot: () => plane.panicsSlot,
      onPanic,
      bridge: (plugin, query) => inner.relay(plugin, query),
    }),
    streams: new TcpStreams({ shard, area, engine, handoff }, settings.tcp, isLoaded ? loaded : undefined),
    panicsSlot: SLOT_NONE,
  };
  return plane;
}

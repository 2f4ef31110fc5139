/**
 * A shard's memory without the shard: the inventory's records, the caches and the program of the default kubeadm
 * Corefile, made by the host's own code, with all counters on.
 */
import { SCOPE_SLOTS } from '../../engine-as/shared/layout.ts';
import { BlockSteps, writeProgram } from '../../host/engine/program.ts';
import { ClusterModel } from '../../host/kubernetes/model.ts';
import { metadataOfJson } from '../../host/kubernetes/objects/metadata.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  type Resource,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { ClusterRecords } from '../../host/kubernetes/records.ts';
import { NamespaceSink, type ObjectSink, ServiceSink, SliceSink } from '../../host/kubernetes/sinks.ts';
import type { RecordStore } from '../../host/plugin/contract.ts';
import { blockOf, cacheStep, EngineWorld, recordsStep } from '../../test/engine/world.ts';
import { inventory } from '../objects.ts';

const ZONES = ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'];
const REVERSE = ZONES.slice(1);

export interface BenchWorld {
  readonly world: EngineWorld;
  /** A listener of the default Corefile for each cache size, in the order asked for. */
  readonly listeners: readonly number[];
}

/** @param cacheEntries capacity of the success cache of each listener */
export function buildWorld(services: number, cacheEntries: readonly number[], shards = 1): BenchWorld {
  const world = new EngineWorld(shards);
  const store = world.createRecords();
  publish(store, services);
  const blocks = cacheEntries.map((entries) => defaultSteps(store, world.createCache(entries)));
  const zone = (block: number) => ({ zone: '.', block, scope: 0, serverOrdinal: 0 });
  const program = writeProgram(world.writer, {
    blocks,
    listeners: blocks.map((_, block) => ({ port: 53 + block, droppedScope: undefined, zones: [zone(block)] })),
    generation: 1,
    isForcedSlow: false,
  });
  return { world, listeners: program.listeners };
}

/** In the order of the chain: what health, ready, errors and reload leave are steps too. */
function defaultSteps(store: RecordStore, cache: number): BlockSteps {
  const steps = new BlockSteps(blockOf(['.']));
  for (let passed = 0; passed < 3; passed++) steps.pass();
  steps.count('test');
  steps.pass();
  steps.rotate({ policy: 'round_robin' });
  steps.cache(cacheStep(cache, { slots: [SCOPE_SLOTS] }));
  steps.records(recordsStep(store, ZONES, { fallthrough: REVERSE }));
  steps.relay({ zone: '.', except: [] });
  return steps;
}

function publish(store: RecordStore, services: number): void {
  const model = new ClusterModel();
  const options = {
    zones: ZONES,
    primaryZone: ZONES[0]!,
    pods: 'insecure' as const,
    namespaces: [],
    isZonal: false,
    ignoresEmptyServices: false,
    localAddresses: [],
    wall: () => 0,
  };
  const slices = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: false });
  const sinks = {
    Namespace: new NamespaceSink(model),
    Service: new ServiceSink(model),
    EndpointSlice: new SliceSink(model),
  };
  for (const object of inventory(services)) {
    if (object.kind === 'Namespace') put(sinks.Namespace, NAMESPACES, object);
    else if (object.kind === 'Service') put(sinks.Service, SERVICES, object);
    else put(sinks.EndpointSlice, slices, object);
  }
  new ClusterRecords(model, store, options).flush();
  store.setSynced(true);
}

function put<T extends Named>(sink: ObjectSink<T>, resource: Resource<T>, object: unknown): void {
  sink.put(resource.ofJson(object, metadataOfJson(object, resource.keepsLabels)));
}

// From the plugins' steps to the octets that the engine runs: listeners, zones, blocks and steps of one loaded
// Corefile (layout in engine-as/shared/layout.ts). Main thread only.

import * as layout from '../../engine-as/shared/layout.ts';
import type {
  AccessStep,
  AddressOrder,
  BlockProgram,
  CacheStep,
  FastRule,
  HostsStep,
  LogRule,
  RecordsStep,
  RelayStep,
  ServerBlock,
  SlowRule,
} from '../plugin/contract.ts';
import { fillAccess } from './access-step.ts';
import { fillCache } from './cache-step.ts';
import { Octets } from './octets.ts';
import { MemoryExhausted, type Writer } from './records.ts';
import { fillRules } from './rewrite-rules.ts';

/** One step as the builder collects it: `fill` writes its parameters once addresses are known. */
interface Step {
  readonly op: number;
  readonly plugin: number;
  fill?(out: Octets, at: number): void;
}

/** Collects the steps of one block. The caller names the plugin (its index in chain order) before each compile(). */
export class BlockSteps implements BlockProgram {
  readonly block: ServerBlock;
  readonly steps: Step[] = [];
  #plugin = 0;

  constructor(block: ServerBlock) {
    this.block = block;
  }

  enterPlugin(index: number): void {
    this.#plugin = index;
  }

  /** Queries of classes other than IN reach the chain. */
  isAnyClass = false;

  /** True if the block counts its queries. */
  get isCounting(): boolean {
    return this.steps.some((step) => step.op === layout.STEP_COUNT);
  }

  /** False if no plugin of the block ever sees a query: the engine refuses. */
  hasChain = false;

  /** Label of replies written below plugin prometheus; '' without it. */
  countedPlugin = '';

  count(plugin: string): void {
    this.countedPlugin = plugin;
    this.#add(layout.STEP_COUNT);
  }

  #keepsMetadata = false;
  #readsMetadata = false;

  keepMetadata(): void {
    this.#keepsMetadata = true;
  }

  readMetadata(): void {
    this.#readsMetadata = true;
  }

  /** True if labels are asked for that only a query on the slow face has. */
  get isForcedSlow(): boolean {
    return this.#keepsMetadata && this.#readsMetadata;
  }

  log(rules: readonly LogRule[]): void {
    this.#add(layout.STEP_LOG, (out, at) => {
      const table = out.reserve(rules.length * layout.LOG_RULE_STRIDE);
      out.u32(at + 8, out.address(table));
      out.u32(at + 12, rules.length);
      rules.forEach((rule, i) => {
        const entry = table + i * layout.LOG_RULE_STRIDE;
        const name = out.name(rule.scope);
        out.u32(entry, out.address(name.at));
        out.u32(entry + 4, name.bytes);
        out.u32(entry + 8, classMask(rule));
        out.u32(entry + 12, name.labels);
      });
    });
  }

  bufsize(payloadBytes: number): void {
    this.#add(layout.STEP_BUFSIZE, (out, at) => out.u32(at + 8, payloadBytes));
  }

  rotate(order: AddressOrder): void {
    this.#add(layout.STEP_ROTATE, (out, at) => fillOrder(out, at, order));
  }

  cache(step: CacheStep): void {
    this.#add(layout.STEP_CACHE, (out, at) => fillCache(out, at, step));
  }

  records(step: RecordsStep): void {
    this.#add(layout.STEP_RECORDS, (out, at) => fillRecords(out, at, step));
  }

  hosts(step: HostsStep): void {
    this.#add(layout.STEP_HOSTS, (out, at) => {
      out.u32(at + layout.HOSTS_STEP_STORE, step.address);
      out.u32(at + layout.HOSTS_STEP_ZONES, out.zoneList(step.zones));
      out.u32(at + layout.HOSTS_STEP_FALLTHROUGH, out.zoneList(step.fallthrough));
      out.u32(at + layout.HOSTS_STEP_TTL, step.ttl);
      out.u32(at + layout.HOSTS_STEP_FLAGS, step.fallthroughUnsupported ? layout.HOSTS_FALLTHROUGH_UNSUPPORTED : 0);
    });
  }

  watchType(type: number, word: number): void {
    this.#add(layout.STEP_WATCH, (out, at) => {
      out.u32(at + 8, type);
      out.u32(at + 12, word);
    });
  }

  anyClass(): void {
    this.isAnyClass = true;
  }

  relay(step: RelayStep): void {
    this.#add(layout.STEP_RELAY, (out, at) => {
      const zone = out.name(step.zone);
      out.u32(at + 8, out.address(zone.at));
      out.u32(at + 12, zone.bytes);
      out.u32(at + 16, out.zoneList(step.except));
      out.u32(at + 20, zone.labels);
    });
  }

  whoami(): void {
    this.#add(layout.STEP_WHOAMI);
  }

  rewrite(rules: readonly FastRule[]): void {
    this.#add(layout.STEP_REWRITE, (out, at) => fillRules(out, at, rules));
  }

  access(step: AccessStep): void {
    this.#add(layout.STEP_ACL, (out, at) => fillAccess(out, at, step));
  }

  slow(): void {
    this.#add(layout.STEP_SLOW);
  }

  slowFor(rules: readonly SlowRule[]): void {
    this.#add(layout.STEP_SLOW_FOR, (out, at) => {
      const table = out.reserve(rules.length * layout.SLOW_RULE_STRIDE);
      out.u32(at + 8, out.address(table));
      out.u32(at + 12, rules.length);
      for (const [i, rule] of rules.entries()) fillSlowRule(out, table + i * layout.SLOW_RULE_STRIDE, rule);
    });
  }

  /** The plugin does nothing on the way of a query. */
  pass(): void {
    this.#add(layout.STEP_PASS);
  }

  #add(op: number, fill?: Step['fill']): void {
    this.hasChain ||= op !== layout.STEP_PASS;
    this.steps.push(fill ? { op, plugin: this.#plugin, fill } : { op, plugin: this.#plugin });
  }
}

function classMask(rule: LogRule): number {
  const bits = { success: layout.LOG_CLASS_SUCCESS, denial: layout.LOG_CLASS_DENIAL, error: layout.LOG_CLASS_ERROR };
  return rule.classes.reduce((mask, name) => mask | bits[name], 0);
}

function fillOrder(out: Octets, at: number, order: AddressOrder): void {
  const orders = { round_robin: layout.ORDER_SHUFFLE, weighted: layout.ORDER_WEIGHTED, prefer: layout.ORDER_PREFER };
  out.u32(at + layout.ROTATE_STEP_ORDER, orders[order.policy]);
  if (order.policy === 'weighted') out.u32(at + layout.ROTATE_STEP_STORE, order.address);
  if (order.policy !== 'prefer') return;
  const list = out.reserve(8 + order.subnets.length * layout.SUBNET_STRIDE);
  out.u32(list, order.subnets.length);
  order.subnets.forEach(({ octets, prefixBits }, i) => {
    const entry = list + 8 + i * layout.SUBNET_STRIDE;
    out.u32(entry + layout.SUBNET_BYTES, octets.length);
    out.u32(entry + layout.SUBNET_BITS, prefixBits);
    out.copy(entry + layout.SUBNET_OCTETS, octets);
  });
  out.u32(at + layout.ROTATE_STEP_SUBNETS, out.address(list));
}

function fillSlowRule(out: Octets, at: number, rule: SlowRule): void {
  out.u32(at, out.zoneList(rule.zones));
  out.u32(at + 4, rule.class);
  out.u32(at + 8, rule.type);
  if (rule.literals === undefined || rule.fallthrough === undefined) return;
  const literals = out.reserve(rule.literals.length * layout.NAME_LITERAL_STRIDE);
  out.u32(at + 12, out.address(literals));
  out.u32(at + 16, rule.literals.length);
  out.u32(at + 20, out.zoneList(rule.fallthrough));
  for (const [i, { prefix, suffix }] of rule.literals.entries()) {
    const entry = literals + i * layout.NAME_LITERAL_STRIDE;
    out.u32(entry, out.ascii(prefix));
    out.u32(entry + 4, prefix.length);
    out.u32(entry + 8, out.ascii(suffix));
    out.u32(entry + 12, suffix.length);
  }
}

function fillRecords(out: Octets, at: number, step: RecordsStep): void {
  out.u32(at + layout.RECORDS_STEP_STORE, step.address);
  out.u32(at + layout.RECORDS_STEP_ZONES, out.zoneList(step.zones));
  if (step.fallthrough) {
    out.u32(at + layout.RECORDS_STEP_FALLTHROUGH, out.zoneList(step.fallthrough.length ? step.fallthrough : ['.']));
  }
  out.u32(at + layout.RECORDS_STEP_TTL, step.ttl);
  out.u32(at + layout.RECORDS_STEP_SOA_TTL, step.soa.ttl);
  [step.soa.refresh, step.soa.retry, step.soa.expire, step.soa.minimum].forEach((seconds, i) => {
    out.u32(at + layout.RECORDS_STEP_SOA_TIMERS + i * 4, seconds);
  });
  fillRelative(out, at + layout.RECORDS_STEP_SOA_MNAME, step.soa.mname);
  fillRelative(out, at + layout.RECORDS_STEP_SOA_RNAME, step.soa.rname);
  const pods = { disabled: 0, insecure: layout.RECORDS_PODS_INSECURE, verified: layout.RECORDS_PODS_VERIFIED }[
    step.pods
  ];
  const imported = step.importedAddress;
  out.u32(at + layout.RECORDS_STEP_SERVICES, imported ?? step.address);
  if (step.except !== undefined) out.u32(at + layout.RECORDS_STEP_EXCEPT, out.zoneList(step.except));
  const flags = [
    step.kubernetes ? layout.RECORDS_KUBERNETES : 0,
    imported === undefined ? 0 : layout.RECORDS_MULTICLUSTER,
    step.zonal === true ? layout.RECORDS_ZONAL : 0,
  ];
  out.u32(
    at + layout.RECORDS_STEP_FLAGS,
    flags.reduce((all, flag) => all | flag, pods),
  );
}

/** Labels put before the zone: a name without its root label. */
function fillRelative(out: Octets, at: number, labels: string): void {
  const name = out.name(labels);
  out.u32(at, out.address(name.at));
  out.u32(at + 4, name.bytes - 1);
}

export interface ProgramZone {
  /** Lower-case, fully qualified. */
  readonly zone: string;
  /** Index into ProgramSource.blocks. */
  readonly block: number;
  /** First slot of the scope, undefined if not counted. */
  readonly scope: number | undefined;
  /** Ordinal of the listener's server label within the block. */
  readonly serverOrdinal: number;
  /** Zones of the block below this one, with their scopes on this listener: questions are counted for the longest. */
  readonly deeper?: readonly { readonly zone: string; readonly scope: number }[];
}

export interface ProgramListener {
  readonly port: number;
  readonly zones: readonly ProgramZone[];
  readonly droppedScope: number | undefined;
}

export interface ProgramSource {
  readonly blocks: readonly BlockSteps[];
  readonly listeners: readonly ProgramListener[];
  readonly generation: number;
  /** Tests: every well-formed query takes the slow face. */
  readonly isForcedSlow: boolean;
}

export interface Program {
  readonly address: number;
  /** Address of each listener's entry, in the order of ProgramSource.listeners. */
  readonly listeners: readonly number[];
  readonly bytes: number;
}

/** Writes the program into the arena. The shards use it once they are told its addresses. */
export function writeProgram(writer: Writer, source: ProgramSource): Program {
  const size = new Octets(0);
  buildProgram(size, source);
  const bytes = size.length;
  const address = writer.engine.arenaAllocate(bytes) >>> 0;
  if (address === 0) throw new MemoryExhausted();
  const out = new Octets(address);
  const listeners = buildProgram(out, source);
  new Uint8Array(writer.memory.buffer).set(out.octets(), address);
  return { address, listeners, bytes };
}

function buildProgram(out: Octets, source: ProgramSource): number[] {
  const header = out.reserve(layout.PROGRAM_LISTENERS + source.listeners.length * layout.LISTENER_STRIDE);
  out.u32(header + layout.PROGRAM_LISTENER_COUNT, source.listeners.length);
  out.u32(header + layout.PROGRAM_GENERATION, source.generation);
  const blocks = source.blocks.map((block) => buildBlock(out, block));
  return source.listeners.map((listener, i) => {
    const at = header + layout.PROGRAM_LISTENERS + i * layout.LISTENER_STRIDE;
    const zones = buildZones(out, listener, blocks);
    const isAnyClass = listener.zones.some((zone) => source.blocks[zone.block]!.isAnyClass);
    out.u32(at + layout.LISTENER_ZONES, out.address(zones));
    out.u32(at + layout.LISTENER_ZONE_COUNT, listener.zones.length);
    const flags = (isAnyClass ? layout.LISTENER_ANY_CLASS : 0) | (source.isForcedSlow ? layout.LISTENER_FORCE_SLOW : 0);
    out.u32(at + layout.LISTENER_FLAGS, flags);
    out.u32(at + layout.LISTENER_DROPPED_SCOPE, listener.droppedScope ?? layout.SLOT_NONE);
    out.u32(at + layout.LISTENER_PORT, listener.port);
    return out.address(at);
  });
}

/** Longest zone first, the root zone last: the order in which the engine looks. */
function buildZones(out: Octets, listener: ProgramListener, blocks: readonly number[]): number {
  const named = listener.zones.map((zone) => ({ zone, name: out.name(zone.zone) }));
  named.sort((a, b) => b.name.labels - a.name.labels);
  const first = out.reserve(named.length * layout.ZONE_STRIDE);
  named.forEach(({ zone, name }, i) => {
    const at = first + i * layout.ZONE_STRIDE;
    out.u32(at + layout.ZONE_NAME, out.address(name.at));
    out.u32(at + layout.ZONE_NAME_BYTES, name.bytes);
    out.u32(at + layout.ZONE_LABELS, name.labels);
    out.u32(at + layout.ZONE_BLOCK, out.address(blocks[zone.block]!));
    out.u32(at + layout.ZONE_SCOPE, zone.scope ?? layout.SLOT_NONE);
    out.u32(at + layout.ZONE_SERVER, zone.serverOrdinal);
    if (zone.deeper === undefined || zone.deeper.length === 0) return;
    out.u32(at + layout.ZONE_DEEPER, out.zoneList(zone.deeper.map((each) => each.zone)));
    const scopes = out.reserve(zone.deeper.length * 4);
    for (const [n, { scope }] of zone.deeper.entries()) out.u32(scopes + n * 4, scope);
    out.u32(at + layout.ZONE_DEEPER_SCOPES, out.address(scopes));
  });
  return first;
}

/** A block without plugins has no step at all: the engine refuses. Otherwise STEP_END closes the chain. */
function buildBlock(out: Octets, block: BlockSteps): number {
  const { steps } = block;
  const count = block.hasChain ? steps.length + 1 : 0;
  const at = out.reserve(layout.BLOCK_STEPS + (steps.length + 1) * layout.STEP_STRIDE);
  out.u32(at + layout.BLOCK_INDEX, block.block.index);
  out.u32(at + layout.BLOCK_STEP_COUNT, count);
  out.u32(at + layout.BLOCK_FLAGS, block.isForcedSlow ? layout.BLOCK_FORCE_SLOW : 0);
  steps.forEach((step, i) => {
    const stepAt = at + layout.BLOCK_STEPS + i * layout.STEP_STRIDE;
    out.u32(stepAt + layout.STEP_OP, step.op);
    out.u32(stepAt + layout.STEP_PLUGIN, step.plugin);
    step.fill?.(out, stepAt);
  });
  const endAt = at + layout.BLOCK_STEPS + steps.length * layout.STEP_STRIDE;
  out.u32(endAt + layout.STEP_OP, layout.STEP_END);
  out.u32(endAt + layout.STEP_PLUGIN, block.block.plugins.length);
  return at;
}

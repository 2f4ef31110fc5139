// All metrics of the process. Threads count into slots (see slots.ts); the page is put together when it is asked for,
// and prom-client only prints it. Slots are never given back, so counters survive reloads.

import { type Metric, Registry } from 'prom-client';
import { CACHE_SLOTS, SCOPE_SLOTS, SLOT_COUNT, SLOT_NONE } from '../../engine-as/shared/layout.ts';
import { type CacheLabels, cacheFamilies } from './cache-families.ts';
import {
  counterSource,
  Family,
  type FamilyType,
  histogramSource,
  type Labels,
  readSource,
  type SampleSource,
  seriesKey,
} from './families.ts';
import { type FamilySource, type ScopeLabels, scopeFamilies } from './scope.ts';
import type { SlotReader, SlotWriter } from './slots.ts';

export type { CacheLabels, ScopeLabels, SlotReader, SlotWriter };

/** Text format 0.0.4, as CoreDNS announces it. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** A slot that does not exist (SLOT_NONE) is returned when all are given out: it is never counted, and never shown. */
export interface Metrics {
  /** The slot of a counter; the same name and labels give the same slot, so it survives reloads. */
  counter(name: string, help: string, labels: Labels): number;
  /** First of bounds.length + 2 slots: one for each bucket (its own only, not cumulative), +Inf, then the sum. */
  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): number;
  /**
   * A value that is read when scraped, undefined = not there; replaces an earlier reader of the same name and labels.
   * @returns removes it; the one it replaced is back, so that a refused configuration leaves nothing behind.
   */
  gauge(name: string, help: string, labels: Labels, read: () => number | undefined): () => void;
  /** A counter that somebody else counts; otherwise as gauge(). */
  readCounter(name: string, help: string, labels: Labels, read: () => number | undefined): () => void;
  /** Consecutive slots for the engine's structs; the same key gives the same slots. */
  reserve(key: string, slots: number): number;
  /** Reserves SCOPE_SLOTS and prints them as the coredns_dns_* families. */
  scope(labels: ScopeLabels, plugin: string): number;
  /** Reserves CACHE_SLOTS and prints them as coredns_cache_*. */
  cacheSlots(labels: CacheLabels): number;
  /** The main thread's own set. */
  readonly slots: SlotWriter;
  /** Adds the nodejs_* families, from now on (plugin prometheus, runtime_metrics). */
  enableRuntimeMetrics(): void;
  /** Prometheus text 0.0.4. */
  expose(): Promise<string>;
}

export interface MetricsOptions {
  readonly read: SlotReader;
  readonly slots: SlotWriter;
  /** Families of the process itself, printed behind the others (process-families.ts). */
  readonly process?: ProcessFamilies;
  /** Slots of each set; tests use fewer. */
  readonly slotCount?: number;
}

export interface ProcessFamilies {
  expose(): Promise<string>;
  enableRuntimeMetrics(): void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  return new SlotMetrics(options);
}

class SlotMetrics implements Metrics {
  readonly slots: SlotWriter;
  readonly #read: SlotReader;
  readonly #process: ProcessFamilies | undefined;
  readonly #slotCount: number;
  readonly #families = new Map<string, Family>();
  readonly #reserved = new Map<string, number>();
  #used = 0;

  constructor(options: MetricsOptions) {
    this.slots = options.slots;
    this.#read = options.read;
    this.#process = options.process;
    this.#slotCount = options.slotCount ?? SLOT_COUNT;
    for (const { name, help } of ALWAYS_THERE) this.counter(name, help, {});
    this.histogram('coredns_health_request_duration_seconds', HEALTH_DURATION_HELP, {}, HEALTH_BOUNDS);
    this.gauge('coredns_hosts_reload_timestamp_seconds', HOSTS_RELOAD_HELP, {}, () => 0);
  }

  counter(name: string, help: string, labels: Labels): number {
    const key = seriesKey(labels);
    const slot = this.reserve(`${name}${key}`, 1);
    if (slot !== SLOT_NONE) this.#family(name, help, 'counter').put(key, counterSource(slot, labels));
    return slot;
  }

  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): number {
    const key = seriesKey(labels);
    const slot = this.reserve(`${name}${key}${bounds.join(',')}`, bounds.length + 2);
    if (slot === SLOT_NONE) return slot;
    this.#family(name, help, 'histogram').put(key, histogramSource(name, slot, bounds, labels));
    return slot;
  }

  gauge(name: string, help: string, labels: Labels, read: () => number | undefined): () => void {
    return this.#readValue(name, help, 'gauge', labels, read);
  }

  readCounter(name: string, help: string, labels: Labels, read: () => number | undefined): () => void {
    return this.#readValue(name, help, 'counter', labels, read);
  }

  reserve(key: string, slots: number): number {
    const known = this.#reserved.get(key);
    if (known !== undefined) return known;
    if (this.#used + slots > this.#slotCount) return SLOT_NONE;
    const slot = this.#used;
    this.#used += slots;
    this.#reserved.set(key, slot);
    return slot;
  }

  scope(labels: ScopeLabels, plugin: string): number {
    const key = seriesKey({ server: labels.server, zone: labels.zone, view: labels.view, plugin });
    const slot = this.reserve(`scope${key}`, SCOPE_SLOTS);
    if (slot !== SLOT_NONE) this.#putAll(`scope${key}`, scopeFamilies(slot, labels, plugin));
    return slot;
  }

  cacheSlots(labels: CacheLabels): number {
    const key = seriesKey({ server: labels.server, zones: labels.zones, view: labels.view });
    const slot = this.reserve(`cache${key}`, CACHE_SLOTS);
    if (slot !== SLOT_NONE) this.#putAll(`cache${key}`, cacheFamilies(slot, labels));
    return slot;
  }

  enableRuntimeMetrics(): void {
    this.#process?.enableRuntimeMetrics();
  }

  async expose(): Promise<string> {
    const registry = new Registry();
    const byName = [...this.#families.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const family of byName) {
      const values = family.samples(this.#read);
      // A labelled family appears with its first sample.
      if (values.length === 0) continue;
      // prom-client prints whatever object gives it these words.
      const { name, help, type } = family;
      registry.registerMetric({ name, get: async () => ({ name, help, type, values }) } as unknown as Metric);
    }
    const own = await registry.metrics();
    return this.#process === undefined ? own : `${own}\n${await this.#process.expose()}`;
  }

  #readValue(name: string, help: string, type: FamilyType, labels: Labels, read: () => number | undefined): () => void {
    const key = seriesKey(labels);
    const family = this.#family(name, help, type);
    const source: SampleSource = readSource(labels, read);
    family.put(key, source);
    return () => family.remove(key, source);
  }

  #putAll(key: string, families: readonly FamilySource[]): void {
    // One family may have several sources here, told apart by their position.
    families.forEach(({ name, help, type, source }, i) => {
      this.#family(name, help, type).put(`${key}${i}`, source);
    });
  }

  #family(name: string, help: string, type: FamilyType): Family {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const family = new Family(name, help, type);
    this.#families.set(name, family);
    return family;
  }
}

/** Families that CoreDNS shows from the start, whether or not their plugin is in use. */
const ALWAYS_THERE = [
  { name: 'coredns_panics_total', help: 'A metrics that counts the number of panics.' },
  {
    name: 'coredns_forward_healthcheck_broken_total',
    help: 'Counter of the number of complete failures of the healthchecks.',
  },
  {
    name: 'coredns_forward_max_concurrent_rejects_total',
    help: 'Counter of the number of queries rejected because the concurrent queries were at maximum.',
  },
  { name: 'coredns_health_request_failures_total', help: 'The number of times the health check failed.' },
  { name: 'coredns_local_localhost_requests_total', help: 'Counter of special localhost subdomain requests.' },
  { name: 'coredns_reload_failed_total', help: 'Counter of the number of failed reload attempts.' },
];
const HEALTH_DURATION_HELP = 'Histogram of the time (in seconds) each request took.';
const HEALTH_BOUNDS = [0.00025, 0.0025, 0.025, 0.25, 2.5];
const HOSTS_RELOAD_HELP = 'The timestamp of the last reload of hosts file.';

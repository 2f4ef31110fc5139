// One metric family: its series and how they are printed. Values are read when the page is asked for.

import type { SlotReader } from './slots.ts';

export type Labels = Readonly<Record<string, string>>;
export type FamilyType = 'counter' | 'gauge' | 'histogram';

/** What prom-client prints: a line of the page. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** Gives the family's samples; called once a scrape. */
export type SampleSource = (read: SlotReader) => readonly Sample[];

export class Family {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  /** Newest last; at most SOURCES_MAX of one key. */
  readonly #sources = new Map<string, SampleSource[]>();

  constructor(name: string, help: string, type: FamilyType) {
    this.name = name;
    this.help = help;
    this.type = type;
  }

  /** Stands in front of the source that this key had. */
  put(key: string, source: SampleSource): void {
    const stack = this.#sources.get(key) ?? [];
    this.#sources.set(key, stack);
    if (stack.push(source) > SOURCES_MAX) stack.shift();
  }

  /** Removes the source; one that it stood in front of is back. */
  remove(key: string, source: SampleSource): void {
    const stack = this.#sources.get(key) ?? [];
    const at = stack.indexOf(source);
    if (at >= 0) stack.splice(at, 1);
    if (stack.length === 0) this.#sources.delete(key);
  }

  /** No two samples have the same name and labels: equal ones are added up. */
  samples(read: SlotReader): Sample[] {
    const merged = new Map<string, Sample>();
    for (const stack of this.#sources.values()) {
      for (const sample of stack.at(-1)?.(read) ?? []) {
        const key = `${sample.metricName ?? ''}${seriesKey(sample.labels)}`;
        const known = merged.get(key);
        merged.set(key, known === undefined ? sample : { ...known, value: known.value + sample.value });
      }
    }
    return [...merged.values()];
  }
}

/** The running configuration's and that of one that is being tried. */
const SOURCES_MAX = 2;

/** Equal for equal labels, whatever their order. */
export function seriesKey(labels: Readonly<Record<string, string | number>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A counter in one slot. A labelled series appears with its first sample, one without labels at once. */
export function counterSource(slot: number, labels: Labels): SampleSource {
  const isLabelled = Object.keys(labels).length > 0;
  return (read) => {
    const value = read(slot);
    return value === 0 && isLabelled ? [] : [{ labels: { ...labels }, value }];
  };
}

/**
 * A histogram: each slot counts its own bucket only, the page's buckets contain those below them (`le`).
 * @param slot bounds.length + 1 buckets, then the sum of the observed values
 */
export function histogramSource(name: string, slot: number, bounds: readonly number[], labels: Labels): SampleSource {
  const isLabelled = Object.keys(labels).length > 0;
  return (read) => {
    const samples: Sample[] = [];
    let count = 0;
    for (let i = 0; i <= bounds.length; i++) {
      count += read(slot + i);
      const le = i < bounds.length ? String(bounds[i]) : '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
    }
    if (count === 0 && isLabelled) return [];
    samples.push({ metricName: `${name}_sum`, labels: { ...labels }, value: read(slot + bounds.length + 1) });
    samples.push({ metricName: `${name}_count`, labels: { ...labels }, value: count });
    return samples;
  };
}

/** A value that is asked for; undefined or not a number = not there. */
export function readSource(labels: Labels, readValue: () => number | undefined): SampleSource {
  return () => {
    const value = readValue();
    return value === undefined || Number.isNaN(value) ? [] : [{ labels: { ...labels }, value }];
  };
}

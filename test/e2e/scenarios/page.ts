// A /metrics page as far as two servers can be compared: series by name and labels, with ports and folders as words.

import { seriesOf as samplesOf } from '../../metrics/page.ts';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What stands for a text that only one of the servers has: its ports, its folder. */
export type Masks = readonly (readonly [from: string, to: string])[];

/** Families of the runtimes and of this project alone (docs/differences.md). */
const OWN = /^(?:go|nodejs|wasmdns)_/;
/** Labels whose value tells the servers apart by intent. */
const FREE_LABELS: Readonly<Record<string, readonly string[]>> = {
  coredns_build_info: ['version', 'revision', 'goversion'],
  coredns_reload_version_info: ['value'],
};

export function readPage(page: string, masks: Masks): Sample[] {
  return samplesOf(page)
    .filter(({ name }) => !OWN.test(name))
    .map(({ name, labels, value }) => {
      const free = FREE_LABELS[name] ?? [];
      const neutral = Object.entries(labels).map(([label, text]) => {
        return [label, free.includes(label) ? '*' : masked(text, masks)] as const;
      });
      return { name, labels: Object.fromEntries(neutral), value };
    });
}

export function masked(text: string, masks: Masks): string {
  return masks.reduce((neutral, [from, to]) => neutral.replaceAll(from, to), text);
}

export function seriesKey({ name, labels }: Omit<Sample, 'value'>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${pairs.map(([label, text]) => `${label}=${JSON.stringify(text)}`).join(',')}}`;
}

/** Differences, a line each: series, buckets, and the values that are defined. */
export function comparePages(
  left: readonly Sample[],
  right: readonly Sample[],
  isDefined: (name: string) => boolean,
): string[] {
  const [a, b] = [left, right].map((page) => new Map(page.map((sample) => [seriesKey(sample), sample]))) as [
    Map<string, Sample>,
    Map<string, Sample>,
  ];
  const differences: string[] = [];
  for (const [key, sample] of a) {
    const other = b.get(key);
    if (other === undefined) differences.push(`series only of CoreDNS: ${key} ${sample.value}`);
    else if (isValueDefined(sample, isDefined) && other.value !== sample.value) {
      differences.push(`value of ${key}: ${sample.value} / ${other.value}`);
    }
  }
  for (const [key, { value }] of b) if (!a.has(key)) differences.push(`series only of wasmdns: ${key} ${value}`);
  return differences;
}

/** Times: only how many were measured, not how long they were. */
function isValueDefined({ name, labels }: Sample, isDefined: (name: string) => boolean): boolean {
  if (!isDefined(name)) return false;
  if (/timestamp|_info$|_age_|^process_/.test(name)) return false;
  if (!/_seconds(?:_|$)/.test(name)) return true;
  return name.endsWith('_count') || labels['le'] === '+Inf';
}

// coredns_template_*: names, help texts and labels are CoreDNS's. Matches of usual questions have slots of their own;
// everything rare goes to the main thread as a message and is counted there.

import type { ControlServices, Plain, ServerBlock, ShardServices } from '../../plugin/contract.ts';
import { labelOfClass, typeLabel } from './labels.ts';
import type { Section, TemplateConfig, TemplateRule } from './parse.ts';

/** Slots for this many combinations of server, zone, class and type; a block rarely has ten. */
const KNOWN_MAX = 256;
/** Types that a rule for ANY type gets slots for. */
const USUAL_TYPES = ['A', 'AAAA', 'PTR', 'SRV', 'MX', 'TXT', 'NS', 'SOA', 'HTTPS'];

export interface MatchLabels {
  readonly server: string;
  readonly zone: string;
  readonly class: string;
  readonly type: string;
}

/** Slots of coredns_template_matches_total by key(). */
export type KnownSlots = { readonly [key: string]: number };

type Notice = {
  readonly family: 'matches' | 'template_failures' | 'rr_failures';
  readonly labels: Readonly<Record<string, string>>;
};

const HELP: Readonly<Record<Notice['family'], string>> = {
  matches: 'Counter of template regex matches.',
  template_failures: 'Counter of go template failures.',
  rr_failures: 'Counter of mis-templated RRs.',
};

export function claimSlots(config: TemplateConfig, block: ServerBlock, services: ControlServices): KnownSlots {
  const slots: Record<string, number> = {};
  const servers = [...new Set(block.keys.map(({ server }) => server))];
  for (const labels of config.rules.flatMap((rule) => usualLabels(rule, servers)).slice(0, KNOWN_MAX)) {
    slots[key(labels)] = services.metrics.counter('coredns_template_matches_total', HELP.matches, seriesOf(labels));
  }
  return slots;
}

function usualLabels(rule: TemplateRule, servers: readonly string[]): MatchLabels[] {
  const type = typeLabel(rule.type);
  const types = type === 'ANY' ? USUAL_TYPES : [type];
  const matchedClass = labelOfClass(rule.class);
  return servers.flatMap((server) =>
    rule.zones.flatMap((zone) => types.map((name) => ({ server, zone, class: matchedClass, type: name }))),
  );
}

/** On the main thread: what a shard's Counts could not count itself. */
export function countNotice(message: Plain, services: ControlServices): void {
  const { family, labels } = message as Notice;
  const slot = services.metrics.counter(`coredns_template_${family}_total`, HELP[family], labels);
  services.metrics.slots.add(slot, 1);
}

export class Counts {
  readonly #slots: KnownSlots;
  readonly #services: ShardServices;

  constructor(slots: KnownSlots, services: ShardServices) {
    this.#slots = slots;
    this.#services = services;
  }

  match(labels: MatchLabels): void {
    const slot = this.#slots[key(labels)];
    if (slot !== undefined) this.#services.slots.add(slot, 1);
    else this.#services.notifyControl({ family: 'matches', labels: seriesOf(labels) });
  }

  failure(family: 'template_failures' | 'rr_failures', labels: MatchLabels, section: Section, template: string): void {
    this.#services.notifyControl({ family, labels: { ...seriesOf(labels), section, template } });
  }
}

function key({ server, zone, class: queryClass, type }: MatchLabels): string {
  return `${server} ${zone} ${queryClass} ${type}`;
}

function seriesOf(labels: MatchLabels): Record<string, string> {
  const { server, zone, class: queryClass, type } = labels;
  return { server, zone, view: '', class: queryClass, type };
}

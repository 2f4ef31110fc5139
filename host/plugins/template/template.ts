// CoreDNS plugin template: answers made from Go templates over the question. See README.md.
//
//   rule 1 ─ elsewhere ─► rule 2 ─ elsewhere ─► ... ─► next plugin
//     │ │                  unmatched: falls through like elsewhere, or SERVFAIL
//     │ └ unmatched without fallthrough ─► SERVFAIL
//     └ matched ─► records from texts ─► answer

import {
  EDNS_DO,
  FLAG_AA,
  FLAG_TC,
  OPTION_EDE,
  RCODE_SERVFAIL,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
} from '../../../engine-as/shared/codes.ts';
import type { Edns } from '../../dns/edns.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { longestZone, spelledText } from '../../dns/name.ts';
import { parseRecord, UnwritableRecord, ZoneFileError } from '../../dns/zone-file.ts';
import { errorAnswer } from '../../plugin/chain.ts';
import type { Answer, Control, Directive, Next, Outcome, Plugin, Query, ShardServices } from '../../plugin/contract.ts';
import { Counts, claimSlots, countNotice, type KnownSlots, type MatchLabels } from './counts.ts';
import { type Matched, templateData } from './data.ts';
import { executeTemplate, TemplateError } from './language/interpreter.ts';
import { listText } from './language/nodes.ts';
import type { Template } from './language/parser.ts';
import type { Struct } from './language/values.ts';
import { literalsOf } from './literals.ts';
import { parseTemplates, type Section, type TemplateConfig, type TemplateRule } from './parse.ts';
import { Rule, SECTIONS } from './rule.ts';

const EDE_PAYLOAD_BYTES = 4096;

export const template: Directive<TemplateConfig, Control> = {
  name: 'template',
  parse: parseTemplates,
  control: (config, block, services) => ({
    shared: claimSlots(config, block, services),
    onNotice: (message) => countNotice(message, services),
  }),
  compile: ({ rules }, program) =>
    program.slowFor(
      rules.map((rule) => ({
        zones: rule.zones,
        class: rule.class,
        type: rule.type,
        literals: literalsOf(rule.patterns),
        fallthrough: rule.fallthrough,
      })),
    ),
  create: (config, _block, services, shared) => new Templates(config, services, shared as KnownSlots),
};

/** A template that failed, or whose text is no record. */
class FailedRecord extends Error {
  override name = 'FailedRecord';
}

/** Records that CoreDNS cannot write either: it sends nothing at all. */
type Unsent = 'missing' | 'unwritable';
const MISSING = 'the text of an answer holds no record';

class Templates implements Plugin {
  readonly name = 'template';
  readonly #zones: readonly string[];
  readonly #rules: readonly Rule[];
  readonly #services: ShardServices;
  readonly #counts: Counts;

  constructor(config: TemplateConfig, services: ShardServices, slots: KnownSlots) {
    this.#zones = config.rules.flatMap(({ zones }) => zones);
    this.#rules = config.rules.map((rule) => new Rule(rule));
    this.#services = services;
    this.#counts = new Counts(slots, services);
  }

  async answer(query: Query, next: Next): Promise<Outcome> {
    if (longestZone(this.#zones, query.name) === undefined) return next(query);
    for (const rule of this.#rules) {
      const fit = rule.fit(query);
      if (fit === 'elsewhere') continue;
      if (fit !== 'unmatched') return this.#matched(rule, fit);
      if (!rule.fallsThrough(query.name)) return errorAnswer(RCODE_SERVFAIL, this.name, '');
    }
    return next(query);
  }

  async #matched(rule: Rule, matched: Matched): Promise<Outcome> {
    const labels: MatchLabels = {
      server: matched.query.server,
      zone: matched.zone,
      class: matched.class,
      type: matched.type,
    };
    this.#counts.match(labels);
    if (rule.config.rcode === RCODE_SERVFAIL) return errorAnswer(RCODE_SERVFAIL, this.name, '');
    try {
      return await this.#compose(rule, matched, labels);
    } catch (error) {
      if (error instanceof FailedRecord) return errorAnswer(RCODE_SERVFAIL, this.name, error.message);
      throw error;
    }
  }

  async #compose(rule: Rule, matched: Matched, labels: MatchLabels): Promise<Answer> {
    const { rcode, error } = rule.config;
    const data = templateData(matched);
    const sections: Record<Section, ResourceRecord[]> = { answer: [], additional: [], authority: [] };
    const hollow: Section[] = [];
    let isTruncated = false;
    // CoreDNS cannot write an extended rcode without OPT, and sends nothing
    let isSilent = rcode > 0xf && error === undefined && matched.query.message.edns === undefined;
    for (const section of SECTIONS) {
      for (const text of rule.templates[section]) {
        const record = this.#record(text, data, labels, section);
        isSilent ||= typeof record === 'string';
        if (record === 'missing' && isLookedAt(matched.query, section, rule.config)) throw new Error(MISSING);
        if (record === 'missing') hollow.push(section);
        if (typeof record === 'string') continue;
        sections[section].push(record);
        const chased = section === 'answer' ? await this.#chase(matched.query, record) : undefined;
        if (chased === undefined) continue;
        isTruncated = (chased.flags & FLAG_TC) !== 0;
        sections.answer.push(...chased.answer);
      }
    }
    return {
      kind: 'answer',
      rcode,
      flags: FLAG_AA | (isTruncated ? FLAG_TC : 0),
      ...sections,
      edns: error && extendedErrorEdns(error),
      ...(isSilent && { withheld: 0 }),
      ...(hollow.length > 0 && { hollow }),
      from: this.name,
    };
  }

  /** missing: the text holds none; unwritable: it cannot be packed. */
  #record(text: Template, data: Struct, labels: MatchLabels, section: Section): ResourceRecord | Unsent {
    const fail = (family: 'template_failures' | 'rr_failures', { message }: Error): never => {
      this.#counts.failure(family, labels, section, utf8(listText(text.nodes)));
      throw new FailedRecord(utf8(message));
    };
    let octets: string;
    try {
      octets = executeTemplate(text, data);
    } catch (error) {
      if (error instanceof TemplateError) return fail('template_failures', error);
      throw error;
    }
    try {
      return parseRecord(octets) ?? 'missing';
    } catch (error) {
      if (error instanceof ZoneFileError) return fail('rr_failures', error);
      if (error instanceof UnwritableRecord) return 'unwritable';
      throw error;
    }
  }

  /** The records behind a CNAME, asked of this server itself; undefined where there is nothing to ask. */
  #chase(query: Query, { type, rdata }: ResourceRecord): Promise<Answer> | undefined {
    if (type !== TYPE_CNAME || rdata.length === 0) return undefined;
    if (query.type !== TYPE_A && query.type !== TYPE_AAAA) return undefined;
    return this.#services.resolve(query, spelledText(rdata), query.type);
  }
}

/** CoreDNS panics where it looks for an alias or an OPT and there is no record; elsewhere it cannot pack the reply. */
function isLookedAt({ type }: Query, section: Section, { error }: TemplateRule): boolean {
  if (section === 'additional') return error === undefined;
  return section === 'answer' && (type === TYPE_A || type === TYPE_AAAA);
}

/** CoreDNS sets DO whether or not the client did. */
function extendedErrorEdns({ code, reason }: NonNullable<TemplateRule['error']>): Edns {
  const text = Buffer.from(reason, 'utf8');
  const octets = Uint8Array.of(code >> 8, code & 0xff, ...text);
  return {
    payloadBytes: EDE_PAYLOAD_BYTES,
    extendedRcode: 0,
    version: 0,
    flags: EDNS_DO,
    options: [{ code: OPTION_EDE, octets }],
  };
}

function utf8(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('utf8');
}

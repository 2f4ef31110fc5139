// One `template` of the Corefile in a shard: does it fit a query, and what does it answer.

import { CLASS_ANY, TYPE_ANY } from '../../../engine-as/shared/codes.ts';
import { isInZone, longestZone } from '../../dns/name.ts';
import type { Query } from '../../plugin/contract.ts';
import { compileExpression, type Expression } from '../../plugin/expression.ts';
import type { Matched } from './data.ts';
import { classLabel, typeLabel } from './labels.ts';
import type { Template } from './language/parser.ts';
import { compileTemplate, type Section, type TemplateRule } from './parse.ts';

export const SECTIONS: readonly Section[] = ['answer', 'additional', 'authority'];

/** `elsewhere`: zone, class or type do not fit. `unmatched`: they do, but no expression does. */
export type Fit = Matched | 'elsewhere' | 'unmatched';

export class Rule {
  readonly config: TemplateRule;
  readonly templates: Readonly<Record<Section, readonly Template[]>>;
  readonly #expressions: readonly Expression[];

  constructor(config: TemplateRule) {
    this.config = config;
    const compiled = SECTIONS.map((section) => [
      section,
      config.texts[section].map((text) => compileTemplate(section, text)),
    ]);
    this.templates = Object.fromEntries(compiled) as Record<Section, readonly Template[]>;
    this.#expressions = config.patterns.map(compileExpression);
  }

  fit(query: Query): Fit {
    const { config } = this;
    const zone = longestZone(config.zones, query.name);
    if (zone === undefined) return 'elsewhere';
    if (!fits(config.class, query.class, CLASS_ANY) || !fits(config.type, query.type, TYPE_ANY)) return 'elsewhere';
    for (const [i, { regex, names }] of this.#expressions.entries()) {
      const matcher = regex.matcher(query.name);
      if (!matcher.find()) continue;
      const match = Array.from({ length: names.length }, (_, group) => matcher.group(group) ?? '');
      return {
        query,
        zone,
        regex: config.patterns[i]!,
        match,
        names,
        class: classLabel(query.class === CLASS_ANY ? config.class : query.class),
        type: typeLabel(query.type === TYPE_ANY ? config.type : query.type),
      };
    }
    return 'unmatched';
  }

  fallsThrough(name: string): boolean {
    return this.config.fallthrough?.some((zone) => isInZone(name, zone)) ?? false;
  }
}

/** A question of ANY fits every rule, a rule for ANY every question. */
function fits(wanted: number, asked: number, any: number): boolean {
  return wanted === any || asked === any || wanted === asked;
}

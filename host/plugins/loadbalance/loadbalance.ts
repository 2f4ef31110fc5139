// Plugin loadbalance: the order of addresses changes from answer to answer, so that clients that take the first one
// spread. Stands above the cache: cached answers are reordered, too.

import {
  RCODE_NOERROR,
  TYPE_A,
  TYPE_AAAA,
  TYPE_AXFR,
  TYPE_CNAME,
  TYPE_IXFR,
  TYPE_MX,
} from '../../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import type { Answer, Directive, Plugin } from '../../plugin/contract.ts';
import { type LoadBalanceConfig, parseLoadBalance } from './parse.ts';

export const loadbalance: Directive<LoadBalanceConfig> = {
  name: 'loadbalance',
  oncePerBlock: false,
  parse: parseLoadBalance,
  compile: (_config, program) => program.rotate(),
  create: () => createPlugin(Math.random),
};

/** @param random uniform in [0, 1) */
export function createPlugin(random: () => number): Plugin {
  return {
    name: 'loadbalance',
    async answer(query, next) {
      const outcome = await next(query);
      // A zone transfer is ordered: it begins and ends with the SOA.
      if (outcome.kind !== 'answer' || query.type === TYPE_AXFR || query.type === TYPE_IXFR) return outcome;
      return outcome.rcode === RCODE_NOERROR ? reordered(outcome, random) : outcome;
    },
  };
}

function reordered(answer: Answer, random: () => number): Answer {
  return {
    ...answer,
    answer: roundRobin(answer.answer, random),
    authority: roundRobin(answer.authority, random),
    additional: roundRobin(answer.additional, random),
  };
}

/** Aliases first, then what has no address in its order, then addresses and mail exchangers, each shuffled. */
function roundRobin(records: readonly ResourceRecord[], random: () => number): ResourceRecord[] {
  const ofTypes = (...types: readonly number[]) => records.filter((record) => types.includes(record.type));
  return [
    ...ofTypes(TYPE_CNAME),
    ...records.filter((record) => !MOVED_TYPES.has(record.type)),
    ...shuffled(ofTypes(TYPE_A, TYPE_AAAA), random),
    ...shuffled(ofTypes(TYPE_MX), random),
  ];
}

const MOVED_TYPES: ReadonlySet<number> = new Set([TYPE_CNAME, TYPE_A, TYPE_AAAA, TYPE_MX]);

/** Fisher and Yates: every order is equally likely. */
function shuffled(records: ResourceRecord[], random: () => number): ResourceRecord[] {
  for (let last = records.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [records[last], records[other]] = [records[other]!, records[last]!];
  }
  return records;
}

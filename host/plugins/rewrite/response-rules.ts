// Response rules applied to a reply.

import { FLAG_TC, TYPE_CNAME } from '../../../engine-as/shared/codes.ts';
import type { EdnsOption } from '../../dns/edns.ts';
import type { Answer } from '../../plugin/contract.ts';
import { type Revert, revert } from './edns.ts';
import { Reply, ReplyRecord } from './reply.ts';
import type { ResponseRule } from './request-rules.ts';

/** Looks a CNAME's new target up; undefined: nothing came back. */
export type LookUp = (name: string) => Promise<Answer | undefined>;

/** The reply as the client is to see it; `rules` in the order in which they were left. */
export async function applyToReply(answer: Answer, rules: readonly ResponseRule[], lookUp: LookUp): Promise<Answer> {
  const reply = new Reply(answer, FLAG_TC);
  const { records } = reply;
  const backwards = rules.toReversed();
  for (const record of records) {
    for (const rule of backwards) {
      if (rule.kind === 'cname') await retarget(reply, record, rule.retarget, lookUp);
      else applyToRecord(reply, record, rule);
    }
  }
  if (reply.opt !== undefined) for (const rule of backwards) applyToOpt(reply, rule);
  // Rules for the whole message work without any record too
  if (records.length === 0 && reply.opt === undefined) for (const rule of backwards) applyToMessage(reply, rule);
  return reply.finished();
}

/** Options of the query as the reply echoes them: reverted once for each record of its additional section. */
export function echoedOptions(
  options: readonly EdnsOption[],
  rules: readonly ResponseRule[],
  records: number,
): readonly EdnsOption[] {
  const reverts = rules.toReversed().filter(isRevert);
  let echoed = options;
  for (let i = 0; i < records; i++) for (const rule of reverts) echoed = revert(echoed, rule);
  return echoed;
}

export function hasReverts(rules: readonly ResponseRule[]): boolean {
  return rules.some(isRevert);
}

function isRevert(rule: ResponseRule): rule is Revert {
  return rule.kind === 'remove' || rule.kind === 'restore';
}

function applyToRecord(reply: Reply, record: ReplyRecord, rule: ResponseRule): void {
  switch (rule.kind) {
    case 'name': {
      const owner = rule.replace(record.owner);
      if (owner !== undefined) record.owner = owner;
      return;
    }
    case 'value': {
      const { value } = record;
      const replaced = value === undefined || value === '' ? undefined : rule.replace(value);
      if (replaced !== undefined && replaced !== value) record.value = replaced;
      return;
    }
    case 'ttl':
      record.ttl = Math.min(Math.max(record.ttl, rule.minSeconds), rule.maxSeconds);
      return;
    default:
      applyToMessage(reply, rule);
  }
}

/** The OPT is a record of the reply as well: a TTL rule changes its flags. */
function applyToOpt(reply: Reply, rule: ResponseRule): void {
  const { opt } = reply;
  if (rule.kind === 'ttl') opt!.ttl = Math.min(Math.max(opt!.ttl, rule.minSeconds), rule.maxSeconds);
  else applyToMessage(reply, rule);
}

function applyToMessage(reply: Reply, rule: ResponseRule): void {
  if (rule.kind === 'rcode') {
    if (reply.rcode === rule.from) reply.rcode = rule.to;
  } else if ((rule.kind === 'remove' || rule.kind === 'restore') && reply.opt !== undefined) {
    reply.opt.edns = { ...reply.opt.edns, options: revert(reply.opt.edns.options, rule) };
  }
}

/** A CNAME whose target matches leads elsewhere: what stood behind it is replaced by what is found there. */
async function retarget(
  reply: Reply,
  record: ReplyRecord,
  replace: (target: string) => string | undefined,
  lookUp: LookUp,
) {
  if (record.record.type !== TYPE_CNAME) return;
  const from = record.value;
  const to = from === undefined ? undefined : replace(from);
  if (from === undefined || to === undefined) return;
  const found = await lookUp(to);
  if (found === undefined) return;
  const chain: ReplyRecord[] = [];
  for (const each of reply.answer) {
    if (each.record.type !== TYPE_CNAME) continue;
    chain.push(each);
    if (each.value !== from) continue;
    each.value = to;
    break;
  }
  reply.answer = [...chain, ...found.answer.map((each) => new ReplyRecord(each))];
  reply.isTruncated = (found.flags & FLAG_TC) !== 0;
}

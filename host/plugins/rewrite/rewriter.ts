// The slow face: rules in file order on the way down, response rules in reverse order on the way back.

import { RCODE_MASK, RCODE_NOERROR, RCODE_SERVFAIL } from '../../../engine-as/shared/codes.ts';
import type { Edns } from '../../dns/edns.ts';
import { composeMessage, type Message } from '../../dns/message.ts';
import { NameError } from '../../dns/name.ts';
import { packedOptionBytes } from '../../dns/rdata-lists.ts';
import type {
  Answer,
  Rewritten as AnswerRewritten,
  Next,
  Outcome,
  Plugin,
  Query,
  ShardServices,
} from '../../plugin/contract.ts';
import { Asked, isName, textBytes } from './asked.ts';
import { type RequestRule, type ResponseRule, requestRule } from './request-rules.ts';
import { applyToReply, echoedOptions, hasReverts } from './response-rules.ts';
import type { RewriteConfig } from './rules.ts';

const NAME = 'rewrite';

/** What the rules made of a query. */
interface Rewritten {
  readonly asked: Asked;
  readonly rules: readonly ResponseRule[];
  /** The reply repeats the question as it was asked. */
  readonly isRestored: boolean;
}

export function createRewriter(config: RewriteConfig, services: ShardServices): Plugin {
  const rules = config.rules.map(requestRule);
  return {
    name: NAME,
    async answer(query: Query, next: Next): Promise<Outcome> {
      const asked = new Asked(query);
      const rewritten = applyRules(rules, asked);
      if (rewritten === undefined) return invalidName(asked);
      if (!asked.isChanged && !rewritten.isRestored) return next(query);
      const message = messageOf(asked);
      if (message === undefined) return invalidName(asked);
      const { name, type, class: qclass } = message.questions[0]!;
      const seen: Query = { ...query, message, name, type, class: qclass };
      const outcome = await next(seen);
      if (outcome.kind === 'drop') return { ...outcome, rewritten: { message, isRestored: rewritten.isRestored } };
      if (!rewritten.isRestored) return { ...outcome, rewritten: { message, isRestored: false } };
      return restored(outcome, rewritten, seen, services);
    },
  };
}

/** Undefined: a rule made something that is no name. */
function applyRules(rules: readonly RequestRule[], asked: Asked): Rewritten | undefined {
  const left: ResponseRule[] = [];
  for (const rule of rules) {
    const applied = rule.apply(asked);
    if (applied === undefined) continue;
    if (!isName(asked.name)) return undefined;
    left.push(...applied);
    if (rule.isLast) return { asked, rules: left, isRestored: true };
  }
  return { asked, rules: left, isRestored: left.length > 0 };
}

function messageOf(asked: Asked): Message | undefined {
  try {
    return asked.message();
  } catch (error) {
    // Names of 256 and 257 octets pass for names in CoreDNS until they are packed
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

/** The question is the client's again, the options are not. */
function invalidName(asked: Asked): Answer {
  const { message } = asked.query;
  return {
    ...written(RCODE_SERVFAIL),
    error: `invalid name after rewrite: ${asked.name}`,
    rewritten: { message: { ...message, edns: asked.edns }, isRestored: true },
  };
}

/** A reply with nothing but an rcode. */
function written(rcode: number): Answer {
  return { kind: 'answer', rcode, flags: 0, answer: [], authority: [], additional: [], from: NAME };
}

async function restored(
  outcome: Answer,
  { asked, rules }: Rewritten,
  seen: Query,
  services: ShardServices,
): Promise<Outcome> {
  const { message } = seen;
  // For an error of a plugin below there is no message yet; the rules need one
  const isError = outcome.error !== undefined;
  if (outcome.hollow !== undefined) throw new Error('a record is missing');
  const base = isError ? { ...written(outcome.rcode), edns: message.edns && echo(message.edns, services) } : outcome;
  let target: string | undefined;
  const answer = await applyToReply(base, rules, async (name) => {
    target = name;
    const found = await services.resolve(seen, name, asked.type);
    if (found.error === undefined) return found;
    services.log.error('upstream lookup returned nil');
    return undefined;
  });
  // CoreDNS cannot write an extended rcode without OPT, and sends nothing
  const isSilent = answer.rcode > RCODE_MASK && answer.edns === undefined && message.edns === undefined;
  const records = message.additional.length + (message.edns === undefined ? 0 : 1);
  const edns = message.edns && { ...message.edns, options: echoedOptions(message.edns.options, rules, records) };
  const reported = isError && outcome.error !== '' ? { rcode: RCODE_NOERROR, text: outcome.error! } : undefined;
  const logged = loggedBytes(message, target, hasReverts(rules), base, services);
  const rewritten = { message: { ...message, edns }, isRestored: true, reported, ...logged };
  return { ...answer, rewritten, ...(isSilent && { withheld: answer.withheld ?? 0 }) };
}

/**
 * CoreDNS logs the query as it is in the end. A reply without OPT borrows the query's, which then loses what is not
 * echoed; but it is a copy that is borrowed, if there is something to revert in it. A CNAME's new target has become the
 * name of the question.
 */
function loggedBytes(
  message: Message,
  target: string | undefined,
  isReverted: boolean,
  base: Answer,
  services: ShardServices,
): Pick<AnswerRewritten, 'loggedBytes'> {
  const isWritten = base.from === NAME;
  if (!isWritten && !isReverted && target === undefined) return {};
  const isBorrowed = isWritten || (!isReverted && base.edns === undefined);
  const edns = message.edns && isBorrowed ? echo(message.edns, services) : message.edns;
  const wire = message.questions[0]!.wire.length;
  const name = target === undefined ? wire : textBytes(target.endsWith('.') ? target : `${target}.`);
  const options = edns?.options ?? [];
  const repacked = options.reduce((sum, { code, octets }) => sum + packedOptionBytes(code, octets) - octets.length, 0);
  return { loggedBytes: composeMessage({ ...message, edns }).length + repacked - wire + name };
}

/** The query's OPT as a reply has it (CoreDNS core, A5): its owner is the root, whoever it was. */
function echo({ payloadBytes, flags, options }: Edns, { isEchoed }: ShardServices): Edns {
  const echoed = options.filter(({ code }) => isEchoed(code));
  return { payloadBytes, extendedRcode: 0, version: 0, flags: flags & 0xff00, options: echoed };
}

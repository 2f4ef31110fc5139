// A question of the slow face on its way through a relay: the query as octets there, the reply as an Answer back.

import {
  FLAG_AA,
  FLAG_AD,
  FLAG_CD,
  FLAG_RA,
  FLAG_RD,
  FLAG_TC,
  FLAG_Z,
  RCODE_FORMERR,
} from '../../../engine-as/shared/codes.ts';
import { composeMessage, MessageError, parseMessage, rcodeOf } from '../../dns/message.ts';
import type { Answer, Exchanges, Query } from '../../plugin/contract.ts';
import type { StanzaRelay } from './relay.ts';
import { repeatsQuestion } from './reply.ts';

const NAME = 'forward';
const ANSWER_FLAGS = FLAG_AA | FLAG_TC | FLAG_RD | FLAG_RA | FLAG_AD | FLAG_CD | FLAG_Z;
const EMPTY = { kind: 'answer', flags: 0, answer: [], authority: [], additional: [], from: NAME } as const;

/** Resolves with undefined when the next stanza is to be asked. */
export function askRelay(
  relay: StanzaRelay,
  query: Query,
  wantsAd: boolean,
  exchanges: Exchanges,
): Promise<Answer | undefined> {
  const flags = wantsAd ? query.message.flags | FLAG_AD : query.message.flags;
  const octets = composeMessage({ ...query.message, flags });
  return new Promise((resolve) => {
    relay.ask({
      octets,
      isStream: query.proto === 'tcp',
      onAttempt: (upstream) => query.metadata.set('forward/upstream', () => upstream),
      finish: (offset, bytes) => {
        // A copy of its own: slice() of a Buffer would go on reading the shared slot.
        const reply = new Uint8Array(exchanges.octets.subarray(offset, offset + bytes));
        const answer = answerOf(octets, reply);
        if (answer === undefined) return false;
        resolve(answer);
        return true;
      },
      fail: (rcode, text) => resolve({ ...EMPTY, rcode, error: text }),
      handOver: () => resolve(undefined),
    });
  });
}

/** undefined: the reply does not parse. */
function answerOf(query: Uint8Array, octets: Uint8Array): Answer | undefined {
  // Another question's answer: FORMERR, as CoreDNS says it
  if (!repeatsQuestion(query, 0, octets, 0, octets.length)) return { ...EMPTY, rcode: RCODE_FORMERR };
  try {
    const message = parseMessage(octets);
    const { answer, authority, additional, edns } = message;
    const flags = message.flags & ANSWER_FLAGS;
    const question = message.questions[0];
    return {
      kind: 'answer',
      rcode: rcodeOf(message),
      flags,
      answer,
      authority,
      additional,
      edns,
      question,
      from: NAME,
    };
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

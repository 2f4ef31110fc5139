// Queries, answers and ends of chains for tests of slow faces.

import { CLASS_IN, FLAG_RD, TYPE_A } from '../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../host/dns/message.ts';
import { composeName, nameText } from '../../host/dns/name.ts';
import type { Answer, Next, Query } from '../../host/plugin/contract.ts';
import { NO_LABELS } from '../../host/plugin/metadata.ts';

/** @param name in the client's spelling */
export function queryFor(name: string, fields: Partial<Query> = {}): Query {
  const wire = composeName(name);
  const question = { name: nameText(wire), type: fields.type ?? TYPE_A, class: fields.class ?? CLASS_IN, wire };
  return {
    message: { id: 1, flags: FLAG_RD, questions: [question], answer: [], authority: [], additional: [] },
    name: question.name,
    type: question.type,
    class: question.class,
    proto: 'udp',
    remote: { address: '127.0.0.1', port: 40212, family: 4 },
    local: { address: '127.0.0.1', port: 53, family: 4 },
    zone: '.',
    server: 'dns://:53',
    handle: 1,
    metadata: NO_LABELS,
    bytes: 12 + wire.length + 4,
    ...fields,
  };
}

export function answerOf(fields: Partial<Answer> = {}): Answer {
  return { kind: 'answer', rcode: 0, flags: 0, answer: [], authority: [], additional: [], from: 'test', ...fields };
}

export function recordOf(type: number, name: string, ...rdata: readonly number[]): ResourceRecord {
  return { name, type, class: CLASS_IN, ttl: 30, rdata: Uint8Array.from(rdata) };
}

/** The rest of a chain: always gives `answer` and remembers what it was asked. */
export function chainEnd(answer: Awaited<ReturnType<Next>>): { next: Next; asked: Query[] } {
  const asked: Query[] = [];
  const next: Next = async (query) => {
    asked.push(query);
    return answer;
  };
  return { next, asked };
}

// What a template sees of one query: CoreDNS's names, Go's types.

import {
  FLAG_AA,
  FLAG_AD,
  FLAG_CD,
  FLAG_QR,
  FLAG_RA,
  FLAG_RD,
  FLAG_TC,
  FLAG_Z,
} from '../../../engine-as/shared/codes.ts';
import { opcodeOf, type Question, rcodeOf } from '../../dns/message.ts';
import { spelledText } from '../../dns/name.ts';
import { className, typeName } from '../../dns/types.ts';
import type { Query } from '../../plugin/contract.ts';
import { integer, type List, type Struct, type Value } from './language/values.ts';

export interface Matched {
  readonly query: Query;
  /** The zone of the template that holds the name. */
  readonly zone: string;
  readonly regex: string;
  /** What the groups matched, the whole match first; a group that took no part is ''. */
  readonly match: readonly string[];
  /** Names of the groups, '' without one. */
  readonly names: readonly string[];
  readonly class: string;
  readonly type: string;
}

export function templateData(matched: Matched): Struct {
  const { query, match, names } = matched;
  const groups = new Map<string, string>();
  for (const [i, text] of match.entries()) groups.set(String(i), text);
  for (const [i, text] of match.entries()) if (names[i]) groups.set(names[i], text);
  return {
    kind: 'struct',
    type: '*template.templateData',
    fields: {
      Zone: () => matched.zone,
      Name: () => query.name,
      Regex: () => matched.regex,
      Match: () => ({ kind: 'list', type: '[]string', items: match }),
      Group: () => ({ kind: 'map', type: 'map[string]string', entries: groups }),
      Class: () => matched.class,
      Type: () => matched.type,
      Message: () => messageData(query),
      Question: () => questionData(query.message.questions[0]!, '*dns.Question'),
      Remote: () => query.remote.address.replace(/%.*$/, ''),
    },
    methods: { Meta: (name) => query.metadata.get(name) ?? '' },
  };
}

function messageData(query: Query): Struct {
  const { message } = query;
  const flag = (bit: number) => () => (message.flags & bit) !== 0;
  return {
    kind: 'struct',
    type: '*dns.Msg',
    fields: {
      Id: () => integer(message.id, 'uint16'),
      Response: flag(FLAG_QR),
      Opcode: () => integer(opcodeOf(message)),
      Authoritative: flag(FLAG_AA),
      Truncated: flag(FLAG_TC),
      RecursionDesired: flag(FLAG_RD),
      RecursionAvailable: flag(FLAG_RA),
      Zero: flag(FLAG_Z),
      AuthenticatedData: flag(FLAG_AD),
      CheckingDisabled: flag(FLAG_CD),
      Rcode: () => integer(rcodeOf({ flags: message.flags })),
      Compress: () => false,
      Question: () =>
        list(
          '[]dns.Question',
          message.questions.map((question) => questionData(question, 'dns.Question')),
        ),
      Answer: () => records(message.answer.length),
      Ns: () => records(message.authority.length),
      Extra: () => records(message.additional.length + (message.edns === undefined ? 0 : 1)),
    },
  };
}

/** Only their number can be used. */
function records(count: number): List {
  const record: Struct = { kind: 'struct', type: 'dns.RR', fields: {} };
  return list(
    '[]dns.RR',
    Array.from({ length: count }, () => record),
  );
}

function list(type: string, items: readonly Value[]): List {
  return { kind: 'list', type, items };
}

function questionData(question: Question, type: string): Struct {
  const name = spelledText(question.wire);
  const text = `;${name}\t${className(question.class)}\t ${typeName(question.type)}`;
  return {
    kind: 'struct',
    type,
    fields: {
      Name: () => name,
      Qtype: () => integer(question.type, 'uint16'),
      Qclass: () => integer(question.class, 'uint16'),
      // A method without arguments reads like a field
      String: () => text,
    },
    text: type.startsWith('*') ? () => text : () => `{${name} ${question.type} ${question.class}}`,
  };
}

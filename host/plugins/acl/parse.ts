// `acl [ZONES...] { allow|block|filter|drop [type TYPE...] [net ADDRESS...] }`

import type { DirectiveReader, Token } from '../../corefile/reader.ts';
import { parseAddressBlock } from '../../dns/address.ts';
import { isTypeMnemonic, typeNumber } from '../../dns/types.ts';
import type { AccessAction, AccessPolicy, Subnet } from '../../plugin/contract.ts';

export type AclConfig = {
  readonly rules: readonly AclRule[];
};

/** One `acl` of the Corefile. */
export type AclRule = {
  readonly zones: readonly string[];
  readonly policies: readonly AccessPolicy[];
};

const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const;
const SECTIONS = ['type', 'net'] as const;
type Section = (typeof SECTIONS)[number];

/** Words of CoreDNS's library for numbers that are no types; of these 0 stands for every type here. */
const NO_TYPE = 'None';
const RESERVED_TYPE = { word: 'Reserved', type: 65535 };
const EVERYTHING = '*';
type Values<T> = readonly T[] | typeof EVERYTHING;

export function parseAcl(reader: DirectiveReader): AclConfig {
  return {
    rules: reader.each(({ args }) => {
      const zones = reader.zones(args);
      const policies: AccessPolicy[] = [];
      for (const word of reader.wordsOfBlock()) policies.push(parsePolicy(reader, word));
      return { zones, policies };
    }),
  };
}

function parsePolicy(reader: DirectiveReader, word: Token): AccessPolicy {
  const action = ACTIONS.find((known) => known === word.text.toLowerCase());
  if (action === undefined) throw unexpected(reader, word, "'allow', 'block', 'filter' or 'drop'", ACTIONS);
  return policyOf(reader, action, reader.restOfLine());
}

/** A section may come again: what it names adds up. One that is missing stands for everything. */
function policyOf(reader: DirectiveReader, action: AccessAction, words: readonly Token[]): AccessPolicy {
  let types: Values<number> | undefined;
  let subnets: Values<Subnet> | undefined;
  for (let at = 0; at < words.length; ) {
    const word = words[at]!;
    const section = sectionOf(word);
    if (section === undefined) throw unexpected(reader, word, "'type | net'", SECTIONS);
    const values = valuesOf(words.slice(at + 1));
    if (values.length === 0) throw reader.error(word, `no token specified in "${section}" section`);
    if (section === 'type')
      types = together(
        types,
        readAll(values, (value) => typeOf(reader, value)),
      );
    else
      subnets = together(
        subnets,
        readAll(values, (value) => subnetOf(reader, value)),
      );
    at += 1 + values.length;
  }
  return { action, types: unlessAll(types), subnets: unlessAll(subnets) };
}

function unlessAll<T>(values: Values<T> | undefined): readonly T[] | undefined {
  return values === EVERYTHING ? undefined : values;
}

function sectionOf({ text }: Token): Section | undefined {
  return SECTIONS.find((section) => section === text.toLowerCase());
}

/** Up to the next section. */
function valuesOf(words: readonly Token[]): readonly Token[] {
  const next = words.findIndex((word) => sectionOf(word) !== undefined);
  return next < 0 ? words : words.slice(0, next);
}

/** As CoreDNS reads them: what stands behind `*` is not looked at. */
function readAll<T>(values: readonly Token[], read: (value: Token) => T | typeof EVERYTHING): Values<T> {
  const all: T[] = [];
  let isAll = false;
  for (const value of values) {
    if (value.text === EVERYTHING) return EVERYTHING;
    const one = read(value);
    if (one === EVERYTHING) isAll = true;
    else all.push(one);
  }
  return isAll ? EVERYTHING : all;
}

function together<T>(before: Values<T> | undefined, more: Values<T>): Values<T> {
  if (before === EVERYTHING || more === EVERYTHING) return EVERYTHING;
  return [...(before ?? []), ...more];
}

/** Mnemonics in upper case only, as CoreDNS has them. */
function typeOf(reader: DirectiveReader, token: Token): number | typeof EVERYTHING {
  const { text } = token;
  if (text === NO_TYPE) return EVERYTHING;
  if (text === RESERVED_TYPE.word) return RESERVED_TYPE.type;
  const known = isTypeMnemonic(text) ? typeNumber(text) : undefined;
  if (known === undefined) throw unexpected(reader, token, 'legal QTYPE', []);
  return known;
}

function subnetOf(reader: DirectiveReader, token: Token): Subnet {
  const { text } = token;
  const block = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;
  const subnet = parseAddressBlock(block);
  if (subnet === undefined) throw reader.error(token, `illegal CIDR notation ${JSON.stringify(block)}`);
  return subnet;
}

function unexpected(reader: DirectiveReader, token: Token, expected: string, known: readonly string[]) {
  return reader.unknownWord(token, `unexpected token ${JSON.stringify(token.text)}; expect ${expected}`, known);
}

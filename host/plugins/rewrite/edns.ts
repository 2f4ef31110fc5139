// Rules of the field edns0: they change the options of the query, and with `revert` take that back in the reply.

import { OPTION_ECS, OPTION_NSID } from '../../../engine-as/shared/codes.ts';
import { addressOctets } from '../../dns/address.ts';
import type { EdnsOption } from '../../dns/edns.ts';
import type { Asked } from './asked.ts';
import type { LocalRule, NsidRule, SubnetRule } from './rules.ts';

/** What is done to the options of the reply, and of the query while it is echoed. */
export type Revert =
  | { readonly kind: 'remove'; readonly code: number }
  /** @param code of the option that is looked for. */
  | { readonly kind: 'restore'; readonly code: number; readonly option: EdnsOption };

export interface EdnsOutcome {
  readonly isDone: boolean;
  readonly reverts: readonly Revert[];
}

const IGNORED: EdnsOutcome = { isDone: false, reverts: [] };
const DONE: EdnsOutcome = { isDone: true, reverts: [] };

/**
 * Codes that CoreDNS's DNS library has types for: a local rule does not find them in a query, and adds a second one.
 * LLQ UL NSID ESU DAU DHU N3U ECS EXPIRE COOKIE KEEPALIVE PADDING EDE REPORTING ZONEVERSION.
 */
const TYPED_CODES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 18, 19]);

/**
 * Options that rules have made. CoreDNS's library does not note the code in an option with a type of its own that came
 * with the query: `revert` then looks for code 0 in the reply, and takes nothing back.
 */
const MADE = new WeakSet<EdnsOption>();
/** Those that local rules have added: only local rules find them, whatever their code. */
const LOCAL = new WeakSet<EdnsOption>();

export function applyEdns(rule: LocalRule | NsidRule | SubnetRule, asked: Asked): EdnsOutcome {
  if (rule.option === 'nsid') return applyNsid(rule, asked);
  return rule.option === 'subnet' ? applySubnet(rule, asked) : applyLocal(rule, asked);
}

function applyLocal(rule: LocalRule, asked: Asked): EdnsOutcome {
  const isVariable = typeof rule.data === 'string';
  const octets = isVariable ? variableOctets(rule.data as string, asked) : (rule.data as Uint8Array);
  if (octets === undefined) return IGNORED;
  if (rule.action === 'unset') return unset(asked, rule.code);
  const index = asked.options.findIndex((option) => option.code === rule.code && isLocal(option));
  if (index >= 0 && rule.action !== 'append') return replace(asked, index, octets, rule.isReverted);
  // A variable is not appended where the option is; a text is
  if (index >= 0 && isVariable) return IGNORED;
  if (rule.action === 'replace') return IGNORED;
  const option = { code: rule.code, octets };
  LOCAL.add(option);
  return append(asked, option, rule.isReverted);
}

function isLocal(option: EdnsOption): boolean {
  return !TYPED_CODES.has(option.code) || LOCAL.has(option);
}

function applyNsid(rule: NsidRule, asked: Asked): EdnsOutcome {
  if (rule.action === 'unset') return unset(asked, OPTION_NSID);
  const empty = new Uint8Array();
  const index = asked.options.findIndex((option) => option.code === OPTION_NSID && !isLocal(option));
  if (index >= 0 && rule.action !== 'append') return replace(asked, index, empty, rule.isReverted);
  return rule.action === 'replace' ? IGNORED : append(asked, { code: OPTION_NSID, octets: empty }, rule.isReverted);
}

function applySubnet(rule: SubnetRule, asked: Asked): EdnsOutcome {
  if (rule.action === 'unset') return unset(asked, OPTION_ECS);
  const index = asked.options.findIndex((option) => option.code === OPTION_ECS && !isLocal(option));
  if (index >= 0 && rule.action === 'append') return IGNORED;
  if (index < 0 && rule.action === 'replace') return IGNORED;
  const octets = subnetOctets(rule, asked);
  if (octets === undefined) return IGNORED;
  if (index >= 0) return replace(asked, index, octets, rule.isReverted);
  return append(asked, { code: OPTION_ECS, octets }, rule.isReverted);
}

function unset(asked: Asked, code: number): EdnsOutcome {
  asked.options = asked.options.filter((option) => option.code !== code);
  return DONE;
}

function replace(asked: Asked, index: number, octets: Uint8Array, isReverted: boolean): EdnsOutcome {
  const old = asked.options[index]!;
  const changed = { code: old.code, octets };
  asked.options = asked.options.with(index, changed);
  const isTyped = TYPED_CODES.has(old.code) && !MADE.has(old);
  if (!isTyped) MADE.add(changed);
  if (LOCAL.has(old)) LOCAL.add(changed);
  if (!isReverted) return DONE;
  return { isDone: true, reverts: [{ kind: 'restore', code: isTyped ? 0 : old.code, option: old }] };
}

function append(asked: Asked, option: EdnsOption, isReverted: boolean): EdnsOutcome {
  MADE.add(option);
  asked.options = [...asked.options, option];
  return isReverted ? { isDone: true, reverts: [{ kind: 'remove', code: option.code }] } : DONE;
}

/** One application of a revert: the first option of the code. */
export function revert(options: readonly EdnsOption[], rule: Revert): readonly EdnsOption[] {
  const index = options.findIndex(({ code }) => code === rule.code);
  if (index < 0) return options;
  return rule.kind === 'remove' ? options.toSpliced(index, 1) : options.with(index, rule.option);
}

/** ECS of the client's own address (RFC 7871 §6): family, prefix length, scope 0, the address's octets in use. */
function subnetOctets(rule: SubnetRule, { query }: Asked): Uint8Array | undefined {
  const { address, family } = query.remote;
  const octets = addressOctets(address);
  if (octets === undefined) return undefined;
  const bits = family === 4 ? rule.ipv4Bits : rule.ipv6Bits;
  const prefix = octets.slice(0, Math.ceil(bits / 8));
  if (bits % 8 !== 0) prefix[prefix.length - 1]! &= 0xff << (8 - (bits % 8));
  return Uint8Array.of(0, family === 4 ? 1 : 2, bits, 0, ...prefix);
}

/** Octets of a variable; undefined where there are none. */
function variableOctets(variable: string, asked: Asked): Uint8Array | undefined {
  const { query } = asked;
  switch (variable) {
    case '{qname}':
      return Uint8Array.from(Buffer.from(asked.name));
    case '{qtype}':
      return number16(asked.type);
    case '{client_ip}':
      return addressOf(query, query.remote.address);
    case '{server_ip}':
      return addressOf(query, query.local.address);
    case '{client_port}':
      return number16(query.remote.port);
    case '{server_port}':
      return number16(query.local.port);
    case '{protocol}':
      return Uint8Array.from(Buffer.from(query.proto));
    default: {
      const value = query.metadata.get(variable.slice(1, -1));
      return value === undefined || value === '' ? undefined : Uint8Array.from(Buffer.from(value));
    }
  }
}

/** Of the client's family only: the wildcard address `::` says nothing to an IPv4 client. */
function addressOf({ remote }: Asked['query'], address: string): Uint8Array | undefined {
  const octets = addressOctets(address);
  return octets?.length === (remote.family === 4 ? 4 : 16) ? octets : undefined;
}

function number16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

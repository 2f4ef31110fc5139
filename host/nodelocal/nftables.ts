// The rules as a table of nf_tables, by netlink: no program is needed. With an owner (Linux 5.12) the table is the socket's and
// the kernel removes it with the process, however that ends; nobody else can change it meanwhile.
//
// Rules that accept are left out: an accept here does not overrule a drop in somebody else's chain.
//
//   nfgenmsg  0 u8 family · 1 u8 version · 2 u16 subsystem (network order)                                          = 4

import { addressOctets } from '../dns/address.ts';
import { EINVAL, ENOENT, SocketError } from '../net/errno.ts';
import {
  attribute,
  NETLINK_NETFILTER,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  textAttribute,
} from '../net/netlink.ts';
import type { Rule } from './rules.ts';

export const TABLE = 'wasmdns-node-cache';

const SUBSYSTEM = 10;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const [NEW_TABLE, GET_TABLE, DEL_TABLE, NEW_CHAIN, NEW_RULE, GET_RULE] = [0, 1, 2, 3, 6, 7];
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;
const TABLE_NAME = 1;
const TABLE_FLAGS = 2;
const TABLE_F_OWNER = 2;
const [CHAIN_TABLE, CHAIN_NAME, CHAIN_HOOK, CHAIN_TYPE] = [1, 3, 4, 7];
const [HOOK_NUMBER, HOOK_PRIORITY] = [1, 2];
/** In front of the tracking of connections, which has -200. */
const PRIORITY_RAW = -300;
const HOOK_NUMBERS = { prerouting: 0, input: 1, output: 3 };
const [RULE_TABLE, RULE_CHAIN, RULE_EXPRESSIONS] = [1, 2, 4];
const LIST_ELEMENT = 1;
const [EXPRESSION_NAME, EXPRESSION_DATA] = [1, 2];
const [PAYLOAD_REGISTER, PAYLOAD_BASE, PAYLOAD_OFFSET, PAYLOAD_LENGTH] = [1, 2, 3, 4];
const BASE_NETWORK = 1;
const BASE_TRANSPORT = 2;
const [CMP_REGISTER, CMP_OPERATOR, CMP_DATA, DATA_VALUE] = [1, 2, 3, 1];
const OPERATOR_EQUAL = 0;
const [META_REGISTER, META_KEY] = [1, 2];
const KEY_L4PROTO = 16;
const REGISTER = 1;
const IPPROTO = { tcp: 6, udp: 17 };
/** Of the source address in the header, and of the destination. */
const ADDRESS_OFFSETS = { 4: { source: 12, destination: 16 }, 16: { source: 8, destination: 24 } };
const PORT_OFFSETS = { source: 0, destination: 2 };

export class NftablesRules {
  readonly #socket: NetlinkSocket;
  readonly #family: number;
  #isOwned: boolean;
  /** How many of ours the table holds. */
  #ruleCount = 0;

  /** @param isOwned false: the table outlives the process. Throws SocketError, as all the others. */
  constructor(isIpv6: boolean, isOwned: boolean) {
    this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    this.#family = isIpv6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    this.#isOwned = isOwned;
  }

  /** False: this kernel knows no owners, or none was wanted. */
  get isOwned(): boolean {
    return this.#isOwned;
  }

  /** Puts the rules in the place of what is there, in one step. */
  set(rules: readonly Rule[]): void {
    try {
      this.#replace(rules);
    } catch (error) {
      const isUnknownFlag = this.#isOwned && error instanceof SocketError && error.errno === EINVAL;
      if (!isUnknownFlag) throw error;
      this.#isOwned = false;
      this.#replace(rules);
    }
  }

  /** False: somebody has taken some of them away. */
  isWhole(): boolean {
    if (!this.#hasTable()) return false;
    const flags = NLM_F_DUMP;
    const found = this.#socket.exchange('nf_tables', [
      this.#request(GET_RULE, flags, [textAttribute(RULE_TABLE, TABLE)]),
    ]);
    return found.length === this.#ruleCount;
  }

  remove(): void {
    if (this.#hasTable()) this.#batch([this.#deletion()]);
    this.#ruleCount = 0;
  }

  #replace(rules: readonly Rule[]): void {
    const tracked = rules.filter(({ action }) => action === 'notrack');
    const flags = attribute(TABLE_FLAGS, number(this.#isOwned ? TABLE_F_OWNER : 0));
    const hooks = [...new Set(tracked.map(({ hook }) => hook))];
    this.#batch([
      ...(this.#hasTable() ? [this.#deletion()] : []),
      this.#request(NEW_TABLE, NLM_F_CREATE | NLM_F_EXCL, [textAttribute(TABLE_NAME, TABLE), flags]),
      ...hooks.map((hook) => this.#chain(hook)),
      ...tracked.map((rule) => this.#rule(rule)),
    ]);
    this.#ruleCount = tracked.length;
  }

  #hasTable(): boolean {
    try {
      this.#socket.exchange('nf_tables', [this.#request(GET_TABLE, NLM_F_ACK, [textAttribute(TABLE_NAME, TABLE)])]);
      return true;
    } catch (error) {
      if (error instanceof SocketError && error.errno === ENOENT) return false;
      throw error;
    }
  }

  #batch(requests: readonly NetlinkRequest[]): void {
    const edge = (type: number): NetlinkRequest => ({ type, flags: 0, body: Uint8Array.of(0, 0, 0, SUBSYSTEM) });
    this.#socket.exchange('nf_tables', [edge(BATCH_BEGIN), ...requests, edge(BATCH_END)]);
  }

  #deletion(): NetlinkRequest {
    return this.#request(DEL_TABLE, 0, [textAttribute(TABLE_NAME, TABLE)]);
  }

  #chain(hook: Rule['hook']): NetlinkRequest {
    return this.#request(NEW_CHAIN, NLM_F_CREATE, [
      textAttribute(CHAIN_TABLE, TABLE),
      textAttribute(CHAIN_NAME, hook),
      attribute(CHAIN_HOOK, [
        attribute(HOOK_NUMBER, number(HOOK_NUMBERS[hook])),
        attribute(HOOK_PRIORITY, number(PRIORITY_RAW)),
      ]),
      textAttribute(CHAIN_TYPE, 'filter'),
    ]);
  }

  #rule(rule: Rule): NetlinkRequest {
    return this.#request(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, [
      textAttribute(RULE_TABLE, TABLE),
      textAttribute(RULE_CHAIN, rule.hook),
      attribute(RULE_EXPRESSIONS, expressions(rule)),
    ]);
  }

  #request(message: number, flags: number, attributes: readonly Uint8Array[]): NetlinkRequest {
    const body = Buffer.concat([Uint8Array.of(this.#family, 0, 0, 0), ...attributes]);
    // A dump's end is its answer
    return { type: (SUBSYSTEM << 8) | message, flags: flags | (flags === NLM_F_DUMP ? 0 : NLM_F_ACK), body };
  }
}

/** Address, protocol and port are the rule's: counted, and not tracked. */
function expressions({ address, transport, end, port }: Rule): readonly Uint8Array[] {
  const octets = addressOctets(address)!;
  const offsets = ADDRESS_OFFSETS[octets.length as 4 | 16];
  return [
    ...payload(BASE_NETWORK, offsets[end], octets),
    expression('meta', [attribute(META_REGISTER, number(REGISTER)), attribute(META_KEY, number(KEY_L4PROTO))]),
    equal(Uint8Array.of(IPPROTO[transport])),
    ...payload(BASE_TRANSPORT, PORT_OFFSETS[end], Uint8Array.of(port >> 8, port & 0xff)),
    expression('counter', []),
    expression('notrack', []),
  ];
}

function payload(base: number, offset: number, value: Uint8Array): readonly Uint8Array[] {
  const load = expression('payload', [
    attribute(PAYLOAD_REGISTER, number(REGISTER)),
    attribute(PAYLOAD_BASE, number(base)),
    attribute(PAYLOAD_OFFSET, number(offset)),
    attribute(PAYLOAD_LENGTH, number(value.length)),
  ]);
  return [load, equal(value)];
}

function equal(value: Uint8Array): Uint8Array {
  return expression('cmp', [
    attribute(CMP_REGISTER, number(REGISTER)),
    attribute(CMP_OPERATOR, number(OPERATOR_EQUAL)),
    attribute(CMP_DATA, [attribute(DATA_VALUE, value)]),
  ]);
}

function expression(name: string, attributes: readonly Uint8Array[]): Uint8Array {
  const parts = [textAttribute(EXPRESSION_NAME, name)];
  if (attributes.length > 0) parts.push(attribute(EXPRESSION_DATA, attributes));
  return attribute(LIST_ELEMENT, parts);
}

/** 32 bits in network order. */
function number(value: number): Uint8Array {
  const octets = Buffer.alloc(4);
  octets.writeInt32BE(value | 0);
  return octets;
}

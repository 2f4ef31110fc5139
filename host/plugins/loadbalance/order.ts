// The order of records: the slow face's own way, which the engine's (engine-as/answer/order.ts) must agree with.

import { TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX } from '../../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import type { Answer, Subnet } from '../../plugin/contract.ts';

/** @param random uniform in [0, 1) */
export function shuffledAnswer(answer: Answer, random: () => number): Answer {
  return {
    ...answer,
    answer: roundRobin(answer.answer, random),
    authority: roundRobin(answer.authority, random),
    additional: roundRobin(answer.additional, random),
  };
}

/** Answer and additional section: aliases, addresses by subnet, mail exchangers, all other types. */
export function preferredAnswer(answer: Answer, subnets: readonly Subnet[]): Answer {
  return {
    ...answer,
    answer: preferred(answer.answer, subnets),
    additional: preferred(answer.additional, subnets),
  };
}

/** Aliases first, then what has no address in its order, then addresses and mail exchangers, each shuffled. */
function roundRobin(records: readonly ResourceRecord[], random: () => number): ResourceRecord[] {
  return [
    ...ofTypes(records, TYPE_CNAME),
    ...others(records),
    ...shuffled(ofTypes(records, TYPE_A, TYPE_AAAA), random),
    ...shuffled(ofTypes(records, TYPE_MX), random),
  ];
}

function preferred(records: readonly ResourceRecord[], subnets: readonly Subnet[]): ResourceRecord[] {
  const rank = (record: ResourceRecord) => {
    const at = subnets.findIndex((subnet) => holds(subnet, record.rdata));
    return at < 0 ? subnets.length : at;
  };
  return [
    ...ofTypes(records, TYPE_CNAME),
    ...ofTypes(records, TYPE_A, TYPE_AAAA).sort((a, b) => rank(a) - rank(b)),
    ...ofTypes(records, TYPE_MX),
    ...others(records),
  ];
}

function ofTypes(records: readonly ResourceRecord[], ...types: readonly number[]): ResourceRecord[] {
  return records.filter((record) => types.includes(record.type));
}

function others(records: readonly ResourceRecord[]): ResourceRecord[] {
  return records.filter((record) => !MOVED_TYPES.has(record.type));
}

const MOVED_TYPES: ReadonlySet<number> = new Set([TYPE_CNAME, TYPE_A, TYPE_AAAA, TYPE_MX]);

/** An IPv4-mapped IPv6 address is an IPv4 address here. */
function holds({ octets, prefixBits }: Subnet, rdata: Uint8Array): boolean {
  const isMapped = rdata.length === 16 && rdata.subarray(0, 12).every((octet, i) => octet === (i < 10 ? 0 : 0xff));
  const address = isMapped ? rdata.subarray(12) : rdata;
  if (address.length !== octets.length) return false;
  return octets.every((octet, i) => {
    const kept = Math.min(8, Math.max(0, prefixBits - i * 8));
    return ((octet ^ address[i]!) & (0xff00 >> kept) & 0xff) === 0;
  });
}

/** Fisher and Yates: every order is equally likely. */
function shuffled(records: ResourceRecord[], random: () => number): ResourceRecord[] {
  for (let last = records.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [records[last], records[other]] = [records[other]!, records[last]!];
  }
  return records;
}

// Replies that the server itself makes (CoreDNS core, A4): no plugin has written them.

import {
  ACCESS_PAYLOAD_BYTES,
  EDNS_DO,
  FLAG_CD,
  FLAG_QR,
  FLAG_RD,
  HEADER_BYTES,
  OPCODE_QUERY,
  OPCODE_SHIFT,
  OPTION_EDE,
  RCODE_MASK,
  RCODE_NOTIMP,
} from '../shared/codes';
import { copyOctets, store16 } from '../wire/octets';
import { KEPT_FLAGS, hasQuestion, messageAt, opcode, qclass, qnameAt, qnameBytes, qtype, queryFlags } from '../wire/query';
import { OPT_FIXED_BYTES, appendOpt, appendOptFixed } from './opt';

/** Copies the question as asked (a cut one is completed with zeros); returns the octet behind it. */
export function writeQuestion(out: u32): u32 {
  if (!hasQuestion) return out;
  // Bounds: a reply buffer holds at least 512 octets; a question is at most 259
  copyOctets(out, qnameAt, qnameBytes);
  store16(out + qnameBytes, qtype);
  store16(out + qnameBytes + 2, qclass);
  return out + qnameBytes + 4;
}

/** QR, the opcode and, for opcode QUERY, RD and CD of the query. */
export function replyFlags(): u32 {
  const code = opcode();
  const copied = code == OPCODE_QUERY ? queryFlags & (FLAG_RD | FLAG_CD) : 0;
  return FLAG_QR | (code << OPCODE_SHIFT) | copied;
}

export function writeHeader(out: u32, flags: u32, answers: u32, authorities: u32, additionals: u32): void {
  // Bounds: a reply buffer holds at least 512 octets
  store<u16>(out, load<u16>(messageAt));
  store16(out + 2, flags);
  store16(out + 4, hasQuestion ? 1 : 0);
  store16(out + 6, answers);
  store16(out + 8, authorities);
  store16(out + 10, additionals);
}

/** Size of the last error reply without its OPT, as CoreDNS counts and logs it. */
export let errorPlainBytes: u32 = 0;

/** Question, rcode, the client's OPT; returns the reply's length. */
export function writeError(out: u32, rcode: u32): u32 {
  const behind = writeQuestion(out + HEADER_BYTES);
  errorPlainBytes = behind - out;
  const end = appendOpt(behind, rcode);
  writeHeader(out, replyFlags() | (rcode & RCODE_MASK), 0, 0, end == behind ? 0 : 1);
  return end - out;
}

/** FORMERR or NOTIMP of the accept stage: no OPT; FORMERR loses the opcode and keeps the question if it parsed. */
export function writeReject(out: u32, rcode: u32): u32 {
  const isNotimp = rcode == RCODE_NOTIMP;
  const end = isNotimp ? out + HEADER_BYTES : writeQuestion(out + HEADER_BYTES);
  const flags = FLAG_QR | (queryFlags & KEPT_FLAGS) | (isNotimp ? opcode() << OPCODE_SHIFT : 0);
  writeHeader(out, flags | rcode, 0, 0, 0);
  return end - out;
}

/** RFC 6891 §6.1.3; CoreDNS answers with payload size 0 and without options. */
export function writeBadVersion(out: u32, rcode: u32): u32 {
  const end = appendOptFixed(writeQuestion(out + HEADER_BYTES), 0, rcode, 0);
  writeHeader(out, replyFlags(), 0, 0, 1);
  return end - out;
}

/** What plugin acl writes: an extended DNS error (RFC 8914 §2), also for clients without EDNS, with DO as CoreDNS has it. */
export function writeAccessReply(out: u32, rcode: u32, infoCode: u32): u32 {
  const opt = writeQuestion(out + HEADER_BYTES);
  const option = appendOptFixed(opt, ACCESS_PAYLOAD_BYTES, rcode, EDNS_DO);
  // Bounds: a reply buffer holds at least 512 octets
  store16(opt + OPT_FIXED_BYTES - 2, 6);
  store16(option, OPTION_EDE);
  store16(option + 2, 2);
  store16(option + 4, infoCode);
  writeHeader(out, replyFlags() | rcode, 0, 0, 1);
  return option + 6 - out;
}

// Words of a log line (CoreDNS plugin log), left for the shard to format in batches.

import {
  BLOCK_INDEX,
  LOG_BLOCK,
  LOG_CLASS,
  LOG_DO,
  LOG_DURATION_MS,
  LOG_ID,
  LOG_KIND,
  LOG_MAX,
  LOG_NAME,
  LOG_NAME_BYTES,
  LOG_PAYLOAD,
  LOG_PROTO,
  LOG_QUERY_BYTES,
  LOG_QUERY_FLAGS,
  LOG_RCODE,
  LOG_RECORDS,
  LOG_REPLY_BYTES,
  LOG_REPLY_FLAGS,
  LOG_RULE,
  LOG_RULE_STRIDE,
  LOG_SOCKADDR,
  LOG_STRIDE,
  LOG_TYPE,
  SHARD_LOG_COUNT,
} from '../shared/layout';
import { isBelow } from '../program/zones';
import { load16 } from '../wire/octets';
import { copyLower } from '../wire/name';
import {
  area,
  askedNameAt,
  askedNameBytes,
  isDo,
  isRewritten,
  lowerAt,
  messageAt,
  proto,
  qclass,
  qnameBytes,
  qtype,
  queryFlags,
  replyLimit,
  seenClass,
  seenType,
  sockaddrAt,
} from '../wire/query';

/** Index of the first rule whose scope holds the question, or -1. */
export function findLogRule(rules: u32, count: u32): i32 {
  for (let i: u32 = 0; i < count; i++) {
    const rule = rules + i * LOG_RULE_STRIDE; // Bounds: compiled by the host
    if (isBelow(load<u32>(rule), load<u32>(rule + 4), load<u32>(rule + 12))) return <i32>i;
  }
  return -1;
}

/** True if the rule wants replies of this class: LOG_CLASS_ bits. */
export function ruleWants(rules: u32, rule: i32, replyClass: u32): bool {
  return (load<u32>(rules + <u32>rule * LOG_RULE_STRIDE + 8) & replyClass) != 0; // Bounds: as found
}

/** Leaves one record; when LOG_MAX are waiting the line is lost rather than the answer. */
export function leaveLogRecord(block: u32, rule: i32, queryBytes: u32, flags: u32, rcode: u32, replyPlainBytes: u32, kind: u32, elapsedMs: f64): void {
  const count = load<u32>(area + SHARD_LOG_COUNT);
  if (count >= <u32>LOG_MAX) return;
  const at = area + LOG_RECORDS + count * LOG_STRIDE; // Bounds: count < LOG_MAX
  store<u32>(at + LOG_RULE, <u32>rule);
  store<u16>(at + LOG_ID, <u16>load16(messageAt));
  store<u16>(at + LOG_QUERY_FLAGS, <u16>queryFlags);
  store<u16>(at + LOG_TYPE, <u16>(isRewritten ? seenType : qtype));
  store<u16>(at + LOG_CLASS, <u16>(isRewritten ? seenClass : qclass));
  store<u32>(at + LOG_PAYLOAD, replyLimit);
  store<u32>(at + LOG_QUERY_BYTES, queryBytes);
  store<u32>(at + LOG_REPLY_BYTES, replyPlainBytes);
  store<u16>(at + LOG_REPLY_FLAGS, <u16>flags);
  store<u16>(at + LOG_RCODE, <u16>rcode);
  store<u8>(at + LOG_PROTO, <u8>proto);
  store<u8>(at + LOG_DO, isDo ? 1 : 0);
  store<u8>(at + LOG_KIND, <u8>kind);
  store<u16>(at + LOG_BLOCK, load<u16>(block + BLOCK_INDEX));
  store<f64>(at + LOG_DURATION_MS, elapsedMs);
  const nameBytes: u32 = isRewritten ? askedNameBytes : qnameBytes;
  store<u32>(at + LOG_NAME_BYTES, nameBytes);
  // Bounds: a name has at most 255 octets, and there is room for 256
  copyLower(at + LOG_NAME, isRewritten ? askedNameAt : lowerAt, nameBytes);
  memory.copy(at + LOG_SOCKADDR, sockaddrAt, 28);
  store<u32>(area + SHARD_LOG_COUNT, count + 1);
}

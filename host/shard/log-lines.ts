// The words of logged queries, from the engine's records to the plugin that formats them.

import { PROTO_TCP } from '../../engine-as/shared/codes.ts';
import {
  LOG_BLOCK,
  LOG_CLASS,
  LOG_DO,
  LOG_DURATION_MS,
  LOG_ID,
  LOG_KIND,
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
  LOG_SOCKADDR,
  LOG_STRIDE,
  LOG_TYPE,
  SHARD_LOG_COUNT,
} from '../../engine-as/shared/layout.ts';
import { opcodeOf } from '../dns/message.ts';
import { nameText } from '../dns/name.ts';
import { decodeSocketAddress } from '../net/socket-address.ts';
import type { LogEntry, Metadata } from '../plugin/contract.ts';
import { NO_LABELS } from '../plugin/metadata.ts';
import type { ShardArea } from './area.ts';
import type { Generation, ReplyPath } from './generation.ts';

/**
 * Hands every waiting record to the `log` plugin of its block, and empties the list.
 * @param path of the queries that left them.
 * @param batchMs duration of the replies that were made in the batch just sent.
 * @param metadata labels of the last record's query.
 */
export function drainLogRecords(
  area: ShardArea,
  generation: Generation,
  path: Pick<ReplyPath, 'localAddress'>,
  batchMs: number,
  metadata?: Metadata,
): void {
  const count = area.word(SHARD_LOG_COUNT);
  if (count === 0) return;
  area.setWord(SHARD_LOG_COUNT, 0);
  for (let i = 0; i < count; i++) {
    const at = area.at + LOG_RECORDS + i * LOG_STRIDE;
    const logger = generation.blocks.get(area.octets.readUInt16LE(at + LOG_BLOCK))?.logger;
    if (logger === undefined) continue;
    try {
      const labels = i === count - 1 ? metadata : undefined;
      logger.onLog?.(readLogRecord(area, at, path.localAddress, batchMs, labels ?? NO_LABELS));
    } catch (error) {
      // A line is lost, not the reply that it tells of
      generation.onPanic(logger.name, error);
    }
  }
}

/** By KIND_ of engine-as/answer/kind.ts. */
const KIND_NONE = 8;
const REPLY_TYPES: readonly string[] = [
  ...['NOERROR', 'NXDOMAIN', 'SERVERERROR', 'NODATA', 'DELEGATION', 'META', 'UPDATE', 'OTHERERROR'],
  'OTHERERROR', // no reply, which CoreDNS takes for one
];

function readLogRecord(area: ShardArea, at: number, local: string, batchMs: number, metadata: Metadata): LogEntry {
  const { octets, words, floats } = area;
  const durationMs = floats[(at + LOG_DURATION_MS) >>> 3]!;
  return {
    rule: words[(at + LOG_RULE) >>> 2]!,
    remote: decodeSocketAddress(octets, at + LOG_SOCKADDR),
    local,
    id: octets.readUInt16LE(at + LOG_ID),
    opcode: opcodeOf({ flags: octets.readUInt16LE(at + LOG_QUERY_FLAGS) }),
    type: octets.readUInt16LE(at + LOG_TYPE),
    class: octets.readUInt16LE(at + LOG_CLASS),
    name: nameText(area.copy(at + LOG_NAME, words[(at + LOG_NAME_BYTES) >>> 2]!)),
    proto: octets[at + LOG_PROTO] === PROTO_TCP ? 'tcp' : 'udp',
    queryBytes: words[(at + LOG_QUERY_BYTES) >>> 2]!,
    isDo: octets[at + LOG_DO] !== 0,
    payloadBytes: words[(at + LOG_PAYLOAD) >>> 2]!,
    rcode: octets.readUInt16LE(at + LOG_RCODE),
    flags: octets[at + LOG_KIND] === KIND_NONE ? undefined : octets.readUInt16LE(at + LOG_REPLY_FLAGS),
    replyBytes: words[(at + LOG_REPLY_BYTES) >>> 2]!,
    durationSeconds: (durationMs < 0 ? batchMs : durationMs) / 1000,
    replyType: REPLY_TYPES[octets[at + LOG_KIND]!]!,
    metadata,
  };
}

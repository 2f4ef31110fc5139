// bufsize [SIZE]

import type { DirectiveReader } from '../../corefile/reader.ts';

export type BufsizeConfig = {
  readonly payloadBytes: number;
};

/** DNS flag day 2020. */
const PAYLOAD_BYTES_DEFAULT = 1232;
const PAYLOAD_BYTES_MIN = 512;
const PAYLOAD_BYTES_MAX = 4096;

/** CoreDNS looks at the first occurrence only. */
export function parseBufsize(reader: DirectiveReader): BufsizeConfig {
  const [size] = reader.first((line) => reader.arguments(line, 0, 1));
  if (size === undefined) return { payloadBytes: PAYLOAD_BYTES_DEFAULT };
  const payloadBytes = reader.maybeInteger(size);
  if (payloadBytes === undefined || payloadBytes < PAYLOAD_BYTES_MIN || payloadBytes > PAYLOAD_BYTES_MAX) {
    throw reader.argumentError(size);
  }
  return { payloadBytes };
}

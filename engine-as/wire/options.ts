// EDNS options of a query (RFC 6891 §6.1.2): which octets CoreDNS's DNS library accepts.

import { OPTION_ECS, OPTION_EXPIRE, OPTION_KEEPALIVE } from '../shared/codes';
import { load16 } from './octets';

const OPTION_LLQ: u32 = 1;
const OPTION_UPDATE_LEASE: u32 = 2;
const OPTION_EDE: u32 = 15;

/** True if the options fill exactly the octets from `at` to `end` and the known ones are well-formed. */
export function optionsAreSound(at: u32, end: u32): bool {
  let p = at;
  // Each round consumes four octets or more.
  while (p < end) {
    if (p + 4 > end) return false;
    const code = load16(p); // Bounds: p + 4 <= end
    const bytes = load16(p + 2);
    p += 4;
    if (p + bytes > end) return false;
    if (!optionIsSound(code, p, bytes)) return false;
    p += bytes;
  }
  return true;
}

function optionIsSound(code: u32, at: u32, bytes: u32): bool {
  if (code == OPTION_ECS) return subnetIsSound(at, bytes);
  if (code == OPTION_KEEPALIVE) return bytes == 0 || bytes == 2;
  if (code == OPTION_EXPIRE) return bytes == 0 || bytes >= 4;
  if (code == OPTION_EDE) return bytes >= 2;
  if (code == OPTION_LLQ) return bytes >= 18;
  if (code == OPTION_UPDATE_LEASE) return bytes == 4 || bytes == 8;
  return true;
}

/** RFC 7871 §6: family, source and scope prefix lengths, address. */
function subnetIsSound(at: u32, bytes: u32): bool {
  if (bytes < 4) return false;
  const family = load16(at); // Bounds: bytes >= 4
  const source: u32 = load<u8>(at + 2);
  const scope: u32 = load<u8>(at + 3);
  if (family == 0) return source == 0;
  if (family == 1) return source <= 32 && scope <= 32;
  if (family == 2) return source <= 128 && scope <= 128;
  return false;
}

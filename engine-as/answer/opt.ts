// The OPT of a reply is the client's own (CoreDNS core, A5): its payload size and DO, version 0, and those options
// that are echoed.

import {
  OPTION_COOKIE,
  OPTION_EXPIRE,
  OPTION_KEEPALIVE,
  OPTION_NSID,
  OPTION_PADDING,
  TYPE_OPT,
} from '../shared/codes';
import { load16, store16, store32 } from '../wire/octets';
import { ednsBytes, ednsFlags, hasEdns, optionsAt, optionsBytes } from '../wire/query';

const FIXED_BYTES: u32 = 11;

function isEchoed(code: u32): bool {
  return (
    code == OPTION_NSID ||
    code == OPTION_EXPIRE ||
    code == OPTION_COOKIE ||
    code == OPTION_KEEPALIVE ||
    code == OPTION_PADDING
  );
}

/** Size of the OPT that appendOpt() will write; 0 if the client sent none. */
export function optBytes(): u32 {
  if (!hasEdns) return 0;
  let bytes = FIXED_BYTES;
  const end = optionsAt + optionsBytes;
  // Bounds: parseQuery() checked that the options fill these octets exactly
  for (let p = optionsAt; p < end; ) {
    const option = 4 + load16(p + 2);
    if (isEchoed(load16(p))) bytes += option;
    p += option;
  }
  return bytes;
}

/** Writes the OPT at `out`, which has optBytes() of room, and returns the octet behind it. */
export function appendOpt(out: u32, extendedRcode: u32): u32 {
  if (!hasEdns) return out;
  let to = appendOptFixed(out, ednsBytes, extendedRcode, ednsFlags);
  const end = optionsAt + optionsBytes;
  // Bounds: as in optBytes()
  for (let p = optionsAt; p < end; ) {
    const option = 4 + load16(p + 2);
    if (isEchoed(load16(p))) {
      memory.copy(to, p, option);
      to += option;
    }
    p += option;
  }
  store16(out + 9, to - out - FIXED_BYTES);
  return to;
}

/** The fixed part of an OPT with no options (RFC 6891 §6.1.2); returns the octet behind it. */
export function appendOptFixed(out: u32, payloadBytes: u32, rcode: u32, flags: u32): u32 {
  // Bounds: callers have FIXED_BYTES of room at out
  store<u8>(out, 0);
  store16(out + 1, TYPE_OPT);
  store16(out + 3, payloadBytes);
  store32(out + 5, ((rcode >> 4) << 24) | flags);
  store16(out + 9, 0);
  return out + FIXED_BYTES;
}

// The OPT of a reply is the client's own (CoreDNS core, A5): its payload size and DO, version 0, and those options
// that are echoed.

import {
  EDNS_VERSION_STAND_IN,
  OPTION_COOKIE,
  OPTION_ECS,
  OPTION_EXPIRE,
  OPTION_KEEPALIVE,
  OPTION_NSID,
  OPTION_PADDING,
  TYPE_OPT,
} from '../shared/codes';
import { CONTROL_ECHOES } from '../shared/layout';
import { load16, store16, store32 } from '../wire/octets';
import { optionIsSound, packedOptionBytes } from '../wire/options';
import { ednsBytes, ednsFlags, ednsOwnerBytes, hasEdns, optionsAt, optionsBytes } from '../wire/query';

export const OPT_FIXED_BYTES: u32 = 11;

function isEchoed(code: u32): bool {
  if (
    code == OPTION_NSID ||
    code == OPTION_EXPIRE ||
    code == OPTION_COOKIE ||
    code == OPTION_KEEPALIVE ||
    code == OPTION_PADDING
  )
    return true;
  const echoes = atomic.load<u32>(CONTROL_ECHOES);
  return echoes != 0 && (load<u8>(echoes + (code >> 3)) & (1 << (code & 7))) != 0; // Bounds: one bit for each code
}

/** Size of the OPT that appendOpt() will write; 0 if the client sent none. */
export function optBytes(): u32 {
  if (!hasEdns) return 0;
  let bytes = OPT_FIXED_BYTES;
  const end = optionsAt + optionsBytes;
  // Bounds: parseQuery() checked that the options fill these octets exactly
  for (let p = optionsAt; p < end; ) {
    if (isEchoed(load16(p))) bytes += 4 + echoedBytes(p);
    p += 4 + load16(p + 2);
  }
  return bytes;
}

/** Octets of the query's OPT that appendOpt() leaves out: its owner, and options as they are packed anew. */
export function droppedBytes(): u32 {
  if (!hasEdns) return 0;
  let bytes = ednsOwnerBytes - 1;
  const end = optionsAt + optionsBytes;
  // Bounds: as in optBytes()
  for (let p = optionsAt; p < end; ) {
    if (!isEchoed(load16(p))) bytes += 4 + echoedBytes(p);
    p += 4 + load16(p + 2);
  }
  return bytes;
}

/** Octets of an option's value when an OPT is packed anew: those of the known ones, those with a rule's octets stay as they are. */
function echoedBytes(option: u32): u32 {
  const bytes = load16(option + 2); // Bounds: a checked option
  const code = load16(option);
  if (code == OPTION_NSID || code == OPTION_COOKIE || code == OPTION_PADDING) return bytes;
  return optionIsSound(code, option + 4, bytes) ? packedOptionBytes(code, option + 4, bytes) : bytes;
}

/** Writes the echo of an option at `to`, which has 4 + echoedBytes() of room; returns the octet behind it. */
function echoOption(option: u32, to: u32): u32 {
  const own = load16(option + 2); // Bounds: a checked option
  const bytes = echoedBytes(option);
  const copied = min(own, bytes);
  memory.copy(to, option, 4 + copied);
  memory.fill(to + 4 + copied, 0, bytes - copied);
  store16(to + 2, bytes);
  const end = to + 4 + bytes;
  if (load16(option) == OPTION_ECS && bytes > 4 && optionIsSound(OPTION_ECS, option + 4, own)) {
    // Bits behind the source prefix are cleared (RFC 7871 §6)
    const spare = (8 - (<u32>load<u8>(to + 6) & 7)) & 7; // Bounds: the option has more than 4 octets
    store<u8>(end - 1, <u8>(<u32>load<u8>(end - 1) & (0xff << spare)));
  }
  return end;
}

/** Writes the OPT at `out`, which has optBytes() of room, and returns the octet behind it. */
export function appendOpt(out: u32, extendedRcode: u32): u32 {
  if (!hasEdns) return out;
  let to = appendOptFixed(out, ednsBytes, extendedRcode, ednsFlags);
  const end = optionsAt + optionsBytes;
  // Bounds: as in optBytes()
  for (let p = optionsAt; p < end; ) {
    if (isEchoed(load16(p))) to = echoOption(p, to);
    p += 4 + load16(p + 2);
  }
  store16(out + 9, to - out - OPT_FIXED_BYTES);
  return to;
}

/** The fixed part of an OPT with no options (RFC 6891 §6.1.2); returns the octet behind it. */
export function appendOptFixed(out: u32, payloadBytes: u32, rcode: u32, flags: u32): u32 {
  // Bounds: callers have OPT_FIXED_BYTES of room at out
  store<u8>(out, 0);
  store16(out + 1, TYPE_OPT);
  store16(out + 3, payloadBytes);
  store32(out + 5, ((rcode >> 4) << 24) | flags);
  store16(out + 9, 0);
  return out + OPT_FIXED_BYTES;
}

/** Nobody's OPT, there for its rcode alone: the client's own one comes instead. */
export function isStandIn(ttl: u32, size: u32, optionBytes: u32): bool {
  return ((ttl >> 16) & 0xff) == EDNS_VERSION_STAND_IN && !size && !optionBytes;
}

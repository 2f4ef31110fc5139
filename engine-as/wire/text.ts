// Names as text (RFC 1035 §5.1): what plugin rewrite matches and replaces. Escapes as CoreDNS's library prints them.

import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from '../shared/codes';

const DOT: u32 = 0x2e;
const BACKSLASH: u32 = 0x5c;
/** Four characters for each octet at most. */
export const TEXT_BYTES_MAX: u32 = 1024;

/** The text that nameToText() wrote last has no escapes. */
export let textIsPlain: bool = false;

/** Writes the uncompressed name at `at` as text to `to`, which has TEXT_BYTES_MAX of room; returns its length. */
export function nameToText(at: u32, to: u32): u32 {
  let p = at;
  let out = to;
  textIsPlain = true;
  let left: u32 = load<u8>(p); // Bounds: callers hold a whole name of at most 255 octets
  if (left == 0) {
    store<u8>(out, DOT);
    return 1;
  }
  while (left) {
    for (const end = p + left; p < end; ) {
      const octet: u32 = load<u8>(++p);
      if (isWord(octet)) store<u8>(out++, octet);
      else out = printOctet(octet, out);
    }
    store<u8>(out++, DOT);
    left = load<u8>(++p);
  }
  return out - to;
}

@inline
function isWord(octet: u32): bool {
  const lower = octet | 0x20;
  return (lower - 0x61 < 26 && octet >= 0x41) || octet - 0x30 < 10 || octet == 0x2d || octet == 0x5f;
}

function printOctet(octet: u32, out: u32): u32 {
  if (octet <= 0x20 || octet > 0x7e || isSpecial(octet)) {
    textIsPlain = false;
    store<u8>(out++, BACKSLASH);
    if (octet < 0x20 || octet > 0x7e) {
      store<u8>(out++, 0x30 + octet / 100);
      store<u8>(out++, 0x30 + ((octet / 10) % 10));
      store<u8>(out++, 0x30 + (octet % 10));
      return out;
    }
  }
  store<u8>(out, octet);
  return out + 1;
}

function isSpecial(octet: u32): bool {
  switch (octet) {
    case 0x22: // "
    case 0x27: // '
    case 0x28: // (
    case 0x29: // )
    case 0x2e: // .
    case 0x3b: // ;
    case 0x40: // @
    case 0x5c: return true; // backslash
    default: return false;
  }
}

/**
 * Writes the text of `bytes` octets at `at`, which ends in a dot, as an uncompressed name to `to`, which has 264 octets
 * of room. Returns the name's length, 0 if the text is no name.
 */
export function textToName(at: u32, bytes: u32, to: u32): u32 {
  const end = at + bytes;
  if (bytes == 1 && <u32>load<u8>(at) == DOT) {
    store<u8>(to, 0);
    return 1;
  }
  let label = to;
  let out = to + 1;
  for (let p = at; p < end; p++) {
    let octet: u32 = load<u8>(p); // Bounds: p < end
    if (octet == DOT) {
      const length = out - label - 1;
      if (length == 0 || length > <u32>LABEL_BYTES_MAX) return 0;
      store<u8>(label, length);
      label = out++;
      continue;
    }
    if (octet == BACKSLASH) {
      if (++p >= end) return 0;
      octet = load<u8>(p);
      if (p + 2 < end && isDigit(octet) && isDigit(load<u8>(p + 1)) && isDigit(load<u8>(p + 2))) {
        octet = (octet - 0x30) * 100 + (<u32>load<u8>(p + 1) - 0x30) * 10 + <u32>load<u8>(p + 2) - 0x30;
        p += 2;
      }
    }
    if (out - to >= <u32>NAME_BYTES_MAX) return 0;
    store<u8>(out++, octet);
  }
  // The last label has been ended by a dot, and the root label's octet is the one that was kept free for the next.
  if (out != label + 1 || out - to > <u32>NAME_BYTES_MAX) return 0;
  store<u8>(label, 0);
  return out - to;
}

@inline
function isDigit(octet: u32): bool {
  return octet - 0x30 < 10;
}

/**
 * Octets that CoreDNS's library counts for a text that it cannot write as a name; 0 if every label is one and it would
 * write it, whatever its length.
 */
export function brokenTextBytes(at: u32, bytes: u32): u32 {
  const end = at + bytes;
  let label: u32 = 0;
  let counted: u32 = 0;
  let isSound = true;
  for (let p = at; p < end; p++) {
    const octet: u32 = load<u8>(p); // Bounds: p < end
    counted++;
    if (octet == DOT) {
      if (label == 0 || label > <u32>LABEL_BYTES_MAX) isSound = false;
      label = 0;
      continue;
    }
    if (octet == BACKSLASH && ++p + 2 < end && isDigit(load<u8>(p)) && isDigit(load<u8>(p + 1)) && isDigit(load<u8>(p + 2))) p += 2;
    label++;
  }
  return isSound && label == 0 ? 0 : counted + 1;
}

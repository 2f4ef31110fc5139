// Rdata of the RRs that a query may carry besides its question: accepted or refused as CoreDNS's DNS library does.

import {
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_DNAME,
  TYPE_MX,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
  TYPE_TXT,
} from '../shared/codes';
import { skipName } from './name';

/** True if non-empty rdata of the common types parses to exactly `end`; other types are opaque here. */
export function rdataIsSound(start: u32, type: u32, at: u32, end: u32): bool {
  if (type == TYPE_A) return end - at == 4;
  if (type == TYPE_AAAA) return end - at == 16;
  if (type == TYPE_NS || type == TYPE_CNAME || type == TYPE_PTR || type == TYPE_DNAME) return skipName(start, at, end) == end;
  if (type == TYPE_MX) return at + 2 < end && skipName(start, at + 2, end) == end;
  if (type == TYPE_SRV) return at + 6 < end && skipName(start, at + 6, end) == end;
  if (type == TYPE_TXT) return stringsAreSound(at, end);
  if (type == TYPE_SOA) {
    const rname = skipName(start, at, end);
    if (!rname) return false;
    const numbers = skipName(start, rname, end);
    return numbers != 0 && numbers + 20 == end;
  }
  return true;
}

function stringsAreSound(at: u32, end: u32): bool {
  let p = at;
  while (p < end) p += <u32>load<u8>(p) + 1; // Bounds: p < end
  return p == end;
}

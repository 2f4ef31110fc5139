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
  TYPE_TSIG,
  TYPE_TXT,
} from '../shared/codes';
import { skipName } from './name';
import { load16 } from './octets';

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
  if (type == TYPE_TSIG) return signatureIsSound(skipName(start, at, end), end);
  return true;
}

/**
 * TSIG (RFC 8945 §4.2) behind the algorithm's name; it may be cut between two fields, but not behind the MAC. 0 stands
 * for a name that is none.
 */
function signatureIsSound(at: u32, end: u32): bool {
  if (!at) return false;
  const macAt = at + 10; // behind time, fudge, size of the MAC
  if (end == at || end == at + 6 || end == at + 8 || end == macAt) return true;
  if (macAt > end) return false;
  const macEnd = macAt + load16(macAt - 2); // Bounds: macAt <= end
  const otherAt = macEnd + 6; // behind original id, error, size of the other data
  if (end == macEnd + 2 || end == macEnd + 4 || end == otherAt) return true;
  return otherAt < end && otherAt + load16(otherAt - 2) == end; // Bounds: otherAt < end
}

function stringsAreSound(at: u32, end: u32): bool {
  let p = at;
  while (p < end) p += <u32>load<u8>(p) + 1; // Bounds: p < end
  return p == end;
}

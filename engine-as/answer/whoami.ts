// The client's own address and port (CoreDNS plugin whoami): A or AAAA at the qname, SRV below `_udp` or `_tcp`.

import { FLAG_AA, NAME_BYTES_MAX, PROTO_TCP, TYPE_A, TYPE_AAAA, TYPE_SRV } from '../shared/codes';
import { family } from '../metrics/counters';
import { store16, store32 } from '../wire/octets';
import { proto, qclass, qnameBytes, sockaddrAt } from '../wire/query';
import { ADDITIONAL, TO_QUESTION, addPlain, at, beginRecord, beginReply, endRecord, endReply, fits } from './writer';

const AF_INET: u32 = 2;
const UDP_LABEL: u32 = 0x7064755f; // _udp
const TCP_LABEL: u32 = 0x7063745f; // _tcp
const SERVICE_OWNER_BYTES: u32 = 7; // the label and a pointer to the question

/** Writes the reply to `out` and returns its length. */
export function writeWhoami(out: u32, outMax: u32): u32 {
  beginReply(out, outMax, false);
  const isIpv6 = family() == 1;
  const bytes: u32 = isIpv6 ? 16 : 4;
  // Bounds: a sockaddr slot has 32 octets: an IPv4 address at 4, or mapped at 20; an IPv6 one at 8
  const address = sockaddrAt + (isIpv6 ? 8 : <u32>load<u16>(sockaddrAt) == AF_INET ? 4 : 20);
  addPlain(qnameBytes, bytes);
  if (fits(12 + bytes)) {
    beginRecord(TO_QUESTION, isIpv6 ? TYPE_AAAA : TYPE_A, 0, bytes);
    store16(at - 8, qclass);
    memory.copy(at, address, bytes);
    endRecord(ADDITIONAL, bytes);
  }
  writePort();
  return endReply(FLAG_AA, 0);
}

/** A qname of more than 250 octets leaves no room for the label: then there is no SRV. */
function writePort(): void {
  if (qnameBytes + 5 > <u32>NAME_BYTES_MAX) return;
  addPlain(qnameBytes + 5, 7);
  if (!fits(SERVICE_OWNER_BYTES + 10 + 7)) return;
  // Bounds: granted by fits()
  store<u8>(at, 4);
  store<u32>(at + 1, proto == PROTO_TCP ? TCP_LABEL : UDP_LABEL);
  const isRoot = qnameBytes == 1;
  if (isRoot) store<u8>(at + 5, 0);
  else store16(at + 5, TO_QUESTION);
  const fixed = at + SERVICE_OWNER_BYTES - (isRoot ? 1 : 0);
  store16(fixed, TYPE_SRV);
  store16(fixed + 2, qclass);
  store32(fixed + 4, 0);
  store16(fixed + 8, 7);
  store32(fixed + 10, 0);
  store<u16>(fixed + 14, load<u16>(sockaddrAt + 2));
  store<u8>(fixed + 16, 0);
  endRecord(ADDITIONAL, fixed + 17 - at);
}

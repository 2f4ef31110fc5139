// Reverse names: in-addr.arpa (RFC 1035 §3.5) and ip6.arpa (RFC 3596 §2.5).

import { type AddressBlock, addressOctets, parseAddressBlock } from './address.ts';
import { isInZone, labelsOf } from './name.ts';

export const IPV4_REVERSE_ZONE = 'in-addr.arpa.';
export const IPV6_REVERSE_ZONE = 'ip6.arpa.';

/** `10.0.0.1` -> `1.0.0.10.in-addr.arpa.`; undefined when the text is no address. */
export function reverseName(address: string): string | undefined {
  const octets = addressOctets(address);
  return octets && reverseNameOfPrefix(octets, octets.length * 8);
}

/**
 * The address behind a full reverse name; undefined for a shorter one, a zone, or labels that are no octets or
 * nibbles. The name is lower-case and fully qualified.
 */
export function reversedAddress(name: string): Uint8Array | undefined {
  if (isInZone(name, IPV4_REVERSE_ZONE)) {
    const labels = labelsOf(name).slice(0, -2);
    if (labels.length !== 4 || !labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256)) {
      return undefined;
    }
    return Uint8Array.from(labels.reverse(), Number);
  }
  if (!isInZone(name, IPV6_REVERSE_ZONE)) return undefined;
  const nibbles = labelsOf(name).slice(0, -2).reverse();
  if (nibbles.length !== 32 || !nibbles.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(nibbles[i * 2]! + nibbles[i * 2 + 1]!, 16));
}

/** True for names in in-addr.arpa or ip6.arpa, the two zones included. */
export function isReverse(name: string): boolean {
  return isInZone(name, IPV4_REVERSE_ZONE) || isInZone(name, IPV6_REVERSE_ZONE);
}

/**
 * The reverse zones that cover an address block exactly. A prefix inside an octet (IPv4) or a nibble (IPv6) is
 * rounded up to its end and gives all zones below it: `10.0.0.0/15` -> `0.10.in-addr.arpa.`, `1.10.in-addr.arpa.`.
 * At most 128 zones.
 */
export function reverseZones(block: AddressBlock): string[] {
  const unitBits = block.octets.length === 4 ? 8 : 4;
  const roundedBits = Math.ceil(block.prefixBits / unitBits) * unitBits;
  const zones: string[] = [];
  const octets = block.octets.slice();
  // Bounds: at most unitBits - 1 bits are free, all of them inside the octet that ends at or holds roundedBits.
  const octetAt = Math.max(0, Math.ceil(roundedBits / 8) - 1);
  const step = roundedBits % 8 === 0 ? 1 : 16;
  for (let i = 0; i < 2 ** (roundedBits - block.prefixBits); i++) {
    zones.push(reverseNameOfPrefix(octets, roundedBits));
    octets[octetAt]! += step;
  }
  return zones;
}

/** Reverse zones of `ADDRESS/BITS`; undefined when the text is no address block. */
export function reverseZonesOfText(text: string): string[] | undefined {
  const block = parseAddressBlock(text);
  return block && reverseZones(block);
}

/** Name of the first `bits` bits; a multiple of 8 for IPv4, of 4 for IPv6. */
function reverseNameOfPrefix(octets: Uint8Array, bits: number): string {
  if (octets.length === 4) {
    const labels = Array.from(octets.subarray(0, bits / 8), String).reverse();
    return [...labels, IPV4_REVERSE_ZONE].join('.');
  }
  const nibbles = Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return [...[...nibbles.slice(0, bits / 4)].reverse(), IPV6_REVERSE_ZONE].join('.');
}

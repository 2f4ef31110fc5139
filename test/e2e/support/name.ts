// Names as the tests write and print them: presentation form with RFC 4343 escapes, octets kept as they are.

/** Splits a presentation name into labels. `\DDD` and `\X` are escapes (RFC 1035 §5.1); `.` and `` are the root. */
export function parseLabels(name: string): Uint8Array[] {
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  const text = name.endsWith('.') && !name.endsWith('\\.') ? name.slice(0, -1) : name;
  if (text === '') return labels;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '.') {
      labels.push(Uint8Array.from(label));
      label = [];
    } else if (character === '\\') {
      const digits = /^[0-9]{3}/.exec(text.slice(at + 1))?.[0];
      label.push(digits === undefined ? text.charCodeAt(at + 1) : Number(digits));
      at += digits === undefined ? 1 : 3;
    } else {
      label.push(text.charCodeAt(at) & 0xff);
    }
  }
  labels.push(Uint8Array.from(label));
  return labels;
}

/** Labels in wire form with the root label; no limit is applied, so that tests can break the limits. */
function nameOctets(labels: readonly Uint8Array[]): Uint8Array {
  const parts: number[] = [];
  for (const label of labels) parts.push(label.length, ...label);
  parts.push(0);
  return Uint8Array.from(parts);
}

export function wireName(name: string): Uint8Array {
  return nameOctets(parseLabels(name));
}

/** Presentation form, fully qualified, case kept. */
export function formatLabels(labels: readonly Uint8Array[]): string {
  if (labels.length === 0) return '.';
  return labels.map((label) => `${formatLabel(label)}.`).join('');
}

function formatLabel(label: Uint8Array): string {
  let text = '';
  for (const octet of label) {
    if (octet === 0x2e || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else if (octet > 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
    else text += `\\${String(octet).padStart(3, '0')}`;
  }
  return text;
}

/** ASCII letters only: DNS compares other octets as they are (RFC 4343 §3). */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The reverse name of an IPv4 or IPv6 address. */
export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa.`;
  const nibbles = Buffer.from(addressOctets(address)).toString('hex');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa.`;
}

/** Octets of an address in text form: 4 or 16 of them. */
export function addressOctets(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const before = words(head);
  const after = words(tail ?? '');
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - before.length - after.length).fill(0);
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((word) => [word >> 8, word & 0xff]));
}

/** RFC 5952 text of 4 or 16 octets. */
export function formatAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  const words = Array.from({ length: 8 }, (_, at) => ((octets[at * 2]! << 8) | octets[at * 2 + 1]!).toString(16));
  let best = { at: -1, count: 1 };
  for (let at = 0; at < 8; at++) {
    let count = 0;
    while (at + count < 8 && words[at + count] === '0') count++;
    if (count > best.count) best = { at, count };
  }
  if (best.at < 0) return words.join(':');
  return `${words.slice(0, best.at).join(':')}::${words.slice(best.at + best.count).join(':')}`;
}

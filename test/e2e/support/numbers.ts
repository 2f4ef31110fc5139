// Names of the protocol numbers that tests write and print.

export const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  ANY: 255,
  CAA: 257,
};

export const RCODES: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  NOTAUTH: 9,
  BADVERS: 16,
  YXRRSET: 7,
  BADCOOKIE: 23,
  BADKEY: 17,
  BADTIME: 18,
};

export const CLASSES: Readonly<Record<string, number>> = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 };

/** EDNS options by the word that case files use. */
export const OPTIONS: Readonly<Record<string, number>> = {
  NSID: 3,
  ECS: 8,
  EXPIRE: 9,
  COOKIE: 10,
  KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
};

/** Bits of the header word at octet 2, in the order in which they are printed. */
export const FLAGS: Readonly<Record<string, number>> = {
  qr: 0x8000,
  aa: 0x0400,
  tc: 0x0200,
  rd: 0x0100,
  ra: 0x0080,
  z: 0x0040,
  ad: 0x0020,
  cd: 0x0010,
};

function inverse(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, value]) => [value, name]));
}
const typeNames = inverse(TYPES);
const rcodeNames = inverse(RCODES);
const classNames = inverse(CLASSES);
const optionNames = inverse(OPTIONS);

export const typeName = (type: number) => typeNames.get(type) ?? `TYPE${type}`;
export const rcodeName = (rcode: number) => rcodeNames.get(rcode) ?? `RCODE${rcode}`;
export const className = (value: number) => classNames.get(value) ?? `CLASS${value}`;
export const optionName = (code: number) => optionNames.get(code) ?? String(code);

/** Number of a type word, or undefined. */
export function typeNumber(word: string): number | undefined {
  const generic = /^TYPE([0-9]+)$/.exec(word)?.[1];
  return TYPES[word] ?? (generic === undefined ? undefined : Number(generic));
}

export function classNumber(word: string): number | undefined {
  const generic = /^CLASS([0-9]+)$/.exec(word)?.[1];
  return CLASSES[word] ?? (generic === undefined ? undefined : Number(generic));
}

/** Words of the flags that are set. */
export function flagWords(word: number): string[] {
  return Object.keys(FLAGS).filter((flag) => (word & FLAGS[flag]!) !== 0);
}

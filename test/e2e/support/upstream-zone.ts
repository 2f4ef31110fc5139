// What the scripted upstream answers: example.org, decided by the first label of the question up to a hyphen, so
// that `www-7.example.org` behaves as `www.example.org` and every test can have names of its own. Deterministic.

import { addressOctets, lowerCase, parseLabels, wireName } from './name.ts';
import { TYPES } from './numbers.ts';

export interface ZoneRecord {
  /** `=` is the question's name, in its own spelling. */
  readonly owner: string;
  readonly ttl: number;
  readonly type: number;
  readonly rdata: Uint8Array;
}

export interface Script {
  readonly rcode?: number;
  readonly answer?: readonly ZoneRecord[];
  readonly authority?: readonly ZoneRecord[];
  readonly additional?: readonly ZoneRecord[];
  readonly isAuthoritative?: boolean;
  readonly isAuthenticated?: boolean;
  readonly isRecursive?: boolean;
  /** Instead of an ordinary reply. */
  readonly fault?: 'silence' | 'garbage' | 'wrong id' | 'wrong question' | 'bare header' | 'cut' | 'loop';
  /** The question comes back in lower case. */
  readonly spellsLower?: boolean;
  readonly delayMs?: number;
  /** Sends more than the client's size allows, without TC. */
  readonly ignoresSize?: boolean;
  readonly omitsOpt?: boolean;
  /** OPT with EDE, NSID and COOKIE and size 4096. */
  readonly hasOptions?: boolean;
}

const u16 = (value: number) => Uint8Array.of(value >> 8, value & 0xff);
const u32 = (value: number) => Uint8Array.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
const join = (...parts: Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));

const a = (address: string, ttl = 300, owner = '=') => ({ owner, ttl, type: 1, rdata: addressOctets(address) });
const aaaa = (address: string, ttl = 300, owner = '=') => ({ owner, ttl, type: 28, rdata: addressOctets(address) });
const cname = (target: string, ttl: number, owner = '=') => ({ owner, ttl, type: 5, rdata: wireName(target) });
const ns = (target: string, ttl: number, owner = '=') => ({ owner, ttl, type: 2, rdata: wireName(target) });
const txt = (...texts: string[]) => ({
  owner: '=',
  ttl: 300,
  type: 16,
  rdata: join(...texts.map((text) => join(Uint8Array.of(text.length), Buffer.from(text, 'latin1')))),
});
const mx = (preference: number, target: string) => ({
  owner: '=',
  ttl: 300,
  type: 15,
  rdata: join(u16(preference), wireName(target)),
});
const srv = (port: number, target: string) => ({
  owner: '=',
  ttl: 300,
  type: 33,
  rdata: join(u16(0), u16(10), u16(port), wireName(target)),
});
const soa = (ttl = 600, owner = 'example.org.') => ({
  owner,
  ttl,
  type: 6,
  rdata: join(wireName('ns1.example.org.'), wireName('admin.example.org.'), ...[7, 3600, 600, 86400, 60].map(u32)),
});

/** Answers of ordinary names: A of 192.0.2.10 where nothing else is said. */
const SCRIPTS: Readonly<Record<string, (type: number) => Script>> = {
  www: address,
  /** This machine. */
  home: (type) => (type === TYPES['A'] ? only(a('127.0.0.1')) : { authority: [soa()] }),
  aa: () => ({ ...only(a('192.0.2.10')), isAuthoritative: true, isRecursive: false }),
  ad: () => ({ ...only(a('192.0.2.10')), isAuthenticated: true }),
  ede: () => ({ ...only(a('192.0.2.10')), hasOptions: true }),
  noedns: () => ({ ...only(a('192.0.2.10')), omitsOpt: true }),
  slow: () => ({ ...only(a('192.0.2.10')), delayMs: 300 }),
  ttl0: () => only(a('192.0.2.7', 0)),
  ttl1: () => only(a('192.0.2.7', 1)),
  ttl2: () => only(a('192.0.2.8', 2)),
  nx1: () => ({ rcode: 3, authority: [soa(1)] }),
  nodata1: () => ({ authority: [soa(1)] }),
  empty1: () => ({ additional: [a('192.0.2.77', 1, 'other.example.org.')] }),
  half1: () => ({ answer: [cname('elsewhere.example.net.', 1)] }),
  late: () => ({ ...only(a('192.0.2.10')), delayMs: 1500 }),
  mix: () => ({
    answer: [a('192.0.2.9', 25)],
    authority: [ns('ns1.example.org.', 600, 'example.org.')],
    additional: [a('192.0.2.53', 12, 'ns1.example.org.')],
  }),
  nodata: () => ({ authority: [soa()] }),
  nxnosoa: () => ({ rcode: 3 }),
  nodatanosoa: () => ({}),
  servfail: () => ({ rcode: 2 }),
  refused: () => ({ rcode: 5 }),
  refusedsoa: () => ({ rcode: 5, authority: [soa()] }),
  notimp: () => ({ rcode: 4 }),
  formerr: () => ({ rcode: 1 }),
  yxdomain: () => ({ rcode: 6 }),
  alias: (type) => ({
    answer: [
      cname('alias2.example.org.', 100),
      cname('www.example.org.', 20, 'alias2.example.org.'),
      ...(type === 28 ? [aaaa('2001:db8::1', 300, 'www.example.org.')] : [a('192.0.2.1', 300, 'www.example.org.')]),
    ],
  }),
  dangle: () => ({ rcode: 3, answer: [cname('gone.example.org.', 100)], authority: [soa()] }),
  half: () => ({ answer: [cname('elsewhere.example.net.', 100)] }),
  halfsoa: () => ({ answer: [cname('empty.example.org.', 100)], authority: [soa()] }),
  mail: () => ({
    answer: [mx(10, 'mx1.example.org.'), mx(20, 'mx2.example.org.')],
    additional: [a('192.0.2.11', 300, 'mx1.example.org.'), a('192.0.2.12', 300, 'mx2.example.org.')],
  }),
  svc: () => ({
    answer: [0, 1, 2].map((n) => srv(80, `host${n}.example.org.`)),
    additional: [0, 1, 2].map((n) => a(`192.0.2.${20 + n}`, 300, `host${n}.example.org.`)),
  }),
  referral: () => ({
    authority: [ns('ns1.referral.example.org.', 300)],
    additional: [a('192.0.2.99', 300, 'ns1.referral.example.org.')],
  }),
  multi: () => only(...[1, 2, 3, 4, 5].map((n) => a(`192.0.2.${n}`))),
  six: () => only(...[1, 2, 3].map((n) => aaaa(`2001:db8::${n}`))),
  twice: () => only(a('192.0.2.1'), a('192.0.2.1')),
  longtxt: () => only(txt(...['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(200)))),
  text: () => only(txt('', 'a "quoted" \\ text', '\u0001\u00ff')),
  // The last character-string claims more octets than the record has.
  badtxt: () => only({ owner: '=', ttl: 300, type: 16, rdata: Uint8Array.of(1, 0x61, 9, 0x62) }),
  shorta: () => only({ owner: '=', ttl: 300, type: 1, rdata: Uint8Array.of(192, 0, 2) }),
  big: () => only(...Array.from({ length: 100 }, (_, n) => a(`198.51.100.${n + 1}`))),
  mid: () => only(...Array.from({ length: 35 }, (_, n) => a(`198.51.100.${n + 1}`))),
  bigu: () => ({ ...only(...Array.from({ length: 60 }, (_, n) => a(`198.51.100.${n + 1}`))), ignoresSize: true }),
  huge: () => ({
    ...only(...Array.from({ length: 400 }, (_, n) => a(`198.51.${n >> 8}.${n & 255}`))),
    ignoresSize: true,
  }),
  lower: () => ({ ...only(a('192.0.2.1')), spellsLower: true }),
  bare: () => ({ fault: 'bare header' }),
  cut: () => ({ ...only(a('192.0.2.1'), a('192.0.2.2')), fault: 'cut' }),
  loop: () => ({ ...only(a('192.0.2.1')), fault: 'loop' }),
  mismatch: () => ({ ...only(a('192.0.2.1')), fault: 'wrong question' }),
  garbage: () => ({ fault: 'garbage' }),
  wrongid: () => ({ ...only(a('192.0.2.1')), fault: 'wrong id' }),
  drop: () => ({ fault: 'silence' }),
};

function only(...answer: ZoneRecord[]): Script {
  return { answer };
}

function address(type: number): Script {
  if (type === TYPES['A'] || type === TYPES['ANY']) return only(a('192.0.2.1'));
  return type === TYPES['AAAA'] ? only(aaaa('2001:db8::1')) : { authority: [soa()] };
}

/**
 * `echo` names answer a TXT with the text of what the upstream saw. A name `a.b.c.then...` behaves as `a` when it is
 * asked for the first time, then as `b`, and from the third time on as `c`; there may be any number of them.
 * @param count how often it was asked before.
 */
export function scriptOf(qname: string, type: number, seen: string, count = 0): Script {
  const name = lowerCase(qname);
  if (name === 'example.org.') return apex(type);
  if (!name.endsWith('.example.org.')) {
    return name.endsWith('.drop.test.') ? { fault: 'silence' } : { rcode: 3, authority: [soa()] };
  }
  const labels = parseLabels(name).map((label) => Buffer.from(label).toString('latin1'));
  const turns = Math.max(1, labels.indexOf('then'));
  const label = labels[Math.min(count, turns - 1)]!.split('-')[0]!;
  if (label === 'echo') return only(txt(seen.slice(0, 255)));
  return Object.hasOwn(SCRIPTS, label) ? SCRIPTS[label]!(type) : { rcode: 3, authority: [soa()] };
}

function apex(type: number): Script {
  if (type === TYPES['SOA']) return only(soa(600, '='));
  if (type === TYPES['NS']) {
    return { answer: [ns('ns1.example.org.', 600)], additional: [a('192.0.2.53', 600, 'ns1.example.org.')] };
  }
  return { authority: [soa(600, '=')] };
}

// Names of the protocol's numbers (IANA "Domain Name System (DNS) Parameters") as zone files and CoreDNS's log
// print them; types that its DNS library has no word for (WKS, NSAP, A6, SINK, DOA) are TYPEn there, and so here. The
// numbers that the engine also knows stand in engine-as/shared/codes.ts.

/** `A`, `SRV`, and `TYPE123` for a number without a name (RFC 3597 §5); 0 and 65535 are CoreDNS's `None`, `Reserved`. */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? RESERVED_TYPES.get(type) ?? `TYPE${type}`;
}

/** Reads `A`, `srv` or `TYPE123`; undefined for anything else. */
export function typeNumber(text: string): number | undefined {
  return numberOf(text, TYPE_NUMBERS, 'TYPE');
}

/** True for `A` or `SRV`, upper-case; false for `TYPE123`. */
export function isTypeMnemonic(text: string): boolean {
  return TYPE_NUMBERS.has(text);
}

/** `IN`, `CH`, and `CLASS123` for a number without a name (RFC 3597 §5). */
export function className(qclass: number): string {
  return CLASS_NAMES.get(qclass) ?? `CLASS${qclass}`;
}

/** Reads `IN`, `ch` or `CLASS123`; undefined for anything else. */
export function classNumber(text: string): number | undefined {
  return numberOf(text, CLASS_NUMBERS, 'CLASS');
}

/** `NOERROR`, `NXDOMAIN`; 16 is `BADVERS`, as only EDNS can produce it here; `RCODE123` without a name. */
export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** Reads `NOERROR`, `nxdomain` or `RCODE123`; undefined for anything else. */
export function rcodeNumber(text: string): number | undefined {
  return numberOf(text, RCODE_NUMBERS, 'RCODE');
}

/** `QUERY`, `NOTIFY`, and `OPCODE3` for a number without a name. */
export function opcodeName(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `OPCODE${opcode}`;
}

function numberOf(text: string, known: ReadonlyMap<string, number>, prefix: string): number | undefined {
  const upper = text.toUpperCase();
  const number = known.get(upper);
  if (number !== undefined) return number;
  if (!upper.startsWith(prefix)) return undefined;
  const digits = upper.slice(prefix.length);
  if (!/^\d{1,5}$/.test(digits)) return undefined;
  const value = Number(digits);
  return value <= 0xffff ? value : undefined;
}

function inverted(names: ReadonlyMap<number, string>): ReadonlyMap<string, number> {
  return new Map([...names].map(([number, name]) => [name, number]));
}

/** `0=A,5=CNAME` -> map; one line of text keeps the tables below readable. */
function table(text: string): ReadonlyMap<number, string> {
  return new Map(
    text
      .trim()
      .split(/\s+/)
      .map((entry) => {
        const cut = entry.indexOf('=');
        return [Number(entry.slice(0, cut)), entry.slice(cut + 1)];
      }),
  );
}

const TYPE_NAMES = table(`
  1=A 2=NS 3=MD 4=MF 5=CNAME 6=SOA 7=MB 8=MG 9=MR 10=NULL 12=PTR 13=HINFO 14=MINFO 15=MX 16=TXT 17=RP 18=AFSDB
  19=X25 20=ISDN 21=RT 23=NSAP-PTR 24=SIG 25=KEY 26=PX 27=GPOS 28=AAAA 29=LOC 30=NXT 31=EID 32=NIMLOC 33=SRV
  34=ATMA 35=NAPTR 36=KX 37=CERT 39=DNAME 41=OPT 42=APL 43=DS 44=SSHFP 45=IPSECKEY 46=RRSIG 47=NSEC
  48=DNSKEY 49=DHCID 50=NSEC3 51=NSEC3PARAM 52=TLSA 53=SMIMEA 55=HIP 56=NINFO 57=RKEY 58=TALINK 59=CDS 60=CDNSKEY
  61=OPENPGPKEY 62=CSYNC 63=ZONEMD 64=SVCB 65=HTTPS 99=SPF 100=UINFO 101=UID 102=GID 103=UNSPEC 104=NID 105=L32 106=L64
  107=LP 108=EUI48 109=EUI64 128=NXNAME 249=TKEY 250=TSIG 251=IXFR 252=AXFR 253=MAILB 254=MAILA 255=ANY 256=URI 257=CAA
  258=AVC 260=AMTRELAY 261=RESINFO 32768=TA 32769=DLV`);
const TYPE_NUMBERS = inverted(TYPE_NAMES);
/** Only printed: they are no types of a zone file. */
const RESERVED_TYPES = table('0=None 65535=Reserved');

const CLASS_NAMES = table('1=IN 2=CS 3=CH 4=HS 254=NONE 255=ANY');
const CLASS_NUMBERS = inverted(CLASS_NAMES);

const RCODE_NAMES = table(`
  0=NOERROR 1=FORMERR 2=SERVFAIL 3=NXDOMAIN 4=NOTIMP 5=REFUSED 6=YXDOMAIN 7=YXRRSET 8=NXRRSET 9=NOTAUTH 10=NOTZONE
  11=DSOTYPENI 16=BADVERS 17=BADKEY 18=BADTIME 19=BADMODE 20=BADNAME 21=BADALG 22=BADTRUNC 23=BADCOOKIE`);
const RCODE_NUMBERS = inverted(RCODE_NAMES);

const OPCODE_NAMES = table('0=QUERY 1=IQUERY 2=STATUS 4=NOTIFY 5=UPDATE 6=DSO');

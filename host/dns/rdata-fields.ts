// The fields of every type of RR that CoreDNS's DNS library knows, by its own names for them, which its error texts say.

/**
 * A number of so many octets, an address, a `name`, a character-`string`, or one of what fills the rest: `strings`,
 * `rest`, a `bitmap` of types, SvcParams, address prefixes, `names`. `sized` octets are as many as the number in front
 * says, `hit` as many as the first octet. The `gateway` is of the kind that the second octet says.
 */
export type FieldKind =
  | number
  | 'a'
  | 'aaaa'
  | 'name'
  | 'names'
  | 'string'
  | 'strings'
  | 'rest'
  | 'bitmap'
  | 'params'
  | 'prefixes'
  | 'options'
  | 'gateway'
  | 'sized'
  | 'hash'
  | 'hit'
  | 'key';

export interface RdataField {
  /** `MX.Preference`; empty where the library's error text does not name the field. */
  readonly name: string;
  readonly kind: FieldKind;
}

const LINES = `
1 A a
2 NS Ns:name
3 MD Md:name
4 MF Mf:name
5 CNAME Target:name
6 SOA Ns:name Mbox:name Serial:4 Refresh:4 Retry:4 Expire:4 Minttl:4
7 MB Mb:name
8 MG Mg:name
9 MR Mr:name
10 NULL Data:rest
12 PTR Ptr:name
13 HINFO Cpu:string Os:string
14 MINFO Rmail:name Email:name
15 MX Preference:2 Mx:name
16 TXT Txt:strings
17 RP Mbox:name Txt:name
18 AFSDB Subtype:2 Hostname:name
19 X25 PSDNAddress:string
20 ISDN Address:string SubAddress:string
21 RT Preference:2 Host:name
23 NSAPPTR Ptr:name
24 SIG TypeCovered:2 Algorithm:1 Labels:1 OrigTtl:4 Expiration:4 Inception:4 KeyTag:2 SignerName:name Signature:rest
25 KEY Flags:2 Protocol:1 Algorithm:1 PublicKey:rest
26 PX Preference:2 Map822:name Mapx400:name
27 GPOS Longitude:string Latitude:string Altitude:string
28 AAAA aaaa
29 LOC Version:1 Size:1 HorizPre:1 VertPre:1 Latitude:4 Longitude:4 Altitude:4
30 NXT NextDomain:name TypeBitMap:bitmap
31 EID Endpoint:rest
32 NIMLOC Locator:rest
33 SRV Priority:2 Weight:2 Port:2 Target:name
35 NAPTR Order:2 Preference:2 Flags:string Service:string Regexp:string Replacement:name
36 KX Preference:2 Exchanger:name
37 CERT Type:2 KeyTag:2 Algorithm:1 Certificate:rest
39 DNAME Target:name
41 OPT Option:options
42 APL Prefixes:prefixes
43 DS KeyTag:2 Algorithm:1 DigestType:1 Digest:rest
44 SSHFP Algorithm:1 Type:1 FingerPrint:rest
45 IPSECKEY Precedence:1 GatewayType:1 Algorithm:1 GatewayHost:gateway PublicKey:rest
46 RRSIG TypeCovered:2 Algorithm:1 Labels:1 OrigTtl:4 Expiration:4 Inception:4 KeyTag:2 SignerName:name Signature:rest
47 NSEC NextDomain:name TypeBitMap:bitmap
48 DNSKEY Flags:2 Protocol:1 Algorithm:1 PublicKey:rest
49 DHCID Digest:rest
50 NSEC3 Hash:1 Flags:1 Iterations:2 SaltLength:1 sized HashLength:1 hash TypeBitMap:bitmap
51 NSEC3PARAM Hash:1 Flags:1 Iterations:2 SaltLength:1 sized
52 TLSA Usage:1 Selector:1 MatchingType:1 Certificate:rest
53 SMIMEA Usage:1 Selector:1 MatchingType:1 Certificate:rest
55 HIP HitLength:1 PublicKeyAlgorithm:1 PublicKeyLength:2 hit key RendezvousServers:names
56 NINFO ZSData:strings
57 RKEY Flags:2 Protocol:1 Algorithm:1 PublicKey:rest
58 TALINK PreviousName:name NextName:name
59 CDS KeyTag:2 Algorithm:1 DigestType:1 Digest:rest
60 CDNSKEY Flags:2 Protocol:1 Algorithm:1 PublicKey:rest
61 OPENPGPKEY PublicKey:rest
62 CSYNC Serial:4 Flags:2 TypeBitMap:bitmap
63 ZONEMD Serial:4 Scheme:1 Hash:1 Digest:rest
64 SVCB Priority:2 Target:name Value:params
65 HTTPS Priority:2 Target:name Value:params
99 SPF Txt:strings
100 UINFO Uinfo:string
101 UID Uid:4
102 GID Gid:4
104 NID Preference:2 NodeID:8
105 L32 Preference:2 Locator32:a
106 L64 Preference:2 Locator64:8
107 LP Preference:2 Fqdn:name
108 EUI48 Address:6
109 EUI64 Address:8
128 NXNAME
249 TKEY Algorithm:name Inception:4 Expiration:4 Mode:2 Error:2 KeySize:2 sized OtherLen:2 sized
250 TSIG Algorithm:name TimeSigned:6 Fudge:2 MACSize:2 sized OrigId:2 Error:2 OtherLen:2 sized
255 ANY
256 URI Priority:2 Weight:2 Target:rest
257 CAA Flag:1 Tag:string Value:rest
258 AVC Txt:strings
260 AMTRELAY Precedence:1 GatewayType:1 GatewayHost:gateway
261 RESINFO strings
32768 TA KeyTag:2 Algorithm:1 DigestType:1 Digest:rest
32769 DLV KeyTag:2 Algorithm:1 DigestType:1 Digest:rest
`;

const TYPES: ReadonlyMap<number, readonly RdataField[]> = new Map(
  LINES.trim()
    .split('\n')
    .map((line) => {
      const [type, mnemonic, ...fields] = line.split(' ');
      return [Number(type), fields.map((text) => fieldOf(mnemonic!, text))];
    }),
);

function fieldOf(type: string, text: string): RdataField {
  const [kind = '', field] = text.split(':').toReversed();
  const isAddress = kind === 'a' || kind === 'aaaa';
  const name = field === undefined ? (isAddress ? type : '') : `${type}.${field}`;
  return { name, kind: /^[0-9]$/.test(kind) ? Number(kind) : (kind as FieldKind) };
}

/** The fields of a type's rdata; undefined for a type that is opaque (RFC 3597 §5). */
export function fieldsOf(type: number): readonly RdataField[] | undefined {
  return TYPES.get(type);
}

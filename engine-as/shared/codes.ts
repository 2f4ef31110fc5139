// The number table: every protocol number and every outcome that the engine and the host exchange.
// Compiled by asc and by tsc alike, so only plain integer constants may stand here.

// Types (RFC 1035 §3.2.2 and the IANA registry)
export const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_HINFO = 13;
export const TYPE_MX = 15;
export const TYPE_TXT = 16;
export const TYPE_AAAA = 28;
export const TYPE_SRV = 33;
export const TYPE_NAPTR = 35;
export const TYPE_DNAME = 39;
export const TYPE_OPT = 41;
export const TYPE_DS = 43;
export const TYPE_RRSIG = 46;
export const TYPE_NSEC = 47;
export const TYPE_DNSKEY = 48;
export const TYPE_NSEC3 = 50;
export const TYPE_SVCB = 64;
export const TYPE_HTTPS = 65;
export const TYPE_TSIG = 250;
export const TYPE_IXFR = 251;
export const TYPE_AXFR = 252;
export const TYPE_ANY = 255;

// Classes
export const CLASS_IN = 1;
export const CLASS_CH = 3;
export const CLASS_ANY = 255;

// Opcodes
export const OPCODE_QUERY = 0;
export const OPCODE_NOTIFY = 4;
export const OPCODE_UPDATE = 5;

// Rcodes (RFC 6895 §2.3)
export const RCODE_NOERROR = 0;
export const RCODE_FORMERR = 1;
export const RCODE_SERVFAIL = 2;
export const RCODE_NXDOMAIN = 3;
export const RCODE_NOTIMP = 4;
export const RCODE_REFUSED = 5;
export const RCODE_BADVERS = 16;

// Header flags as bits of the 16-bit word at octet 2 (RFC 1035 §4.1.1, RFC 4035 §3.2)
export const FLAG_QR = 0x8000;
export const FLAG_AA = 0x0400;
export const FLAG_TC = 0x0200;
export const FLAG_RD = 0x0100;
export const FLAG_RA = 0x0080;
export const FLAG_Z = 0x0040;
export const FLAG_AD = 0x0020;
export const FLAG_CD = 0x0010;
export const OPCODE_MASK = 0x7800;
export const OPCODE_SHIFT = 11;
export const RCODE_MASK = 0x000f;

// EDNS (RFC 6891) and the options that an answer echoes
export const EDNS_DO = 0x8000;
/** Version of an OPT, of size 0 and empty, that the slow face adds only to tell the engine an extended rcode. */
export const EDNS_VERSION_STAND_IN = 0xff;
export const OPTION_NSID = 3;
export const OPTION_ECS = 8;
export const OPTION_EXPIRE = 9;
export const OPTION_COOKIE = 10;
export const OPTION_KEEPALIVE = 11;
export const OPTION_LLQ = 1;
export const OPTION_UPDATE_LEASE = 2;
export const OPTION_EDE = 15;
export const OPTION_REPORTING = 18;
export const OPTION_ZONEVERSION = 19;
export const OPTION_PADDING = 12;

// Info codes of extended DNS errors (RFC 8914 §4)
export const EDE_BLOCKED = 15;
export const EDE_FILTERED = 17;
/** Payload size in the OPT that plugin acl makes. */
export const ACCESS_PAYLOAD_BYTES = 4096;

// Sizes on the wire
export const HEADER_BYTES = 12;
export const NAME_BYTES_MAX = 255;
export const LABEL_BYTES_MAX = 63;
export const LABELS_MAX = 127;
export const UDP_PAYLOAD_MIN = 512;
export const MESSAGE_BYTES_MAX = 65535;

// Outcome of one message, as serve() and serveOne() report it
export const OUTCOME_DROP = 0; // no reply at all
export const OUTCOME_ANSWER = 1; // the reply stands in the send slot
export const OUTCOME_RELAY = 2; // hand the octets to the step's relay (forwarding)
export const OUTCOME_SLOW = 3; // hand the message to the step's slow face
export const OUTCOME_LARGE = 4; // the reply exceeds a send slot: call serveOne() with the large buffer
export const OUTCOME_REFRESH = 5; // beside OUTCOME_ANSWER: ask the steps below the cache again, for no client

// Why a message left the fast face (the metric wasmdns_slow_total{reason})
export const REASON_NONE = 0;
export const REASON_STEP = 1; // the plugin of this step has no fast face
export const REASON_FORCED = 2; // the program asks for the slow face everywhere (tests)
export const REASON_CHASE = 3; // an alias leaves the zone
export const REASON_END = 4; // end of the chain: SERVFAIL plus an error line
export const REASON_RELAY = 5; // forwarding
export const REASON_COUNT = 6;

// Transport of a query
export const PROTO_UDP = 0;
export const PROTO_TCP = 1;

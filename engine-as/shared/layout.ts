// THE memory map: every offset, stride and state of the one shared WebAssembly memory. Compiled by asc and by tsc
// alike, so only plain integer constants may stand here. All numbers are bytes unless their name says otherwise.
//
//   0            CONTROL_BYTES      SHARDS_AT                                   arena
//   ├────────────┼──────────────────┼─────────────────┬────────┬───────────────┼──────────────────────────────┐
//   │ control    │ epoch words      │ shard area 0    │  ...   │ shard area N  │ programs · records · caches  │
//   └────────────┴──────────────────┴─────────────────┴────────┴───────────────┴──────────────────────────────┘
//
// Area N (one more than there are shards) belongs to the main thread: its scratch space and its counters.
// Who writes: control = main thread; epoch word i and shard area i = shard i; arena = main thread, except cache
// buckets (every shard, under the bucket's lock).

export const LAYOUT_VERSION = 2;
export const SHARDS_MAX = 64;

// ------------------------------------------------------------------------------------------------- control
export const CONTROL_VERSION = 0; // u32: LAYOUT_VERSION, checked at start by every thread
export const CONTROL_SHARD_COUNT = 4; // u32
export const CONTROL_NATIVE_BASE = 8; // u64: the memory's address in the process, for mmsghdr pointers
export const CONTROL_TABLE = 20; // u32, atomic: the active name table (see Name table)
export const CONTROL_EPOCH = 24; // u32, atomic: raised by the writer when it begins to wait for the shards
export const CONTROL_ARENA_START = 28; // u32
export const CONTROL_HASH_SEED = 44; // u32: random per process, so that nobody can aim at one bucket
export const CONTROL_ECHOES = 48; // u32, atomic: address of ECHO_BYTES, one bit for each EDNS option code that plugins have made echoable; 0 = none
export const ECHO_BYTES = 8192;
export const CONTROL_FREE_LISTS = 64; // u32 x ARENA_CLASSES
export const ARENA_CLASSES = 64;
export const ARENA_HEADER_BYTES = 8; // u32 class (huge blocks: size), u32 next
// What changes with each record stands apart from what every query reads (above).
export const CONTROL_ARENA_BYTES_USED = 320; // u32
export const CONTROL_ARENA_TOP = 324; // u32: first octet never allocated; main thread only
export const CONTROL_RETIRED = 328; // u32: blocks retired since the epoch last moved
export const CONTROL_WAITING = 332; // u32: blocks retired before that, waiting for every shard
export const CONTROL_WORDS = 512; // i32 x CONTROL_WORD_COUNT: process-wide limits and flags (atomic)
export const CONTROL_WORD_COUNT = 384;
export const EPOCHS_AT = 2048; // one u32 a shard, each on its own 64-octet line
export const EPOCH_STRIDE = 64;
export const SHARDS_AT = 8192;

// ------------------------------------------------------------------------------------------ shard area, relative
//
// One batch is at most BATCH messages. Replies and their send headers stand in answer order, each reply on the next
// 64-octet line behind the one before it.
export const BATCH = 64;
export const RECEIVE_BYTES = 512; // CoreDNS reads queries into 512 octets: a longer one is cut
export const RECEIVE_STRIDE = 576;
export const SEND_BYTES_MAX = 4096;
export const MMSGHDR_STRIDE = 64; // sizeof(struct mmsghdr) on 64-bit Linux
export const IOVEC_STRIDE = 16;
export const SOCKADDR_STRIDE = 32;
export const CONTROL_MESSAGE_STRIDE = 64;
export const CONTROL_MESSAGE_BYTES = 48;

// struct mmsghdr { void *name; u32 namelen; pad; iovec *iov; size_t iovlen; void *control; size_t controllen; int flags; pad; u32 len; pad }
export const MMSGHDR_NAME = 0;
export const MMSGHDR_NAMELEN = 8;
export const MMSGHDR_IOV = 16;
export const MMSGHDR_IOVLEN = 24;
export const MMSGHDR_CONTROL = 32;
export const MMSGHDR_CONTROLLEN = 40;
export const MMSGHDR_FLAGS = 48;
export const MMSGHDR_LEN = 56;

export const SHARD_NOW_MS = 0; // f64: monotonic milliseconds at the start of the batch
export const SHARD_NOW_SECONDS = 8; // u32: monotonic seconds, for TTLs
export const SHARD_STATE = 12; // i32, atomic: SHARD_ states
export const SHARD_HEARTBEAT = 16; // i32, atomic: raised by the shard every HEARTBEAT_MS
export const SHARD_UNIX_SECONDS = 20; // u32: seconds since 1970, for the validity of signatures
export const SHARD_RANDOM = 24; // u64: state of the shuffle
export const SHARD_HANDOFF_COUNT = 32; // u32: filled by serve()
export const SHARD_LOG_COUNT = 36; // u32: log records waiting
export const SHARD_SEND_COUNT = 40; // u32: send headers filled by serve()
export const SHARD_REPLY_BYTES = 48; // u32: length of the reply that serveOne(), finish() or fail() wrote
export const SHARD_TOUCHED_COUNT = 44; // u32: scopes with answers whose duration is not settled
export const SHARD_QUERIES = 52; // u32: messages that clients have sent, by the shard; it wraps
export const SHARD_SLOW_REASONS = 64; // u32 x REASON_COUNT: messages that left the fast face
export const SHARD_TOUCHED = 128; // {u32 scope slot, u32 answers} x TOUCHED_MAX
export const TOUCHED_MAX = 32;

export const RECEIVE_HEADERS = 1024;
export const RECEIVE_IOVECS = 5120;
export const RECEIVE_NAMES = 6144;
export const RECEIVE_CONTROLS = 8192;
export const SEND_HEADERS = 12288;
export const SEND_IOVECS = 16384;
export const HANDOFFS = 17408; // HANDOFF_STRIDE x BATCH
export const RECEIVE_SLOTS = 20480; // RECEIVE_STRIDE x BATCH = 36864
export const SEND_SLOTS = 57344; // SEND_BYTES_MAX x BATCH = 262144
export const LOG_RECORDS = 319488; // LOG_STRIDE x LOG_MAX = 36864
export const LARGE_IN = 360448; // 65536 + room: one message of a stream
export const LARGE_OUT = 430080; // 65536 + room: one reply of any size
export const IMAGE_SCRATCH = 499712; // IMAGE_BYTES_MAX: the answer under construction
export const IMAGE_BYTES_MAX = 196608;
export const NAME_SCRATCH = 696320; // 16384: names being walked, label tables, lookup keys
export const COMPRESS_SCRATCH = 712704; // 16384
export const UPSTREAM_SLOTS = 729088; // UPSTREAM_STRIDE x BATCH = 270336: replies of upstreams (the shard's own use)
export const UPSTREAM_STRIDE = 4224;
export const UPSTREAM_BYTES = 4096;
export const UPSTREAM_HEADERS = 999424; // receive headers, iovecs, send headers and iovecs of upstream sockets
export const UPSTREAM_HEADERS_BYTES = 24576;
export const SLOTS = 1024000; // f64 x SLOT_COUNT: counters
export const SLOT_COUNT = 65536;
export const WRITER_SCRATCH = 1548288; // 262144: blobs and keys on their way into the arena (main thread's area)
export const UPSTREAM_LARGE = 1548288; // 65536: a reply that is longer than its slot (same place: shards have no writer)
export const REWRITE_SCRATCH = 1810432; // plugin rewrite: the new name in wire form, then
export const REWRITE_LEFT = 1024; // response rules of the query being served, LEFT_STRIDE x LEFT_MAX
export const LEFT_STRIDE = 24;
export const LEFT_MAX = 16;
export const REWRITE_TEXTS = 2048; // names as text, one behind the other
export const REWRITE_TEXTS_BYTES = 16384;
export const REWRITE_MESSAGE = 20480; // 65536 + room: a reply on its way back
export const EXCHANGES = 1908736; // EXCHANGE_STRIDE x the number chosen at start

// shard states
export const SHARD_STARTING = 0;
export const SHARD_SERVING = 1;
export const SHARD_DRAINING = 2;
export const SHARD_STOPPED = 3;
export const HEARTBEAT_MS = 100;

// handoff record
export const HANDOFF_STRIDE = 48;
export const HANDOFF_INDEX = 0; // u32: receive slot
export const HANDOFF_OUTCOME = 4; // u32: OUTCOME_RELAY, OUTCOME_SLOW, OUTCOME_LARGE or OUTCOME_REFRESH
export const HANDOFF_REASON = 8; // u32
export const HANDOFF_ZONE = 12; // u32: address of the zone entry that was matched
export const HANDOFF_STEP = 16; // u32: index of the step
export const HANDOFF_HASH = 20; // u32: of the message's octets from octet 2 on
export const HANDOFF_FLAGS = 24; // u32: HANDOFF_WANTS_AD
export const HANDOFF_BYTES = 28; // u32: length of the message, which may have been packed anew in its place
export const HANDOFF_WANTS_AD = 1;
export const HANDOFF_REWRITTEN = 2; // the engine's rules have changed the question: rewriteSaved() makes the message
// of a cached entry that is to be asked for again, or has to be verified: what cacheRefresh() wants back
export const HANDOFF_ENTRY = 32; // u32: address of the entry's first block
export const HANDOFF_SEQ = 36; // u32: its sequence word
export const HANDOFF_LAST_MS = 40; // u32: when its last hit counts as seen
export const HANDOFF_REFRESH = 44; // u32: REFRESH_ bits
export const REFRESH_STALE = 1; // only a reply that may replace an expired entry counts
export const REFRESH_REMOVES = 2; // a positive reply removes the denial of the same key
export const REFRESH_HELD = 4; // the entry's hold was taken: give it back
export const REFRESH_COUNTED = 8; // the entry's hits go over to the new one
export const REFRESH_RELAY = 16; // the step below is a relay

// log record: the words of one line
export const LOG_STRIDE = 384;
export const LOG_MAX = 96;
export const LOG_RULE = 0; // u32
export const LOG_ID = 4; // u16
export const LOG_QUERY_FLAGS = 6; // u16: header word of the query
export const LOG_TYPE = 8; // u16
export const LOG_CLASS = 10; // u16
export const LOG_PAYLOAD = 12; // u32: effective UDP payload size
export const LOG_QUERY_BYTES = 16; // u32
export const LOG_REPLY_BYTES = 20; // u32
export const LOG_REPLY_FLAGS = 24; // u16: header word of the reply
export const LOG_RCODE = 26; // u16: extended bits included
export const LOG_PROTO = 28; // u8
export const LOG_DO = 29; // u8
export const LOG_BLOCK = 30; // u16: block index
export const LOG_NAME_BYTES = 32; // u32: wire form, lower-case, at LOG_NAME
export const LOG_NAME = 64; // 255 octets
export const LOG_DURATION_MS = 320; // f64; negative: answered in the batch that is being served
export const LOG_KIND = 328; // u8: KIND_ of engine-as/answer/kind.ts
export const LOG_SOCKADDR = 36; // 28 octets: struct sockaddr_in or sockaddr_in6

// exchange: a query that left the fast face, saved until its answer is known
export const EXCHANGE_STRIDE = 1040; // the first word is unused
export const EXCHANGE_PROTO = 4; // u32: PROTO_
export const EXCHANGE_ZONE = 8; // u32: zone entry
export const EXCHANGE_STEP = 12; // u32: step index
export const EXCHANGE_HASH = 16; // u32
export const EXCHANGE_FLAGS = 20; // u32: HANDOFF_ flags
export const EXCHANGE_BYTES = 24; // u32: message length
export const EXCHANGE_LISTENER = 28; // u32: the shard's own number of the socket it came from
export const EXCHANGE_STARTED_MS = 32; // f64
export const EXCHANGE_NAMELEN = 40; // u32
export const EXCHANGE_CONTROLLEN = 44; // u32
export const EXCHANGE_SOCKADDR = 48; // 32 octets
export const EXCHANGE_CONTROL = 80; // 48 octets
export const EXCHANGE_MESSAGE = 128; // EXCHANGE_MESSAGE_MAX octets; a longer message lives with the shard
export const EXCHANGE_MESSAGE_MAX = 640;
export const EXCHANGE_ASKED = 768; // the question as it was asked, if plugin rewrite has changed it in the message
export const ASKED_NAME_BYTES = 0; // u32: 0 = the message is as it was asked
export const ASKED_TYPE = 4; // u16
export const ASKED_CLASS = 6; // u16
export const ASKED_PLAIN = 8; // u32: size of the query as it was asked; from the host, without rdataPad
export const ASKED_FLAGS = 12; // u32: ASKED_ bits
export const ASKED_NAME = 16; // 255 octets, spelling kept
export const ASKED_BYTES = 272;
export const ASKED_RESTORED = 1; // the reply repeats this question, not the message's
export const ASKED_BY_ENGINE = 2; // a step of the fast face has changed it, and will do so again
export const ASKED_LOGGED_SHIFT = 8; // the bits from here on: size of the query as it is logged, without rdataPad; 0 = that of the message

// ------------------------------------------------------------------------------------------------- counters
// Slots are f64 words, one set a shard, added up when scraped. A scope is what the coredns_dns_* families count for
// one server label and one zone label; see docs/architecture.md.
export const REQUEST_TYPES = 20; // A AAAA CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY other
export const SCOPE_REQUESTS = 0; // [proto 2][family 2][type REQUEST_TYPES]
export const SCOPE_DURATION = 80; // DURATION_BUCKETS and the sum in seconds
export const DURATION_BUCKETS = 17; // 0.25 ms doubling to 8.192 s, then +Inf; each slot counts its own bucket only
export const SCOPE_REQUEST_SIZE = 98; // [proto 2][SIZE_BUCKETS and the sum]
export const SIZE_BUCKETS = 15; // 0 100 200 300 400 511 1023 2047 4095 8291 16000 32000 48000 64000 +Inf
export const SCOPE_RESPONSE_SIZE = 130; // [proto 2][SIZE_BUCKETS and the sum]
export const SCOPE_DO = 162;
export const SCOPE_RESPONSES = 163; // [written by: plugin, server][rcode RCODE_SLOTS]
export const RCODE_SLOTS = 25; // 0..23, then all others
export const SCOPE_SLOTS = 216;

// cache counters of one server label
export const CACHE_REQUESTS = 0;
export const CACHE_MISSES = 1;
export const CACHE_HITS_SUCCESS = 2;
export const CACHE_HITS_DENIAL = 3;
export const CACHE_EVICTIONS_SUCCESS = 4;
export const CACHE_EVICTIONS_DENIAL = 5;
export const CACHE_PREFETCHES = 6;
export const CACHE_SERVED_STALE = 7;
export const CACHE_SLOTS = 8;

// -------------------------------------------------------------------------------------------------- program
// What the host compiled from one Corefile. Immutable; a shard serves with the addresses its last load message named.
//
//   program ─► listener entries ─► zone entries (longest first) ─► block ─► steps in chain order
export const PROGRAM_LISTENER_COUNT = 0; // u32
export const PROGRAM_GENERATION = 8; // u32
export const PROGRAM_LISTENERS = 16; // LISTENER_STRIDE each
export const LISTENER_STRIDE = 32;
export const LISTENER_ZONES = 0; // u32: address of the zone entries
export const LISTENER_ZONE_COUNT = 4; // u32
export const LISTENER_FLAGS = 8; // u32: LISTENER_ bits
export const LISTENER_DROPPED_SCOPE = 12; // u32: slot of the scope zone="dropped", SLOT_NONE without prometheus
export const LISTENER_PORT = 16; // u32: for the log
export const LISTENER_ANY_CLASS = 1; // some block of the listener forwards: classes other than IN reach the chain
export const LISTENER_FORCE_SLOW = 2; // every well-formed query goes to the slow face at the first step (tests)
export const ZONE_STRIDE = 32;
export const ZONE_NAME = 0; // u32: address of the wire name, lower-case, with its root label
export const ZONE_NAME_BYTES = 4; // u32
export const ZONE_LABELS = 8; // u32
export const ZONE_BLOCK = 12; // u32: address of the block
export const ZONE_SCOPE = 16; // u32: first slot of the scope, SLOT_NONE = not counted
export const ZONE_SERVER = 20; // u32: ordinal of the server label within the block
export const ZONE_DEEPER = 24; // u32: zone list, 0 = none: the block's other zones below this one, served elsewhere or not
export const ZONE_DEEPER_SCOPES = 28; // u32: address of their scopes on this listener, u32 each
export const SLOT_NONE = 0xffff;
export const BLOCK_INDEX = 0; // u32: position in the Corefile
export const BLOCK_STEP_COUNT = 4; // u32; 0 = no plugins: REFUSED
export const BLOCK_FLAGS = 8; // u32: BLOCK_ bits
export const BLOCK_FORCE_SLOW = 1; // every query of the block goes to the slow face: some plugin reads its metadata
export const BLOCK_STEPS = 16; // STEP_STRIDE each
export const STEP_STRIDE = 96; // parameters from 8 on
export const STEP_OP = 0; // u32
export const STEP_PLUGIN = 4; // u32: index of the plugin in the block's slow chain

export const STEP_END = 0; // no more plugins: SERVFAIL
export const STEP_COUNT = 1;
export const STEP_LOG = 2; // +8 rules address, +12 rule count
export const STEP_ROTATE = 3; // see ROTATE_STEP_
export const STEP_CACHE = 4; // see CACHE_STEP_
export const STEP_RECORDS = 5; // see RECORDS_STEP_
export const STEP_WATCH = 6; // +8 type, +12 word index: punt while the word is non-zero
export const STEP_RELAY = 7; // +8 zone, +12 zone bytes, +16 except list, +20 zone labels
export const STEP_WHOAMI = 8;
export const STEP_SLOW = 9;
export const STEP_PASS = 10; // a plugin that does nothing on the way (errors, health...)
export const STEP_HOSTS = 11; // see HOSTS_STEP_
export const STEP_BUFSIZE = 12; // +8 largest UDP payload size that what stands below may see
export const STEP_SLOW_FOR = 13; // +8 rules address, +12 rule count: slow for questions that fit some rule
export const STEP_REWRITE = 14; // see rules.ts
export const STEP_ACL = 15; // +8 rules address, +12 rule count, +16 slots of allowed queries, u32 for each ordinal of a server label

// slow rule: +0 zone list, +4 class, +8 type (255 = any), +12 literals address, 0 = none, +16 literal count,
// +20 fallthrough zone list, 0 = never
export const SLOW_RULE_STRIDE = 24;
// access rule: +0 zone list, +4 policies address, +8 policy count, +12 slots: u32 [server label][zone][ACL_KINDS], 0 = not counted
export const ACL_RULE_STRIDE = 16;
// policy: +0 ACL_ action, +4 types address (u32 each), 0 = every type, +8 type count, +12 ranges of IPv4 addresses,
// +16 their count, +20 ranges of IPv6 addresses, +24 their count
export const ACL_POLICY_STRIDE = 32;
// range: first and last address, each two u64, the upper half first; in order, and apart from each other
export const ACL_RANGE_STRIDE = 32;
export const ACL_ALLOW = 0;
export const ACL_BLOCK = 1;
export const ACL_FILTER = 2;
export const ACL_DROP = 3;
export const ACL_KINDS = 3; // slots of a zone: blocked, filtered, dropped

// literal of a name's text: +0 prefix address, +4 prefix bytes, +8 suffix address, +12 suffix bytes
export const NAME_LITERAL_STRIDE = 16;

// a zone list: u32 count, then {u32 name address, u32 bytes, u32 labels} each
export const ZONE_LIST_STRIDE = 12;
export const ZONE_LIST_ENTRIES = 4;

// log rule: +0 scope name address, +4 scope bytes, +8 class mask, +12 scope labels
export const LOG_RULE_STRIDE = 16;
export const LOG_CLASS_SUCCESS = 1;
export const LOG_CLASS_DENIAL = 2;
export const LOG_CLASS_ERROR = 4;

export const ROTATE_STEP_ORDER = 8; // ORDER_
export const ROTATE_STEP_STORE = 12; // weights: owners (in their own spelling) with a TXT set, 16 octets address + 1 weight each
export const ROTATE_STEP_SUBNETS = 16; // u32 count, pad, then SUBNET_STRIDE each
export const ORDER_SHUFFLE = 1;
export const ORDER_WEIGHTED = 2;
export const ORDER_PREFER = 3;
export const SUBNET_STRIDE = 24;
export const SUBNET_BYTES = 0; // u32: 4 or 16
export const SUBNET_BITS = 4; // u32: length of the prefix
export const SUBNET_OCTETS = 8;

export const CACHE_STEP_ADDRESS = 8;
export const CACHE_STEP_ZONES = 12; // zone list
export const CACHE_STEP_DISABLE_SUCCESS = 16; // zone list, count 0 = none
export const CACHE_STEP_DISABLE_DENIAL = 20;
export const CACHE_STEP_SUCCESS_MIN = 24;
export const CACHE_STEP_SUCCESS_MAX = 28;
export const CACHE_STEP_DENIAL_MIN = 32;
export const CACHE_STEP_DENIAL_MAX = 36;
export const CACHE_STEP_SERVFAIL = 40;
export const CACHE_STEP_SLOTS = 44; // address of u32 first slots, one for each ordinal of a server label; 0 = not counted
export const CACHE_STEP_FLAGS = 48; // u32: CACHE_ flags
export const CACHE_STEP_STALE = 52; // u32: seconds for which expired entries may be served, 0 = never
export const CACHE_STEP_STALE_TTL = 56; // u32: TTL that they show, 0 = none
export const CACHE_STEP_RECHECK_MS = 60; // u32: pause after a refresh that failed, 0 = none
export const CACHE_STEP_PREFETCH = 64; // u32: hits from which on an entry is asked for again in time, 0 = never
export const CACHE_STEP_PREFETCH_PERCENT = 68; // u32: of its TTL that is left then
export const CACHE_STEP_PREFETCH_WINDOW_MS = 72; // i32: a longer pause between hits resets their count; may be negative
export const CACHE_KEEP_TTL = 1; // hits show the original TTL
export const CACHE_VERIFY = 2; // an expired entry is served only if the plugins below have no better answer
export const CACHE_PREFER_POSITIVE = 4; // answers, even expired ones, win over denials
export const CACHE_SERVFAIL = 8; // SERVFAIL is stored, if only for a part of a second
export const CACHE_REFRESHES = 16; // prefetch or serve_stale is on: hits may begin a refresh

export const RECORDS_STEP_STORE = 8;
export const RECORDS_STEP_ZONES = 12; // zone list; longest match
export const RECORDS_STEP_FALLTHROUGH = 16; // zone list address, 0 = never
export const RECORDS_STEP_TTL = 20;
export const RECORDS_STEP_SOA_TTL = 24;
export const RECORDS_STEP_SOA_TIMERS = 28; // refresh, retry, expire, minimum: u32 x 4
export const RECORDS_STEP_SOA_MNAME = 44; // address of relative wire labels put before the zone, +4 bytes
export const RECORDS_STEP_SOA_RNAME = 52;
export const RECORDS_STEP_FLAGS = 60;
export const RECORDS_KUBERNETES = 1;
export const RECORDS_PODS_INSECURE = 2;
export const RECORDS_PODS_VERIFIED = 4;
export const RECORDS_MULTICLUSTER = 8; // names of a cluster set: ENDPOINT.CLUSTER.SERVICE...
export const RECORDS_ZONAL = 16; // names ZONE.pin|prefer._zone.SERVICE...
export const RECORDS_STEP_SERVICES = 64; // store of the names below `svc`, and of the serial
export const RECORDS_STEP_EXCEPT = 68; // zone list of what belongs to another step, 0 = none

export const HOSTS_STEP_STORE = 8; // keys: whole lower-case names, `*` as first label for wildcards, reverse keys
export const HOSTS_STEP_ZONES = 12; // zone list
export const HOSTS_STEP_FALLTHROUGH = 16; // zone list
export const HOSTS_STEP_TTL = 20;
export const HOSTS_STEP_FLAGS = 24;
export const HOSTS_FALLTHROUGH_UNSUPPORTED = 1;

// -------------------------------------------------------------------------------------------------- records
// Name table: open addressing, linear probing. Writer: main thread. Readers: every shard, without locks.
//
//   table ─► entries {hash, owner} ─► owner {key, sets} ─► sets blob {directory of RRsets, data}
//
// An update writes a new sets blob and swaps one word; the old blob is retired and reused once every shard's epoch
// word has passed. hash 0 = empty, owner 0 with a hash = removed.
export const TABLE_MASK = 0; // u32: entries - 1
export const TABLE_USED = 4; // u32: entries ever used (removed ones included)
export const TABLE_LIVE = 8; // u32
export const TABLE_ENTRIES = 16;
export const TABLE_ENTRY_STRIDE = 8; // u32 hash, u32 owner
export const OWNER_SETS = 0; // u32, atomic: sets blob
export const OWNER_STORE = 4; // u32: store address
export const OWNER_HASH = 8; // u32
export const OWNER_FLAGS = 12; // u16
export const OWNER_KEY_BYTES = 14; // u16
export const OWNER_KEY = 16;
export const STORE_SYNCED = 0; // u32, atomic
export const STORE_SERIAL = 4; // u32, atomic
export const STORE_OWNERS = 8; // u32
export const STORE_BYTES = 12; // u32
export const STORE_HEADER_BYTES = 16;
export const REVERSE_KEY = 0xff; // first octet of a reverse key: then 4 or 16 address octets
// sets blob: u32 count, then SET_STRIDE each, then the data they point at (offsets from the blob)
export const SETS_COUNT = 0;
export const SETS_DIRECTORY = 4;
export const SET_STRIDE = 16;
export const SET_TYPE = 0; // u16
export const SET_RECORDS = 2; // u16: number of RRs
export const SET_TTL = 4; // u32, TTL_OF_STEP = the step's
export const SET_DATA = 8; // u32: offset of the data in the blob
export const SET_TARGETS = 12; // u16: SRV, NS: distinct target owners
export const TTL_OF_STEP = 0x7fffffff;
// A: 4 octets each. AAAA: 16. TXT: {u16 bytes, rdata} each.
// PTR NS CNAME: {u16 bytes, u16 relative, u32 target owner, wire octets padded to 4} each.
// SRV: SET_TARGETS x u32 owner (0 = the owner asked), then {u16 priority, weight, port, target index} each.

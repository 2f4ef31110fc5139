// What a plugin tells the fast face: records in shared memory, and the steps of a block's program. Part of the plugin
// contract (contract.ts exports all of it again).

import type { ServerBlock } from './contract.ts';

/** Names and RRsets in shared memory: one writer (the main thread), lock-free readers in every shard. */
/** IPv4 endpoints, at most ENDPOINTS_MAX. */
export interface Endpoints {
  /** 4 octets each, back to back. */
  readonly addresses: string;
  /** As many labels in wire form, lower-case; '' where each is its address with dashes. */
  readonly labels: string;
}
export const ENDPOINTS_MAX = 1024;

export interface RecordStore {
  /** Byte offset of the store's header in shared memory. */
  readonly address: number;
  /**
   * Publishes all RRsets of one owner, replacing what it had. An owner with no RRset exists (NODATA); a reverse owner
   * with none stands for no reply at all.
   * @param key relative owner in wire form without the root label, lower-case (`\3web\4demo\3svc`), or a reverse key.
   * @returns the owner's handle, valid until remove(); SRV sets refer to target owners by it.
   */
  put(key: Octets, sets: readonly RecordSet[], flags?: number): OwnerHandle;
  /**
   * The same as put() for one owner of each endpoint, with an A record and what is in `sets`: its key is its label,
   * different from the others', and `base`. The SRV records of `sets` lead to their owner (target 0).
   */
  putEndpoints(endpoints: Endpoints, base: Octets, sets: readonly RecordSet[], flags: number): void;
  /** The same as put() for the reverse owner of each endpoint: PTR to its label in front of `name`, an absolute name. */
  putReverse(endpoints: Endpoints, name: Octets): void;
  /** Returns the handle of an owner, or 0. */
  find(key: Octets): OwnerHandle;
  /** Removes the owner; SRV sets that refer to it must have been replaced before. */
  remove(key: Octets): void;
  /** Until told so, would-be NXDOMAIN is SERVFAIL (CoreDNS plugin kubernetes). */
  setSynced(synced: boolean): void;
  /** SOA serial of the store's zones. */
  setSerial(serial: number): void;
  /** Bytes and owners in use. */
  usage(): { readonly owners: number; readonly bytes: number };
  release(): void;
}
export type OwnerHandle = number;

/** A string has one octet in each character: whoever writes 150,000 owners is spared as many arrays. */
export type Octets = Uint8Array | string;

/** Flag of put(): the zone part of the question must be lower-case, as CoreDNS compares NS and ns.dns. */
export const OWNER_ZONE_CASE = 1;
/** Flag of put(): a type the owner lacks is NXDOMAIN instead of NODATA (dns-version in plugin kubernetes). */
export const OWNER_NO_NODATA = 2;
/** Flag of put(): TXT is NODATA although the owner has no RRset; other empty owners of plugin kubernetes deny it. */
export const OWNER_HAS_TEXT_NODATA = 4;
/** Flag of put(): a question for SRV or PTR gets no reply (CoreDNS cannot pack the names), but is counted and logged. */
export const OWNER_SILENT = 8;
/** Flags of put(): all ports of the service have this protocol, so that a question may leave the port out (`_._tcp`). */
export const OWNER_ALL_TCP = 16;
export const OWNER_ALL_UDP = 32;
export const OWNER_ALL_SCTP = 64;

/** Or all of them in one string, back to back. */
export type Addresses = readonly Uint8Array[] | string;

export type RecordSet =
  | { readonly type: 'A' /** 4 octets each */; readonly addresses: Addresses; readonly ttl?: number }
  | { readonly type: 'AAAA' /** 16 octets each */; readonly addresses: Addresses; readonly ttl?: number }
  | { readonly type: 'SRV'; readonly records: readonly ServiceRecord[]; readonly ttl?: number }
  | { readonly type: 'SRV'; readonly runs: readonly ServiceRun[]; readonly weight: number; readonly ttl?: number }
  /** Names in wire form; `relative` ones lack the root label and end in the question's zone, in the question's spelling. */
  | { readonly type: 'PTR' | 'NS' | 'CNAME'; readonly names: readonly RecordName[]; readonly ttl?: number }
  | {
      readonly type: 'TXT' /** rdata octets, character-strings included */;
      readonly rdata: readonly Uint8Array[];
      readonly ttl?: number;
    };

export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** The owner whose name is the target and whose addresses go into the additional section; 0 = the owner itself. */
  readonly target: OwnerHandle;
}

/** Many SRV records of one weight: one for each target and each port. No target stands in two runs, or twice in one. */
export interface ServiceRun {
  readonly ports: readonly number[];
  readonly targets: Uint32Array;
}

export interface RecordName {
  readonly wire: Octets;
  readonly relative: boolean;
  /** NS only: the owner whose addresses go into the additional section, 0 = none. */
  readonly target?: OwnerHandle;
}

/**
 * Collects the steps of one block, in chain order. Only data: a step that the fast face cannot take leads to the
 * plugin's slow face. A plugin without compile() whose create() exists gets `slow()` by itself.
 */
export interface BlockProgram {
  readonly block: ServerBlock;
  /** Count the query in the coredns_dns_* families; `plugin` is the label of replies written below (CoreDNS plugin prometheus). */
  count(plugin: string): void;
  /** Hand a log line's words to the shard for these rules; the first whose scope holds decides (CoreDNS plugin log). */
  log(rules: readonly LogRule[]): void;
  /** Lower the UDP payload size that the query carries (CoreDNS plugin bufsize). */
  bufsize(payloadBytes: number): void;
  /** The order of addresses (CoreDNS plugin loadbalance). */
  rotate(order: AddressOrder): void;
  cache(step: CacheStep): void;
  records(step: RecordsStep): void;
  /** Names of hosts files (CoreDNS plugin hosts). */
  hosts(step: HostsStep): void;
  /** Queries of this type go to the slow face at this step while words[word] is not 0 (plugin loop). */
  watchType(type: number, word: number): void;
  /** Octets go to Plugin.relay() (plugin forward). */
  relay(step: RelayStep): void;
  /** Queries of classes other than IN reach the chains of the block's listeners (CoreDNS plugins forward and chaos). */
  anyClass(): void;
  /** Describes the client (CoreDNS plugin whoami). */
  whoami(): void;
  /** Tries rules on the question, in order, and takes the reply back through them (plugin rewrite). */
  rewrite(rules: readonly FastRule[]): void;
  /** Refuses some questions of some clients (plugin acl). */
  access(step: AccessStep): void;
  /** Every query that comes this far goes to the slow face. */
  slow(): void;
  /** Queries that fit one of the rules go to the slow face (plugin template). */
  slowFor(rules: readonly SlowRule[]): void;
  /** Queries of this block carry labels (plugin metadata). */
  keepMetadata(): void;
  /**
   * Some plugin of the block needs labels to be there: in a block that keeps them every query then takes the slow face
   * from its first step below count and log on. Blocks without plugin metadata lose nothing.
   */
  readMetadata(): void;
}

/** Plugin acl: the first policy of a rule that fits decides, without one the next rule is tried. */
export interface AccessStep {
  readonly rules: readonly AccessRule[];
  /** Counters of allowed queries, one for each server label of the block, in order. */
  readonly allowedSlots: readonly number[];
}
export interface AccessRule {
  readonly zones: readonly string[];
  readonly policies: readonly AccessPolicy[];
  /** Counters: of each server label, of each zone, what was blocked, filtered and dropped. */
  readonly slots: readonly number[];
}
export type AccessPolicy = {
  readonly action: AccessAction;
  /** undefined = all. */
  readonly types: readonly number[] | undefined;
  /** undefined = all clients. */
  readonly subnets: readonly Subnet[] | undefined;
};
export type AccessAction = 'allow' | 'block' | 'filter' | 'drop';

export type AddressOrder =
  | { readonly policy: 'round_robin' }
  /**
   * One address is put first, chosen by weight. The store's keys are names with their root label, in their own spelling;
   * each has a TXT set with 16 octets of address (IPv4 mapped) and one of weight a record.
   */
  | { readonly policy: 'weighted'; readonly address: number }
  /** Shuffled, then those in the first subnet first, those in the second next, and so on. */
  | { readonly policy: 'prefer'; readonly subnets: readonly Subnet[] };

export type Subnet = {
  /** 4 or 16, bits beyond the prefix are zero. */
  readonly octets: Uint8Array;
  readonly prefixBits: number;
};

/** Questions that a plugin's slow face wants to see. 255 is ANY: it fits all, as a rule's and as a question's. */
export interface SlowRule {
  readonly zones: readonly string[];
  readonly class: number;
  readonly type: number;
  /** A name that fits none of these and lies below `fallthrough` is passed by. undefined: all names are wanted. */
  readonly literals: readonly NameLiteral[] | undefined;
  /** undefined = never. */
  readonly fallthrough: readonly string[] | undefined;
}

/** How the text of a lower-case name begins and ends: `a-z 0-9 _ -` and dots; '' = any way. */
export interface NameLiteral {
  readonly prefix: string;
  readonly suffix: string;
}

export interface LogRule {
  /** Lower-case zone; `.` for all. */
  readonly scope: string;
  readonly classes: readonly ('success' | 'denial' | 'error')[];
}

export interface CacheCapacity {
  readonly success: number;
  readonly denial: number;
}
export interface CacheHandle {
  /** Byte offset of the cache's header in shared memory. */
  readonly address: number;
  /**
   * Entries now held: [success, denial]; undefined before the first reply that could be stored for the server label of
   * this ordinal (in the order of the block's keys).
   */
  entries(server: number): readonly [number, number] | undefined;
  release(): void;
}

export interface CacheStep {
  readonly address: number;
  readonly zones: readonly string[];
  readonly successTtl: readonly [minSeconds: number, maxSeconds: number];
  readonly denialTtl: readonly [minSeconds: number, maxSeconds: number];
  /** How long SERVFAIL and NOTIMP answers are kept, 0 = not at all. */
  readonly servfailMs: number;
  readonly disableSuccess: readonly string[];
  readonly disableDenial: readonly string[];
  /** Hits show the TTL that was stored. */
  readonly keepTtl: boolean;
  /**
   * Entries with so many hits, no two further apart than the window (a signed 32-bit number, may be negative), are
   * asked for again in time; amount 0 = never.
   */
  readonly prefetch: { readonly amount: number; readonly windowMs: number; readonly percent: number };
  readonly stale: CacheStale;
  /** First of CACHE_SLOTS counters (engine-as/shared/layout.ts) for each server label of the block, in order; [] = not counted. */
  readonly slots: readonly number[];
}

/** Plugin cache, serve_stale. */
export interface CacheStale {
  /** How long after their end entries may be served, 0 = never. */
  readonly seconds: number;
  /** The plugins below are asked first. */
  readonly verifies: boolean;
  /** TTL that expired entries show; 0 = 0, or the stored one with keepTtl. */
  readonly ttlSeconds: number;
  /** Pause after a refresh that failed. */
  readonly recheckMs: number;
  /** Answers, even expired ones, win over denials. */
  readonly prefersPositive: boolean;
}

export interface RecordsStep {
  readonly address: number;
  readonly zones: readonly string[];
  readonly ttl: number;
  readonly soa: {
    readonly mname: string;
    readonly rname: string;
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    readonly minimum: number;
    readonly ttl: number;
  };
  /** Synthesise `a-b-c-d.NAMESPACE.pod` for namespaces that the store holds as `NAMESPACE.pod` (pods insecure). */
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** undefined = never, [] = all names. */
  readonly fallthrough: readonly string[] | undefined;
  /** Kubernetes names: optional underscores in `_port._proto`, SOA never NXDOMAIN, reverse keys for PTR. */
  readonly kubernetes: boolean;
  /** Zones below `zones` that are not this step's. */
  readonly except?: readonly string[];
  /** Kubernetes names of a cluster set: the store of the names below `svc`; its serial is the zones'. */
  readonly importedAddress?: number;
  /** Kubernetes names `ZONE.pin|prefer._zone.SERVICE.NAMESPACE.svc`. */
  readonly zonal?: boolean;
}

export interface HostsStep {
  /**
   * The store. Keys: whole lower-case names with the root label, wildcards with `*` as first label, and reverse keys
   * (REVERSE_KEY of engine-as/shared/layout.ts, then the address). An owner has A and AAAA sets, a reverse key one of
   * PTR, or none where CoreDNS cannot pack the reply and sends nothing.
   */
  readonly address: number;
  /** Names outside go on to the next plugin, except for reverse look-ups. */
  readonly zones: readonly string[];
  readonly ttl: number;
  /** Names below these go on to the next plugin when they are unknown; otherwise SERVFAIL. */
  readonly fallthrough: readonly string[];
  /** They also go on when another type than A, AAAA or PTR is asked for. */
  readonly fallthroughUnsupported: boolean;
}

/** How a rule looks at the text of the lower-case name. `substring` of nothing matches always. */
export interface NameTest {
  readonly how: 'exact' | 'prefix' | 'suffix' | 'substring';
  /** Printable ASCII without escapes. */
  readonly from: string;
}

/** A rule of plugin rewrite that the fast face knows; `isLast`: after a match no other rule is tried. */
export type FastRule = { readonly isLast: boolean } & (
  | { readonly kind: 'name'; readonly test: NameTest; readonly to: string; readonly isAuto: boolean }
  | { readonly kind: 'type' | 'class'; readonly from: number; readonly to: number }
  | { readonly kind: 'ttl'; readonly test: NameTest; readonly minSeconds: number; readonly maxSeconds: number }
  | { readonly kind: 'rcode'; readonly test: NameTest; readonly from: number; readonly to: number }
  /** A match sends the query to the slow face, as it was asked. */
  | { readonly kind: 'slow'; readonly test: NameTest }
);

export interface RelayStep {
  readonly zone: string;
  readonly except: readonly string[];
}

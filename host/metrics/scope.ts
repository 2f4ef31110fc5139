// The coredns_dns_* families of one server and zone label, as the engine counts them (engine-as/metrics/counters.ts):
// names, HELP texts and buckets are CoreDNS's (plugin/metrics/vars).

import {
  DURATION_BUCKETS,
  RCODE_SLOTS,
  REQUEST_TYPES,
  SCOPE_DO,
  SCOPE_DURATION,
  SCOPE_REQUEST_SIZE,
  SCOPE_REQUESTS,
  SCOPE_RESPONSE_SIZE,
  SCOPE_RESPONSES,
  SIZE_BUCKETS,
} from '../../engine-as/shared/layout.ts';
import { type FamilyType, histogramSource, type Sample, type SampleSource } from './families.ts';
import type { SlotReader } from './slots.ts';

export interface ScopeLabels {
  /** `dns://:53` */
  readonly server: string;
  /** Zone of the block, `.`, or `dropped` for queries that the server itself refused. */
  readonly zone: string;
  readonly view: string;
}

/** 0.25 ms doubling to 8.192 s, in seconds (CoreDNS TimeBuckets). */
const TIME_BOUNDS: readonly number[] = Array.from({ length: DURATION_BUCKETS - 1 }, (_, i) => 0.00025 * 2 ** i);

const SIZE_BOUNDS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000];

/** In the order of the engine's slots. */
const TYPES = [
  ...['A', 'AAAA', 'CNAME', 'DNSKEY', 'DS', 'MX', 'NSEC3', 'NSEC', 'NS', 'PTR', 'RRSIG', 'SOA', 'SRV', 'TXT'],
  ...['HTTPS', 'SVCB', 'IXFR', 'AXFR', 'ANY', 'other'],
];
const PROTOS = ['udp', 'tcp'];
const FAMILIES = ['1', '2'];

/** As CoreDNS prints them: 16 is BADSIG, a number without a name RCODEn. The last slot holds all numbers above. */
const RCODES = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH'],
  ...['NOTZONE', 'DSOTYPENI', 'RCODE12', 'RCODE13', 'RCODE14', 'RCODE15', 'BADSIG', 'BADKEY', 'BADTIME', 'BADMODE'],
  ...['BADNAME', 'BADALG', 'BADTRUNC', 'BADCOOKIE', 'other'],
];

export interface FamilySource {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly source: SampleSource;
}

/**
 * @param slot first of SCOPE_SLOTS
 * @param plugin label of replies that were written below prometheus in the chain
 */
export function scopeFamilies(slot: number, labels: ScopeLabels, plugin: string): FamilySource[] {
  const base = { server: labels.server, zone: labels.zone, view: labels.view };
  return [
    {
      name: 'coredns_dns_requests_total',
      help: 'Counter of DNS requests made per zone, protocol and family.',
      type: 'counter',
      source: (read) => requestSamples(read, slot + SCOPE_REQUESTS, base),
    },
    {
      name: 'coredns_dns_request_duration_seconds',
      help: 'Histogram of the time (in seconds) each request took per zone.',
      type: 'histogram',
      source: histogramSource('coredns_dns_request_duration_seconds', slot + SCOPE_DURATION, TIME_BOUNDS, base),
    },
    {
      name: 'coredns_dns_request_size_bytes',
      help: 'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.',
      type: 'histogram',
      source: sizeSource('coredns_dns_request_size_bytes', slot + SCOPE_REQUEST_SIZE, base),
    },
    {
      name: 'coredns_dns_do_requests_total',
      help: 'Counter of DNS requests with DO bit set per zone.',
      type: 'counter',
      source: (read) => present([{ labels: base, value: read(slot + SCOPE_DO) }]),
    },
    {
      name: 'coredns_dns_response_size_bytes',
      help: 'Size of the returned response in bytes.',
      type: 'histogram',
      source: sizeSource('coredns_dns_response_size_bytes', slot + SCOPE_RESPONSE_SIZE, base),
    },
    {
      name: 'coredns_dns_responses_total',
      help: 'Counter of response status codes.',
      type: 'counter',
      source: (read) => responseSamples(read, slot + SCOPE_RESPONSES, base, plugin),
    },
  ];
}

type Base = Record<'server' | 'zone' | 'view', string>;

function requestSamples(read: SlotReader, slot: number, base: Base): Sample[] {
  const samples: Sample[] = [];
  PROTOS.forEach((proto, p) => {
    FAMILIES.forEach((family, f) => {
      TYPES.forEach((type, t) => {
        const value = read(slot + (p * FAMILIES.length + f) * REQUEST_TYPES + t);
        samples.push({ labels: { ...base, proto, family, type }, value });
      });
    });
  });
  return present(samples);
}

function responseSamples(read: SlotReader, slot: number, base: Base, plugin: string): Sample[] {
  const samples: Sample[] = [];
  // The server's own replies carry an empty plugin label.
  [plugin, ''].forEach((writer, origin) => {
    RCODES.forEach((rcode, r) => {
      samples.push({ labels: { ...base, rcode, plugin: writer }, value: read(slot + origin * RCODE_SLOTS + r) });
    });
  });
  return present(samples);
}

function sizeSource(name: string, slot: number, base: Base): SampleSource {
  const sources = PROTOS.map((proto, p) =>
    histogramSource(name, slot + p * (SIZE_BUCKETS + 1), SIZE_BOUNDS, { ...base, proto }),
  );
  return (read) => sources.flatMap((source) => source(read));
}

/** Labelled series appear with their first sample. */
function present(samples: Sample[]): Sample[] {
  return samples.filter(({ value }) => value !== 0);
}

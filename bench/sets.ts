/** The query sets: what is asked, of whom, how, and what a right answer looks like. One entry here is one table row. */
import {
  ASKED,
  askedClusterIps,
  askedHeadless,
  askedPods,
  HOSTS,
  host,
  NAMESPACES,
  reverseOwner,
} from './inventory.ts';
import type { Order } from './load/order.ts';
import { FRESH_LABEL } from './load/questions.ts';

/** What a server must be able to do to take part. */
export type Need = 'zone' | 'forward' | 'cluster' | 'hosts' | 'echo';

export interface QuerySet {
  readonly name: string;
  readonly title: string;
  /** A peer takes part when it can do one of these. */
  readonly needs: readonly Need[];
  readonly mode: Order['mode'] | 'idle';
  /** UDP sockets or TCP connections, and queries in flight on each. */
  readonly sockets: number;
  readonly window: number;
  /** Queries a second, mode `paced` only. */
  readonly rate: number;
  /** The upstream is asked all the time, on the load's core. */
  readonly usesUpstream: boolean;
  /** Lines of the query file. */
  lines(services: number): string[];
}

const UDP = { mode: 'closed', sockets: 8, window: 64, rate: 0, usesUpstream: false } as const;
const ZONE_NEEDS: readonly Need[] = ['zone', 'cluster'];

const clusterIps = (services: number): string[] => askedClusterIps(services).map(({ owner }) => `${owner} A NOERROR 1`);

/** What a pod with ndots:5 and a fifth search domain asks for a name outside: four misses, one hit, A and AAAA. */
function searchPath(): string[] {
  const lines: string[] = [];
  for (let turn = 0; turn < ASKED; turn++) {
    const name = `api-${turn}.example.`;
    const namespace = `ns-${turn % NAMESPACES}`;
    for (const suffix of [
      `${namespace}.svc.cluster.local.`,
      'svc.cluster.local.',
      'cluster.local.',
      'corp.internal.',
    ]) {
      lines.push(`${name}${suffix} A NXDOMAIN 0`, `${name}${suffix} AAAA NXDOMAIN 0`);
    }
    lines.push(`${name} A NOERROR 1`, `${name} AAAA NOERROR 1`);
  }
  return lines;
}

const outside = (count: number): string[] =>
  Array.from({ length: count }, (_, turn) => `name-${turn}.example. A NOERROR 1`);

export const SETS: readonly QuerySet[] = [
  { ...UDP, name: 'clusterip', title: 'ClusterIP A', needs: ['zone', 'cluster', 'echo'], lines: clusterIps },
  {
    ...UDP,
    name: 'nodata',
    title: 'ClusterIP AAAA (NODATA)',
    needs: ZONE_NEEDS,
    lines: (services) => askedClusterIps(services).map(({ owner }) => `${owner} AAAA NOERROR 0`),
  },
  {
    ...UDP,
    name: 'headless',
    title: 'headless A, 5 addresses',
    needs: ZONE_NEEDS,
    lines: (services) => askedHeadless(services).map(({ owner }) => `${owner} A NOERROR 5`),
  },
  {
    ...UDP,
    name: 'srv',
    title: 'SRV of a ClusterIP service',
    needs: ZONE_NEEDS,
    lines: (services) => askedClusterIps(services).map(({ owner }) => `_http._tcp.${owner} SRV NOERROR 1`),
  },
  {
    ...UDP,
    name: 'srv-headless',
    title: 'SRV of a headless one, 5 targets',
    needs: ZONE_NEEDS,
    lines: (services) => askedHeadless(services).map(({ owner }) => `_http._tcp.${owner} SRV NOERROR 5`),
  },
  {
    ...UDP,
    name: 'nxdomain',
    title: 'NXDOMAIN in the zone',
    needs: ZONE_NEEDS,
    lines: (services) =>
      askedClusterIps(services).map(({ owner }) => `${owner.replace('svc-', 'missing-')} A NXDOMAIN 0`),
  },
  {
    ...UDP,
    name: 'ptr',
    title: 'PTR of a ClusterIP',
    needs: ZONE_NEEDS,
    lines: (services) => askedClusterIps(services).map(({ clusterIp }) => `${reverseOwner(clusterIp)} PTR NOERROR 1`),
  },
  {
    ...UDP,
    name: 'pod',
    title: 'pod A',
    needs: ZONE_NEEDS,
    lines: () => askedPods().map(({ owner }) => `${owner} A NOERROR 1`),
  },
  {
    ...UDP,
    name: 'hosts',
    title: 'hosts file, 10,000 names',
    needs: ['hosts'],
    lines: () => Array.from({ length: HOSTS }, (_, number) => `${host(number).owner} A NOERROR 1`),
  },
  {
    ...UDP,
    name: 'rewrite',
    title: 'the same under a rewritten suffix',
    needs: ['hosts'],
    lines: () =>
      Array.from({ length: HOSTS }, (_, number) => `${host(number).owner.replace('hosts', 'company')} A NOERROR 1`),
  },
  { ...UDP, name: 'search', title: 'search-path mix (ndots:5)', needs: ['cluster'], lines: searchPath },
  { ...UDP, name: 'cached', title: 'cached forward, 1,000 names', needs: ['forward'], lines: () => outside(1000) },
  {
    ...UDP,
    name: 'cached10k',
    title: 'cached forward, 10,000 names',
    needs: ['forward'],
    lines: () => outside(10_000),
  },
  {
    ...UDP,
    name: 'uncached',
    title: 'uncached forward, each name new',
    needs: ['forward'],
    usesUpstream: true,
    lines: () => [`${FRESH_LABEL}.example. A NOERROR 1`],
  },
  { ...UDP, name: 'tcp', title: 'TCP, 20 connections', mode: 'tcp', sockets: 20, needs: ZONE_NEEDS, lines: clusterIps },
  {
    ...UDP,
    name: 'tcp200',
    title: 'TCP, 200 connections',
    mode: 'tcp',
    sockets: 200,
    window: 8,
    needs: ZONE_NEEDS,
    lines: clusterIps,
  },
  {
    ...UDP,
    name: 'tcp-single',
    title: 'TCP, 200 connections, one query at a time',
    mode: 'tcp',
    sockets: 200,
    window: 1,
    needs: ZONE_NEEDS,
    lines: clusterIps,
  },
  {
    ...UDP,
    name: 'tcp-new',
    title: 'TCP, a connection for each query',
    mode: 'reconnect',
    sockets: 20,
    window: 1,
    needs: ZONE_NEEDS,
    lines: clusterIps,
  },
  {
    ...UDP,
    name: 'trickle',
    title: '100 queries a second',
    mode: 'paced',
    sockets: 1,
    rate: 100,
    needs: ZONE_NEEDS,
    lines: clusterIps,
  },
  { ...UDP, name: 'idle', title: 'idle', mode: 'idle', needs: ZONE_NEEDS, lines: clusterIps },
];

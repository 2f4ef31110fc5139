/** What the engine alone is asked: every name of the inventory once, in an order that no line of memory follows. */
import { endpointAddress, NAMESPACES, reverseOwner, type Service, service } from '../inventory.ts';
import { parseQuestions, type Question } from '../load/questions.ts';

export interface EngineSet {
  readonly name: string;
  readonly title: string;
  /** Names that the set's own cache holds, 0 = the cluster's records answer. */
  readonly cachedNames: number;
  /** Not asked, but taken into the cache as replies of an upstream. */
  readonly isInsert: boolean;
  lines(services: number): string[];
}

const CLUSTER = { cachedNames: 0, isInsert: false } as const;

function of(kind: Service['kind'], services: number, line: (one: Service) => string): string[] {
  const all = Array.from({ length: services }, (_, number) => service(number));
  return all.filter((one) => one.kind === kind).map(line);
}

function pods(services: number): string[] {
  return Array.from({ length: services }, (_, number) => {
    const label = endpointAddress(number, 0).replaceAll('.', '-');
    return `${label}.ns-${number % NAMESPACES}.pod.cluster.local. A`;
  });
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `name-${number}.example. A`);
}

function cached(name: string, count: number): EngineSet {
  return {
    name,
    title: `cached A, ${count.toLocaleString('en')} names`,
    cachedNames: count,
    isInsert: false,
    lines: () => names(count),
  };
}

export const ENGINE_SETS: readonly EngineSet[] = [
  {
    ...CLUSTER,
    name: 'clusterip',
    title: 'ClusterIP A',
    lines: (services) => of('clusterIP', services, ({ owner }) => `${owner} A`),
  },
  {
    ...CLUSTER,
    name: 'nodata',
    title: 'ClusterIP AAAA (NODATA)',
    lines: (services) => of('clusterIP', services, ({ owner }) => `${owner} AAAA`),
  },
  {
    ...CLUSTER,
    name: 'nxdomain',
    title: 'NXDOMAIN in the zone',
    lines: (services) => of('clusterIP', services, ({ owner }) => `${owner.replace('svc-', 'missing-')} A`),
  },
  {
    ...CLUSTER,
    name: 'headless',
    title: 'headless A, 5 addresses',
    lines: (services) => of('headless', services, ({ owner }) => `${owner} A`),
  },
  {
    ...CLUSTER,
    name: 'srv',
    title: 'SRV of a ClusterIP service',
    lines: (services) => of('clusterIP', services, ({ owner }) => `_http._tcp.${owner} SRV`),
  },
  {
    ...CLUSTER,
    name: 'srv-headless',
    title: 'SRV of a headless one, 5 targets',
    lines: (services) => of('headless', services, ({ owner }) => `_http._tcp.${owner} SRV`),
  },
  {
    ...CLUSTER,
    name: 'ptr',
    title: 'PTR of a ClusterIP, from the cache',
    lines: (services) => of('clusterIP', services, ({ clusterIp }) => `${reverseOwner(clusterIp)} PTR`).slice(0, 5000),
  },
  { ...CLUSTER, name: 'pod', title: 'pod A', lines: pods },
  cached('cached1k', 1000),
  cached('cached10k', 10_000),
  cached('cached1m', 1_000_000),
  {
    name: 'insert',
    title: 'reply of an upstream into the cache',
    cachedNames: 0,
    isInsert: true,
    lines: () => names(200_000),
  },
];

export function questionsOf(set: EngineSet, services: number): Question[] {
  return parseQuestions(set.lines(services).join('\n'), set.name);
}

export function freshNames(count: number, from = 0): Question[] {
  const lines = Array.from({ length: count }, (_, number) => `fresh-${from + number}.example. A`);
  return parseQuestions(lines.join('\n'), 'fresh');
}

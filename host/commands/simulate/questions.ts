// Questions about a simulated cluster as its pods would ask them, for dnsperf: `NAME TYPE` a line.

import { Random } from './random.ts';
import type { Shape } from './shape.ts';

const ZONE = 'cluster.local';
/** Enough that no cache of a few thousand entries holds them all. */
export const QUESTIONS = 50_000;

type Way = (shape: Shape, number: number, random: Random) => string | undefined;

/** Out of a hundred questions. */
const WAYS: readonly (readonly [below: number, way: Way])[] = [
  [40, (shape, number) => `${ownerOf(shape, number)} A`],
  [60, (shape, number) => `${ownerOf(shape, number)} AAAA`],
  // What ndots:5 does to a full name: the search path is tried first.
  [68, (shape, number, random) => `${ownerOf(shape, number)}.${anyNamespace(shape, random)}.svc.${ZONE} A`],
  [76, (shape, number) => `${ownerOf(shape, number)}.svc.${ZONE} AAAA`],
  [82, (shape, number) => `_http._tcp.${ownerOf(shape, number)} SRV`],
  [88, endpointQuestion],
  [95, clusterIpQuestion],
  [100, podAddressQuestion],
];

export function* questions(shape: Shape, count: number): Iterable<string> {
  const random = new Random(shape.options.seed);
  for (let made = 0; made < count; ) {
    const chance = random.below(100);
    const [, way] = WAYS.find(([below]) => chance < below)!;
    const question = way(shape, random.below(shape.count), random) ?? '';
    if (question === '') continue;
    yield question;
    made++;
  }
}

export function ownerOf(shape: Shape, number: number): string {
  return `${shape.nameOf(number)}.${shape.namespaceOf(number)}.svc.${ZONE}`;
}

function anyNamespace(shape: Shape, random: Random): string {
  return random.pick(shape.namespaces);
}

/** A pod of a StatefulSet by its name. */
function endpointQuestion(shape: Shape, number: number, random: Random): string {
  // Bounds: as many tries as it takes to find a service, or the name of another kind.
  for (let tries = 0; tries < 100; tries++) {
    const other = tries === 0 ? number : random.below(shape.count);
    const endpoints = shape.endpointsOf(other);
    if (shape.hasHostnames(other) && endpoints > 0) {
      return `${shape.podName(other, random.below(endpoints), 0, 0)}.${ownerOf(shape, other)} A`;
    }
  }
  return `${ownerOf(shape, number)} A`;
}

function clusterIpQuestion(shape: Shape, number: number): string | undefined {
  if (shape.kindOf(number) !== 'clusterIP') return undefined;
  return `${reverse(shape.clusterIp(number, 0))} PTR`;
}

function podAddressQuestion(shape: Shape, number: number, random: Random): string | undefined {
  const endpoints = shape.endpointsOf(number);
  if (endpoints === 0) return undefined;
  return `${reverse(shape.podAddress(number, random.below(endpoints), 0))} PTR`;
}

function reverse(address: string): string {
  return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
}

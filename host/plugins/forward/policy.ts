// In which order the upstreams of a stanza are tried for one flight.

import type { RandomIds } from './ids.ts';

export type PolicyName = 'random' | 'round_robin' | 'sequential';

/** Writes the order, indices 0..count - 1, to `order[at]` and following. */
export type Policy = (order: Uint8Array, at: number, count: number) => void;

export const POLICY_NAMES: readonly PolicyName[] = ['random', 'round_robin', 'sequential'];

export function createPolicy(name: PolicyName, ids: RandomIds): Policy {
  if (name === 'sequential') return sequential;
  return name === 'random' ? random(ids) : roundRobin();
}

function sequential(order: Uint8Array, at: number, count: number): void {
  for (let i = 0; i < count; i++) order[at + i] = i;
}

/** A fresh permutation each time (Fisher and Yates). */
function random(ids: RandomIds): Policy {
  return (order, at, count) => {
    sequential(order, at, count);
    for (let i = count - 1; i > 0; i--) {
      const other = ids.below(i + 1);
      const moved = order[at + i]!;
      order[at + i] = order[at + other]!;
      order[at + other] = moved;
    }
  };
}

/** One upstream later each time; the others follow in the order of the Corefile. */
function roundRobin(): Policy {
  let turn = 0;
  return (order, at, count) => {
    turn = (turn + 1) % count;
    order[at] = turn;
    for (let i = 0, k = 1; i < count; i++) if (i !== turn) order[at + k++] = i;
  };
}

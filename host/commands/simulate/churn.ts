// A cluster that lives: pods are replaced, scaled, become ready and unready, services are deleted and made anew. The
// sequence of changes follows from the seed.

import type { SimulatedCluster } from './cluster.ts';
import { Random } from './random.ts';
import { livingEndpoints, nextRotation, type ServiceState } from './state.ts';

const TICK_MS = 20;
/** After a pause of the process the lost changes are not made up for. */
const CATCH_UP_MS = 1000;
/** Services that are deleted at the same time, as a share of all. */
const DELETED_SHARE_MAX = 0.02;

/** Out of a hundred changes. */
const CREATE_BELOW = 5;
const DELETE_BELOW = 10;
const SCALE_BELOW = 20;
const READINESS_BELOW = 35;

export class Churn {
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #deleted: number[] = [];

  constructor(cluster: SimulatedCluster, seed: number) {
    this.#cluster = cluster;
    this.#random = new Random(seed);
  }

  /** So many changes of services and slices a second; returns what ends it. */
  start(changesPerSecond: number): () => void {
    let due = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      due += (changesPerSecond * Math.min(now - last, CATCH_UP_MS)) / 1000;
      last = now;
      if (due < 1) return;
      while (due >= 1) due -= this.step();
      this.#cluster.tell();
    }, TICK_MS);
    return () => clearInterval(timer);
  }

  /** One change, which may be of several objects; returns of how many. Nobody is told. */
  step(): number {
    const chance = this.#random.below(100);
    if (chance < CREATE_BELOW && this.#deleted.length > 0) return this.#create();
    const isFull = this.#deleted.length >= Math.max(1, DELETED_SHARE_MAX * this.#cluster.shape.count);
    // Bounds: in a cluster without endpoints there may be nothing to change but services themselves.
    for (let tries = 0; tries < 100; tries++) {
      const number = this.#random.below(this.#cluster.shape.count);
      const state = this.#cluster.stateOf(number);
      if (!state.hasService || this.#cluster.shape.isSystem(number)) continue;
      if (chance < DELETE_BELOW && !isFull) return this.#delete(number);
      if (livingEndpoints(state) > 0) return this.#changeEndpoints(number, state, chance);
    }
    return 1;
  }

  #create(): number {
    const at = this.#random.below(this.#deleted.length);
    const [number] = this.#deleted.splice(at, 1) as [number];
    const { incarnation } = this.#cluster.stateOf(number);
    const changedAt = new Date().toISOString();
    const made = { hasService: true, incarnation: incarnation + 1, unready: -1, createdAt: seconds(changedAt) };
    const service = this.#cluster.change(number, made);
    return service + this.#cluster.change(number, { hasEndpoints: true, changedAt });
  }

  #delete(number: number): number {
    this.#deleted.push(number);
    return this.#cluster.change(number, { hasService: false }) + this.#cluster.change(number, { hasEndpoints: false });
  }

  #changeEndpoints(number: number, state: ServiceState, chance: number): number {
    const max = this.#cluster.shape.endpointsMax(number);
    const changedAt = new Date().toISOString();
    if (chance < SCALE_BELOW) {
      const isGrowing = state.endpoints === 1 || (state.endpoints < max && this.#random.below(2) === 0);
      const endpoints = state.endpoints + (isGrowing ? 1 : -1);
      const unready = state.unready < endpoints ? state.unready : -1;
      return this.#cluster.change(number, { endpoints, unready, changedAt });
    }
    if (chance < READINESS_BELOW) {
      const unready = state.unready < 0 ? this.#random.below(state.endpoints) : -1;
      return this.#cluster.change(number, { unready, changedAt });
    }
    return this.#cluster.change(number, { rotation: nextRotation(state, max), changedAt });
  }
}

/** As objects are stamped: whole seconds. */
function seconds(time: string): string {
  return time.replace(/\.\d+/, '');
}

// Labels of queries. See the contract's Metadata.

import type { Metadata } from './contract.ts';

export class Labels implements Metadata {
  readonly #values = new Map<string, () => string>();

  get(label: string): string | undefined {
    return this.#values.get(label)?.();
  }

  set(label: string, value: () => string): void {
    this.#values.set(label, value);
  }
}

/** Of a query that keeps none. */
export const NO_LABELS: Metadata = { get: () => undefined, set: () => {} };

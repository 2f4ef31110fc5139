// Who a client is: pods by address, with their labels (metadata kubernetes/client-*). Kept only where metadata is asked
// for, because labels take more memory than all names of a cluster.

import type { Pod } from './objects/pod.ts';

export interface Client {
  readonly namespace: string;
  readonly name: string;
  /** Packed. */
  readonly address: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** First octet of a client's key in the record store: no label is that long, so it cannot begin a name. */
export const CLIENT_KEY = 0xfd;

export class ClientTable {
  readonly #byPod = new Map<string, Client>();
  readonly #byAddress = new Map<string, Set<Client>>();
  /** Addresses whose client may have changed since they were last published. */
  readonly changed = new Set<string>();

  put({ namespace, name, address, labels }: Pod): void {
    this.remove(namespace, name);
    if (address === '') return;
    const client = { namespace, name, address, labels: labels ?? new Map() };
    this.#byPod.set(`${namespace}/${name}`, client);
    const others = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, others.add(client));
    this.changed.add(address);
  }

  remove(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const client = this.#byPod.get(key);
    if (client === undefined) return;
    this.#byPod.delete(key);
    const others = this.#byAddress.get(client.address)!;
    others.delete(client);
    if (others.size === 0) this.#byAddress.delete(client.address);
    this.changed.add(client.address);
  }

  /** Pods on the host's network share its address: any of them. */
  at(address: string): Client | undefined {
    return this.#byAddress.get(address)?.values().next().value;
  }
}

// One resource of a cluster, watched and verified.

import type { Named } from './objects/resources.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { type CheckResult, Verifier } from './verifier.ts';

/** Hears how a watch is doing; `resource` is the last part of its path. */
export interface WatchObserver {
  /** A look at what the API has is over; `missed` changes that the watch had not shown. */
  checked(resource: string, result: CheckResult, missed: number): void;
  /** An event is published; so long after the object was written. */
  applied(resource: string, seconds: number): void;
}

/** How a watch is doing; times in monotonic milliseconds. */
export interface WatchState {
  /** As metric labels name it. */
  readonly resource: string;
  readonly isSynced: boolean;
  /** When the last event or bookmark came, undefined before the first. */
  readonly heardAt: number | undefined;
  /** When the API last did what it was asked for. */
  readonly contactAt: number;
}

export class ResourceWatch<T extends Named> implements WatchState {
  readonly resource: string;
  readonly #reflector: Reflector<T>;
  readonly #verifier: Verifier;

  constructor(options: Omit<ReflectorOptions<T>, 'onResumed' | 'onApplied'>, observer: WatchObserver) {
    const { client, resource, log, timing } = options;
    const name = resource.path.slice(resource.path.lastIndexOf('/') + 1);
    this.resource = name;
    this.#reflector = new Reflector({
      ...options,
      onResumed: () => this.#verifier.nudge(),
      onApplied: (elapsedMs) => observer.applied(name, elapsedMs / 1000),
    });
    const onChecked = (result: CheckResult, missed: number) => observer.checked(name, result, missed);
    this.#verifier = new Verifier({ client, resource, watched: this.#reflector, log, timing, onChecked });
  }

  get isSynced(): boolean {
    return this.#reflector.isSynced;
  }

  get heardAt(): number | undefined {
    return this.#reflector.heardAt;
  }

  get contactAt(): number {
    return this.#reflector.contactAt;
  }

  start(): void {
    this.#reflector.start();
    this.#verifier.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#reflector.stop(), this.#verifier.stop()]);
  }
}

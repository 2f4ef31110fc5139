// One poller for each server block with `reload`, of which only the newest polls: two configurations overlap during a
// reload, and a change must not be applied twice.

import type { ControlServices, Stoppable } from '../../plugin/contract.ts';

const FAILED = 'coredns_reload_failed_total';
const FAILED_HELP = 'Counter of the number of failed reload attempts.';
const VERSION = 'coredns_reload_version_info';
const VERSION_HELP = "A metric with a constant '1' value labeled by hash, and value which type of hash generated.";

/** Process-wide: who polls, and the hash that the metric shows. */
export class PollerSeat implements Stoppable {
  readonly #pollers: Poller[] = [];
  /** Of those the ones whose configuration has gone. */
  readonly #lone = new Set<Poller>();
  #removeVersion: (() => void) | undefined;
  #isAnnounced: boolean = false;

  /** The first configuration of all tells its hash; later ones are told by the poller that applied them. */
  enter(poller: Poller): void {
    if (!this.#isAnnounced) poller.announce();
    this.#isAnnounced = true;
    this.#pollers.at(-1)?.pause();
    for (const lone of this.#lone) this.#pollers.splice(this.#pollers.indexOf(lone), 1);
    this.#lone.clear();
    this.#pollers.push(poller);
    poller.resume();
  }

  /**
   * False: the poller goes on. It is the newest one, so the configuration that has taken over has no `reload`; CoreDNS
   * polls on with the last interval.
   */
  leave(poller: Poller): boolean {
    const at = this.#pollers.indexOf(poller);
    if (at >= 0 && at === this.#pollers.length - 1) {
      this.#lone.add(poller);
      return false;
    }
    if (at >= 0) this.#pollers.splice(at, 1);
    poller.pause();
    return true;
  }

  /** Shows `hash` in place of the last one; undefined shows none. */
  showVersion(hash: string | undefined, services: Pick<ControlServices, 'metrics'>): void {
    this.#removeVersion?.();
    this.#removeVersion =
      hash === undefined
        ? undefined
        : services.metrics.gauge(VERSION, VERSION_HELP, { hash: 'sha512', value: hash }, () => 1);
  }

  async stop(): Promise<void> {
    for (const poller of this.#pollers.splice(0)) poller.pause();
  }
}

export class Poller {
  readonly #seat: PollerSeat;
  readonly #intervalMs: number;
  readonly #services: ControlServices;
  readonly #failedSlot: number;
  #timer: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'restarting' = 'waiting';
  #runningHash: string;
  /** What was last applied or tried: the same wrong text is not tried again. */
  #lastHash: string;

  constructor(seat: PollerSeat, intervalMs: number, services: ControlServices) {
    this.#seat = seat;
    this.#intervalMs = intervalMs;
    this.#services = services;
    this.#failedSlot = services.metrics.counter(FAILED, FAILED_HELP, {});
    this.#runningHash = services.reload.runningHash;
    this.#lastHash = this.#runningHash;
  }

  announce(hash = this.#runningHash): void {
    this.#log().info(`Running configuration SHA512 = ${hash}`);
  }

  resume(): void {
    this.#timer ??= setInterval(() => void this.#poll(), this.#intervalMs).unref();
  }

  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Never rejects. */
  async #poll(): Promise<void> {
    if (this.#state === 'restarting') return;
    const { reload } = this.#services;
    if (reload.runningHash !== this.#runningHash) {
      // A signal has applied another one without `reload`
      this.#runningHash = reload.runningHash;
      this.#lastHash = this.#runningHash;
    }
    const read = reload.readHash();
    // A file that cannot be read now may be about to be replaced.
    if (read === undefined) return;
    if ('fault' in read) {
      this.#log().warning(`Corefile parse failed: ${read.fault}`);
      return;
    }
    if (read.hash !== this.#lastHash) await this.#restart(read.hash);
  }

  async #restart(hash: string): Promise<void> {
    this.#lastHash = hash;
    this.#state = 'restarting';
    this.#seat.showVersion(undefined, this.#services);
    const { applied, error } = await this.#services.reload.restart(() => this.announce(hash));
    this.#state = 'waiting';
    this.#seat.showVersion(hash, this.#services);
    if (applied) return;
    this.#services.metrics.slots.add(this.#failedSlot, 1);
    this.#log().error(
      `Corefile changed but reload failed: starting with listener file descriptors: ${error ?? 'unknown error'}`,
    );
  }

  #log(): ControlServices['log'] {
    return this.#services.log.withPrefix('plugin/reload');
  }
}

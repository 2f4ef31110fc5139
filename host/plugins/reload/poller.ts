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
  #removeVersion: (() => void) | undefined;
  /** Hash that the log names as running; several blocks, or a restart without a change, announce it once. */
  announcedHash: string | undefined;

  enter(poller: Poller): void {
    this.#pollers.at(-1)?.pause();
    this.#pollers.push(poller);
    poller.resume();
  }

  leave(poller: Poller): void {
    const at = this.#pollers.indexOf(poller);
    if (at < 0) return;
    this.#pollers.splice(at, 1);
    poller.pause();
    // A refused configuration gives the seat back to the one that keeps running.
    if (at === this.#pollers.length) this.#pollers.at(-1)?.resume();
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
  /** What was last applied or tried: the same wrong text is not tried again. */
  #lastHash: string;

  constructor(seat: PollerSeat, intervalMs: number, services: ControlServices) {
    this.#seat = seat;
    this.#intervalMs = intervalMs;
    this.#services = services;
    this.#failedSlot = services.metrics.counter(FAILED, FAILED_HELP, {});
    this.#lastHash = services.reload.runningHash;
    if (seat.announcedHash === this.#lastHash) return;
    seat.announcedHash = this.#lastHash;
    this.#log().info(`Running configuration SHA512 = ${this.#lastHash}`);
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
    const read = this.#services.reload.readHash();
    // A file that cannot be read now may be about to be replaced.
    if (read === undefined) return;
    if ('fault' in read) {
      this.#log().warning(`Corefile parse failed: ${read.fault}`);
      return;
    }
    const { hash } = read;
    if (hash === this.#lastHash) return;
    this.#lastHash = hash;
    this.#state = 'restarting';
    this.#seat.showVersion(undefined, this.#services);
    this.#seat.announcedHash = undefined;
    const { applied, error } = await this.#services.reload.restart();
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

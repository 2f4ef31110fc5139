// What TCP clients make a shard keep: replies that they do not read, and what they have sent of queries that are not
// served yet. Each may keep a little; all of them together no more than a budget. Beyond it the connections are closed
// that have cost most, in octets times the time since they last got on: a large reply on its way stays, a few octets
// that never move go.

/** A connection, as the budget sees it. */
export interface Holder {
  /** What it has been charged for. */
  readonly chargedBytes: number;
  /** When a query of it was served last, or some of its replies left. */
  readonly movedMs: number;
  destroy(): void;
}

/** So much is given back at a time, so that a full budget is not sorted out anew for each chunk. */
const GIVEN_BACK_SHARE = 1 / 8;

export class StreamBudget {
  readonly #bytesMax: number;
  chargedBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isExceeded(): boolean {
    return this.chargedBytes > this.#bytesMax;
  }

  /** Closes holders until there is some room again. Each gives up its charge when it is destroyed. */
  makeRoom(holders: Iterable<Holder>, nowMs: number): void {
    const costOf = ({ chargedBytes, movedMs }: Holder): number => chargedBytes * (nowMs - movedMs + 1);
    const costly = [...holders].filter(({ chargedBytes }) => chargedBytes > 0).sort((a, b) => costOf(b) - costOf(a));
    const enough = this.#bytesMax * (1 - GIVEN_BACK_SHARE);
    for (const holder of costly) {
      if (this.chargedBytes <= enough) break;
      holder.destroy();
    }
  }
}

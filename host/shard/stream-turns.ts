// A client that sends thousands of queries in one go must not keep everybody else waiting: its connection serves some of
// them, then stands in line behind the others that have more to say. Between the turns the event loop sees to UDP.

export interface Turning {
  /** Serves some more; stands in line again if that was not all. */
  takeTurn(): void;
}

/** Time for those in line in one turn of the event loop: about what a full UDP socket gets. */
const TURN_MS = 2;

export class StreamTurns {
  #line: Turning[] = [];
  #next = 0;
  #isScheduled: boolean = false;
  #isHurried: boolean = false;

  /** Somebody waits: whoever comes now stands behind. */
  get isCrowded(): boolean {
    return this.#next < this.#line.length;
  }

  /** Each stands in line once. */
  join(connection: Turning): void {
    this.#line.push(connection);
    this.#schedule();
  }

  /**
   * A connection was accepted. The event loop accepts few at a time, so a full turn for those in line with each time would
   * let thousands of newcomers wait for seconds: one from the line is served, then the next newcomers.
   */
  hurry(): void {
    this.#isHurried = true;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#isScheduled = false;
    const endMs = performance.now() + (this.#isHurried ? 0 : TURN_MS);
    this.#isHurried = false;
    // Who stands in line anew is there for the next turn
    const line = this.#line;
    const count = line.length;
    while (this.#next < count) {
      line[this.#next++]!.takeTurn();
      if (performance.now() >= endMs) break;
    }
    if (this.#next * 2 >= line.length) {
      this.#line = line.slice(this.#next);
      this.#next = 0;
    }
    if (this.isCrowded) this.#schedule();
  };
}

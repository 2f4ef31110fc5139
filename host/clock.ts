// Clocks, in one place so that tests can turn them.

export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix time in milliseconds. */
  wall(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};

/** Longest delay of Node's timers, 24.8 days: longer ones would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** What turnMs() says until the turn ends; negative: nothing yet. */
let heldMs = -1;

function forget(): void {
  heldMs = -1;
}

/** The time, as read once for this turn of the event loop or by holdTurn(): for paths where each reading costs. */
export function turnMs(): number {
  return heldMs < 0 ? holdTurn() : heldMs;
}

/** Reads the clock for what follows in this turn; a loop over batches does it for each. */
export function holdTurn(): number {
  if (heldMs < 0) process.nextTick(forget);
  heldMs = performance.now();
  return heldMs;
}

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

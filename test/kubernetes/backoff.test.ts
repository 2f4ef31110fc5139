// Hundreds of replicas lose the API server at the same moment, and must not all come back at the same moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_TIMING, Backoff } from '../../host/kubernetes/backoff.ts';

const WATCHES = 900;
/** The server answers again after so long. */
const OUTAGES_MS = [0, 500, 1000, 2000, 5000, 10_000, 60_000, 600_000];

/** Numbers that look like chance and are the same each time (Lehmer). */
function chance(): () => number {
  let state = 20_261;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

/** When each watch gets through, counted from the end of the outage. */
function returnsMs(outageMs: number): number[] {
  const random = chance();
  return Array.from({ length: WATCHES }, () => {
    const backoff = new Backoff({ ...API_TIMING, random });
    let at = 0;
    do at += backoff.next();
    while (at < outageMs);
    return at - outageMs;
  }).sort((a, b) => a - b);
}

function mostInMs(times: readonly number[], spanMs: number): number {
  let [most, first] = [0, 0];
  for (const [at, time] of times.entries()) {
    while (time - times[first]! > spanMs) first++;
    most = Math.max(most, at - first + 1);
  }
  return most;
}

for (const outageMs of OUTAGES_MS) {
  test(`after an outage of ${outageMs / 1000} s`, () => {
    const times = returnsMs(outageMs);
    const second = mostInMs(times, 1000) / WATCHES;
    const tenth = mostInMs(times, 100) / WATCHES;
    // All of them in one second is what a fixed wait would give; a blink of a server is too short to spread by more.
    assert.ok(second < (outageMs < 5000 ? 0.85 : 0.6), `${second} of the watches come back within a second`);
    assert.ok(tenth < 0.13, `${tenth} of the watches come back within a tenth of a second`);
    assert.ok(times.at(-1)! <= 4000, `the last one comes back after ${times.at(-1)} ms`);
  });
}

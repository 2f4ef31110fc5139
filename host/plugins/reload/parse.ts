// `reload [INTERVAL [JITTER]]`

import { TIMER_MS_MAX } from '../../clock.ts';
import type { DirectiveReader, Token } from '../../corefile/reader.ts';

export type ReloadConfig = {
  readonly intervalMs: number;
  /** 0 = none; at most half the interval. */
  readonly jitterMs: number;
};

const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_JITTER_MS = 15_000;
const INTERVAL_MS_MIN = 2_000;
const JITTER_MS_MIN = 1_000;

/** Of several occurrences the first one counts, and a block is not looked at, as in CoreDNS. */
export function parseReload(reader: DirectiveReader): ReloadConfig {
  const [interval, jitter] = reader.first((line) => reader.arguments(line, 0, 2));
  const intervalMs = interval === undefined ? DEFAULT_INTERVAL_MS : parseInterval(reader, interval);
  const jitterMs = jitter === undefined ? DEFAULT_JITTER_MS : parseJitter(reader, jitter);
  return { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) };
}

function parseInterval(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token);
  if (ms < INTERVAL_MS_MIN) throw reader.error(token, `interval value must be greater or equal to 2s: '${token.text}'`);
  // Half a jitter may come on top.
  return Math.min(ms, TIMER_MS_MAX / 1.25);
}

function parseJitter(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token);
  if (ms !== 0 && ms < JITTER_MS_MIN) {
    throw reader.error(token, `jitter value must be 0 or greater or equal to 1s: '${token.text}'`);
  }
  return ms;
}

// Questions of the suites, and their answers in a form that can be compared as text.

import type { DnsClient } from './dns-client.ts';
import { parseMessage } from './message.ts';
import { lowerCase } from './name.ts';
import { FLAGS, rcodeName, TYPES } from './numbers.ts';
import { composeQuery } from './query.ts';

let nextId = 1;

/** `NOERROR 10.96.0.1,10.96.0.2` (rdata sorted, names in lower case), `NXDOMAIN`, or `silence`. */
export async function ask(
  client: DnsClient,
  name: string,
  type: keyof typeof TYPES,
  timeoutMs = 2000,
): Promise<string> {
  nextId = (nextId % 0xffff) + 1;
  const query = composeQuery({ id: nextId, name, type: TYPES[type]!, flags: FLAGS['rd']!, edns: { size: 8192 } });
  const octets = await client.exchange(query, timeoutMs);
  if (octets === undefined) return 'silence';
  const reply = parseMessage(octets);
  const isTruncated = (reply.flags & FLAGS['tc']!) !== 0 ? ' TC' : '';
  return answerText(
    rcodeName(reply.rcode) + isTruncated,
    reply.answer.map((record) => record.rdata),
  );
}

/** The text that ask() gives for such an answer. */
export function answerText(rcode: string, rdata: readonly string[]): string {
  return [rcode, rdata.map(lowerCase).sort().join(',')].join(' ').trim();
}

/** The value below which `share` of the sorted numbers lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function summary(label: string, valuesMs: readonly number[]): string {
  const at = (share: number) => percentile(valuesMs, share).toFixed(1);
  return `${label}: ${valuesMs.length} changes, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
}

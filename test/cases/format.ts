// Writes a reply in the notation of the case files: for people who add a case and want CoreDNS's own words.

import { formatOpt, formatRecord, parseMessage, type RR } from '../e2e/support/message.ts';
import { flagWords, rcodeName } from '../e2e/support/numbers.ts';

/** Lines for a case file. `defines` are put back where their text occurs. */
export function formatExpectation(octets: Uint8Array | undefined, shorten: (text: string) => string): string[] {
  if (octets === undefined) return ['< silence'];
  const reply = parseMessage(octets);
  const words = [rcodeName(reply.rcode), ...flagWords(reply.flags), reply.counts.join('/'), String(octets.length)];
  if (reply.isCompressed) words.push('compressed');
  if (reply.opcode !== 0) words.push(`opcode=${reply.opcode}`);
  const qname = reply.questions[0]?.name;
  const record = (section: string, rr: RR) => {
    const text = formatRecord(rr).replace(/SOA (ns\.dns\.\S+ \S+) [0-9]+ /, 'SOA $1 SERIAL ');
    return `${section} ${shorten(rr.owner === qname ? text.replace(rr.owner, '=') : text)}`;
  };
  return [
    `< ${words.join(' ')}`,
    ...reply.answer.map((rr) => record('answer', rr)),
    ...reply.authority.map((rr) => record('authority', rr)),
    ...reply.additional.map((rr) => record('additional', rr)),
    ...reply.opts.map((opt) => formatOpt(opt)),
  ];
}

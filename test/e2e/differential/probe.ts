// One probe of the differential suite: a question with everything that can be odd about it, asked once or a few times.

import { lowerCase, wireName } from '../support/name.ts';
import { className, flagWords, optionName, typeName } from '../support/numbers.ts';
import { composeQuery, type Edns } from '../support/query.ts';

export interface Probe {
  /** Presentation form; `%` stands for a token that no other probe has. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly opcode: number;
  readonly flags: number;
  readonly edns: Edns | undefined;
  readonly transport: 'udp' | 'udp6' | 'tcp';
  /** Where it is asked: the port's word in the Corefile, and the address. */
  readonly listener: Listener;
  /** How often it is asked in a row: a miss, then hits. */
  readonly times: number;
  /** Records behind the OPT. */
  readonly extras: readonly Extra[];
  /** Changes of the message's octets, in this order. */
  readonly edits: readonly Edit[];
}

export type Extra = 'opt' | 'owned opt' | 'tsig' | 'a';

/** Wire forms: an OPT with size 1400, one whose owner is `x.`, a TSIG that no key fits, an address of `a.`. */
const EXTRA_RECORDS: Readonly<Record<Extra, string>> = {
  opt: '00 0029 0578 00000000 0000',
  'owned opt': '017800 0029 0320 00008000 0000',
  tsig: '036b657900 00fa 00ff 00000000 003d 0b686d61632d736861323536 00 0000665544330a12 0020'.concat(
    ' 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 1234 0000 0000',
  ),
  a: '016100 0001 0001 0000003c 0004 c0000201',
};

export interface Listener {
  readonly word: string;
  readonly address: string;
}

/** The listener of a Corefile that does not say anything else. */
export const PLAIN_LISTENER: Listener = { word: 'PORT', address: '127.0.0.1' };

export type Edit =
  | { readonly kind: 'set'; readonly at: number; readonly octet: number }
  | { readonly kind: 'insert'; readonly at: number; readonly octets: readonly number[] }
  | { readonly kind: 'remove'; readonly at: number; readonly count: number };

let tokenCount = 0;

/** A token for `%`, unlike all earlier ones of this process. */
export function nextToken(): string {
  return (tokenCount++).toString(36);
}

export function composeProbe(probe: Probe, token: string, id: number): Uint8Array {
  const { type, opcode, flags, edns } = probe;
  const name = probe.name.replaceAll('%', token);
  const base = { id, name, type, class: probe.class, opcode, flags };
  let octets: number[] = [...composeQuery(edns === undefined ? base : { ...base, edns })];
  for (const extra of probe.extras) {
    octets.push(...Buffer.from(EXTRA_RECORDS[extra].replaceAll(' ', ''), 'hex'));
    octets[11] = octets[11]! + 1;
  }
  for (const edit of probe.edits) {
    const at = edit.at % (octets.length + 1);
    if (edit.kind === 'set' && at < octets.length) octets[at] = edit.octet;
    else if (edit.kind === 'insert') octets = [...octets.slice(0, at), ...edit.octets, ...octets.slice(at)];
    else if (edit.kind === 'remove') octets.splice(at, edit.count);
  }
  return Uint8Array.from(octets);
}

/** No reply is due (CoreDNS core): shorter than a header, or a reply itself. */
export function isSilenceDue(octets: Uint8Array): boolean {
  return octets.length < 12 || octets[2]! >= 0x80;
}

/** The lower-case name asked for, read without any check; undefined when there is no readable one. */
export function askedName(octets: Uint8Array): string | undefined {
  let at = 12;
  let name = '';
  while (at < octets.length) {
    const bytes = octets[at]!;
    if (bytes === 0) return lowerCase(name === '' ? '.' : name);
    if (bytes > 63 || at + bytes >= octets.length) return undefined;
    name += `${Buffer.from(octets.subarray(at + 1, at + 1 + bytes)).toString('latin1')}.`;
    at += bytes + 1;
  }
  return undefined;
}

export function formatProbe(probe: Probe): string {
  const words = [probe.name, typeName(probe.type), className(probe.class), ...flagWords(probe.flags)];
  if (probe.opcode !== 0) words.push(`opcode=${probe.opcode}`);
  if (probe.edns !== undefined) {
    words.push(`edns=${probe.edns.size}`);
    if (probe.edns.isDo) words.push('do');
    if (probe.edns.z) words.push(`z=${probe.edns.z.toString(16)}`);
    if (probe.edns.version) words.push(`version=${probe.edns.version}`);
    for (const option of probe.edns.options ?? []) {
      words.push(`${optionName(option.code)}=${Buffer.from(option.octets).toString('hex')}`);
    }
  }
  words.push(probe.transport, `x${probe.times}`);
  if (probe.listener.word !== 'PORT' || probe.listener.address !== '127.0.0.1') {
    words.push(`at ${probe.listener.address}:@${probe.listener.word}@`);
  }
  if (probe.extras.length > 0) words.push(`+ ${probe.extras.join(' + ')}`);
  if (probe.edits.length > 0) words.push(JSON.stringify(probe.edits));
  return words.join(' ');
}

/** Room that is left in a name of at most 255 octets. */
export function nameRoom(name: string): number {
  return 255 - wireName(name).length;
}

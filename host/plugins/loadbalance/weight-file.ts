// The file of `weighted`: a name on a line of its own, then an address and its weight on each of the lines behind it.

import { addressOctets } from '../../dns/address.ts';
import { isLineTooLong, SPACES } from '../../plugin/file-lines.ts';

/** The address in 16 octets (IPv4 mapped), then the weight: what the engine compares. */
export type Weight = Uint8Array;

/** Names with their final dot, in the file's own spelling. */
export type Weights = ReadonlyMap<string, readonly Weight[]>;

/** A file that is not as it should be; the message is CoreDNS's. */
export class WeightFileError extends Error {
  override name = 'WeightFileError';
}

const WEIGHT_MAX = 255;

/** @param file for messages. Throws WeightFileError. */
export function parseWeights(text: string, file: string): Weights {
  const weights = new Map<string, Weight[]>();
  let current: Weight[] | undefined;
  for (const line of text.split('\n')) {
    if (isLineTooLong(line, 0, line.length)) {
      throw new WeightFileError(`weight file ${file} parsing error:bufio.Scanner: token too long`);
    }
    const fields = line.split(SPACES).filter((field) => field !== '');
    const [first, second, third] = fields;
    if (first === undefined || first.startsWith('#')) continue;
    if (third !== undefined) {
      throw new WeightFileError(`could not parse weight line:"${trimmed(line)}" in weight file ${file}`);
    }
    if (second === undefined) {
      const name = ownerName(first, file);
      current = weights.get(name) ?? [];
      weights.set(name, current);
      continue;
    }
    const weight = parseWeight(first, second, file);
    if (current === undefined) throw new WeightFileError(`missing domain name in weight file ${file}`);
    current.push(weight);
  }
  return weights;
}

function ownerName(text: string, file: string): string {
  if (addressOctets(text) !== undefined) {
    throw new WeightFileError(`wrong domain name:"${text}" in weight file ${file}. (Maybe a missing weight value?)`);
  }
  return text.endsWith('.') ? text : `${text}.`;
}

function parseWeight(address: string, number: string, file: string): Weight {
  const octets = addressOctets(address);
  if (octets === undefined) throw new WeightFileError(`wrong IP address:"${address}" in weight file ${file}`);
  const weight = /^\d+$/.test(number) ? Number(number) : 0;
  if (weight < 1 || weight > WEIGHT_MAX) {
    throw new WeightFileError(`wrong weight value:"${number}" in weight file ${file}`);
  }
  const mapped = octets.length === 4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...octets] : octets;
  return Uint8Array.from([...mapped, weight]);
}

function trimmed(line: string): string {
  const fields = new RegExp(`^(?:${SPACES.source})|(?:${SPACES.source})$`, 'g');
  return line.replace(fields, '');
}

/** The words of `npm run bench -- ...`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  readonly isShort: boolean;
  readonly sets: readonly string[];
  readonly peers: readonly string[];
  readonly runs: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly latencySeconds: number;
  readonly serverCore: number;
  readonly loadCore: number;
  /** Namespaces are always 100; the default is 10,000 services with 5 endpoints each. */
  readonly services: number;
  /** `dist` directory of another build that is measured beside, '' = none. */
  readonly against: string;
}

export const USAGE = `usage: npm run bench -- [--short] [--sets a,b] [--peers a,b] [--runs N] [--seconds S]
                        [--server-core C] [--load-core C] [--services N] [--against DIST]`;

const SHORT_SETS = ['clusterip', 'cached', 'uncached'];
const SHORT_PEERS = ['coredns', 'wasmdns'];

/** @throws Error with one line for the user when a word is unknown or not a number */
export function parseOptions(
  words: readonly string[],
  setNames: readonly string[],
  peerNames: readonly string[],
): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      short: { type: 'boolean', default: false },
      sets: { type: 'string' },
      peers: { type: 'string' },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      'server-core': { type: 'string', default: '0' },
      'load-core': { type: 'string', default: '1' },
      services: { type: 'string', default: '10000' },
      against: { type: 'string', default: '' },
    },
  });
  const isShort = values.short;
  return {
    isShort,
    sets: pick('set', values.sets, isShort ? SHORT_SETS : setNames, setNames),
    peers: pick('peer', values.peers, isShort ? SHORT_PEERS : peerNames, peerNames),
    runs: count('--runs', values.runs ?? '3', 1),
    seconds: positive('--seconds', values.seconds ?? (isShort ? '2' : '5')),
    warmSeconds: isShort ? 1 : 2,
    latencySeconds: isShort ? 1 : 2,
    serverCore: count('--server-core', values['server-core'], 0),
    loadCore: count('--load-core', values['load-core'], 0),
    services: count('--services', values.services, 1000),
    against: values.against === '' ? '' : resolve(values.against),
  };
}

function pick(
  kind: string,
  list: string | undefined,
  otherwise: readonly string[],
  known: readonly string[],
): readonly string[] {
  if (list === undefined) return otherwise;
  const names = list.split(',').filter((name) => name !== '');
  for (const name of names) {
    if (!known.includes(name)) throw new Error(`unknown ${kind} "${name}", expected one of ${known.join(', ')}`);
  }
  if (names.length === 0) throw new Error(`no ${kind} is named`);
  return known.filter((name) => names.includes(name));
}

function count(name: string, word: string, min: number): number {
  const value = Number(word);
  if (!Number.isInteger(value) || value < min) throw new Error(`${name}: expected a number from ${min}, got "${word}"`);
  return value;
}

function positive(name: string, word: string): number {
  const value = Number(word);
  if (!(value > 0 && value <= 600)) throw new Error(`${name}: expected seconds up to 600, got "${word}"`);
  return value;
}

// Names worth asking because a Corefile or a file beside it speaks of them: zones, hosts entries, names of rewrite
// rules, samples of regular expressions, addresses as reverse names.

import { isIP } from 'node:net';
import { reverseName } from '../support/name.ts';

const HINTS_MAX = 400;

/** Without final dots; `%` is a token of the probe. */
export function hintsOf(...texts: readonly string[]): string[] {
  const hints = new Set<string>();
  for (const text of texts) {
    for (const word of text.replaceAll(/#.*$/gm, '').split(/[\s,]+/)) {
      for (const hint of hintsOfWord(word.replace(/^"|"$/g, ''))) if (isAskable(hint)) hints.add(hint);
    }
  }
  return [...hints].slice(0, HINTS_MAX);
}

function hintsOfWord(raw: string): string[] {
  const word = raw.replace(/^dns:\/\//, '').replace(/:@[A-Z]+@$/, '');
  if (word.includes('@') || word.includes('{{')) return [];
  const [address = '', mask] = word.split('/');
  if (isIP(address) !== 0) return addressHints(address, mask !== undefined);
  if (/^[\w*-]+(?:\.[\w*-]+)+\.?$/.test(word)) {
    const name = word.replace(/\.$/, '');
    const parent = name.split('.').slice(1).join('.');
    return [name, `www-%.${name}`, `x.${name}`, `nx-%.${name}`, parent, name.replace('*', 'any'), `a.b.${name}`];
  }
  if (/^\.[\w.-]+$/.test(word)) return [`www-%${word}`, `nodata-%${word}`, `plain-1.space-1${word}`, word.slice(1)];
  if (/^[a-z][\w-]{0,20}-$/.test(word)) return [`${word}%.example.org`, `${word}x.test`];
  if (/^[a-z]{3,12}$/.test(word)) return [];
  return /[\\()[\]^$*+]/.test(word) ? regexHints(word) : [];
}

function addressHints(address: string, hasMask: boolean): string[] {
  const name = reverseName(address).slice(0, -1);
  if (!hasMask) return [name];
  const labels = name.split('.');
  return [name, labels.slice(1).join('.'), labels.slice(2).join('.'), ['7', ...labels.slice(1)].join('.')];
}

/** Something the expression is likely to match: groups and classes become a word. */
export function regexHints(pattern: string): string[] {
  const sample = (word: string) =>
    pattern
      .replaceAll(/\(\?P?<\w+>/g, '(')
      .replaceAll(/\(\?:/g, '(')
      .replaceAll(/\\\\\.|\\\.|\[\.\]/g, '\u0001')
      .replaceAll(/\((?:[^()]*)\)[*+?]?/g, word)
      .replaceAll(/(?:\[[^\]]*\]|\\[wd]|\.)[*+?]?/g, word)
      .replaceAll(/[\^$]/g, '')
      .replaceAll('\u0001', '.')
      .replace(/\.$/, '');
  const branch = pattern.replaceAll(/\(([^()|]*)\|[^()]*\)/g, '$1');
  const first = branch === pattern ? [] : regexHints(branch);
  return [sample('www-%'), sample('a'), sample('1'), sample('nx-%'), `x.${sample('b')}`, ...first];
}

export function isAskable(name: string): boolean {
  return /^[\w*%-]{1,60}(?:\.[\w*%-]{1,60})*$/.test(name);
}

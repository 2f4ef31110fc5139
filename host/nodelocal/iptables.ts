// The rules as node-cache makes them, by the programs iptables and ip6tables, for hosts whose filter drops what is not tracked.
// They outlive the process, so a killed one leaves its queries to nobody until it is back.

import { spawnSync } from 'node:child_process';
import type { Rule } from './rules.ts';

/** How long another program may hold the lock. */
const LOCK_SECONDS = 5;
const PLACES = {
  notrack: { table: 'raw', target: 'NOTRACK', comment: 'NodeLocal DNS Cache: skip conntrack' },
  accept: { table: 'filter', target: 'ACCEPT', comment: 'NodeLocal DNS Cache: allow DNS traffic' },
};

/** A program that failed, with its words. */
export class IptablesError extends Error {
  override name = 'IptablesError';
  readonly isLocked: boolean;

  constructor(message: string) {
    super(message);
    this.isLocked = message.includes('xtables lock');
  }
}

export class IptablesRules {
  readonly #program: string;

  constructor(isIpv6: boolean) {
    this.#program = isIpv6 ? 'ip6tables' : 'iptables';
  }

  /** False: it was there. Throws IptablesError, as all the others. */
  ensure(rule: Rule): boolean {
    if (this.#run('-C', rule).isDone) return false;
    const { isDone, text } = this.#run('-I', rule);
    if (!isDone) throw new IptablesError(text);
    return true;
  }

  /** However often it is there. */
  remove(rule: Rule): void {
    while (this.#run('-C', rule).isDone) {
      const { isDone, text } = this.#run('-D', rule);
      if (!isDone) throw new IptablesError(text);
    }
  }

  /** Why it cannot be run; undefined: it can. */
  fault(): string | undefined {
    const { error } = spawnSync(this.#program, ['--version']);
    if (error === undefined) return undefined;
    return `-rules iptables: there is no program ${this.#program} here, and the image has none: -rules nftables needs no program`;
  }

  #run(command: string, rule: Rule): { readonly isDone: boolean; readonly text: string } {
    const words = ['-w', String(LOCK_SECONDS), ...ruleWords(command, rule)];
    const { status, stderr, error } = spawnSync(this.#program, words, { encoding: 'utf8' });
    const text = error === undefined ? stderr.trim() : `${this.#program}: ${error.message}`;
    return { isDone: status === 0, text };
  }
}

export function ruleWords(command: string, { hook, action, transport, end, address, port }: Rule): string[] {
  const { table, target, comment } = PLACES[action];
  const [addressWord, portWord] = end === 'source' ? ['-s', '--sport'] : ['-d', '--dport'];
  return [
    ...['-t', table, command, hook.toUpperCase(), '-p', transport, addressWord, address, portWord, String(port)],
    ...['-j', target, '-m', 'comment', '--comment', comment],
  ];
}

// Reads verdicts.txt: Corefiles and what CoreDNS says to each.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Verdict {
  /** With `@PORT@` for a free port. */
  readonly text: string;
  readonly accepts: boolean;
  /** CoreDNS's one line; '' where it is of no use here. `@DIR@` stands for the directory of the Corefile. */
  readonly refusal: string;
  /** What this server says though CoreDNS accepts the text. */
  readonly difference: string | undefined;
}

export function readVerdicts(): Verdict[] {
  const [, ...parts] = readFileSync(join(import.meta.dirname, 'verdicts.txt'), 'utf8').split('\n---\n');
  return parts.map((part) => {
    const [, text, verdict, refusal = '', difference] =
      /^(.*?)\n?= (accepts|refuses)(?:: (.*?))?(?:\n! (.*?))?\n?$/s.exec(part) ?? [];
    if (text === undefined) throw new Error(`no verdict: ${part}`);
    return { text: `${text}\n`, accepts: verdict === 'accepts', refusal, difference };
  });
}

/** What both servers' lines have in common: plugin, place and the prefixes of either are left out. */
export function withoutPlace(line: string): string {
  return line
    .replace(/^(?:error inspecting server blocks: |plugin\/\w+: )+/, '')
    .replace(/^Corefile:\d+ - (?:Error during parsing|Syntax error): /, '');
}

/** Line of the Corefile that the text names, if it does. */
export function lineOf(line: string): string | undefined {
  return /(?:^|: )Corefile:(\d+) - /.exec(line)?.[1];
}

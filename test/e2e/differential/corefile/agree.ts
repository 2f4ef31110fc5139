// Do two servers judge a Corefile alike? Both serve the same zones, or both refuse and name the same problem.

import type { Verdict } from './trial.ts';

export interface Disagreement {
  /** `not yet`: wasmdns says itself that it lacks what CoreDNS has. */
  readonly kind: 'not yet' | 'verdict' | 'zones' | 'exit code' | 'line' | 'directive';
  readonly text: string;
}

/** @param ours wasmdns's verdict. */
export function disagreement(ours: Verdict, theirs: Verdict): Disagreement | undefined {
  if (ours.kind === 'refused' && ours.problem.text.includes('not supported yet')) {
    return theirs.kind === 'refused' ? undefined : { kind: 'not yet', text: ours.problem.text };
  }
  if (ours.kind !== theirs.kind) return { kind: 'verdict', text: `${tell(ours)}\n  / ${tell(theirs)}` };
  if (ours.kind === 'serving' && theirs.kind === 'serving') {
    const [left, right] = [ours, theirs].map(({ startLines }) => byListener(startLines));
    // A zone with odd octets in its name is printed raw by CoreDNS, escaped by wasmdns.
    if (/\\[0-9]{3}/.test(ours.output)) return undefined;
    return left === right ? undefined : { kind: 'zones', text: `${left}\n  / ${right}` };
  }
  if (ours.kind !== 'refused' || theirs.kind !== 'refused') return undefined;
  // A Go panic ends with 2; a clean refusal is better.
  const text = `${tell(ours)}\n  / ${tell(theirs)}`;
  if (ours.code !== theirs.code && theirs.code !== 2) return { kind: 'exit code', text };
  // Of two mistakes either names one: CoreDNS looks names up while it reads, wasmdns when it has read all.
  if (theirs.problem.text.includes('failed to resolve') && !isSameText(ours, theirs)) return undefined;
  // A plugin in the same words at another line: CoreDNS often names the line that its parser has got to.
  const isOtherLine = theirs.problem.line !== undefined && ours.problem.line !== theirs.problem.line;
  if (isOtherLine && !(ours.problem.text.startsWith('plugin/') && isSameText(ours, theirs)))
    return { kind: 'line', text };
  if (theirs.problem.directive !== undefined && ours.problem.directive !== theirs.problem.directive) {
    return { kind: 'directive', text };
  }
  return undefined;
}

/** Start-up lines as they stand for each listener; CoreDNS takes the listeners themselves in any order. */
function byListener(lines: readonly string[]): string {
  // A file's path that is taken for a zone leads through the server's own directory
  const zones = lines.map((line) => line.replace(/\S*\/(?:wasmdns|coredns)-[^/]+\//, '@FILES@/'));
  const groups = Map.groupBy(zones, (line) => line.slice(line.lastIndexOf(':')));
  return [...groups.keys()]
    .sort()
    .flatMap((key) => groups.get(key)!)
    .join('\n');
}

/** The texts of two refusals without what wasmdns adds on purpose: file, line and a guess. */
export function isSameText(ours: Verdict, theirs: Verdict): boolean {
  if (ours.kind !== 'refused' || theirs.kind !== 'refused') return true;
  return bare(ours.problem.text) === bare(theirs.problem.text);
}

export function tell(verdict: Verdict): string {
  if (verdict.kind === 'serving') return 'serves';
  if (verdict.kind === 'hung') return `hangs: ${verdict.output.slice(-300)}`;
  return `refuses (${verdict.code}): ${verdict.problem.text}`;
}

function bare(text: string): string {
  return text
    .replace(/, did you mean "[^"]*"\?/g, '')
    .replace(/\S+:[0-9]+ - Error during parsing: /g, '')
    .trim();
}

// One Corefile, both servers: do they judge it alike, and if both serve, do they answer, log and count alike?

import { type Seat, seatUnderTest } from '../support/server.ts';
import { askBoth, describeFindings, type Order, type Session } from './asking.ts';
import type { Cluster } from './cluster.ts';
import { type Disagreement, disagreement, isSameText, tell } from './corefile/agree.ts';
import type { Draft } from './corefile/grammar.ts';
import { type Surroundings, Trial } from './corefile/trial.ts';
import { compareLogs } from './log-lines.ts';
import { profileOf } from './profile.ts';
import { compareSeries } from './series.ts';

export interface Task {
  readonly draft: Draft;
  readonly seed: number;
  readonly questions: number;
  readonly lanes: number;
}

export interface Examination {
  readonly task: Task;
  readonly verdict: 'both serve' | 'both refuse' | 'differ';
  readonly disagreement?: Disagreement;
  /** Both refuse, but in other words. */
  readonly otherWords?: string;
  readonly session?: Session;
  readonly report: readonly string[];
}

export interface Scene {
  readonly around: Surroundings;
  readonly cluster: Cluster;
  /** Put between the two servers and the questions; the planted differences stand there. */
  readonly disturb?: (sides: Order['sides']) => Promise<{ sides: Order['sides']; stop(): Promise<void> }>;
  readonly seats?: readonly [Seat, Seat];
  readonly replyTimeoutMs?: number;
  /** Kinds of difference shown in full. */
  readonly shownMax?: number;
}

export async function examine(task: Task, scene: Scene): Promise<Examination> {
  const seats = scene.seats ?? [seatUnderTest, 'coredns'];
  const trials = await Promise.all(seats.map((seat) => Trial.start(seat, task.draft, scene.around)));
  try {
    return await examineTrials(task, scene, [trials[0]!, trials[1]!]);
  } catch (error) {
    // A panic under plugin debug ends both
    if (trials.every(({ child }) => child.hasExited && /^panic/m.test(child.output())))
      return { task, verdict: 'both serve', report: [] };
    // One server has gone, or does not listen where it should: a finding like others
    const ends = trials.map(
      ({ seat, child }) => `${seat}${child.hasExited ? ' has exited' : ''}:\n${child.output().slice(-1500)}`,
    );
    return { task, verdict: 'both serve', report: [`stopped by ${String(error)}`, ...ends] };
  } finally {
    await Promise.all(trials.map((trial) => trial.stop()));
  }
}

/** Two servers that run already. They stay, and may be examined again, also at the same time where nothing counts. */
export async function examineTrials(
  task: Task,
  scene: Scene,
  [ours, theirs]: readonly [Trial, Trial],
): Promise<Examination> {
  const disagreed = disagreement(ours.verdict, theirs.verdict);
  if (disagreed !== undefined) {
    const report = [`${disagreed.kind}: ${disagreed.text}`];
    return { task, verdict: 'differ', disagreement: disagreed, report };
  }
  if (theirs.verdict.kind !== 'serving') {
    const words = isSameText(ours.verdict, theirs.verdict)
      ? undefined
      : `${tell(ours.verdict)}\n  / ${tell(theirs.verdict)}`;
    return { task, verdict: 'both refuse', report: [], ...(words === undefined ? {} : { otherWords: words }) };
  }
  const texts = [task.draft.text, ...namedFiles(task.draft)];
  const profile = profileOf(theirs.verdict.startLines, texts, scene.cluster);
  if (task.questions === 0 || profile.subject.listeners.length === 0)
    return { task, verdict: 'both serve', report: [] };
  const disturbed = await scene.disturb?.([ours, theirs]);
  const sides = disturbed?.sides ?? ([ours, theirs] as const);
  const { questions, seed, lanes } = task;
  const promises =
    scene.replyTimeoutMs === undefined
      ? profile.promises
      : { ...profile.promises, replyTimeoutMs: scene.replyTimeoutMs };
  const order: Order = {
    sides,
    subject: profile.subject,
    promises,
    questions,
    seed,
    lanes,
    shownMax: scene.shownMax ?? 8,
  };
  const session = await askBoth(order);
  const report: string[] = [];
  if (session.findings.length > 0) report.push(await describeFindings(session.findings, order));
  if (session.strays > 0) report.push(`${session.strays} replies came late or twice`);
  if (profile.hasMetrics) {
    const series = await compareSeries(sides[0], sides[1], {
      // A probe is asked up to three times.
      replies: 3 * [...session.allowed.values()].reduce((sum, count) => sum + count, 0),
      hasManyUpstreams: hasManyUpstreams(task.draft),
    });
    if (series.length > 0) report.push([`metrics differ, seed ${task.seed}`, ...series.slice(0, 20)].join('\n'));
  }
  if (disturbed === undefined && session.findings.length === 0)
    report.push(...(await logReport(task, session, ours, theirs)));
  for (const trial of [ours, theirs]) {
    if (trial.child.hasExited) report.push(`${trial.seat} has exited:\n${trial.child.output().slice(-2000)}`);
  }
  await disturbed?.stop();
  return { task, verdict: 'both serve', session, report };
}

async function logReport({ draft, seed }: Task, session: Session, ours: Trial, theirs: Trial): Promise<string[]> {
  // Such a rule renames OPTs too, in CoreDNS, and sizes follow (docs/differences.md)
  if (/\bname \(?\.\*\)? /.test([draft.text, ...namedFiles(draft)].join('\n'))) return [];
  // CoreDNS has no line for a query that one of its plugins panics at, and ours may not
  const panics = theirs.child.output().split('Recovered from panic').length - 1;
  // A question may be asked three times, and have two lines on each side
  const odd = [...session.allowed.values()].reduce((sum, count) => sum + count, session.unsteady.length);
  const lines = await compareLogs(ours, theirs, {
    // What `loop` asks itself at the start has a random name
    lines: 6 * odd + panics + (/(?:^|[\s}])loop\b/m.test(draft.text) ? 4 : 0),
    hasManyUpstreams: hasManyUpstreams(draft),
    showsFirst: /\bshow_first\b/.test(draft.text),
    // CoreDNS loses the TSIG of a query that it forwards (docs/differences.md), and logs it without
    skipped: /\bforward\b/.test(draft.text) ? session.signed : [],
  });
  return lines.length === 0 ? [] : [`${lines.length} log lines differ, seed ${seed}\n${lines.slice(0, 20).join('\n')}`];
}

function hasManyUpstreams({ text }: Draft): boolean {
  return /@UPSTREAMB@|@CLOSED@|odd-resolv\.conf/.test(text);
}

/** Lines taken out of a Corefile as long as the same disagreement stays. */
export async function shrinkDraft(task: Task, scene: Scene, kind: Disagreement['kind'], triesMax = 24): Promise<Draft> {
  let smallest = task.draft;
  let tries = 0;
  for (let isSmaller = true; isSmaller && tries < triesMax; ) {
    isSmaller = false;
    for (const text of shorter(smallest.text)) {
      if (tries++ >= triesMax) break;
      const draft = { ...smallest, text };
      const { disagreement: left } = await examine({ ...task, draft, questions: 0 }, scene);
      if (left?.kind !== kind) continue;
      smallest = draft;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Texts without one directive (its whole block) or one line, the largest first. */
function shorter(text: string): string[] {
  const lines = text.split('\n');
  const texts: { readonly text: string; readonly bytes: number }[] = [];
  for (const [at, line] of lines.entries()) {
    if (line.trim() === '' || /^\s*\}/.test(line)) continue;
    let end = at;
    for (let depth = braces(line); depth > 0 && end + 1 < lines.length; ) depth += braces(lines[++end]!);
    const removed = lines.slice(at, end + 1).join('\n');
    texts.push({ text: lines.toSpliced(at, end - at + 1).join('\n'), bytes: removed.length });
  }
  return texts.sort((a, b) => b.bytes - a.bytes).map((each) => each.text);
}

function braces(line: string): number {
  if (/\{\s*(?:#.*)?$/.test(line)) return 1;
  return /^\s*\}/.test(line) ? -1 : 0;
}

/** Files that the Corefile, or a file that it names, speaks of. */
function namedFiles({ text, files }: Draft): string[] {
  const found = new Map<string, string>();
  const look = (said: string) => {
    for (const [name, content] of Object.entries(files)) {
      const last = name.slice(name.lastIndexOf('/') + 1).replace(/^\w+/, '');
      const isSaid = said.includes(name) || (name.includes('/') && /custom|cust\*m/.test(said) && said.includes(last));
      if (!isSaid || found.has(name)) continue;
      found.set(name, content);
      look(content);
    }
  };
  look(text);
  return [...found.values()];
}

// Asks two servers generated questions and collects where they differ.

import { Random } from '../support/random.ts';
import { ALLOWED } from './allowed.ts';
import { Generator, type Subject } from './generator.ts';
import { formatOutcome, Lane, type Outcome, type Promises, type Sides } from './pair.ts';
import { composeProbe, formatProbe, isSilenceDue, type Probe } from './probe.ts';
import { shrink } from './shrink.ts';

/** So many kinds of difference are shown in full; the rest is counted. */
const SHOWN_MAX = 8;
/** A difference is one when it can be seen again with fresh names. */
const REPEATS = 4;
/**
 * A name without a token may be in one server's cache and not in the other's: both evict at random, and entries end a moment
 * apart. Having asked once more both have it, and a difference that stays is one.
 */
const OLD_NAME_TIMES = 2;
/** Where so many questions found a server silent, the Corefile makes it so: the others are not waited for as long. */
const SILENT_MAX = 6;
const SHORT_TIMEOUT_MS = 1500;
/** Probes tried for a smaller one where each try may cost a time limit. */
const SILENT_TRIES_MAX = 24;

export interface Finding {
  readonly probe: Probe;
  readonly outcome: Outcome;
}

export interface Session {
  readonly asked: number;
  readonly findings: readonly Finding[];
  /** Seen once, and not again in some repetitions: a clock's edge, a datagram lost. */
  readonly unsteady: readonly Finding[];
  /** Allowed differences by their reason. */
  readonly allowed: ReadonlyMap<string, number>;
  readonly notes: ReadonlyMap<string, number>;
  readonly strays: number;
  /** Lane.signed of all lanes. */
  readonly signed: readonly string[];
}

export interface Order {
  readonly sides: Sides;
  readonly subject: Subject;
  readonly promises: Promises;
  readonly questions: number;
  readonly seed: number;
  readonly lanes: number;
  readonly shownMax?: number;
}

export async function askBoth(order: Order): Promise<Session> {
  const { sides, subject, promises, questions } = order;
  const generator = new Generator(subject, new Random(order.seed));
  let silent = 0;
  const patience: Promises = {
    ...promises,
    get replyTimeoutMs() {
      return silent < SILENT_MAX ? promises.replyTimeoutMs : shorter(promises);
    },
  };
  const lanes = Array.from({ length: order.lanes }, (_, at) => new Lane(sides, patience, at * 500));
  const names = new NameLocks();
  const suspects: Finding[] = [];
  const allowed = new Map<string, number>();
  const notes = new Map<string, number>();
  let asked = 0;
  const work = async (lane: Lane) => {
    while (asked < questions) {
      const probe = generator.next();
      asked += probe.times;
      const outcome = await names.hold(probe.name, () => lane.run(probe));
      if (outcome.replies.includes(undefined) && !isSilenceDue(outcome.sent)) silent++;
      for (const note of outcome.comparison.notes) add(notes, note);
      if (outcome.comparison.differences.length === 0) continue;
      const reason = ALLOWED.find((each) => each.explains(probe, outcome))?.reason;
      if (reason === undefined) suspects.push({ probe, outcome });
      else add(allowed, reason);
    }
  };
  await Promise.all(lanes.map(work));
  const strays = silent < SILENT_MAX ? lanes.flatMap((lane) => lane.strays()).length : 0;
  const signed = lanes.flatMap((lane) => lane.signed);
  for (const lane of lanes) lane.close();
  const findings: Finding[] = [];
  const unsteady: Finding[] = [];
  const lane = new Lane(sides, promises, 60_000);
  for (const suspect of suspects) {
    const isSteady = await repeats(suspect, lane, findings);
    (isSteady ? findings : unsteady).push(suspect);
  }
  lane.close();
  return { asked, findings, unsteady, allowed, notes, strays, signed };
}

function shorter({ replyTimeoutMs }: Promises): number {
  return Math.min(SHORT_TIMEOUT_MS, replyTimeoutMs ?? SHORT_TIMEOUT_MS);
}

/** Whether it happens again. Of each kind only the first few are asked again. */
async function repeats(suspect: Finding, lane: Lane, known: readonly Finding[]): Promise<boolean> {
  const kind = kindOf(suspect);
  if (known.filter((each) => kindOf(each) === kind).length >= 2) return true;
  let left = suspect.probe.name.includes('%') ? 1 : OLD_NAME_TIMES;
  for (let n = 0; n < REPEATS && left > 0; n++) {
    const outcome = await lane.run(suspect.probe);
    if (outcome.comparison.differences.length > 0 && kindOf({ probe: suspect.probe, outcome }) === kind) left--;
  }
  return left === 0;
}

/** Questions of one name wait for each other: both servers' caches then see them in one order. */
class NameLocks {
  private readonly tails = new Map<string, Promise<unknown>>();

  async hold<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (name.includes('%')) return work();
    const key = name.toLowerCase();
    const before = this.tails.get(key) ?? Promise.resolve();
    const done = before.then(work);
    const tail = done.catch(() => undefined);
    this.tails.set(key, tail);
    const result = await done;
    if (this.tails.get(key) === tail) this.tails.delete(key);
    return result;
  }
}

/** The smallest probe of each kind of difference, both answers in full. */
export async function describeFindings(findings: readonly Finding[], order: Order): Promise<string> {
  const { sides, promises } = order;
  const patient = new Lane(sides, promises, 62_000);
  const hurried = new Lane(sides, { ...promises, replyTimeoutMs: shorter(promises) }, 63_000);
  const kinds = Map.groupBy(findings, kindOf);
  const texts = [`${findings.length} differences of ${kinds.size} kinds, seed ${order.seed}`];
  for (const [kind, [first, ...others]] of [...kinds].slice(0, order.shownMax ?? SHOWN_MAX)) {
    const isSilent = first!.outcome.replies.includes(undefined);
    const lane = isSilent ? hurried : patient;
    const differs = async (probe: Probe) => {
      const outcome = await lane.run(probe);
      return outcome.comparison.differences.length > 0 && kindOf({ probe, outcome }) === kind;
    };
    const smallest = await shrink(first!.probe, differs, isSilent ? SILENT_TRIES_MAX : undefined);
    const outcome = await lane.run(smallest);
    texts.push(
      `--- ${kind} (${others.length + 1} times)`,
      `found with ${formatProbe(first!.probe)}`,
      `smallest   ${formatProbe(smallest)}`,
      `as octets  ${Buffer.from(composeProbe(smallest, 'token', 0x1234)).toString('hex')}`,
      formatOutcome(outcome.comparison.differences.length > 0 ? outcome : first!.outcome, sides),
    );
  }
  patient.close();
  hurried.close();
  return texts.join('\n');
}

/** The difference without what is different from probe to probe: names, numbers, octets. */
export function kindOf({ probe, outcome }: Finding): string {
  const difference = outcome.comparison.differences[0]!;
  const behaviour = /^([a-z0-9]+)-%/i.exec(probe.name)?.[1]?.toLowerCase() ?? 'other';
  const origin = `${behaviour}${probe.edits.length > 0 ? ' edited' : ''}`;
  const record = /^(\w+: (?:only on the \w+|TTL)).*? ([A-Z]+[0-9]*) /.exec(difference);
  if (record !== null) return `${record[1]} ${record[2]} ${origin}`;
  if (difference.startsWith('order of')) return `${difference.slice(0, difference.indexOf(':'))} ${origin}`;
  if (!difference.startsWith('opt: ')) return `${difference.replace(/[0-9]+/g, 'N').slice(0, 60)} ${origin}`;
  const [left = [], right = []] = difference
    .slice('opt: '.length)
    .split(' / ')
    .map((text) => text.split(' '));
  const word = left.find((each, at) => each !== right[at]) ?? right[left.length] ?? '';
  return `opt ${word.replace(/=.*/, '')}`;
}

export function add(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

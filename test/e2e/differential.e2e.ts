// wasmdns and the real CoreDNS side by side, with the same Corefile, API server, upstream and files: Corefiles from the
// grammar are accepted or refused alike, and questions made for each Corefile are answered alike.
//
//   WASMDNS_E2E_SEED=N        repeats a run
//   WASMDNS_E2E_COREFILES=N   generated Corefiles (60), each asked 100 questions when both accept it
//   WASMDNS_E2E_QUESTIONS=N   questions over the Corefiles of real clusters and documents, and accepted generated ones
//   WASMDNS_E2E_ONLY=TEXT     only Corefiles that have this text, or whose note has it
//   WASMDNS_E2E_FINDINGS=FILE everything found is appended there too

import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { add } from './differential/asking.ts';
import { describeCluster } from './differential/cluster.ts';
import { STANDARD_FILES } from './differential/corefile/files.ts';
import { type Draft, draftCorefile } from './differential/corefile/grammar.ts';
import { type Examination, examine, type Scene, shrinkDraft, type Task } from './differential/examine.ts';
import type { KubernetesObject } from './support/api-client.ts';
import { ControlPlane, DNS_TOKEN } from './support/control-plane.ts';
import { clusterAddress } from './support/objects.ts';
import { PlainApi } from './support/plain-api.ts';
import { freePort } from './support/ports.ts';
import { Random } from './support/random.ts';
import { repository } from './support/tools.ts';
import { Upstream } from './support/upstream.ts';

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const COREFILES = number('WASMDNS_E2E_COREFILES', 60);
const QUESTIONS = number('WASMDNS_E2E_QUESTIONS', 20_000);
const QUESTIONS_EACH = 100;
/** Accepted Corefiles that share the questions. */
const ACCEPTED_MIN = 46;
const AT_ONCE = number('WASMDNS_E2E_AT_ONCE', Math.max(2, availableParallelism()));
/** One in so many questions may be answered otherwise once, and the same ever after: a clock's edge, a lost datagram. */
const UNSTEADY_ONE_IN = 2000;
/** One in so many Corefiles may be judged otherwise once, and not again: a server that had no time to start, or to end. */
const UNSTEADY_VERDICT_ONE_IN = 100;

const random = new Random();
let plane: ControlPlane;
let api: PlainApi;
let upstreams: Upstream[];
let scene: Scene;

before(async () => {
  plane = await ControlPlane.start();
  upstreams = [await Upstream.start(), await Upstream.start()];
  const described = describeCluster(random);
  api = await PlainApi.start(plane.port, DNS_TOKEN);
  await plane.createObjects(described.objects);
  const list = (await plane.api.get('/api/v1/services')) as unknown as { items: KubernetesObject[] };
  const addresses = list.items.map(clusterAddress).filter((address) => address !== '');
  scene = {
    cluster: { ...described, addresses: [...described.addresses, ...addresses] },
    around: {
      upstreamPort: upstreams[0]!.port,
      secondUpstreamPort: upstreams[1]!.port,
      closedPort: await freePort(),
      kubeconfig: plane.writeKubeconfig(),
      words: { API: api.port, APITLS: plane.port, CERTS: plane.certificates },
    },
  };
});

after(async () => {
  for (const upstream of upstreams) await upstream.stop();
  await api.stop();
  await plane.stop();
});

test(`${COREFILES} generated Corefiles are judged as CoreDNS judges them`, { skip: COREFILES === 0 }, async () => {
  const tasks = Array.from({ length: COREFILES }, (_, n): Task => {
    const seed = (random.seed + n) % 0x7fffffff;
    return { draft: draftCorefile(seed), seed, questions: QUESTIONS_EACH, lanes: 4 };
  });
  const results = await examineAll(tasks);
  const isRight = results.filter(({ verdict }) => verdict === 'both serve').length;
  const isWrong = results.filter(({ verdict }) => verdict === 'both refuse').length;
  process.stdout.write(
    `${results.length} Corefiles: both serve ${isRight}, both refuse ${isWrong}, seed ${random.seed}\n`,
  );
  await judge(results);
});

test(`${QUESTIONS} questions are answered as CoreDNS answers them`, { skip: QUESTIONS === 0 }, async () => {
  const fixed = fixedDrafts();
  const wanted = Math.max(0, ACCEPTED_MIN - fixed.length);
  const drafts = [...fixed, ...acceptable(wanted)];
  const questions = Math.ceil(QUESTIONS / drafts.length);
  await judge(await examineAll(drafts.map((draft, n) => ({ draft, seed: random.seed + n, questions, lanes: 12 }))));
});

/** Corefiles of distributions and of documents. */
function fixedDrafts(): Draft[] {
  const directory = join(repository, 'test/e2e/differential/corefiles');
  return readdirSync(directory)
    .filter((file) => file.endsWith('.Corefile'))
    .sort()
    .map((file) => ({
      text: readFileSync(join(directory, file), 'utf8'),
      files: STANDARD_FILES,
      env: {},
      note: file,
    }));
}

/** Generated Corefiles without a mistake; whether they are served is seen when they are examined. */
function acceptable(count: number): Draft[] {
  const drafts: Draft[] = [];
  for (let seed = random.seed; drafts.length < count; seed++) {
    const draft = draftCorefile(seed % 0x7fffffff, true);
    drafts.push(draft);
  }
  return drafts;
}

async function examineAll(all: readonly Task[]): Promise<Examination[]> {
  const only = process.env['WASMDNS_E2E_ONLY'];
  const tasks = all.filter(({ draft }) => only === undefined || `${draft.note}\n${draft.text}`.includes(only));
  const results: Examination[] = [];
  const queue = [...tasks];
  const work = async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      results.push(await examine(task, scene));
      for (const upstream of upstreams) upstream.seen.length = 0;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** Prints the sums; fails with every finding in full. */
async function judge(results: readonly Examination[]): Promise<void> {
  const sums = new Map<string, number>();
  const notYet = new Map<string, number>();
  const failures: string[] = [];
  const unsteadyVerdicts: string[] = [];
  for (const result of results) {
    const { session, disagreement, otherWords } = result;
    add(sums, result.verdict);
    if (disagreement?.kind === 'not yet') add(notYet, disagreement.text.replace(/^.* - Error during parsing: /, ''));
    else if (disagreement !== undefined) {
      const isSteady = (await examine({ ...result.task, questions: 0 }, scene)).disagreement !== undefined;
      if (isSteady) failures.push(await describeDisagreement(result));
      else unsteadyVerdicts.push(`${result.task.draft.note}: ${disagreement.text}`);
    } else if (result.report.length > 0) failures.push(describe(result));
    if (otherWords !== undefined) note(`other words, ${result.task.draft.note}\n${otherWords}`);
    if (otherWords !== undefined) add(sums, 'refused in other words');
    add(sums, 'questions', session?.asked ?? 0);
    add(sums, 'unsteady', session?.unsteady.length ?? 0);
    for (const [reason, count] of session?.allowed ?? []) add(sums, `allowed: ${reason}`, count);
    for (const [word, count] of session?.notes ?? []) add(sums, `note: ${word}`, count);
  }
  for (const [what, count] of sums) process.stdout.write(`  ${what} ${count}\n`);
  for (const [what, count] of notYet) process.stdout.write(`  not yet ${count}: ${what}\n`);
  for (const text of unsteadyVerdicts) process.stdout.write(`  judged otherwise once: ${text}\n`);
  for (const failure of failures) note(failure);
  assert.equal(failures.length, 0, `seed ${random.seed}, ${failures.length} findings\n\n${failures.join('\n\n')}`);
  const verdictsMax = Math.ceil(results.length / UNSTEADY_VERDICT_ONE_IN);
  assert.ok(unsteadyVerdicts.length <= verdictsMax, `${unsteadyVerdicts.length} Corefiles were judged otherwise once`);
  const unsteadyMax = Math.ceil((sums.get('questions') ?? 0) / UNSTEADY_ONE_IN);
  assert.ok((sums.get('unsteady') ?? 0) <= unsteadyMax, `${sums.get('unsteady')} answers differed once and not again`);
}

async function describeDisagreement(result: Examination): Promise<string> {
  const kind = result.disagreement!.kind;
  const draft = await shrinkDraft(result.task, scene, kind);
  const again = await examine({ ...result.task, draft, questions: 0 }, scene);
  return describe({ ...result, task: { ...result.task, draft }, report: again.report });
}

function describe({ task, report }: Examination): string {
  return [`=== ${task.draft.note}`, task.draft.text.trimEnd(), '---', ...report].join('\n');
}

function note(text: string): void {
  const path = process.env['WASMDNS_E2E_FINDINGS'];
  if (path !== undefined) appendFileSync(path, `${text}\n\n`);
}

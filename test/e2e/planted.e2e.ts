// The differential suite can fail: CoreDNS against itself shows nothing, and every planted difference is found.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type Cluster, describeCluster } from './differential/cluster.ts';
import { disagreement } from './differential/corefile/agree.ts';
import type { Draft } from './differential/corefile/grammar.ts';
import { type Surroundings, Trial } from './differential/corefile/trial.ts';
import { DAMAGES, type Damage } from './differential/damage.ts';
import { damagingProxy, type Faults } from './differential/damaging-proxy.ts';
import { type Examination, examineTrials } from './differential/examine.ts';
import { freePort } from './support/ports.ts';
import { Random } from './support/random.ts';
import { Upstream } from './support/upstream.ts';

const QUESTIONS = 500;
const FORWARDS = `.:@PORT@ {
    forward . 127.0.0.1:@UPSTREAM@
}
`;
const COUNTS = FORWARDS.replace('{', '{\n    prometheus 127.0.0.1:@METRICS@');
const draft = (text: string): Draft => ({ text, files: {}, env: {}, note: 'planted' });

/** Two servers that have started with one Corefile. */
type Pair = readonly [Trial, Trial];

const random = new Random();
const cluster: Cluster = describeCluster(new Random(1));
let upstream: Upstream;
let around: Surroundings;
/** Every damage stands in a proxy of its own before the same two servers, which neither cache nor count. */
let forwarding: Pair;

before(async () => {
  upstream = await Upstream.start();
  around = {
    upstreamPort: upstream.port,
    secondUpstreamPort: upstream.port,
    closedPort: await freePort(),
    kubeconfig: '/nowhere',
  };
  forwarding = await startPair(FORWARDS);
});

after(async () => {
  await stopPair(forwarding);
  await upstream.stop();
});

async function startPair(text: string): Promise<Pair> {
  const start = () => Trial.start('coredns', draft(text), around);
  return [await start(), await start()];
}

async function stopPair(pair: Pair): Promise<void> {
  for (const trial of pair) await trial.stop();
}

function examineDamaged(pair: Pair, faults: Faults, replyTimeoutMs?: number): Promise<Examination> {
  return examineTrials(
    { draft: draft(pair === forwarding ? FORWARDS : COUNTS), seed: random.seed, questions: QUESTIONS, lanes: 24 },
    {
      around,
      cluster,
      shownMax: 2,
      ...(replyTimeoutMs === undefined ? {} : { replyTimeoutMs }),
      disturb: async ([left, right]) => {
        const proxy = await damagingProxy(left, faults);
        return { sides: [proxy.side, right], stop: proxy.stop };
      },
    },
    pair,
  );
}

/** What the report has to say. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'wrong TTL': /answer: TTL [0-9]+ \/ [0-9]+ of/,
  'missing AA': /flags: .* \/ .*\baa\b/,
  'missing RA': /flags: .* \/ .*\bra\b/,
  'wrong TC': /flags: .*tc.* \/ /,
  'wrong rcode': /rcode: NOERROR \/ NXDOMAIN/,
  'lost OPT option': /difference: opt: /,
  'wrong OPT size': /difference: opt: /,
  'unsorted order': /order of the answer section: /,
  'missing answer': /answer: only on the right: /,
  'missing authority': /authority: only on the right: /,
  'wrong additional': /additional: only on the left: /,
  'wrong id': /reply: none \/ [0-9]+ octets/,
  'question in lower case': /question: /,
  'octets behind the end': /trailing octets: 1 \/ 0/,
  'cut message': /form: malformed .* \/ well-formed/,
  'no reply': /reply: none \/ [0-9]+ octets/,
};

// Most of the time is waiting: for upstreams that are silent, and for replies that never come.
suite('planted in replies', { concurrency: true }, () => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    test(`planted: ${name}`, async () => {
      // Silence costs the whole time limit of a question: a few are enough.
      const isSilent = name === 'wrong id' || name === 'no reply';
      const { report } = await examineDamaged(
        forwarding,
        { damage: isSilent ? ofOneName(damage) : damage },
        isSilent ? 1000 : undefined,
      );
      assert.match(report.join('\n'), EXPECTED[name]!);
      assert.match(report.join('\n'), /seed [0-9]+/);
      assert.match(report.join('\n'), /smallest /);
    });
  }

  test('planted: each reply twice', async () => {
    const { report } = await examineDamaged(forwarding, { isTwice: true });
    assert.match(report.join('\n'), /replies came late or twice/);
  });

  test('CoreDNS through the proxy without damage: no difference', async () => {
    const pair = await startPair(COUNTS);
    try {
      const { report, session, verdict } = await examineDamaged(pair, {});
      assert.equal(verdict, 'both serve');
      assert.deepEqual(report, []);
      assert.ok(session!.asked >= QUESTIONS);
      assert.equal(session!.unsteady.length, 0);
    } finally {
      await stopPair(pair);
    }
  });

  test('planted: a missing series, a series too many, a counter that differs', async () => {
    const pair = await startPair(COUNTS);
    try {
      const metrics = (text: string) =>
        text
          .replaceAll(/^coredns_dns_do_requests_total.*\n/gm, '')
          .replace(/^(coredns_dns_requests_total\{.*\}) ([0-9]+)$/m, '$1 99999')
          .concat('coredns_more_total{server="x"} 1\n');
      const { report } = await examineDamaged(pair, { metrics });
      assert.match(report.join('\n'), /series only on the right: coredns_dns_do_requests_total/);
      assert.match(report.join('\n'), /series only on the left: coredns_more_total/);
      assert.match(report.join('\n'), /coredns_dns_requests_total\{.*\}: 99999 \/ [0-9]+/);
    } finally {
      await stopPair(pair);
    }
  });
});

/** Acts on names that begin with `aa` only. */
function ofOneName(damage: Damage): Damage {
  return (reply) => (/^aa-/i.test(Buffer.from(reply.subarray(13)).toString('latin1')) ? damage(reply) : reply);
}

test('planted: Corefiles that two servers judge differently', async () => {
  const verdictOf = async (text: string) => {
    const trial = await Trial.start('coredns', draft(text), around);
    await trial.stop();
    return trial.verdict;
  };
  const serves = await verdictOf(FORWARDS);
  const other = await verdictOf(FORWARDS.replace('.:', 'example.org:'));
  const line2 = await verdictOf('.:@PORT@ {\n    nosuch\n}\n');
  const line3 = await verdictOf('.:@PORT@ {\n    errors\n    nosuch\n}\n');
  const word = await verdictOf('.:@PORT@ {\n    other\n}\n');
  assert.equal(disagreement(serves, serves), undefined);
  assert.equal(disagreement(line2, line2), undefined);
  assert.equal(disagreement(serves, other)?.kind, 'zones');
  assert.equal(disagreement(serves, line2)?.kind, 'verdict');
  assert.equal(disagreement(line2, serves)?.kind, 'verdict');
  assert.equal(disagreement(line2, line3)?.kind, 'line');
  assert.equal(disagreement(line2, word)?.kind, 'directive');
  assert.equal(disagreement({ ...line2, code: 2 } as typeof line2, line2)?.kind, 'exit code');
});

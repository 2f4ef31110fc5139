// The end of a pod: the rule by a clock that the test turns, then the built program while somebody goes on asking it.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { createLog } from '../../host/log.ts';
import { Drain, drainMsMax } from '../../host/server/drain.ts';
import { ask as askClient } from '../e2e/support/ask.ts';
import { TcpClient } from '../e2e/support/dns-client.ts';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, type Started, sleep, start } from './process.ts';

interface Scene {
  readonly drain: Drain;
  readonly lines: string[];
  queries: number;
  /** How often clients with connections were told to go. */
  goings: number;
  /** Lets time pass without anything being run. */
  stand(ms: number): void;
  /** Lets time pass, a look at a time. */
  pass(ms: number, isAsked?: boolean): Promise<void>;
}

function scene(t: TestContext, limitMs: number): Scene {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const lines: string[] = [];
  let nowMs = 500;
  const all: Scene = {
    drain: new Drain({
      limitMs,
      log: createLog((line) => lines.push(line.trimEnd())),
      read: () => all.queries,
      letGo: () => {
        all.goings++;
      },
      clock: { now: () => nowMs, wall: () => 0 },
    }),
    lines,
    queries: 7,
    goings: 0,
    stand: (ms) => {
      nowMs += ms;
    },
    pass: async (ms, isAsked = false) => {
      for (let left = ms; left > 0; left -= 100) {
        if (isAsked) all.queries++;
        nowMs += 100;
        t.mock.timers.tick(100);
        await Promise.resolve();
        await Promise.resolve();
      }
    },
  };
  t.after(() => all.drain.end());
  return all;
}

/** Whether the promise has resolved by now. */
async function isOver(over: Promise<void>): Promise<boolean> {
  const turn = Symbol();
  return (await Promise.race([over, Promise.resolve(turn)])) !== turn;
}

const NEVER = new AbortController().signal;

test('nobody has asked in the last 3 s of the lameduck: it is over at once', async (t) => {
  const { drain, lines, pass } = scene(t, 28_000);
  drain.begin();
  await pass(2000, true);
  await pass(3000);
  await drain.over(NEVER);
  assert.deepEqual(lines, []);
});

test('queries come: serving on until there were none for 3 s', async (t) => {
  const all = scene(t, 28_000);
  const { drain, lines, pass } = all;
  drain.begin();
  await pass(5000, true);
  assert.equal(all.goings, 0, 'a lameduck is as CoreDNS has it');
  const over = drain.over(NEVER);
  assert.equal(drain.over(NEVER), over, 'one end for all blocks');
  assert.equal(all.goings, 1);
  await pass(4000, true);
  await pass(2800);
  assert.equal(await isOver(over), false);
  await pass(300);
  await over;
  assert.deepEqual(lines, [
    '[INFO] Serving on until no more queries come, for 23s at most',
    '[INFO] No more queries come',
  ]);
});

test('queries come for ever: the limit counts from the signal', async (t) => {
  const { drain, lines, pass } = scene(t, 28_000);
  drain.begin();
  await pass(5000, true);
  const over = drain.over(NEVER);
  await pass(22_800, true);
  assert.equal(await isOver(over), false);
  await pass(300, true);
  await over;
  assert.equal(
    lines.at(-1),
    '[WARNING] Ending although queries still come, 28s after the signal (WASMDNS_DRAIN_SECONDS)',
  );
});

test('a process that stood still has not seen that nobody came', async (t) => {
  const { drain, pass, stand } = scene(t, 28_000);
  drain.begin();
  await pass(5000, true);
  const over = drain.over(NEVER);
  stand(6000);
  await pass(2800);
  assert.equal(await isOver(over), false);
  await pass(300);
  await over;
});

test('a lameduck longer than the limit is all there is', async (t) => {
  const { drain, lines, pass } = scene(t, 4000);
  drain.begin();
  await pass(5000, true);
  await drain.over(NEVER);
  assert.deepEqual(lines, []);
});

test('an impatient signal ends it', async (t) => {
  const { drain, pass } = scene(t, 28_000);
  drain.begin();
  await pass(1000, true);
  const abort = new AbortController();
  const over = drain.over(abort.signal);
  abort.abort();
  await pass(200, true);
  await over;
});

test('a limit of 0: nothing is looked at', async (t) => {
  const all = scene(t, 0);
  const { drain, lines, pass } = all;
  drain.begin();
  await pass(1000, true);
  await drain.over(NEVER);
  assert.deepEqual(lines, []);
  assert.equal(all.goings, 0);
});

test('the limit: 28 s in a pod, none elsewhere, WASMDNS_DRAIN_SECONDS before both', () => {
  assert.equal(drainMsMax({}), 0);
  assert.equal(drainMsMax({ KUBERNETES_SERVICE_HOST: '10.96.0.1' }), 28_000);
  assert.equal(drainMsMax({ KUBERNETES_SERVICE_HOST: '10.96.0.1', WASMDNS_DRAIN_SECONDS: '0' }), 0);
  assert.equal(drainMsMax({ WASMDNS_DRAIN_SECONDS: '55' }), 55_000);
  assert.equal(drainMsMax({ WASMDNS_DRAIN_SECONDS: '' }), 0);
  for (const text of ['5s', '-1', '1.5', 'x', '99999999']) {
    assert.throws(() => drainMsMax({ WASMDNS_DRAIN_SECONDS: text }), {
      message: `WASMDNS_DRAIN_SECONDS: '${text}' is no number of seconds between 0 and 86400`,
    });
  }
});

interface Served {
  readonly started: Started;
  readonly port: number;
  readonly metrics: number;
}

async function served(t: TestContext, env: Readonly<Record<string, string>>): Promise<Served> {
  const [port, health, metrics] = [await freePort(), await freePort(), await freePort()];
  const corefile = `.:${port} {
    health 127.0.0.1:${health} {
      lameduck 500ms
    }
    prometheus 127.0.0.1:${metrics}
    whoami
}
`;
  const started = await start(t, ['-conf', 'Corefile'], { corefile, env }).serves();
  return { started, port, metrics };
}

/** Asks without a pause until the time is over or the server has gone. The replies other than NOERROR. */
async function askFor(ms: number, { started, port }: Served, proto: 'udp' | 'tcp'): Promise<readonly string[]> {
  const endMs = performance.now() + ms;
  const others: string[] = [];
  while (performance.now() < endMs && !started.hasExited) {
    const reply = await ask(port, 'x.example', { proto, withinMs: 2000 });
    if (reply !== 'NOERROR') others.push(reply);
  }
  return others;
}

describe('the built program', { concurrency: 4 }, () => {
  for (const proto of ['udp', 'tcp'] as const) {
    test(`in a pod it answers while it is asked (${proto}), and ends when it is not`, async (t) => {
      const all = await served(t, { KUBERNETES_SERVICE_HOST: '192.0.2.1' });
      const { started, metrics } = all;
      started.kill('SIGTERM');
      assert.deepEqual(await askFor(5000, all, proto), [], 'unanswered');
      assert.equal(started.hasExited, false);
      assert.match(await page(metrics, '/metrics'), /^200 /, 'metrics go on as well');
      const { code, ms } = await started.ends();
      assert.equal(code, 0);
      assert.ok(ms > 2500, `ended ${ms} ms after the last query`);
      assert.match(
        started.out,
        /plugin\/health: Going into lameduck mode for 500ms\n.*Serving on until no more queries come/,
      );
      assert.match(started.out, /No more queries come\n$/);
    });
  }

  test('a client that keeps its connection is sent away after the lameduck, and loses nothing', async (t) => {
    const { started, port } = await served(t, { KUBERNETES_SERVICE_HOST: '192.0.2.1' });
    const client = new TcpClient(port);
    t.after(() => client.close());
    /** The ports that the client asked from, in turn. */
    const askTimes = async (times: number) => {
      const ports: number[] = [];
      for (let i = 0; i < times; i++) {
        assert.equal(await askClient(client, 'x.example', 'A', 5000), 'NOERROR');
        ports.push(await client.localPort);
        await sleep(30);
      }
      return ports;
    };
    const [first, ...later] = await askTimes(5);
    assert.deepEqual(new Set(later), new Set([first]));
    started.kill('SIGTERM');
    while (!started.out.includes('Serving on')) await askTimes(1);
    await askTimes(2);
    const ports = await askTimes(5);
    assert.equal(new Set(ports).size, 5, 'a connection for each query');
  });

  test('a pod that nobody asks ends after 3 s without a query', async (t) => {
    const { started } = await served(t, { KUBERNETES_SERVICE_HOST: '192.0.2.1' });
    const begin = performance.now();
    started.kill('SIGTERM');
    assert.equal((await started.ends()).code, 0);
    assert.ok(performance.now() - begin > 2900, 'before it could know');
    assert.match(started.out, /No more queries come\n$/);
  });

  test('it ends at its limit although it is asked', async (t) => {
    const all = await served(t, { WASMDNS_DRAIN_SECONDS: '3' });
    const begin = performance.now();
    all.started.kill('SIGTERM');
    await askFor(15_000, all, 'udp');
    assert.equal((await all.started.ends()).code, 0);
    assert.ok(performance.now() - begin > 2900, 'before its limit');
    assert.match(all.started.out, /\[WARNING\] Ending although queries still come, 3s after the signal/);
  });

  test('elsewhere it ends after its lameduck although it is asked, as CoreDNS', async (t) => {
    const all = await served(t, {});
    all.started.kill('SIGTERM');
    await askFor(15_000, all, 'udp');
    assert.equal((await all.started.ends()).code, 0);
    assert.doesNotMatch(all.started.out, /queries/i);
  });

  test('a variable that is no number refuses the start', async (t) => {
    const started = start(t, ['-conf', 'Corefile'], { corefile: '. {\n}\n', env: { WASMDNS_DRAIN_SECONDS: 'soon' } });
    assert.equal((await started.ends()).code, 1);
    assert.match(started.out + started.err, /WASMDNS_DRAIN_SECONDS: 'soon' is no number of seconds/);
  });
});

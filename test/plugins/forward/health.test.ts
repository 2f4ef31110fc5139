import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_RD } from '../../../engine-as/shared/codes.ts';
import { Health } from '../../../host/plugins/forward/health.ts';
import { UpstreamState } from '../../../host/plugins/forward/prober.ts';
import { ManualClock } from './manual-clock.ts';
import { rcodeOf, scene, textOf, withUpstream } from './scene.ts';
import { goodAnswer } from './scripted-upstream.ts';
import { until } from './world.ts';

function machine(intervalMs = 500, state = new UpstreamState(new Int32Array(1), -1, 0)) {
  const clock = new ManualClock();
  const reports: ((isAnswered: boolean) => void)[] = [];
  let failures = 0;
  let cancelled = 0;
  const health = new Health({
    intervalMs,
    schedule: clock.schedule,
    state,
    probe: (report) => {
      reports.push(report);
      return () => cancelled++;
    },
    onFailure: () => failures++,
  });
  return { clock, reports, health, state, failures: () => failures, cancelled: () => cancelled };
}

test('quiet until suspected, one probe at a time, each interval until one is answered', () => {
  const { clock, reports, health, state, failures } = machine();
  clock.advance(10_000);
  assert.equal(reports.length, 0);
  health.suspect();
  health.suspect();
  assert.equal(reports.length, 1);
  reports[0]!(false);
  clock.advance(499);
  assert.equal(reports.length, 1);
  health.suspect();
  assert.equal(reports.length, 1);
  clock.advance(1);
  assert.equal(reports.length, 2);
  reports[1]!(true);
  clock.advance(10_000);
  assert.deepEqual([reports.length, state.fails, failures()], [2, 0, 1]);
});

test('down with more than max_fails failures, never with 0, up again with one answer', () => {
  const { clock, reports, health } = machine();
  health.suspect();
  const states: boolean[] = [];
  for (let i = 0; i < 4; i++) {
    states.push(health.isDown(2));
    reports[i]!(false);
    clock.advance(500);
  }
  assert.deepEqual(states, [false, false, false, true]);
  assert.ok(health.isDown(2) && !health.isDown(4) && !health.isDown(0));
  reports[4]!(true);
  assert.ok(!health.isDown(2));
  health.suspect();
  assert.equal(reports.length, 6);
});

test('an upstream that nobody probes any more is not down, whatever its last prober has found', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const stateOf = (shard: number) => new UpstreamState(words, 0, shard, new Set());
  const first = machine(500, stateOf(0));
  const second = machine(500, stateOf(1));
  first.health.suspect();
  for (let i = 0; i < 3; i++) {
    first.reports[i]!(false);
    first.clock.advance(500);
  }
  assert.ok(second.health.isDown(2));
  first.health.stop();
  assert.ok(!second.health.isDown(2));
  // The next failure begins a new series, and until that has an answer it is down again
  second.health.suspect();
  assert.ok(second.health.isDown(2));
  second.reports[0]!(true);
  assert.ok(!second.health.isDown(2));
});

test('a reload wipes what was known, and probes of the configuration before it keep nothing down', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const old = machine(500, new UpstreamState(words, 0, 0, new Set()));
  old.health.suspect();
  Atomics.store(words, 0, 0);
  const reloaded = machine(500, new UpstreamState(words, 0, 0, new Set([0])));
  for (let i = 0; i < 4; i++) {
    old.reports[i]!(false);
    old.clock.advance(500);
  }
  assert.ok(!reloaded.health.isDown(2));
});

test('an interval of 0 does not spin', () => {
  const { clock, reports, health } = machine(0);
  health.suspect();
  reports[0]!(false);
  assert.equal(reports.length, 1);
  clock.advance(10);
  assert.equal(reports.length, 2);
});

test('stop() ends the series', () => {
  const { clock, reports, health, failures, cancelled } = machine();
  health.suspect();
  reports[0]!(false);
  health.stop();
  clock.advance(10_000);
  health.suspect();
  assert.deepEqual([reports.length, failures(), clock.pending, cancelled()], [1, 1, 0, 1]);
});

test('probes ask `. IN NS` with RD, and only after an error', () =>
  scene(
    'read_timeout 40ms\nhealth_check 20ms',
    () => undefined,
    async ({ up, world }) => {
      assert.equal(up.probes, 0);
      await world.ask('a.example');
      await until(() => up.probes >= 1);
      assert.equal(up.lastProbe?.flags, FLAG_RD);
      assert.equal(up.lastProbe?.edns, undefined);
      assert.equal(up.lastProbeBytes, 17);
      assert.equal(world.counters.get('healthcheck_failures'), 0);
    },
  ));

test('health_check no_rec domain: what the probe asks; max_fails 0: no probe', async () => {
  await scene(
    'read_timeout 30ms\nhealth_check 1s no_rec domain Up.example',
    () => undefined,
    async ({ up, world }) => {
      await world.ask('a.example');
      await until(() => up.names().includes('up.example.'));
      assert.equal(up.seen.find(({ name }) => name === 'up.example.')!.message.flags, 0);
    },
  );
  await scene(
    'read_timeout 30ms\nmax_fails 0',
    () => undefined,
    async ({ up, world }) => {
      await world.ask('a.example');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(up.probes, 0);
    },
  );
});

test('force_tcp: probes over TCP', () =>
  scene(
    'force_tcp\nread_timeout 40ms',
    () => undefined,
    async ({ up, world }) => {
      await world.ask('a.example');
      await until(() => up.probes > 0);
      assert.equal(up.lastProbeProto, 'tcp');
    },
  ));

test('a down upstream is skipped until it answers a probe', () =>
  withUpstream(
    () => undefined,
    async (dead) => {
      dead.answersProbes = false;
      const clock = new ManualClock();
      const body = `forward . ${dead.text} UP {\npolicy sequential\nread_timeout 100ms\nhealth_check 10ms\n}`;
      const options = { clock };
      await scene(
        body,
        goodAnswer,
        async ({ up, world }) => {
          const first = world.ask('a.example');
          await until(() => dead.seen.length === 1);
          clock.advance(120);
          assert.equal(rcodeOf(await first), 0);
          // Each probe takes a second to fail
          clock.advance(4000);
          assert.ok(world.counters.get('healthcheck_failures', dead.text) >= 3);
          assert.equal(rcodeOf(await world.ask('b.example')), 0);
          assert.deepEqual([dead.seen.length, up.seen.length], [1, 2]);
          assert.equal(world.counters.get('healthcheck_broken'), 0);
          dead.answersProbes = true;
          dead.script = goodAnswer;
          await until(() => {
            clock.advance(100);
            void world.ask(`c${up.seen.length}.example`);
            return dead.seen.length > 1;
          });
          await until(() => world.exchanges.openCount === 0);
        },
        options,
      );
    },
  ));

for (const failfast of [false, true]) {
  test(`all upstreams down: ${failfast ? 'SERVFAIL at once' : 'one guess, and the counter'}`, () =>
    withUpstream(
      () => undefined,
      async (dead) => {
        dead.answersProbes = false;
        const clock = new ManualClock();
        const option = failfast ? 'failfast_all_unhealthy_upstreams' : '';
        const body = `forward . ${dead.text} {\nread_timeout 100ms\n${option}\n}`;
        const options = { clock };
        await scene(
          body,
          goodAnswer,
          async ({ world }) => {
            const first = world.ask('a.example');
            for (let attempt = 1; attempt <= 2; attempt++) {
              await until(() => dead.seen.length === attempt);
              clock.advance(120);
            }
            textOf(await first);
            clock.advance(6000);
            const second = world.ask('b.example');
            if (!failfast) {
              await until(() => dead.seen.length === 3);
              clock.advance(120);
            }
            assert.match(textOf(await second), failfast ? /^no healthy proxies$/ : /i\/o timeout$/);
            assert.equal(dead.seen.length, failfast ? 2 : 3);
            assert.equal(world.counters.get('healthcheck_broken'), 1);
          },
          options,
        );
      },
    ));
}

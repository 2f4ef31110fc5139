import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_RD } from '../../../engine-as/shared/codes.ts';
import { Health } from '../../../host/plugins/forward/health.ts';
import { ManualClock } from './manual-clock.ts';
import { rcodeOf, scene, textOf } from './scene.ts';
import { goodAnswer, ScriptedUpstream } from './scripted-upstream.ts';
import { until, World } from './world.ts';

function machine(intervalMs = 500) {
  const clock = new ManualClock();
  const reports: ((isAnswered: boolean) => void)[] = [];
  let failures = 0;
  const health = new Health({
    intervalMs,
    schedule: clock.schedule,
    probe: (report) => reports.push(report),
    onFailure: () => failures++,
  });
  return { clock, reports, health, failures: () => failures };
}

test('quiet until suspected, one probe at a time, each interval until one is answered', () => {
  const { clock, reports, health, failures } = machine();
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
  assert.deepEqual([reports.length, health.fails, failures()], [2, 0, 1]);
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

test('an interval of 0 does not spin', () => {
  const { clock, reports, health } = machine(0);
  health.suspect();
  reports[0]!(false);
  assert.equal(reports.length, 1);
  clock.advance(10);
  assert.equal(reports.length, 2);
});

test('stop() ends the series', () => {
  const { clock, reports, health, failures } = machine();
  health.suspect();
  reports[0]!(false);
  health.stop();
  clock.advance(10_000);
  health.suspect();
  assert.deepEqual([reports.length, failures(), clock.pending], [1, 1, 0]);
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

test('a down upstream is skipped, all down: one random attempt and the counter, or failfast', async () => {
  const dead = await ScriptedUpstream.start(() => undefined);
  dead.answersProbes = false;
  const clock = new ManualClock();
  const body = `forward . ${dead.text} UP {\npolicy sequential\nread_timeout 100ms\nhealth_check 10ms\n}`;
  await scene(
    body,
    goodAnswer,
    async ({ up, world }) => {
      const first = world.ask('a.example');
      await until(() => dead.seen.length === 1);
      clock.advance(120);
      assert.equal(rcodeOf(await first), 0);
      // Three probes time out after a second each
      clock.advance(4000);
      assert.ok(world.counters.get('healthcheck_failures', dead.text) >= 3);
      assert.equal(rcodeOf(await world.ask('b.example')), 0);
      assert.deepEqual(dead.names(), ['a.example.']);
      assert.equal(world.counters.get('healthcheck_broken'), 0);
      // It answers again
      dead.answersProbes = true;
      clock.advance(20);
      dead.script = goodAnswer;
      await until(() => dead.probes > 3);
      await until(() => {
        clock.advance(20);
        void world.ask(`c${dead.seen.length}.example`);
        return dead.seen.length > 1;
      });
      await until(() => world.exchanges.openCount === 0);
      assert.ok(up.seen.length >= 2);
    },
    { now: clock.now, schedule: clock.schedule },
  );
  await dead.stop();
});

for (const failfast of [false, true]) {
  test(`all upstreams down${failfast ? ', failfast' : ''}`, async () => {
    const dead = await ScriptedUpstream.start(() => undefined);
    dead.answersProbes = false;
    const clock = new ManualClock();
    const option = failfast ? 'failfast_all_unhealthy_upstreams' : '';
    const world = new World(`forward . ${dead.text} {\nread_timeout 100ms\n${option}\n}`, {
      now: clock.now,
      schedule: clock.schedule,
    });
    const first = world.ask('a.example');
    await until(() => dead.seen.length === 1);
    clock.advance(120);
    await until(() => dead.seen.length === 2);
    clock.advance(120);
    textOf(await first);
    clock.advance(6000);
    const second = world.ask('b.example');
    if (failfast) {
      assert.equal(textOf(await second), 'no healthy proxies');
      assert.equal(dead.seen.length, 2);
    } else {
      await until(() => dead.seen.length === 3);
      clock.advance(120);
      assert.match(textOf(await second), /i\/o timeout$/);
      assert.equal(dead.seen.length, 3);
    }
    assert.equal(world.counters.get('healthcheck_broken'), 1);
    await world.plugin.stop();
    await dead.stop();
  });
}

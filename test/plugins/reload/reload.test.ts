import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import type { Control, ControlServices, ServerBlock } from '../../../host/plugin/contract.ts';
import { intervalMs, reload } from '../../../host/plugins/reload/reload.ts';
import { readerOf } from '../../corefile/reader-of.ts';

const parse = (body: string) => reload.parse(readerOf('reload', body));

test('parse', () => {
  const right: readonly (readonly [string, number, number])[] = [
    [' reload', 30_000, 15_000],
    [' reload 10s', 10_000, 5_000],
    [' reload 10s 2s', 10_000, 2_000],
    [' reload 2s 0s', 2_000, 0],
    [' reload 2s 0', 2_000, 0],
    [' reload 1m 1h', 60_000, 30_000],
    [' reload 2s\n reload x y z', 2_000, 1_000],
    [' reload 1000h', (2 ** 31 - 1) / 1.25, 15_000],
    [' reload 3s 0 {\n x\n }', 3_000, 0],
  ];
  for (const [body, interval, jitter] of right) {
    assert.deepEqual(parse(body), { intervalMs: interval, jitterMs: jitter }, body);
  }
  const wrong: readonly (readonly [string, number, string, string])[] = [
    [' reload 1s', 2, '1s', "interval value must be greater or equal to 2s: '1s'"],
    [' reload 0', 2, '0', "interval value must be greater or equal to 2s: '0'"],
    [' reload -5s', 2, '-5s', "interval value must be greater or equal to 2s: '-5s'"],
    [' reload 30', 2, '30', 'time: missing unit in duration "30"'],
    [' reload foo', 2, 'foo', 'time: invalid duration "foo"'],
    [' reload 3s 0.5s', 2, '0.5s', "jitter value must be 0 or greater or equal to 1s: '0.5s'"],
    [' reload 3s -1s', 2, '-1s', "jitter value must be 0 or greater or equal to 1s: '-1s'"],
    [' reload 3s x', 2, 'x', 'time: invalid duration "x"'],
    [' reload 3s 1s 1s', 2, '1s', "Wrong argument count or unexpected line ending after '1s'"],
  ];
  for (const [body, line, word, text] of wrong) {
    const message = `plugin/reload: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word, message }, body);
  }
});

test('the jitter moves the interval by up to half of it either way', () => {
  assert.equal(intervalMs({ intervalMs: 30_000, jitterMs: 15_000 }, 0), 22_500);
  assert.equal(intervalMs({ intervalMs: 30_000, jitterMs: 15_000 }, 0.999_999), 37_499.985);
  assert.equal(intervalMs({ intervalMs: 2_000, jitterMs: 0 }, 0), 2_000);
});

/** A server whose Corefile has the hash `file` and whose running configuration has the hash `running`. */
class World {
  file: string | undefined = 'one';
  running = 'one';
  fileError: string | undefined;
  /** Why the file cannot be parsed. */
  fault: string | undefined;
  restarts = 0;
  /** Directives of the configuration that a restart applies. */
  next: readonly string[] = [' reload 2s 0'];
  readonly lines: string[] = [];
  readonly versions = new Map<string, () => number | undefined>();
  failed = 0;
  readonly #shared = new Map<string, { value: { stop(): Promise<void> }; users: number }>();
  #controls: Control[] = [];

  /** Another configuration starts, then the one before it ends. */
  async run(...bodies: readonly string[]): Promise<void> {
    const before = this.#controls;
    this.#controls = bodies.map((body) => reload.control!(parse(body), {} as ServerBlock, this.#services()));
    for (const control of this.#controls) control.serving!();
    for (const control of before) await control.stop!();
  }

  /** The process ends. */
  async end(): Promise<void> {
    for (const control of this.#controls) await control.beforeExit!(new AbortController().signal);
    for (const control of this.#controls) await control.stop!();
  }

  get users(): number {
    return [...this.#shared.values()].reduce((sum, { users }) => sum + users, 0);
  }

  shownVersions(): string[] {
    return [...this.versions].filter(([, read]) => read() === 1).map(([labels]) => labels);
  }

  /** Lets `ms` pass and what the timers started come to its end. */
  async pass(ms: number): Promise<void> {
    mock.timers.tick(ms);
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }

  #services(): ControlServices {
    const line = (level: string) => (text: string) => this.lines.push(`${level} plugin/reload: ${text}`);
    const running = () => this.running;
    const log = { info: line('[INFO]'), warning: line('[WARNING]'), error: line('[ERROR]') };
    return {
      log: {
        withPrefix: (prefix: string) => {
          assert.equal(prefix, 'plugin/reload');
          return log;
        },
      },
      metrics: {
        counter: (name: string) => (name === 'coredns_reload_failed_total' ? 5 : 6),
        slots: { add: (slot: number, amount: number) => (this.failed += slot === 5 ? amount : 0) },
        gauge: (name: string, _help: string, labels: { hash: string; value: string }, read: () => number) => {
          const key = `${name} ${labels.hash} ${labels.value}`;
          this.versions.set(key, read);
          return () => this.versions.delete(key);
        },
      },
      shared: (key: string, make: () => { stop(): Promise<void> }) => {
        const entry = this.#shared.get(key) ?? { value: make(), users: 0 };
        this.#shared.set(key, entry);
        entry.users++;
        const release = async () => void entry.users--;
        return { value: entry.value, release };
      },
      reload: {
        get runningHash() {
          return running();
        },
        readHash: () => (this.fault === undefined ? this.file && { hash: this.file } : { fault: this.fault }),
        restart: async (onServing: () => void) => {
          this.restarts++;
          if (this.fileError !== undefined) return { applied: false, error: this.fileError };
          this.running = this.file!;
          await this.run(...this.next);
          onServing();
          return { applied: true };
        },
      },
    } as unknown as ControlServices;
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval'] });
});

const RUNNING = (hash: string) => `[INFO] plugin/reload: Running configuration SHA512 = ${hash}`;

test('a changed file is applied once, its hash logged and shown', async () => {
  const world = new World();
  await world.run(' reload 2s 0');
  assert.deepEqual(world.lines.splice(0), [RUNNING('one')]);
  await world.pass(10_000);
  assert.equal(world.restarts, 0);
  assert.deepEqual(world.shownVersions(), [], 'no version before the first reload');
  world.file = 'two';
  await world.pass(1_999);
  assert.equal(world.restarts, 0);
  await world.pass(1);
  assert.equal(world.restarts, 1);
  assert.deepEqual(world.lines.splice(0), [RUNNING('two')]);
  assert.deepEqual(world.shownVersions(), ['coredns_reload_version_info sha512 two']);
  await world.pass(10_000);
  assert.equal(world.restarts, 1);
  assert.equal(world.failed, 0);
  assert.equal(world.users, 1);
});

test('a refused file is tried once, counted, shown, and the good one is applied again', async () => {
  const world = new World();
  await world.run(' reload 2s 0');
  world.lines.length = 0;
  world.file = 'bad';
  world.fileError = 'Corefile:10 - bad';
  await world.pass(2_000);
  await world.pass(20_000);
  assert.equal(world.restarts, 1);
  assert.equal(world.failed, 1);
  const failed = 'Corefile changed but reload failed: starting with listener file descriptors: Corefile:10 - bad';
  assert.deepEqual(world.lines.splice(0), [`[ERROR] plugin/reload: ${failed}`]);
  assert.deepEqual(world.shownVersions(), ['coredns_reload_version_info sha512 bad']);
  world.file = undefined;
  await world.pass(10_000);
  assert.equal(world.restarts, 1, 'a missing file is no change');
  assert.deepEqual(world.lines, []);
  world.fault = 'Corefile:3 - Syntax error';
  await world.pass(2_000);
  await world.pass(2_000);
  assert.equal(world.restarts, 1, 'a broken file is no change either');
  const warning = '[WARNING] plugin/reload: Corefile parse failed: Corefile:3 - Syntax error';
  assert.deepEqual(world.lines.splice(0), [warning, warning], 'but told each time');
  world.fault = undefined;
  world.file = 'one';
  world.fileError = undefined;
  await world.pass(2_000);
  assert.equal(world.restarts, 2);
  assert.deepEqual(world.lines, [RUNNING('one')]);
  assert.deepEqual(world.shownVersions(), ['coredns_reload_version_info sha512 one']);
});

test('several blocks with reload poll once and say so once', async () => {
  const world = new World();
  await world.run(' reload 2s 0', ' reload 3s 0');
  assert.deepEqual(world.lines, [RUNNING('one')]);
  world.file = 'two';
  await world.pass(3_000);
  await world.pass(3_000);
  assert.equal(world.restarts, 1);
});

test('a configuration without reload is polled on, with the last interval', async () => {
  const world = new World();
  await world.run(' reload 2s 0');
  world.lines.length = 0;
  world.next = [];
  world.file = 'two';
  await world.pass(2_000);
  assert.equal(world.restarts, 1);
  assert.deepEqual(world.lines.splice(0), [RUNNING('two')]);
  await world.pass(10_000);
  assert.equal(world.restarts, 1);
  world.next = [' reload 4s 0'];
  world.file = 'three';
  await world.pass(2_000);
  assert.equal(world.restarts, 2);
  assert.deepEqual(world.lines.splice(0), [RUNNING('three')]);
  world.file = 'four';
  await world.pass(3_999);
  assert.equal(world.restarts, 2, 'the new one polls');
  await world.pass(1);
  assert.equal(world.restarts, 3);
});

test('a signal that applies another configuration is no change to the poll', async () => {
  const world = new World();
  await world.run(' reload 2s 0');
  world.lines.length = 0;
  world.file = 'two';
  world.running = 'two';
  await world.run();
  await world.pass(10_000);
  assert.equal(world.restarts, 0);
  assert.deepEqual(world.lines, []);
});

test('the end of the process ends the poll', async () => {
  const world = new World();
  await world.run(' reload 2s 0');
  await world.end();
  world.file = 'two';
  await world.pass(10_000);
  assert.equal(world.restarts, 0);
});

test('stop before start does nothing', async () => {
  const world = new World();
  await reload.control!(parse(' reload'), {} as ServerBlock, {} as ControlServices).stop!();
  assert.equal(world.users, 0);
});

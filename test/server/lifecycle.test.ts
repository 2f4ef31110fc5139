// The way out, with a server that only notes what it is told. Signals of the kernel are in signals.test.ts.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createLog } from '../../host/log.ts';
import { Lifecycle } from '../../host/server/lifecycle.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const;

interface Scene {
  readonly failures?: readonly unknown[];
  readonly stop?: () => Promise<void>;
  readonly reload?: { readonly applied: boolean; readonly error?: string };
  readonly pidFile?: string;
}

function scene(t: TestContext, { failures = [], stop, reload, pidFile }: Scene = {}) {
  const events: string[] = [];
  const hooks = Promise.withResolvers<void>();
  const log = createLog((line) => events.push(line.trimEnd()));
  const lifecycle = new Lifecycle({
    server: {
      beforeExit: async () => {
        events.push('hooks');
        await hooks.promise;
        return failures;
      },
      stop: async () => {
        events.push('stop');
        await stop?.();
      },
      restart: async () => {
        events.push('restart');
        return reload ?? { applied: true };
      },
    },
    log,
    pidFile,
    exit: (code) => events.push(`exit ${code}`),
  });
  const before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  lifecycle.begin();
  const own = SIGNALS.flatMap((signal) =>
    process.listeners(signal).flatMap((each) => (before.get(signal)!.includes(each) ? [] : [{ signal, each }])),
  );
  t.after(() => {
    for (const { signal, each } of own) process.off(signal, each);
  });
  const send = async (signal: (typeof SIGNALS)[number]) => {
    for (const { signal: name, each } of own) if (name === signal) each(signal);
    await turn();
  };
  const endHooks = () => {
    hooks.resolve();
    return turn();
  };
  return { events, lifecycle, send, endHooks };
}

test('SIGTERM: hooks, servers, exit 0; a second one changes nothing', async (t) => {
  const { events, send, endHooks } = scene(t);
  await send('SIGTERM');
  await send('SIGTERM');
  assert.deepEqual(events, ['[INFO] SIGTERM: Shutting down servers then terminating', 'hooks']);
  await endHooks();
  assert.deepEqual(events.slice(2), ['stop', 'exit 0']);
});

test('a hook that fails: its error is logged, the servers end all the same, exit 4', async (t) => {
  const { events, send, endHooks } = scene(t, { failures: [new Error('no lameduck'), 'odd'] });
  await send('SIGTERM');
  await endHooks();
  assert.deepEqual(events.slice(2), [
    '[ERROR] SIGTERM shutdown: no lameduck',
    '[ERROR] SIGTERM shutdown: odd',
    'stop',
    'exit 4',
  ]);
});

test('servers that do not end: exit 3', async (t) => {
  const stop = () => Promise.reject(new Error('stuck'));
  const { events, send, endHooks } = scene(t, { stop });
  await send('SIGTERM');
  await endHooks();
  assert.deepEqual(events.slice(2), ['stop', '[ERROR] SIGTERM stop: stuck', 'exit 3']);
});

test('servers that never end do not hold the process up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { events, send, endHooks } = scene(t, { stop: () => new Promise(() => {}) });
  await send('SIGTERM');
  await endHooks();
  t.mock.timers.tick(60_000);
  await turn();
  assert.equal(events.at(-1), 'exit 3');
});

test('SIGINT: hooks only; a second one: exit 2 at once', async (t) => {
  const { events, send, endHooks } = scene(t);
  await send('SIGINT');
  assert.deepEqual(events, ['[INFO] SIGINT: Shutting down', 'hooks']);
  await send('SIGINT');
  assert.deepEqual(events.slice(2), ['[INFO] SIGINT: Force quit', 'exit 2']);
  await endHooks();
  assert.equal(events.includes('stop'), false);
});

test('SIGINT behind SIGTERM joins its hooks', async (t) => {
  const { events, send, endHooks } = scene(t);
  await send('SIGTERM');
  await send('SIGINT');
  assert.deepEqual(events.slice(1), ['hooks', '[INFO] SIGINT: Shutting down']);
  await endHooks();
  assert.equal(events.filter((event) => event === 'hooks').length, 1);
  assert.equal(events.includes('exit 0'), true);
});

test('SIGQUIT: exit 0 without hooks', async (t) => {
  const { events, send } = scene(t);
  await send('SIGQUIT');
  assert.deepEqual(events, ['[INFO] SIGQUIT: Quitting process immediately', 'exit 0']);
});

test('SIGHUP and SIGUSR2 end nothing', async (t) => {
  const { events, send } = scene(t);
  await send('SIGHUP');
  await send('SIGUSR2');
  assert.deepEqual(events, ['[ERROR] SIGUSR2: upgrading is not supported']);
});

test('SIGUSR1 reloads, says when it was refused, and is ignored at the end', async (t) => {
  const good = scene(t);
  await good.send('SIGUSR1');
  assert.deepEqual(good.events, ['[INFO] SIGUSR1: Reloading', 'restart']);
  const bad = scene(t, { reload: { applied: false, error: 'Corefile:2 - no' } });
  await bad.send('SIGUSR1');
  assert.equal(bad.events.at(-1), '[ERROR] SIGUSR1: starting with listener file descriptors: Corefile:2 - no');
  await bad.send('SIGTERM');
  await bad.send('SIGUSR1');
  assert.equal(bad.events.filter((event) => event === 'restart').length, 1);
});

test('the pid file: written when serving, removed at the exit', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmdns-lifecycle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const pidFile = join(folder, 'x.pid');
  const { lifecycle, send } = scene(t, { pidFile });
  assert.equal(existsSync(pidFile), false);
  lifecycle.serving();
  assert.equal(readFileSync(pidFile, 'utf8'), `${process.pid}\n`);
  await send('SIGQUIT');
  assert.equal(existsSync(pidFile), false);
});

test("a pid file that cannot be written, and another's that is not ours to remove", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmdns-lifecycle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const missing = join(folder, 'no/x.pid');
  const failing = scene(t, { pidFile: missing });
  failing.lifecycle.serving();
  await failing.send('SIGQUIT');
  assert.deepEqual(failing.events, [
    `[ERROR] Could not write pidfile: open ${missing}: no such file or directory`,
    '[INFO] SIGQUIT: Quitting process immediately',
    'exit 0',
  ]);
  const early = join(folder, 'y.pid');
  writeFileSync(early, '1\n');
  await scene(t, { pidFile: early }).send('SIGQUIT');
  assert.equal(readFileSync(early, 'utf8'), '1\n');
});

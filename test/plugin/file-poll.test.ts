import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../../host/log.ts';
import { FilePoll } from '../../host/plugin/file-poll.ts';

/** A poll whose looks end when the test says so. */
function scene() {
  const errors: string[] = [];
  const looks: PromiseWithResolvers<void>[] = [];
  const begun: (() => void)[] = [];
  const poll = new FilePoll(
    () => {
      const look = Promise.withResolvers<void>();
      looks.push(look);
      begun.shift()?.();
      return look.promise;
    },
    { error: (text: string) => errors.push(text) } as unknown as Log,
  );
  const nextLook = () => new Promise<void>((resolve) => begun.push(resolve));
  return { poll, looks, errors, nextLook };
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 50).ref());

test('one look at a time; what one rejects with is logged, and the next one follows', async () => {
  const { poll, looks, errors, nextLook } = scene();
  poll.begin(1);
  await Promise.all([nextLook(), turns()]);
  await turns();
  assert.equal(looks.length, 1);
  const second = nextLook();
  looks[0]!.reject(new Error('gone'));
  await Promise.all([second, turns()]);
  assert.deepEqual(errors, ['gone']);
  poll.stop();
  looks[1]!.reject(new Error('too late'));
  await turns();
  assert.deepEqual([errors, looks.length, poll.isStopped], [['gone'], 2, true]);
});

test('0 is never, a time beyond what timers hold is not at once, and nothing begins after stop()', async () => {
  const { poll, looks } = scene();
  poll.begin(0);
  poll.begin(2 ** 40);
  await turns();
  poll.stop();
  poll.begin(1);
  await turns();
  assert.equal(looks.length, 0);
});

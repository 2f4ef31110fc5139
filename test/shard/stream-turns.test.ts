import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamTurns } from '../../host/shard/stream-turns.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('with a newcomer one of the line is served, and all others behind it', async () => {
  const turns = new StreamTurns();
  const served: number[] = [];
  for (let n = 0; n < 20; n++) turns.join({ takeTurn: () => served.push(n) });
  turns.hurry();
  await nextTurn();
  assert.deepEqual(served, [0]);
  assert.equal(turns.isCrowded, true);
  while (turns.isCrowded) await nextTurn();
  assert.deepEqual(
    served,
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('who stands in line anew is served behind the others', async () => {
  const turns = new StreamTurns();
  const served: string[] = [];
  const greedy = {
    takeTurn: () => {
      served.push('greedy');
      if (served.length < 4) turns.join(greedy);
    },
  };
  turns.join(greedy);
  turns.join({ takeTurn: () => served.push('other') });
  while (turns.isCrowded) await nextTurn();
  assert.deepEqual(served, ['greedy', 'other', 'greedy', 'greedy']);
});

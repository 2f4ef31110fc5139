import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clearDeadline, type Deadlined, DeadlineList } from '../../host/shard/stream-deadlines.ts';

interface Named extends Deadlined {
  readonly index: number;
}

test('members are called when their time has come, and only then, whatever happened before', () => {
  const step = fc.record({
    member: fc.nat(7),
    action: fc.constantFrom('first', 'idle', 'clear', 'sweep'),
    waitMs: fc.nat(400),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const first = new DeadlineList(300);
      const idle = new DeadlineList(1000);
      const members = Array.from({ length: 8 }, (_, index): Named => {
        return { index, previous: undefined, next: undefined, list: undefined, deadlineMs: 0 };
      });
      const expected = new Map<number, number>();
      let nowMs = 0;
      for (const { member, action, waitMs } of steps) {
        nowMs += waitMs;
        if (action === 'first' || action === 'idle') {
          const list = action === 'first' ? first : idle;
          list.set(members[member]!, nowMs);
          expected.set(member, nowMs + list.durationMs);
        } else if (action === 'clear') {
          clearDeadline(members[member]!);
          expected.delete(member);
        } else {
          const late = new Set<number>();
          const onLate = (each: Deadlined) => late.add((each as Named).index);
          first.sweep(nowMs, onLate);
          idle.sweep(nowMs, onLate);
          const due = [...expected].filter(([, deadlineMs]) => deadlineMs <= nowMs).map(([index]) => index);
          assert.deepEqual(late, new Set(due));
          for (const index of due) expected.delete(index);
        }
      }
    }),
  );
});

test('a member that is given new time by the callback of another list stays', () => {
  const first = new DeadlineList(10);
  const idle = new DeadlineList(100);
  const member: Deadlined = { previous: undefined, next: undefined, list: undefined, deadlineMs: 0 };
  first.set(member, 0);
  first.sweep(10, (late) => idle.set(late, 10));
  assert.equal(first.head, undefined);
  assert.equal(idle.head, member);
});

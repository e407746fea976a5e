// Sessions that messages have: how many may be listened to only, and how they end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LentSessions } from '../../services/lmtp/lent-sessions.ts';

class Session {
  failure: string | undefined;
  fail(why: string): void {
    this.failure = why;
  }
}

test('so many are listened to only; one more, and the oldest is cut off', () => {
  const lent = new LentSessions<Session, string>();
  const [first, second] = [new Session(), new Session()];
  for (const one of [first, second]) lent.add(one, 'a loan');
  assert.equal(lent.setAside(first, 1), true);
  assert.equal(lent.setAside(first, 1), false);
  assert.equal(lent.setAside(second, 1), true);
  assert.deepEqual([first.failure, second.failure], ['others are waited for', undefined]);
  assert.deepEqual([lent.remove(first), lent.late], [false, 1]);
  assert.deepEqual([lent.remove(second), lent.late], [false, 0]);
});

test('at the end they are waited for, and none is cut off that comes back in time', async () => {
  const lent = new LentSessions<Session, string>();
  const [one, other] = [new Session(), new Session()];
  for (const each of [one, other]) lent.add(each, 'a loan');
  lent.setAside(other, 1);
  const ended = lent.end(60_000);
  assert.equal(lent.remove(one), true);
  assert.equal(lent.remove(other), false);
  await ended;
  assert.deepEqual([one.failure, other.failure], [undefined, undefined]);
});

test('those that are left after the grace are cut off, and one that comes later at once', async () => {
  const lent = new LentSessions<Session, string>();
  const one = new Session();
  one.fail = (why) => {
    one.failure = why;
    lent.remove(one);
  };
  lent.add(one, 'a loan');
  await lent.end(50);
  const [late, never] = [new Session(), new Session()];
  lent.add(late, 'a loan');
  assert.deepEqual([one.failure, late.failure], ['we are shutting down', 'we are shutting down']);
  const others = new LentSessions<Session, string>();
  others.add(never, 'a loan');
  await others.end(0);
  assert.equal(never.failure, 'we are shutting down');
});

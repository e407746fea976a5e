// Counting a tree's mailboxes from its events: each once, whatever comes twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  difference,
  movedBy,
  readEvent,
  tallied,
  unreadable,
  wholeOf,
  writeEvent,
} from '../../services/changes/tally.ts';
import type { Tally } from '../../services/changes/tally.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Change, Verb } from '../../services/directory/directory.ts';

const nothing: Tally = { seq: 0, servers: new Map() };
const plain = ({ seq, servers }: Tally) => ({ seq, servers: [...servers].sort(([a], [b]) => (a < b ? -1 : 1)) });

/** The changes that some writes on one tree make, and the rows after them. */
async function history(writes: readonly { verb: Verb; name: string; server: string }[]) {
  const directory = new MemoryDirectory({ clock: () => 0 });
  const changes: Change[] = [];
  const feed = directory.follow([{ seq: 0, nonce: '' }], {
    change: (change) => changes.push(change),
    lost: () => assert.fail(),
  });
  for (const { verb, name, server } of writes) {
    const location = verb === 'DELETE' ? '' : `${server}!p`;
    await directory.write({ verb, name, location, acl: '' }, { session: 's', admin: true, push: false });
  }
  feed.close();
  return { changes, entries: (await directory.snapshot()).entries };
}

const writes = fc.array(
  fc.record({
    verb: fc.constantFrom<Verb>('ACTIVATE', 'RESERVE', 'DEACTIVATE', 'DELETE'),
    name: fc.constantFrom('user.a', 'user.a.b', 'user.a.c', 'DELETED.user.a.5F'),
    server: fc.constantFrom('mail1', 'mail2', 'mail\xff'),
  }),
  { maxLength: 40 },
);

test('the tally after all changes is that of the rows, also when any tail of them came twice', async () => {
  await fc.assert(
    fc.asyncProperty(writes, fc.nat(), fc.nat(), async (all, cut, back) => {
      const { changes, entries } = await history(all);
      const events = changes.map((change) => readEvent(writeEvent(movedBy(change))));
      const at = cut % (events.length + 1);
      const again = back % (at + 1);
      const before = tallied(nothing, events.slice(0, at));
      // A tree without rows is not kept: its last change is forgotten then.
      const kept = before.servers.size === 0 ? nothing : before;
      const { servers } = tallied(kept, events.slice(again));
      const whole = tallied(nothing, [wholeOf(entries, { seq: changes.length, nonce: '' })]);
      assert.deepEqual(plain({ seq: 0, servers }), plain({ seq: 0, servers: whole.servers }));
    }),
  );
});

test('a whole tree replaces what was counted, also by a history that begins anew', () => {
  const before: Tally = { seq: 500, servers: new Map([['mail1', { mailboxes: 7, users: 1 }]]) };
  const after = tallied(before, [
    { is: 'whole', v: 1, seq: 3, servers: [{ server: 'mail2', mailboxes: 2, users: 1 }] },
  ]);
  assert.deepEqual(plain(after), { seq: 3, servers: [['mail2', { mailboxes: 2, users: 1 }]] });
  assert.deepEqual(difference(before, after), [
    { server: 'mail1', mailboxes: -7, users: -1 },
    { server: 'mail2', mailboxes: 2, users: 1 },
  ]);
});

test('an event of another version is refused', () => {
  assert.throws(() => readEvent('{"is":"moved","v":2,"seq":1,"user":true}'));
  assert.throws(() => readEvent('{"is":"renamed","v":1}'));
  assert.throws(() => readEvent('nonsense'));
});

test('what nobody can read is told from what a newer program wrote', () => {
  for (const body of ['{bad', 'null', '{}', '{"is":"moved","v":1}', '{"is":"moved","v":"2"}'])
    assert.match(unreadable(body) ?? '', /^it can't be read: /, body);
  assert.equal(unreadable('{"is":"moved","v":1,"seq":1,"user":true}'), undefined);
  assert.equal(unreadable('{"is":"renamed","v":2,"what":[]}'), undefined);
});

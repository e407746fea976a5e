// What Cyrus' replication calls users and mailboxes, and what its sync_client's words mean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canBeReplicated, isQueueName, replicaQueue } from '../../services/config/queue-names.ts';
import { heard, nothingSaid } from '../../services/replication/sync-words.ts';
import { logLine, userIdOf } from '../../services/replication/user-id.ts';

test('a tree is its user, by the name that sync_client knows', () => {
  for (const [tree, slash, dot] of [
    ['user.jdoe', 'jdoe', 'jdoe'],
    ['user.j^doe', 'j.doe', 'j^doe'],
    ['example.org!user.j^doe', 'j.doe@example.org', 'j^doe@example.org'],
    ['user.-x', '-x', '-x'],
    ['user.a b', 'a b', 'a b'],
  ] as const) {
    assert.equal(userIdOf(tree, true), slash);
    assert.equal(userIdOf(tree, false), dot);
  }
  for (const tree of [
    'news',
    'user',
    'user.',
    'user.j\xf6',
    'user.a\nb',
    'user.a\0',
    '!user.a',
    'user.a!b',
    'user.a.b',
  ]) {
    assert.equal(userIdOf(tree, true), undefined, JSON.stringify(tree));
  }
});

test('no name ends a line of a sync log early', () => {
  assert.equal(
    logLine('MAILBOX', 'example.org!user.j^doe.Sent a (x)'),
    'MAILBOX "example.org!user.j^doe.Sent a (x)"\n',
  );
  for (const name of ['a"b', 'a\\b', 'a\nUNUSER b', '', 'j\xf6']) assert.equal(logLine('UNUSER', name), undefined);
});

test('what sync_client says is known for what it means; mail that it shows is not kept', () => {
  const said = (...lines: string[]) => lines.reduce(heard, nothingSaid);
  assert.deepEqual(
    said('ENABLE 0x800', 'USER ann', 'MAILBOX user.ann', 'mail1/sync_client[1]: Destination supports #sieve mailbox'),
    nothingSaid,
  );
  assert.equal(said('USER ann', 'Does not exist locally ann').absent, true);
  assert.equal(said("Can not connect to server 'replica', retrying in 15 seconds").unreachable, true);
  assert.equal(said('sync_client[7]: MAILBOX received NO response: IMAP_MAILBOX_LOCKED Mailbox is locked').busy, true);
  const moved = 'MAILBOX received NO response: IMAP_MAILBOX_MOVED Mailbox exists with another name or uniqueid';
  const failed = said(
    '>1795788777>APPLY MESSAGE (%{default 81c4 47}',
    'Subject: IMAP_MAILBOX_LOCKED',
    '<1795788777<NO IMAP_MAILBOX_MOVED Mailbox exists',
    `mail1/sync_client[18260]: ${moved}`,
    `mail1/sync_client[18260]: ${moved}`,
    'Error from sync_do_user(bad): bailing out!',
  );
  assert.deepEqual(failed, { ...nothingSaid, complaints: [moved, 'Error from sync_do_user(bad): bailing out!'] });
  const many = said(...Array.from({ length: 50 }, (_, n) => `sync_client[7]: complaint ${n}`));
  assert.equal(many.complaints.length, 6);
  assert.equal(many.complaints.at(-1), 'complaint 49');
});

test("each backend's replica has a queue of its own, where its name can be one", () => {
  assert.ok(isQueueName(replicaQueue('mail1.example.org')));
  assert.ok(canBeReplicated('mail-1_a.example.org'));
  for (const name of ['[::1]', '10.0.0.1:24', '']) assert.ok(!canBeReplicated(name), name);
  for (const name of ['replication@', 'replication@a b', 'counts@mail1']) assert.ok(!isQueueName(name), name);
});

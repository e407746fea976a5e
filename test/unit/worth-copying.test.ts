// Which trees are copied ahead of their cut: by octets, messages and mailboxes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthCopying } from '../../services/moves/worth-copying.ts';

const above = { octets: 1000, messages: 100 };
const mailboxes = (...lastUids: number[]) => lastUids.map((lastUid) => ({ lastUid }));

test('a tree is copied ahead when it has more than either', () => {
  const small = { octets: 1000, mailboxes: mailboxes(5, 20) };
  assert.equal(isWorthCopying(small, above), false);
  assert.equal(isWorthCopying({ ...small, octets: 1001 }, above), true);
  assert.equal(isWorthCopying({ ...small, mailboxes: mailboxes(50) }, above), false);
  assert.equal(isWorthCopying({ ...small, mailboxes: mailboxes(76) }, above), true);
});

test('mailboxes cost something even if they are empty', () => {
  assert.equal(isWorthCopying({ octets: 0, mailboxes: mailboxes(0, 0, 0, 0) }, above), false);
  assert.equal(isWorthCopying({ octets: 0, mailboxes: mailboxes(0, 0, 0, 0, 0) }, above), true);
});

test('what nobody knows the size of is copied, and with 0 all is', () => {
  assert.equal(isWorthCopying({ octets: undefined, mailboxes: mailboxes(1) }, above), true);
  assert.equal(isWorthCopying({ octets: 0, mailboxes: mailboxes(1) }, { octets: 1000, messages: 0 }), true);
});

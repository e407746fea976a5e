// What an IMAP server says, read without a server: words and lists, what a no means, what room it claims to have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alreadyExists, ImapFailure, kindOf, nonexistent } from '../../services/backends/imap-failure.ts';
import { contradiction, spaceOf } from '../../services/backends/imap-space.ts';
import { answerAbout, pairsOf, wordsOf } from '../../services/backends/imap-words.ts';

test('a response is atoms, strings, literals and lists', () => {
  assert.deepEqual(wordsOf('QUOTA user/x (STORAGE 0 1000)'), ['QUOTA', 'user/x', ['STORAGE', '0', '1000']]);
  assert.deepEqual(wordsOf('ACL "a \\"b\\\\" {3}\r\nq"x lrs "NIL" NIL'), ['ACL', 'a "b\\', 'q"x', 'lrs', 'NIL', null]);
  assert.deepEqual(wordsOf('X ("" (a ()) {0}\r\n)'), ['X', ['', ['a', []], '']]);
  assert.deepEqual(wordsOf('X {5}\r\n(\r\n"\xff'), ['X', '(\r\n"\xff']);
  assert.deepEqual(wordsOf(''), []);
});

test('what is no response is none', () => {
  for (const text of ['(', ')', 'a (b', 'a) (b', '"open', 'a\r\nb', '{9}\r\nshort', '{3}x', '"a\\b"', 'x\t"'])
    assert.equal(wordsOf(text), undefined, text);
});

test('pairs are pairs of strings, the second may be NIL', () => {
  assert.deepEqual(pairsOf(['a', 'b', 'c', null]), [
    ['a', 'b'],
    ['c', null],
  ]);
  for (const words of [['a'], [null, 'a'], ['a', []], [['a'], 'b']]) assert.equal(pairsOf(words), undefined);
  assert.deepEqual(pairsOf([]), []);
});

test('only the answer about the very name counts', () => {
  const untagged = ['OK still here', 'ACL (', 'ACL user/xy a b', 'acl "user/x" a b', 'ACL user/x c d'];
  assert.deepEqual(answerAbout(untagged, 'ACL', 'user/x'), ['a', 'b']);
  assert.equal(answerAbout(untagged, 'ACL', 'user/z'), undefined);
  assert.equal(answerAbout(untagged, 'QUOTA', 'user/x'), undefined);
});

test('a no that time does not cure is told from one that may pass', () => {
  const no = (text: string) => kindOf({ status: 'NO', text });
  for (const text of [
    'Permission denied',
    'Invalid mailbox name',
    'Unknown/invalid partition',
    '[NOPERM] x',
    '[cannot]',
  ])
    assert.equal(no(text), 'refused', text);
  for (const text of [
    'System I/O error',
    'Mailbox is locked',
    'no connection to server',
    'unable to reserve mailbox on mupdate server',
    '[INUSE] Permission denied',
    '[REFERRAL imap://x/] Remote mailbox.',
    'what nobody has seen yet',
    '',
  ])
    assert.equal(no(text), 'busy', text);
  assert.equal(kindOf({ status: 'BAD', text: 'Unrecognized command' }), 'refused');
  assert.equal(kindOf({ status: 'OK', text: 'Completed' }), 'away');
});

test('there is one already, there is none: in Cyrus’ words and in those of RFC 5530, and never on OK', () => {
  assert.ok(alreadyExists({ status: 'NO', text: 'Mailbox already exists' }));
  assert.ok(alreadyExists({ status: 'NO', text: '[ALREADYEXISTS] whatever' }));
  assert.ok(nonexistent({ status: 'NO', text: '[NONEXISTENT] whatever' }));
  assert.ok(!nonexistent({ status: 'OK', text: 'Mailbox does not exist' }));
  assert.ok(!alreadyExists({ status: 'NO', text: 'Mailbox already exists, perhaps' }));
});

test('a failure keeps the server’s code and words', () => {
  const { code, said, message } = new ImapFailure('mail1: no', 'refused', {
    status: 'NO',
    text: '[useattr] no such use',
  });
  assert.deepEqual([code, said, message], ['USEATTR', '[useattr] no such use', 'mail1: no']);
  const silent = new ImapFailure('mail1: no', 'away');
  assert.deepEqual([silent.code, silent.said], [undefined, undefined]);
});

test('room: available;total in KiB; what cannot be true is named', () => {
  assert.deepEqual(spaceOf('5;10'), { availableKiB: 5, totalKiB: 10 });
  assert.deepEqual(spaceOf('0;1'), { availableKiB: 0, totalKiB: 1 });
  const lies: [string, string][] = [
    ['11;10', '"11;10" has more available than there is'],
    ['-1;10', '"-1;10" has less than nothing'],
    ['-11;-10', '"-11;-10" has less than nothing'],
    ['0;0', '"0;0": there is a partition that it cannot look at'],
    ...['', 'much', '1e3;1e4', '1;2;3', '1', ' 1;2', '1;99999999999999999999'].map((value): [string, string] => [
      value,
      `"${value}" is not available;total in KiB`,
    ]),
    ['\x00;1', '"\\\\x00;1" is not available;total in KiB'],
  ];
  for (const [value, reason] of lies) assert.equal(spaceOf(value), reason);
});

test('room: a ceiling, and no partition with more than all of them', () => {
  assert.equal(spaceOf('1;11', 10), '"1;11" is more than usage.most_space, 10 KiB');
  assert.deepEqual(spaceOf('1;10', 10), { availableKiB: 1, totalKiB: 10 });
  const space = (availableKiB: number, totalKiB: number) => ({ availableKiB, totalKiB });
  const total = space(500, 1000);
  for (const emptiest of [space(500, 1000), space(510, 600), space(0, 1)])
    assert.equal(contradiction({ total, emptiest }), undefined);
  for (const emptiest of [space(5, 1001), space(511, 600)])
    assert.match(contradiction({ total, emptiest }) ?? '', /is more than all partitions have, "500;1000"$/);
});

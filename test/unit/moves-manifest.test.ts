// What counts as a difference between a manifest and what another server has, and what does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageFacts } from '../../services/backends/tree-facts.ts';
import {
  countNumberedAnew,
  differences,
  missingNames,
  remarks,
  strictDifferences,
  without,
} from '../../services/moves/manifest-comparison.ts';
import { decodeManifest, encodeManifest } from '../../services/moves/manifest-codec.ts';
import { sizeOf } from '../../services/moves/manifest.ts';
import type { MailboxManifest, Manifest } from '../../services/moves/manifest.ts';
import { isOlder } from '../../services/moves/cyrus-check.ts';

function message(uid: number, more: Partial<MessageFacts> = {}): MessageFacts {
  return { uid, guid: String(uid).padStart(40, '0'), modseq: uid, size: 10, flags: [], expunged: false, ...more };
}

function mailbox(more: Partial<MailboxManifest> = {}): MailboxManifest {
  return {
    ...{ name: 'user.a', uniqueId: 'id-a', partition: 'default', uidValidity: 7, lastUid: 3, highestModseq: 9 },
    ...{
      folderModseq: 2,
      acl: 'a\tlrs\t',
      quotaRoot: 'user.a',
      messages: [message(1), message(2), message(3)],
      ...more,
    },
  };
}

function manifest(more: Partial<Manifest> = {}): Manifest {
  return {
    ...{ at: 0, server: 'mail1', mailboxes: [mailbox()], quotas: new Map([['user.a', new Map([['STORAGE', 5]])]]) },
    ...{ subscriptions: ['user.a.S', 'news'], sieve: [{ name: 'main', digest: 'd', active: true }], ...more },
  };
}

const of = (more: Partial<MailboxManifest>): Manifest => manifest({ mailboxes: [mailbox(more)] });
const messages = (...changed: MessageFacts[]): Manifest =>
  of({ messages: [1, 2, 3].flatMap((uid) => changed.find((one) => one.uid === uid) ?? message(uid)) });

const fine: Readonly<Record<string, Manifest>> = {
  'the very same': manifest(),
  'another partition': of({ partition: 'u2' }),
  'a message more': of({ messages: [1, 2, 3, 4].map((uid) => message(uid)), lastUid: 4, highestModseq: 10 }),
  'flags with a change': messages(message(2, { flags: ['\\Seen'], modseq: 10 })),
  'expunged with a change': messages(message(2, { expunged: true, modseq: 10 })),
  'renamed by its owner': of({ name: 'user.a.new', folderModseq: 10, quotaRoot: 'user.a' }),
  'deleted by its owner': manifest({
    mailboxes: [mailbox(), mailbox({ name: 'DELETED.user.a.S.5F', uniqueId: 'id-s', folderModseq: 10 })],
  }),
  'rights given': of({ acl: 'a\tlrs\tb\tl\t', folderModseq: 10 }),
  'a subscription more': manifest({ subscriptions: ['user.a.S', 'news', 'x'] }),
  'scripts as messages': manifest({
    sieve: [],
    mailboxes: [mailbox(), mailbox({ name: 'user.a.#sieve', uniqueId: 's' })],
  }),
};

for (const [what, found] of Object.entries(fine)) {
  test(`no difference: ${what}`, () => {
    assert.deepEqual(strictDifferences(manifest(), found), []);
  });
}

const wrong: Readonly<Record<string, [Manifest, RegExp]>> = {
  'no mailbox': [manifest({ mailboxes: [] }), /^user\.a \(id-a\) is not there$/],
  'a namesake': [of({ uniqueId: 'x' }), /^user\.a \(id-a\) is not there, but another one of that name \(x\)$/],
  'another name without a change': [of({ name: 'user.b' }), /its name is user\.b/],
  uidvalidity: [of({ uidValidity: 8 }), /the uidvalidity is 8, was 7/],
  'a lower last uid': [of({ lastUid: 2 }), /the last uid is 2/],
  'a lower modseq': [of({ highestModseq: 8 }), /the highest modseq is 8/],
  'other rights': [of({ acl: '' }), /the ACL is , was a/],
  'a message missing': [of({ messages: [message(1), message(3)] }), /^user\.a: each of uid 2 is missing$/],
  'another message': [messages(message(2, { guid: 'f'.repeat(40) })), /uid 2 is another message/],
  'expunged without a change': [messages(message(2, { expunged: true })), /uid 2 is expunged without a change/],
  'other flags without a change': [messages(message(2, { flags: ['\\Seen'] })), /uid 2 has other flags/],
  'no quota': [manifest({ quotas: new Map() }), /the quota root user\.a is not there/],
  'no script': [manifest({ sieve: [] }), /the sieve script main is not there/],
};

/** What an owner sets. */
const otherwise: Readonly<Record<string, [Manifest, RegExp]>> = {
  'another quota root': [
    manifest({ mailboxes: [{ ...mailbox(), quotaRoot: 'user' }] }),
    /^the quota root of user\.a is user, was user\.a: quota -f at mail1 mends that$/,
  ],
  'another limit': [manifest({ quotas: new Map([['user.a', new Map([['STORAGE', 6]])]]) }), /STORAGE is 6, was 5/],
  'no limit': [manifest({ quotas: new Map([['user.a', new Map()]]) }), /STORAGE is none, was 5/],
  'no subscription': [manifest({ subscriptions: ['user.a.S'] }), /the subscription to news is not there/],
  'another script': [manifest({ sieve: [{ name: 'main', digest: 'e', active: true }] }), /main is another one/],
  'no active script': [manifest({ sieve: [{ name: 'main', digest: 'd', active: false }] }), /main is not active/],
};

for (const [what, [found, sentence]] of Object.entries(wrong)) {
  test(`a difference: ${what}`, () => {
    const found_ = differences(manifest(), found);
    assert.equal(found_.length, 1, found_.join('\n'));
    assert.match(found_[0] ?? '', sentence);
  });
}

for (const [what, [found, sentence]] of Object.entries(otherwise)) {
  test(`no difference, but a remark: ${what}`, () => {
    assert.deepEqual(differences(manifest(), found), []);
    const told = remarks(manifest(), found);
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', sentence);
    assert.deepEqual(strictDifferences(manifest(), found), told);
  });
}

test('what was deleted since is left out, with all that belongs to it', () => {
  const folder = mailbox({ name: 'user.a.S', uniqueId: 'id-s', quotaRoot: 'user.a.S' });
  const quotas = new Map([...manifest().quotas, ['user.a.S', new Map([['STORAGE', 1]])]]);
  const before = manifest({ mailboxes: [mailbox(), folder], quotas });
  const found = manifest({ subscriptions: ['news'] });
  const missing = missingNames(before, found);
  assert.deepEqual(missing, ['user.a.S']);
  assert.deepEqual(strictDifferences(without(before, new Set(missing)), found), []);
  assert.equal(differences(without(before, new Set()), found).length, 2);
  const renamed = manifest({ mailboxes: [mailbox(), { ...folder, name: 'user.a.T', folderModseq: 10 }] });
  assert.deepEqual(missingNames(before, renamed), []);
});

/** A message as Cyrus numbers it anew. */
const anew = (of: number, uid: number, more: Partial<MessageFacts> = {}) =>
  message(uid, { guid: message(of).guid, modseq: 20, ...more });

test('what Cyrus has numbered anew is there', () => {
  const two = of({ messages: [message(1), anew(2, 4), anew(3, 5)], lastUid: 5, highestModseq: 20 });
  assert.deepEqual([differences(manifest(), two), countNumberedAnew(manifest(), two)], [[], 2]);
  const clash = [message(1), message(2, { guid: 'f'.repeat(40) }), message(3), anew(2, 4)];
  const other = of({ messages: clash, lastUid: 4, highestModseq: 20 });
  assert.deepEqual([differences(manifest(), other), countNumberedAnew(manifest(), other)], [[], 1]);
  assert.equal(countNumberedAnew(manifest(), manifest()), 0);
});

test('numbered anew is each by itself, with its flags, and not expunged', () => {
  const twin = mailbox({ messages: [message(1), message(2), anew(2, 3, { modseq: 3 })] });
  const one = of({ messages: [message(1), anew(2, 4)], lastUid: 4, highestModseq: 20 });
  assert.match(differences(manifest({ mailboxes: [twin] }), one)[0] ?? '', /each of uid 3 is missing/);
  for (const more of [{ flags: ['\\Seen'] }, { expunged: true }, { guid: 'e'.repeat(40) }]) {
    const found = of({ messages: [message(1), message(3), anew(2, 4, more)], lastUid: 4, highestModseq: 20 });
    assert.match(differences(manifest(), found)[0] ?? '', /each of uid 2 is missing/);
  }
  const before = of({ messages: [message(1), message(3, { guid: message(2).guid })], lastUid: 3 });
  assert.match(differences(manifest(), before).join(), /uid 2 is missing.*uid 3 is another message/);
});

test('an expunged message may be gone, and must not be back', () => {
  const expunged = messages(message(2, { expunged: true }));
  assert.deepEqual(differences(expunged, of({ messages: [message(1), message(3)] })), []);
  assert.match(differences(expunged, messages(message(2, { modseq: 99 })))[0] ?? '', /uid 2 was expunged and is not/);
});

test('who deletes a folder gives up the subscription to it', () => {
  const folder = mailbox({ name: 'user.a.S', uniqueId: 'id-s' });
  const before = manifest({ mailboxes: [mailbox(), folder] });
  const deleted = { ...folder, name: 'DELETED.user.a.S.5F', folderModseq: 10 };
  assert.deepEqual(
    strictDifferences(before, manifest({ mailboxes: [mailbox(), deleted], subscriptions: ['news'] })),
    [],
  );
  assert.equal(remarks(before, manifest({ mailboxes: [mailbox(), folder], subscriptions: ['news'] })).length, 1);
});

test('many messages are counted', () => {
  const expected = of({ messages: Array.from({ length: 9 }, (_, at) => message(at + 1)) });
  assert.deepEqual(differences(expected, of({ messages: [] })), [
    'user.a: each of uid 1, 2, 3, 4, 5 and 4 more is missing',
  ]);
});

test('kept and read again it is the same; what is none throws', async () => {
  const some = messages(
    message(2, { expunged: true, flags: ['\\Deleted', '$x'] }),
    message(3, { flags: ['\xc3\xa4'] }),
  );
  assert.deepEqual(await decodeManifest(await encodeManifest(some)), some);
  assert.deepEqual(sizeOf(some), { octets: 20, messages: 2 });
  await assert.rejects(decodeManifest(Buffer.from('x')));
});

test('versions of Cyrus', () => {
  assert.ok(isOlder('3.4.1', '3.6.1-Debian-3.6.1-4'));
  assert.ok(isOlder('2.5', '3.0.1'));
  assert.ok(isOlder('3.6.9', '3.10.0'));
  for (const [one, other] of [
    ['3.6.0', '3.6.1'],
    ['3.8', '3.6'],
    [undefined, '3.6'],
    ['3.6', undefined],
    ['x', '3.6'],
  ])
    assert.ok(!isOlder(one, other));
});

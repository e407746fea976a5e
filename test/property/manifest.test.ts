// A tree that somebody works in after its manifest was taken shows no difference; one that has lost something does, always.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MessageFacts } from '../../services/backends/tree-facts.ts';
import { decodeManifest, encodeManifest } from '../../services/moves/manifest-codec.ts';
import { differences, strictDifferences } from '../../services/moves/manifest-comparison.ts';
import type { MailboxManifest, Manifest } from '../../services/moves/manifest.ts';

const runs = Number(process.env['ROOKERY_TEST_RUNS'] ?? 500);

const hex = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'f'), minLength: 40, maxLength: 40 });
const flags = fc
  .uniqueArray(fc.constantFrom('$x', '\\Answered', '\\Deleted', '\\Seen'), { maxLength: 3 })
  .map((all) => all.sort());
const records = fc.uniqueArray(
  fc.record(
    {
      ...{ uid: fc.integer({ min: 1, max: 60 }), guid: hex, modseq: fc.integer({ min: 1, max: 100 }) },
      ...{ size: fc.nat(), flags, expunged: fc.boolean() },
    },
    { noNullPrototype: true },
  ),
  { selector: ({ uid }) => uid, minLength: 1, maxLength: 12 },
);

const trees: fc.Arbitrary<Manifest> = fc
  .array(fc.record({ messages: records, acl: fc.string(), folderModseq: fc.nat(100) }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((boxes) => ({
    ...{ at: 1, server: 'mail1', subscriptions: ['user.a.0'], sieve: [] },
    quotas: new Map([['user.a', new Map([['STORAGE', 10]])]]),
    mailboxes: boxes.map(({ messages, ...box }, at) => ({
      ...{ name: `user.a.${at}`, uniqueId: `id-${at}`, partition: 'default', uidValidity: 5, ...box },
      ...{ lastUid: 100, highestModseq: 100, quotaRoot: 'user.a' },
      messages: messages.sort((one, other) => one.uid - other.uid),
    })),
  }));

/** What people do: each act raises the mailbox's modseq, and what it touches gets it. */
type Act = (mailbox: MailboxManifest, at: number) => MailboxManifest;

function touched(mailbox: MailboxManifest, at: number, change: (message: MessageFacts) => Partial<MessageFacts>) {
  const modseq = mailbox.highestModseq + 1;
  const index = at % mailbox.messages.length;
  const messages = mailbox.messages.map((one, place) => (place === index ? { ...one, ...change(one), modseq } : one));
  return { ...mailbox, highestModseq: modseq, messages };
}

const acts: Readonly<Record<string, Act>> = {
  append: (mailbox) => {
    const [uid, modseq] = [mailbox.lastUid + 1, mailbox.highestModseq + 1];
    const fresh = { uid, modseq, guid: 'a'.repeat(40), size: 1, flags: [], expunged: false };
    return { ...mailbox, lastUid: uid, highestModseq: modseq, messages: [...mailbox.messages, fresh] };
  },
  flag: (mailbox, at) => touched(mailbox, at, () => ({ flags: ['\\Flagged'] })),
  expunge: (mailbox, at) => touched(mailbox, at, () => ({ expunged: true })),
  rename: (mailbox) => folder(mailbox, { name: `${mailbox.name}x` }),
  remove: (mailbox) => folder(mailbox, { name: `DELETED.${mailbox.name}.5F` }),
  share: (mailbox) => folder(mailbox, { acl: `${mailbox.acl}b\tl\t` }),
  // What was expunged long ago goes for good.
  purge: (mailbox) => ({
    ...mailbox,
    messages: mailbox.messages.filter(({ expunged, modseq }, at) => !expunged || modseq > 100 || at === 0),
  }),
};

function folder(mailbox: MailboxManifest, change: Partial<MailboxManifest>): MailboxManifest {
  const modseq = Math.max(mailbox.highestModseq, mailbox.folderModseq) + 1;
  return { ...mailbox, ...change, highestModseq: modseq, folderModseq: modseq };
}

const work = fc.array(fc.tuple(fc.constantFrom(...Object.keys(acts)), fc.nat(3), fc.nat(30)), { maxLength: 12 });

function worked(tree: Manifest, all: readonly [string, number, number][]): Manifest {
  const mailboxes = [...tree.mailboxes];
  for (const [act, box, at] of all) {
    const index = box % mailboxes.length;
    const [does, mailbox] = [acts[act], mailboxes[index]];
    if (does && mailbox) mailboxes[index] = does(mailbox, at);
  }
  const kept = mailboxes.some(({ name }) => name === 'user.a.0');
  return { ...tree, server: 'mail2', mailboxes, subscriptions: kept ? tree.subscriptions : [] };
}

test('whatever is done to a whole tree is no difference', () => {
  fc.assert(
    fc.property(trees, work, (tree, all) => {
      assert.deepEqual(strictDifferences(tree, worked(tree, all)), []);
    }),
    { numRuns: runs },
  );
});

/** What may not happen, to a message that is there; each is a difference whatever was done before. */
const losses: Readonly<Record<string, (mailbox: MailboxManifest, index: number) => MailboxManifest>> = {
  message: (mailbox, index) => ({ ...mailbox, messages: mailbox.messages.filter((_, at) => at !== index) }),
  content: (mailbox, index) => ({
    ...mailbox,
    messages: mailbox.messages.map((one, at) => (at === index ? { ...one, guid: `${one.guid.slice(1)}g` } : one)),
  }),
  validity: (mailbox) => ({ ...mailbox, uidValidity: mailbox.uidValidity + 1 }),
  identity: (mailbox) => ({ ...mailbox, uniqueId: 'another' }),
};

test('whatever is lost is a difference, whatever else is done', () => {
  const loss = fc.tuple(fc.constantFrom(...Object.keys(losses)), fc.nat(3), fc.nat(11));
  fc.assert(
    fc.property(trees, work, loss, (tree, all, [what, box, at]) => {
      const found = worked(tree, all);
      const index = box % found.mailboxes.length;
      const [mailbox, original] = [found.mailboxes[index], tree.mailboxes[index]];
      const uid = original?.messages[at % original.messages.length]?.uid;
      const place = mailbox?.messages.findIndex((one) => one.uid === uid) ?? -1;
      fc.pre(
        mailbox !== undefined && original?.messages.find((one) => one.uid === uid)?.expunged === false && place >= 0,
      );
      const poorer = losses[what]?.(mailbox, place) ?? mailbox;
      const mailboxes = found.mailboxes.map((one, number) => (number === index ? poorer : one));
      assert.notDeepEqual(differences(tree, { ...found, mailboxes }), []);
    }),
    { numRuns: runs },
  );
});

test('a manifest that was kept is the one that was taken', async () => {
  await fc.assert(
    fc.asyncProperty(trees, async (tree) => {
      assert.deepEqual(await decodeManifest(await encodeManifest(tree)), tree);
    }),
    { numRuns: Math.ceil(runs / 5) },
  );
});

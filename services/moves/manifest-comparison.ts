// Whether a server has all that a manifest of another one tells of. A lower bound: whoever works there meanwhile by IMAP may
// add, change, rename and delete, as long as it shows that he did; and Cyrus may number messages anew.
import { readable } from '../address/bytes.ts';
import type { MessageFacts } from '../backends/tree-facts.ts';
import type { Bytes } from '../directory/entry.ts';
import type { MailboxManifest, Manifest } from './manifest.ts';

/** What is missing or different at the other server; each a sentence for people. */
export type Difference = string;

/** How many uids a sentence names. */
const named = 5;

/**
 * What an owner may have set otherwise in the meantime, and nobody can tell from what a copy has lost: it is no mail. Each a
 * sentence for people.
 */
export type Remark = string;

/** Also settings count, which is right where nobody works in one of the two. */
export function strictDifferences(manifest: Manifest, found: Manifest): Difference[] {
  return [...differences(manifest, found), ...remarks(manifest, found)];
}

/** Settings that are otherwise: quota roots, limits of quotas, subscriptions, scripts of the same name. */
export function remarks(manifest: Manifest, found: Manifest): Remark[] {
  return [
    ...rootRemarks(manifest, found),
    ...limitRemarks(manifest, found),
    ...subscriptionRemarks(manifest, found),
    ...sieveRemarks(manifest, found),
  ];
}

/** A Cyrus that died while it made a copy may leave folders without their root; it counts anew by `quota -f`, and only so. */
function rootRemarks(manifest: Manifest, found: Manifest): Remark[] {
  const byId = new Map(found.mailboxes.map((mailbox) => [mailbox.uniqueId, mailbox]));
  const others = manifest.mailboxes.filter(({ name, uniqueId, quotaRoot }) => {
    const there = byId.get(uniqueId);
    return there?.name === name && there.quotaRoot !== quotaRoot;
  });
  const [first] = others;
  if (!first) return [];
  const what =
    others.length === 1 ? readable(first.name) : `${others.length} mailboxes, ${readable(first.name)} first,`;
  const is = byId.get(first.uniqueId)?.quotaRoot ?? 'none';
  const was = first.quotaRoot ?? 'none';
  return [
    `the quota root of ${what} is ${readable(is)}, was ${readable(was)}: quota -f at ${readable(found.server)} mends that`,
  ];
}

/** The manifest without mailboxes that were deleted since, and all that belongs to them. */
export function without(manifest: Manifest, deleted: ReadonlySet<Bytes>): Manifest {
  if (deleted.size === 0) return manifest;
  return {
    ...manifest,
    mailboxes: manifest.mailboxes.filter(({ name }) => !deleted.has(name)),
    quotas: new Map([...manifest.quotas].filter(([root]) => !deleted.has(root))),
    subscriptions: manifest.subscriptions.filter((name) => !deleted.has(name)),
  };
}

/** Mailboxes of the manifest that `found` does not have under any name. */
export function missingNames(manifest: Manifest, found: Manifest): Bytes[] {
  const there = new Set(found.mailboxes.map(({ uniqueId }) => uniqueId));
  return manifest.mailboxes.flatMap(({ name, uniqueId }) => (there.has(uniqueId) ? [] : [name]));
}

/** What is lost, or may be; none means that `found` has everything of `manifest`. The partition is no difference. */
export function differences(manifest: Manifest, found: Manifest): Difference[] {
  const byId = new Map(found.mailboxes.map((mailbox) => [mailbox.uniqueId, mailbox]));
  const byName = new Map(found.mailboxes.map((mailbox) => [mailbox.name, mailbox]));
  return [
    ...manifest.mailboxes.flatMap((mailbox) => {
      const there = byId.get(mailbox.uniqueId);
      return there ? mailboxDifferences(mailbox, there) : [missingMailbox(mailbox, byName.get(mailbox.name))];
    }),
    ...quotaDifferences(manifest, found),
    ...sieveDifferences(manifest, found),
  ];
}

function missingMailbox({ name, uniqueId }: MailboxManifest, namesake: MailboxManifest | undefined): Difference {
  const another = namesake ? `, but another one of that name (${namesake.uniqueId})` : '';
  return `${readable(name)} (${uniqueId}) is not there${another}`;
}

function mailboxDifferences(expected: MailboxManifest, there: MailboxManifest): Difference[] {
  const name = readable(expected.name);
  const all: Difference[] = [];
  const compare = (what: string, fine: boolean, was: unknown, is: unknown): void => {
    if (!fine) all.push(`${name}: ${what} is ${String(is)}, was ${String(was)}`);
  };
  // Whoever changes name or ACL there raises it.
  const touched = there.folderModseq > expected.folderModseq;
  compare('its name', touched || there.name === expected.name, expected.name, readable(there.name));
  compare('the uidvalidity', there.uidValidity === expected.uidValidity, expected.uidValidity, there.uidValidity);
  compare('the last uid', there.lastUid >= expected.lastUid, expected.lastUid, there.lastUid);
  const [was, is] = [expected.highestModseq, there.highestModseq];
  compare('the highest modseq', is >= was, was, is);
  compare('the ACL', touched || there.acl === expected.acl, readable(expected.acl), readable(there.acl));
  return [...all, ...messageDifferences(name, expected, there)];
}

const faults = {
  missing: 'is missing',
  other: 'is another message',
  gone: 'is expunged without a change',
  back: 'was expunged and is not',
  flags: 'has other flags without a change',
} as const;
type Fault = keyof typeof faults;

function messageDifferences(name: string, expected: MailboxManifest, there: MailboxManifest): Difference[] {
  const anew = numberedAnew(expected, there);
  const found = new Map<Fault, number[]>();
  for (const [message, candidate] of pairs(expected.messages, there.messages)) {
    const fault = anew.has(message.uid) ? undefined : faultOf(message, candidate);
    if (fault !== undefined) found.set(fault, [...(found.get(fault) ?? []), message.uid]);
  }
  return [...found].map(([fault, uids]) => `${name}: ${uidsText(uids)} ${faults[fault]}`);
}

/** Each message with that of the same uid. Both are in the order of their uids. */
function* pairs(
  expected: readonly MessageFacts[],
  there: readonly MessageFacts[],
): Generator<[MessageFacts, MessageFacts | undefined]> {
  let at = 0;
  for (const message of expected) {
    let candidate = there[at];
    while (candidate !== undefined && candidate.uid < message.uid) candidate = there[(at += 1)];
    yield [message, candidate?.uid === message.uid ? candidate : undefined];
  }
}

/** How many messages of the manifest are in `found` under a new uid, as numberedAnew tells. */
export function countNumberedAnew(manifest: Manifest, found: Manifest): number {
  const byId = new Map(found.mailboxes.map((mailbox) => [mailbox.uniqueId, mailbox]));
  return manifest.mailboxes.reduce((sum, mailbox) => {
    const there = byId.get(mailbox.uniqueId);
    return there ? sum + numberedAnew(mailbox, there).size : sum;
  }, 0);
}

/**
 * The uids whose message is there under a later one, byte for byte and with its flags, each under one of its own. Cyrus 3.6.1
 * does that, at the source and in the copy, where a copy that broke off had got so far that a uid may have been seen in it.
 */
function numberedAnew(expected: MailboxManifest, there: MailboxManifest): ReadonlySet<number> {
  const anew = new Set<number>();
  const missing = [...pairs(expected.messages, there.messages)].filter(
    ([message, candidate]) => !message.expunged && candidate?.guid !== message.guid,
  );
  if (missing.length === 0) return anew;
  const later = new Map<string, MessageFacts[]>();
  for (const one of there.messages)
    if (one.uid > expected.lastUid && !one.expunged) later.set(one.guid, [...(later.get(one.guid) ?? []), one]);
  for (const [{ uid, guid, flags }] of missing) {
    const some = later.get(guid) ?? [];
    const at = some.findIndex((one) => sameFlags(one.flags, flags));
    if (at < 0) continue;
    some.splice(at, 1);
    anew.add(uid);
  }
  return anew;
}

function faultOf(message: MessageFacts, there: MessageFacts | undefined): Fault | undefined {
  // What is expunged goes for good some day.
  if (there === undefined) return message.expunged ? undefined : 'missing';
  if (there.guid !== message.guid) return 'other';
  if (message.expunged && !there.expunged) return 'back';
  if (there.modseq > message.modseq) return undefined;
  if (there.expunged && !message.expunged) return 'gone';
  return sameFlags(message.flags, there.flags) ? undefined : 'flags';
}

function sameFlags(some: readonly Bytes[], others: readonly Bytes[]): boolean {
  return some.length === others.length && some.every((flag, at) => flag === others[at]);
}

function uidsText(uids: readonly number[]): string {
  const more = uids.length > named ? ` and ${uids.length - named} more` : '';
  return `each of uid ${uids.slice(0, named).join(', ')}${more}`;
}

function quotaDifferences({ quotas }: Manifest, found: Manifest): Difference[] {
  const missing = [...quotas.keys()].filter((root) => !found.quotas.has(root));
  return missing.map((root) => `the quota root ${readable(root)} is not there`);
}

function limitRemarks({ quotas }: Manifest, found: Manifest): Remark[] {
  return [...quotas].flatMap(([root, limits]) => {
    const there = found.quotas.get(root);
    if (!there) return [];
    return [...limits]
      .filter(([resource, limit]) => there.get(resource) !== limit)
      .map(([resource, limit]) => {
        const is = there.get(resource) ?? 'none';
        return `the quota of ${readable(root)}: ${resource} is ${is}, was ${limit}`;
      });
  });
}

/** Whoever renames or deletes a mailbox gives up the subscription to it. */
function subscriptionRemarks({ subscriptions, mailboxes }: Manifest, found: Manifest): Remark[] {
  const there = new Set(found.mailboxes.map(({ name }) => name));
  const subscribed = new Set(found.subscriptions);
  const own = new Set(mailboxes.map(({ name }) => name));
  return subscriptions
    .filter((name) => !subscribed.has(name) && (!own.has(name) || there.has(name)))
    .map((name) => `the subscription to ${readable(name)} is not there`);
}

function sieveDifferences({ sieve }: Manifest, found: Manifest): Difference[] {
  // A server that keeps scripts as messages tells of none by name.
  const asMessages = found.sieve.length === 0 ? scriptMessages(found) : 0;
  if (sieve.length > 0 && asMessages >= sieve.length) return [];
  const there = new Set(found.sieve.map(({ name }) => name));
  const missing = sieve.filter(({ name }) => !there.has(name));
  return missing.map(({ name }) => `the sieve script ${readable(name)} is not there`);
}

function sieveRemarks({ sieve }: Manifest, found: Manifest): Remark[] {
  return sieve.flatMap(({ name, digest, active }) => {
    const there = found.sieve.find((script) => script.name === name);
    if (!there) return [];
    if (there.digest !== digest) return [`the sieve script ${readable(name)} is another one`];
    if (there.active === active) return [];
    return [`the sieve script ${readable(name)} is ${there.active ? '' : 'not '}active`];
  });
}

function scriptMessages({ mailboxes }: Manifest): number {
  const scripts = mailboxes.find(({ name }) => /\.#sieve$/.test(name))?.messages ?? [];
  return scripts.filter(({ expunged }) => !expunged).length;
}

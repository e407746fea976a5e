// What a driver of moves does for a left-over, by nothing but an administrator's IMAP: so that proofs are tried beside the
// real driver, not by it.
import type { MailboxManifest, Manifest } from '../../services/moves/manifest.ts';
import type { MoveDriver } from '../../services/moves/driver.ts';
import type { Backend, Murder } from './murder.ts';

/** The messages of each mailbox that an administrator may read, by uid, SHA-1 and size; LOCALDELETE removes. */
export function adminDriver(murder: Murder): Pick<MoveDriver, 'manifest' | 'discard'> {
  return {
    async manifest(server, name) {
      const names = [...(await murder.holdings(server as Backend)).keys()].filter((one) => isOf(one, name));
      if (names.length === 0) return undefined;
      const mailboxes: MailboxManifest[] = [];
      for (const one of names) mailboxes.push(await mailbox(murder, server as Backend, one));
      const empty = { quotas: new Map(), subscriptions: [], sieve: [] };
      return { at: Date.now(), server, mailboxes, ...empty } satisfies Manifest;
    },
    async discard(server, name) {
      const names = [...(await murder.holdings(server as Backend)).keys()].filter((one) => isOf(one, name));
      // Folders first: an INBOX may take them along, or not.
      for (const one of names.sort().reverse()) {
        const answer = await murder.say(server as Backend, `LOCALDELETE "${one}"`);
        if (!answer.startsWith('OK') && !/does not exist/.test(answer)) throw new Error(`${server}: ${answer}`);
      }
    },
  };
}

function isOf(one: string, name: string): boolean {
  return one === name || one.startsWith(`${name}.`);
}

async function mailbox(murder: Murder, server: Backend, name: string): Promise<MailboxManifest> {
  const uniqueId = (await murder.holdings(server)).get(name)?.uniqueid ?? '';
  return murder.admin(server, async (imap) => {
    await imap.command('SETACL ', { literal: name }, ' cyrus lr');
    const opened = await imap.ok('EXAMINE ', { literal: name });
    const uidValidity = Number(/UIDVALIDITY (\d+)/.exec(opened.join())?.[1]);
    const lines = await imap.ok('UID FETCH 1:* (UID RFC822.SIZE DIGEST.SHA1)');
    const messages = lines.flatMap((line) => {
      const [uid, size] = [/UID (\d+)/, /RFC822\.SIZE (\d+)/].map((what) => Number(what.exec(line)?.[1]));
      const guid = /DIGEST\.SHA1 "?([0-9a-f]{40})/i.exec(line)?.[1];
      if (uid === undefined || size === undefined || guid === undefined) return [];
      return [{ uid, size, guid, modseq: 1, flags: [], expunged: false }];
    });
    const figures = { partition: '', lastUid: 0, highestModseq: 1, acl: '', folderModseq: 1 };
    return { name, uniqueId, uidValidity, messages, ...figures };
  });
}

/** What `found` lacks, by the unique ids of mailboxes, and uid and SHA-1 of messages. */
export function lacks(manifest: Manifest, found: Manifest): string[] {
  const there = new Map(found.mailboxes.map((one) => [one.uniqueId, one]));
  return manifest.mailboxes.flatMap(({ name, uniqueId, messages }) => {
    const other = there.get(uniqueId);
    if (!other) return [`${name} is not there`];
    const known = new Set(other.messages.map(({ uid, guid }) => `${uid} ${guid}`));
    return messages
      .filter(({ uid, guid }) => !known.has(`${uid} ${guid}`))
      .map(({ uid }) => `${name}: ${uid} is missing`);
  });
}

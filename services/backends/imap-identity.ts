// What a Cyrus server says it is, and what of it moves of mailboxes need.
import type { Bytes } from '../address/bytes.ts';
import type { ImapSession } from './imap-session.ts';
import { pairsOf, wordsOf } from './imap-words.ts';

export interface Identity {
  /** `Cyrus IMAPD 3.6.1`; undefined where it does not say (`serverinfo: off`). */
  version: Bytes | undefined;
  /** Whether its administrators may use the verbs of replication, by which copies are compared. */
  replication: boolean;
}

/** Cyrus 3.6.1 answers ID (RFC 2971) with name, version and vendor, and offers X-REPLICATION to administrators. */
export async function identity(session: ImapSession): Promise<Identity> {
  const [id, replication] = [await session.command('ID NIL'), await session.offers('X-REPLICATION')];
  const line = id.untagged.find((response) => /^ID /i.test(response));
  const [, words] = (line === undefined ? undefined : wordsOf(line)) ?? [];
  const said = new Map(Array.isArray(words) ? pairsOf(words) : []);
  const parts = [said.get('name'), said.get('version')].filter((part) => typeof part === 'string');
  return { version: parts.length === 0 ? undefined : parts.join(' '), replication };
}

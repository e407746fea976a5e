// How often each message is in somebody's INBOX, by its Message-ID: what was lost shows, and what came twice.
import { CYRUS_PASSWORD } from './cyrus.ts';
import type { Address } from './cyrus-config.ts';
import { ImapClient } from './imap.ts';

/** `server` is the IMAP door of the backend that has it. */
export async function idCounts(server: Address, login: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const imap = await ImapClient.connect(server);
  try {
    await imap.login('mailproxy', CYRUS_PASSWORD.mailproxy, login);
    await imap.ok('EXAMINE INBOX');
    for (const line of await imap.ok('UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]')) {
      const id = /Message-ID: <([^>]*)>/i.exec(line)?.[1];
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  } finally {
    imap.close();
  }
}

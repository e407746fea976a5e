// What servers list of trees: a session with each, opened when it is first asked, and closed with all others.
import { listingSession, everyMailbox, mailboxesBelow } from '../backends/imap-listing.ts';
import type { ImapSession } from '../backends/imap-session.ts';
import type { Registry } from '../backends/registry.ts';
import { readable } from '../address/bytes.ts';
import { textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { movedAs } from '../moves/audit.ts';
import type { Listing } from '../moves/audit.ts';

export interface MailboxLists {
  /** Of what moves as one, by its root. Never rejects. */
  of(server: Bytes, root: Bytes): Promise<Listing>;
  /** Of all trees. Never rejects. */
  all(server: Bytes): Promise<Listing>;
  close(): Promise<void>;
}

/** `timeout`: for a login and for each list, in milliseconds. */
export function mailboxLists(registry: Pick<Registry, 'find'>, timeout: number): MailboxLists {
  const sessions = new Map<Bytes, Promise<ImapSession>>();
  const sessionWith = (server: Bytes): Promise<ImapSession> => {
    const known = sessions.get(server);
    if (known) return known;
    const name = textFromBytes(server);
    const backend = registry.find(name);
    if (!backend?.imap)
      return Promise.reject(new Error(`${name} ${backend ? 'has no imap' : 'is no backend'} in the configuration`));
    const session = listingSession(backend.imap, { timeout, server: name });
    // Whoever asks hears of it.
    session.catch(() => undefined);
    sessions.set(server, session);
    return session;
  };
  const listed = async (server: Bytes, look: (session: ImapSession) => Promise<Bytes[]>): Promise<Listing> => {
    try {
      return { is: 'told', names: await look(await sessionWith(server)) };
    } catch (error) {
      return { is: 'silent', why: readable(error instanceof Error ? error.message : String(error)) };
    }
  };
  return {
    of: (server, root) =>
      listed(server, async (session) => {
        const names = await mailboxesBelow(session, root);
        return names.filter((name) => movedAs(name) === root);
      }),
    all: (server) => listed(server, everyMailbox),
    async close() {
      await Promise.all(
        [...sessions.values()].map((one) => one.then((session) => session.close()).catch(() => undefined)),
      );
    },
  };
}

// Users of a real Cyrus server as they are after years: folders, messages with flags, rights, a quota, subscriptions, scripts.
import { externalName } from '../../services/address/external-name.ts';
import type { Separator } from '../../services/address/external-name.ts';
import { loginOf } from '../../services/address/user-name.ts';
import { CYRUS_PASSWORD } from './cyrus.ts';
import type { CyrusNode } from './cyrus.ts';
import { ImapClient } from './imap.ts';
import type { Literal } from './imap.ts';

export interface MailUser {
  /** The internal name of the INBOX. */
  inbox: string;
  /** Of the folders below it, as they are internally: `Sent`, `a b.T&APY-st`. */
  folders: readonly string[];
  /** In the INBOX; each folder has two. */
  messages: number;
  storageKiB: number;
  /** A script that is active. */
  script?: string;
}

/** How many messages one APPEND brings. */
const batch = 250;

/**
 * A population: each tenth user has 50 folders, each fiftieth 10,000 messages (`large`), the others a few of both; each
 * third has a script.
 */
export function population(count: number, large = 10_000): MailUser[] {
  return Array.from({ length: count }, (_, at) => ({
    inbox: `user.u${String(at).padStart(4, '0')}`,
    folders: Array.from({ length: at % 10 === 3 ? 50 : at % 4 }, (__, folder) => `F${folder}`),
    messages: at % 50 === 7 ? large : 5 + (at % 20),
    storageKiB: 1_000_000 + at,
    ...(at % 3 === 0 && { script: `keep; # ${at}\r\n` }),
  }));
}

/** Makes them at a server, some side by side. */
export async function makeUsers(
  node: CyrusNode,
  users: readonly MailUser[],
  separator: Separator = '.',
  sideBySide = 4,
): Promise<void> {
  const left = users.values();
  const work = async (): Promise<void> => {
    for (const user of left) await makeUser(node, user, separator);
  };
  await Promise.all(Array.from({ length: sideBySide }, work));
}

async function makeUser(node: CyrusNode, user: MailUser, separator: Separator): Promise<void> {
  const login = loginOf(user.inbox);
  const admin = await ImapClient.connect(node.imap);
  try {
    await admin.login('cyrus', CYRUS_PASSWORD.cyrus);
    const inbox = { literal: externalName(user.inbox, separator) ?? '' };
    await admin.ok('CREATE ', inbox);
    await admin.ok('SETQUOTA ', inbox, ` (STORAGE ${user.storageKiB} MESSAGE 100000)`);
    if (user.script !== undefined) await putScript(admin, login, 'main', user.script);
  } finally {
    admin.close();
  }
  const own = await ImapClient.connect(node.imap);
  try {
    await own.login('mailproxy', CYRUS_PASSWORD.mailproxy, login);
    await fill(own, 'INBOX', user.messages);
    for (const folder of user.folders) await makeFolder(own, folder, separator);
    await own.ok('SELECT INBOX');
    if (user.messages > 2) {
      await own.ok('UID STORE 2 +FLAGS.SILENT (\\Deleted)');
      await own.ok('UID EXPUNGE 2');
      await own.ok('UID STORE 1 +FLAGS.SILENT (\\Answered $Later)');
    }
    await own.ok('UNSELECT');
  } finally {
    own.close();
  }
}

async function makeFolder(own: ImapClient, folder: string, separator: Separator): Promise<void> {
  const literal = `INBOX${separator}${separator === '/' ? folder.replaceAll('.', '/').replaceAll('^', '.') : folder}`;
  await own.ok('CREATE ', { literal });
  await own.ok('SUBSCRIBE ', { literal });
  await own.ok('SETACL ', { literal }, ' alice lrs');
  await fill(own, literal, 2);
}

/** So many messages, each third of them seen, each fifth with a keyword. */
async function fill(own: ImapClient, mailbox: string, messages: number): Promise<void> {
  for (let from = 0; from < messages; from += batch) {
    const parts = Array.from({ length: Math.min(batch, messages - from) }, (_, at): (string | Literal)[] => {
      const number = from + at;
      const flags = [number % 3 === 0 ? '\\Seen' : '', number % 5 === 0 ? '$Label1' : ''].filter((flag) => flag !== '');
      return [` (${flags.join(' ')}) `, { literal: message(mailbox, number) }];
    });
    await own.ok('APPEND ', { literal: mailbox }, ...parts.flat());
  }
}

function message(mailbox: string, number: number): string {
  const id = `<${number}.${mailbox.replace(/[^A-Za-z0-9]/g, '_')}@test>`;
  return `From: a@example.net\r\nMessage-ID: ${id}\r\nSubject: ${number}\r\n\r\n${'text '.repeat(10 + (number % 50))}\r\n`;
}

/**
 * Puts a script and makes it the active one, as replication would: of the ways there are, the one that needs no port of
 * its own. Cyrus keeps it as a message of `#sieve`, and its bytecode beside.
 */
export async function putScript(admin: ImapClient, login: string, name: string, script: string): Promise<void> {
  const owner = `USERID ${JSON.stringify(login)} FILENAME`;
  const file = `%(${owner} ${name}.script LAST_UPDATE 1700000000 CONTENT `;
  await admin.ok(`SYNCAPPLY SIEVE ${file}`, { literal: script }, ')');
  await admin.ok(`SYNCAPPLY ACTIVATE_SIEVE %(${owner} ${name}.bc)`);
}

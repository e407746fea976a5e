// What a backend is asked over IMAP as its administrator: whether it has a mailbox, and to tell the directory so.
import { externalName } from '../address/external-name.ts';
import type { Separator } from '../address/external-name.ts';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { ImapConnection } from './imap-connection.ts';
import { listed, quoted, rightsOf, separatorsOf } from './imap-response.ts';
import type { Answer } from './imap-response.ts';
import { addressText } from './registry.ts';
import type { ImapAccess } from './registry.ts';

/**
 * `has`: it is in the server's list of mailboxes, as the server's own. `moving`: an XFER of it to another server is under
 * way here, or was when it broke off; the messages are still here, newer perhaps than the copy at the other server.
 * `lacks`: the server knows no such mailbox, nor anything of it but its deletion.
 */
export type Holding = 'has' | 'moving' | 'lacks';

export interface AdminOptions {
  /** Milliseconds for connecting and logging in together, and for each question. */
  timeout: number;
  /** The name the server must not contradict in its greeting, so that no other one answers for it. */
  server?: string;
}

/**
 * One connection to a Cyrus server; questions are asked one after another. Whatever is not a clear answer rejects, with
 * the server, its address and the reason: a time-out, a refusal, nonsense or a lost connection never reads as `lacks`.
 *
 * What was found on Cyrus 3.6.1, and is tested on it:
 *
 * - MYRIGHTS is the witness. It needs no rights of an administrator (STATUS and EXAMINE want `r`, which the ACL of a
 *   user's mailbox does not give), it knows no wildcards, and it answers NO with a REFERRAL while a mailbox is moving,
 *   where LIST shows it as ever. A deleted name is gone at once, and its `DELETED.` name is there.
 * - LIST does not show an administrator his own INBOX, which MYRIGHTS does; so LIST proves nothing alone. It is asked for
 *   the second opinion on `lacks`: it is empty, or shows the name as `\Noselect`, a level above mailboxes that are left.
 * - Both hide a mailbox from a user who is no administrator as if it were not there. GETQUOTA tells the two apart.
 * - A copy that a broken XFER left at its destination is `has` there, complete or not. After LOCALDELETE it `lacks`.
 * - Neither opens the mailbox: one whose files are lost is `has` until an operator reconstructs or removes it.
 * - MUPDATEPUSH wants the external name. A moving mailbox is refused, one without files is pushed.
 */
export class ImapAdmin {
  readonly #connection: ImapConnection;
  readonly #options: AdminOptions;
  readonly #separator: Separator;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(connection: ImapConnection, options: AdminOptions, separator: Separator) {
    this.#connection = connection;
    this.#options = options;
    this.#separator = separator;
  }

  /** Connects and authenticates; rejects unless the server is the one meant and takes the user as an administrator. */
  static async connect(access: ImapAccess, options: AdminOptions): Promise<ImapAdmin> {
    const address = addressText(access);
    const { server } = options;
    const connection = new ImapConnection(server === undefined ? address : `${server} (${address})`, access);
    try {
      return await connection.within(options.timeout, `the login of ${access.username}`, async () => {
        requireServer(connection, await connection.greeting(), server);
        await logIn(connection, access);
        await requireAdministrator(connection, access.username);
        return new ImapAdmin(connection, options, await separatorOf(connection));
      });
    } catch (error) {
      await connection.end();
      throw error;
    }
  }

  /** Whether the server has a mailbox of this internal name. */
  async holds(name: Bytes): Promise<Holding> {
    return this.#asks(`whether it has ${readable(name)}`, async () => {
      const external = this.#external(name);
      const rights = await this.#connection.command(`MYRIGHTS ${quoted(external)}`);
      if (rights.status === 'OK' && rights.untagged.some((response) => rightsOf(response) === external)) return 'has';
      if (rights.status === 'NO' && /^\[REFERRAL imap:[^\]]*\]/i.test(rights.text)) return 'moving';
      if (rights.status !== 'NO' || !nonexistent(rights.text)) throw this.#unclear('MYRIGHTS', name, rights);

      const list = await this.#connection.command(`LIST "" ${quoted(external)}`);
      const lines = list.untagged.filter((response) => /^LIST\b/i.test(response)).map((response) => listed(response));
      const clear = list.status === 'OK' && lines.every((line) => line !== undefined);
      // A `*` or `%` in the name matches other mailboxes, too: only its own line counts.
      const shown = lines.some((line) => line?.name === external && line.mailbox);
      if (!clear || shown) throw this.#unclear('LIST', name, list);
      return 'lacks';
    });
  }

  /** Has the server ACTIVATE the mailbox, with its own location and ACL, at its MUPDATE master. */
  async push(name: Bytes): Promise<void> {
    await this.#asks(`the push of ${readable(name)}`, async () => {
      const answer = await this.#connection.command(`MUPDATEPUSH ${quoted(this.#external(name))}`);
      if (answer.status !== 'OK') throw this.#unclear('MUPDATEPUSH', name, answer);
    });
  }

  /** Logs out and closes; resolves when the connection is over, however it ended. */
  async close(): Promise<void> {
    // The answer begins with BYE, which breaks the connection: that is the wish here.
    await this.#asks('the logout', () => this.#connection.command('LOGOUT')).catch(() => undefined);
    await this.#connection.end();
  }

  async #asks<Result>(what: string, ask: () => Promise<Result>): Promise<Result> {
    const answer = this.#turn.then(() => this.#connection.within(this.#options.timeout, what, ask));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  #external(name: Bytes): Bytes {
    const external = externalName(name, this.#separator);
    if (external !== undefined) return external;
    throw this.#connection.refusal(`no mailbox of this server can be called ${readable(name)}`);
  }

  #unclear(command: string, name: Bytes, { status, text, untagged }: Answer): Error {
    const said = untagged.length === 0 ? '' : `, after ${JSON.stringify(readable(untagged.join(' | ').slice(0, 200)))}`;
    return this.#connection.refusal(`${command} of ${readable(name)}: ${status} ${readable(text)}${said}`);
  }
}

/** `[NONEXISTENT]` is RFC 5530's; Cyrus says it in these words. */
function nonexistent(text: Bytes): boolean {
  return /^\[NONEXISTENT\]/i.test(text) || text === 'Mailbox does not exist';
}

/** The name a Cyrus server calls itself by in its greeting; with `serverinfo: off` it does not, and is believed. */
function requireServer(connection: ImapConnection, greeting: Bytes, server: string | undefined): void {
  const name = /^(?:\[[^\]]*\] )?(\S+) (?:Cyrus IMAP|server ready)/.exec(greeting)?.[1];
  if (server !== undefined && name !== undefined && name !== server) throw connection.broken(`calls itself ${name}`);
}

/** AUTHENTICATE PLAIN (RFC 4616), or LOGIN where that is not offered. */
async function logIn(connection: ImapConnection, { username, password }: ImapAccess): Promise<void> {
  const capabilities = await ok(connection, 'CAPABILITY');
  const plain = /^CAPABILITY (?:.* )?AUTH=PLAIN(?: |$)/im.test(capabilities.join('\n'));
  const secret = Buffer.from(`\0${username}\0${password}`, 'utf8').toString('base64');
  // Quoted strings hold no more (RFC 3501 section 9), and a line end inside one would begin another command.
  if (!plain && !/^[ -~]*$/.test(username + password)) {
    throw connection.broken(`does not offer AUTH=PLAIN, and LOGIN cannot carry the credentials of ${username}`);
  }
  const answer = plain
    ? await connection.command('AUTHENTICATE PLAIN', secret)
    : await connection.command(`LOGIN ${quoted(username)} ${quoted(password)}`);
  if (answer.status !== 'OK') throw connection.broken(`refused ${username}: ${readable(answer.text)}`);
}

/**
 * To anyone else most mailboxes do not exist, in the very words that are said of absent ones. The quota root `""`, which
 * no server has unless somebody has set it, is spoken of to administrators only.
 */
async function requireAdministrator(connection: ImapConnection, username: string): Promise<void> {
  // Cyrus' administrators with a domain are administrators of that domain, and see no other.
  if (username.includes('@'))
    throw connection.broken(`${username} administers one domain only; the user must have none`);
  const { status, text } = await connection.command('GETQUOTA ""');
  if (status === 'OK' || (status === 'NO' && text === 'Quota root does not exist')) return;
  throw connection.broken(`${username} is no administrator: GETQUOTA: ${status} ${readable(text)}`);
}

async function separatorOf(connection: ImapConnection): Promise<Separator> {
  const responses = (await ok(connection, 'NAMESPACE')).filter((response) => /^NAMESPACE /i.test(response));
  const [separator, ...others] = separatorsOf(responses.join('\n'));
  if ((separator === '/' || separator === '.') && others.length === 0) return separator;
  throw connection.broken(`says no separator that is one of Cyrus': ${readable(responses.join(' | '))}`);
}

async function ok(connection: ImapConnection, command: string): Promise<Bytes[]> {
  const { status, text, untagged } = await connection.command(command);
  if (status !== 'OK') throw connection.broken(`${command}: ${status} ${readable(text)}`);
  return untagged;
}

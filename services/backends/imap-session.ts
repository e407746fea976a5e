// An administrator's session at a Cyrus server: let in as whom, at which server, and one question after another.
import { externalName, internalName } from '../address/external-name.ts';
import type { Separator } from '../address/external-name.ts';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { ImapConnection } from './imap-connection.ts';
import { ImapFailure } from './imap-failure.ts';
import { quoted, separatorsOf } from './imap-response.ts';
import type { Answer, ResponseSource } from './imap-response.ts';
import { addressText } from './registry.ts';
import type { ImapAccess } from './registry.ts';

/** Whether something had to be done, or was so already. */
export type Effect = 'done' | 'already';

export interface SessionOptions {
  /** Milliseconds for connecting and logging in together, and for each question. */
  timeout: number;
  /** Milliseconds for connecting and logging in, where questions take longer. */
  login?: number;
  /** The name the server must not contradict in its greeting, so that no other one answers for it. */
  server?: string;
  /** How its answers are cut into responses; left out: whole, and none that is long. */
  reader?: ResponseSource;
}

export class ImapSession {
  readonly access: ImapAccess;
  readonly options: SessionOptions;
  /** What begins the names of a user's own folders (`INBOX.`, or nothing); undefined where the user has no mailbox. */
  readonly personal: Bytes | undefined;
  readonly #connection: ImapConnection;
  readonly #separator: Separator;
  #capabilities: Promise<readonly string[]> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(connection: ImapConnection, opened: Opened) {
    this.#connection = connection;
    this.access = opened.access;
    this.options = opened.options;
    this.personal = opened.personal;
    this.#separator = opened.separator;
  }

  /**
   * Connects and authenticates; rejects with an ImapFailure, `away`, unless the server is the one meant and takes the user
   * as an administrator. `actAs` is somebody whose part the administrator takes (the authorization identity of RFC 4616);
   * where just that is refused it is `busy`.
   */
  static async connect(access: ImapAccess, options: SessionOptions, actAs?: Bytes): Promise<ImapSession> {
    const address = addressText(access);
    const { server } = options;
    const name = server === undefined ? address : `${server} (${address})`;
    const connection = new ImapConnection(name, access, options.reader);
    try {
      return await connection.within(options.login ?? options.timeout, `the login of ${access.username}`, async () => {
        requireServer(connection, await connection.greeting(), server);
        await logIn(connection, access, actAs);
        if (actAs === undefined) await requireAdministrator(connection, access.username);
        return new ImapSession(connection, { access, options, ...(await namespaceOf(connection)) });
      });
    } catch (error) {
      await connection.end();
      throw error;
    }
  }

  /** Logs out and closes; resolves when the connection is over, however it ended. */
  async close(): Promise<void> {
    // The answer begins with BYE, which breaks the connection: that is the wish here.
    await this.asks('the logout', () => this.command('LOGOUT')).catch(() => undefined);
    await this.#connection.end();
  }

  /** A question of one or more commands, in its turn and within the time. `what` completes "waited for ...". */
  async asks<Result>(what: string, ask: () => Promise<Result>): Promise<Result> {
    const answer = this.#turn.then(() => this.#connection.within(this.options.timeout, what, ask));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  /** One command of a question; `take` gets its untagged responses as they come, in place of the answer. */
  command(line: Bytes, take?: (response: Bytes) => void): Promise<Answer> {
    return this.#connection.command(line, take && { take });
  }

  /** Whether the server still answers, within so many milliseconds; never rejects. One that does not is of no more use. */
  answers(within: number): Promise<boolean> {
    const noop = this.#connection.within(within, 'a sign of life', () => this.command('NOOP'));
    return noop.then(
      ({ status }) => status === 'OK',
      () => false,
    );
  }

  /** Ends it at once; whoever waits for an answer is told why. What the server was told goes on there. */
  abandon(why: string): void {
    this.#connection.broken(why);
  }

  /** Whether the server offers it now that the user is let in. */
  async offers(capability: string): Promise<boolean> {
    this.#capabilities ??= capabilitiesOf(this.#connection);
    return (await this.#capabilities).includes(capability);
  }

  /** The mailbox as the server's administrators call it; throws `refused` where it has no such name. */
  external(name: Bytes): Bytes {
    const external = externalName(name, this.#separator);
    if (external !== undefined) return external;
    throw this.refuses(`no mailbox of this server can be called ${readable(name)}`);
  }

  /** The internal name of what the server lists; undefined for what is no mailbox of the directory, as his own INBOX. */
  internal(external: Bytes): Bytes | undefined {
    return internalName(external, this.#separator);
  }

  /** For what the server need not be asked. */
  refuses(reason: string): ImapFailure {
    return this.#connection.refusal(reason);
  }

  /** For what may be asked again in a moment. */
  busy(reason: string): ImapFailure {
    return this.#connection.refusal(reason, { status: 'NO', text: reason });
  }

  /** For an answer that is not the one hoped for. */
  unclear(command: string, name: Bytes, { untagged, ...last }: Answer): ImapFailure {
    const said = untagged.length === 0 ? '' : `, after ${JSON.stringify(readable(untagged.join(' | ').slice(0, 200)))}`;
    const reason = `${command} of ${readable(name)}: ${last.status} ${readable(last.text)}${said}`;
    return this.#connection.refusal(reason, last);
  }
}

interface Namespace {
  separator: Separator;
  personal: Bytes | undefined;
}

interface Opened extends Namespace {
  access: ImapAccess;
  options: SessionOptions;
}

/** The name a Cyrus server calls itself by in its greeting; with `serverinfo: off` it does not, and is believed. */
function requireServer(connection: ImapConnection, greeting: Bytes, server: string | undefined): void {
  const name = /^(?:\[[^\]]*\] )?(\S+) (?:Cyrus IMAP|server ready)/.exec(greeting)?.[1];
  if (server !== undefined && name !== undefined && name !== server) throw connection.broken(`calls itself ${name}`);
}

/** AUTHENTICATE PLAIN (RFC 4616), or LOGIN where that is not offered. */
async function logIn(
  connection: ImapConnection,
  { username, password }: ImapAccess,
  actAs: Bytes | undefined,
): Promise<void> {
  const plain = (await capabilitiesOf(connection)).includes('AUTH=PLAIN');
  const login = [actAs ?? '', ...[username, password].map((text) => Buffer.from(text, 'utf8').toString('latin1'))];
  const secret = Buffer.from(login.join('\0'), 'latin1').toString('base64');
  // Quoted strings hold no more (RFC 3501 section 9), and a line end inside one would begin another command.
  if (!plain && (actAs !== undefined || !/^[ -~]*$/.test(username + password))) {
    throw connection.broken(`does not offer AUTH=PLAIN, and LOGIN cannot carry the credentials of ${username}`);
  }
  const answer = plain
    ? await connection.command('AUTHENTICATE PLAIN', { secret })
    : await connection.command(`LOGIN ${quoted(username)} ${quoted(password)}`);
  const whom = actAs === undefined ? username : `${username} as ${readable(actAs)}`;
  if (answer.status === 'OK') return;
  const failure = connection.broken(`refused ${whom}: ${readable(answer.text)}`, answer);
  // A clear no about that user: the server is there, and its administrator as well let in as before.
  throw actAs !== undefined && answer.status === 'NO' ? new ImapFailure(failure.message, 'busy', answer) : failure;
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

async function namespaceOf(connection: ImapConnection): Promise<Namespace> {
  const responses = (await ok(connection, 'NAMESPACE')).filter((response) => /^NAMESPACE /i.test(response));
  const [separator, ...others] = separatorsOf(responses.join('\n'));
  if ((separator === '/' || separator === '.') && others.length === 0) {
    return { separator, personal: /^NAMESPACE \(\("((?:[^"\\]|\\["\\])*)"/i.exec(responses[0] ?? '')?.[1] };
  }
  throw connection.broken(`says no separator that is one of Cyrus': ${readable(responses.join(' | '))}`);
}

async function capabilitiesOf(connection: ImapConnection): Promise<string[]> {
  const lines = await ok(connection, 'CAPABILITY');
  return lines.flatMap((line) => (/^CAPABILITY /i.test(line) ? line.toUpperCase().split(' ').slice(1) : []));
}

async function ok(connection: ImapConnection, command: string): Promise<Bytes[]> {
  const { status, text, untagged } = await connection.command(command);
  if (status !== 'OK') throw connection.broken(`${command}: ${status} ${readable(text)}`);
  return untagged;
}

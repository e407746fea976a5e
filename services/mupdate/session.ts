// One MUPDATE connection as a state machine: what came goes in, what to say and what to do comes out. No socket, no clock.
import type { Answer, Write, Writer } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { base64Of, messageFrom, sameSecret } from '../sasl/mechanism.ts';
import type { ServerExchange, ServerStep, Verify } from '../sasl/mechanism.ts';
import { PlainServer } from '../sasl/plain.ts';
import { commandOf, isKnown } from './commands.ts';
import type { Command } from './commands.ts';
import type { Line, Read } from './grammar.ts';
import { answer, bye, goAhead, row } from './responses.ts';

export interface User {
  password: string;
  /** The backend whose mailboxes the user may write; left out: the first that each of his sessions names. */
  server?: Bytes;
  /** `read`: FIND, LIST and UPDATE only, as a frontend needs. */
  access: 'write' | 'read';
  /** May write rows of every server. */
  admin?: boolean;
}

/** What the directory, or the connection, must do before the next command is looked at. */
export type Task =
  | { do: 'login'; username: string }
  /** `say` is to be sent after a pause: a guess shall cost time. */
  | { do: 'login-failed'; reason: string }
  | { do: 'write'; tag: Bytes; write: Write; writer: Writer }
  | { do: 'find'; tag: Bytes; name: Bytes }
  /** `push`: the server whose push begins with this list. */
  | { do: 'list'; tag: Bytes; prefix: Bytes; push: Bytes | undefined }
  | { do: 'update'; tag: Bytes; hosts: readonly Bytes[] }
  /** In a stream: first everything up to now. */
  | { do: 'noop'; tag: Bytes }
  /** `heard`: the server whose push is complete, to be told to the directory before `say`. */
  | { do: 'logout'; heard: Bytes | undefined }
  | { do: 'end'; reason: string };

export interface Step {
  /** To be sent; empty when the task's outcome decides. */
  say: Bytes;
  task?: Task;
}

export type Role = 'unauthenticated' | 'authenticated' | 'push' | 'streaming';

/** What was found absent and is to be activated: Cyrus has one such name at a time. More than this is no push. */
const mostAbsent = 1000;

const away = 'directory unavailable';

export const mechanisms: Readonly<Record<string, (verify: Verify) => ServerExchange>> = {
  PLAIN: (verify) => new PlainServer(verify),
};

interface Push {
  server: Bytes;
  /** Whether the list has been given whole. */
  listed: boolean;
  /** Names found absent and not activated since: a dry run (`ctl_mboxlist -mw`) leaves them so. */
  absent: Set<Bytes>;
  /** A question of this push went unanswered: the directory was away, or too much was left open. */
  broken: boolean;
}

/**
 * States: unauthenticated; in an exchange of AUTHENTICATE, when lines are SASL messages; authenticated, which may become
 * a push; streaming, after UPDATE. One task at a time: the next line is taken when the last task's outcome is told.
 */
export class Session {
  readonly id: string;
  readonly #users: ReadonlyMap<string, User>;
  #exchange: { tag: Bytes; steps: ServerExchange } | undefined;
  #user: User | undefined;
  #server: Bytes | undefined;
  #push: Push | undefined;
  /** Set by any `LIST "S!"`: from then on FIND shows no rows (see `found`). */
  #comparing = false;
  #streaming = false;

  constructor(id: string, users: ReadonlyMap<string, User>) {
    this.id = id;
    this.#users = users;
  }

  /** Whether the next line is a SASL message and no command. */
  get inExchange(): boolean {
    return this.#exchange !== undefined;
  }

  get role(): Role {
    if (!this.#user) return 'unauthenticated';
    if (this.#streaming) return 'streaming';
    return this.#push ? 'push' : 'authenticated';
  }

  take(read: Read): Step {
    switch (read.kind) {
      case 'line':
        return this.#line(read);
      case 'bad':
        return { say: answer(read.tag, 'BAD', read.text) };
      case 'go-ahead':
        return { say: goAhead };
      case 'end':
        return { say: this.#streaming ? '' : bye(read.text), task: { do: 'end', reason: read.text } };
    }
  }

  /** A line of an exchange: base64, or `*` to cancel (RFC 3656 section 4.2). */
  respond(line: Bytes): Step {
    const { tag, steps } = this.#exchange ?? {};
    this.#exchange = undefined;
    if (tag === undefined || steps === undefined) return { say: '' };
    if (line === '*') return { say: answer(tag, 'NO', 'Client canceled authentication') };
    const message = messageFrom(line);
    return this.#exchanged(tag, steps, message === undefined ? notBase64 : steps.respond(message));
  }

  /** The reply to a write; `outcome` is undefined when the directory could not be asked. */
  written({ tag, write }: { tag: Bytes; write: Write }, outcome: Answer | undefined): Bytes {
    if (!outcome) return this.#unanswered(tag);
    if (write.verb === 'ACTIVATE') this.#push?.absent.delete(write.name);
    return answer(tag, outcome.ok ? 'OK' : 'NO', outcome.text);
  }

  /**
   * The reply to a FIND. A backend that compares its mailboxes with ours (`ctl_mboxlist -m`, from its `LIST "S!"` on)
   * removes each that a FIND shows elsewhere, so none is shown; it then activates it, and the directory decides.
   */
  found({ tag, name }: { tag: Bytes; name: Bytes }, entry: Entry | undefined): Bytes {
    const visible = entry && entry.state !== 'tombstone' ? entry : undefined;
    if (visible && this.#comparing) return answer(tag, 'NO', 'mailbox exists; not shown after a LIST of one server');
    if (!visible) this.#foundAbsent(name);
    return (visible ? row(tag, visible) : '') + answer(tag, 'OK', 'Search completed');
  }

  listed({ tag, push }: { tag: Bytes; push: Bytes | undefined }): Bytes {
    if (this.#push && push !== undefined) this.#push.listed = true;
    return answer(tag, 'OK', 'list complete');
  }

  /** The reply to a FIND or LIST for which the directory could not be asked: never absence. */
  unread({ tag }: { tag: Bytes }): Bytes {
    return this.#unanswered(tag);
  }

  #unanswered(tag: Bytes): Bytes {
    if (this.#push) this.#push.broken = true;
    return answer(tag, 'NO', away);
  }

  #foundAbsent(name: Bytes): void {
    if (!this.#push) return;
    if (this.#push.absent.size < mostAbsent) this.#push.absent.add(name);
    else this.#push.broken = true;
  }

  #line(line: Line): Step {
    const verb = line.verb.toUpperCase();
    if (!this.#user && isKnown(line) && verb !== 'AUTHENTICATE' && verb !== 'LOGOUT') {
      return { say: answer(line.tag, 'BAD', 'Please login first') };
    }
    const command = commandOf(line);
    if (this.#streaming && !['NOOP', 'LOGOUT', 'AUTHENTICATE', 'BAD'].includes(command.verb)) {
      return { say: answer(line.tag, 'BAD', 'not legal when streaming') };
    }
    return this.#command(line.tag, command);
  }

  #command(tag: Bytes, command: Command): Step {
    switch (command.verb) {
      case 'BAD':
        return { say: answer(tag, 'BAD', command.text) };
      case 'AUTHENTICATE':
        return this.#authenticate(tag, command);
      case 'WRITE':
        return this.#write(tag, command.write);
      case 'FIND':
        return { say: '', task: { do: 'find', tag, name: command.name } };
      case 'LIST':
        return { say: '', task: { do: 'list', tag, prefix: command.prefix, push: this.#comparison(command.prefix) } };
      case 'UPDATE':
        this.#streaming = true;
        return { say: '', task: { do: 'update', tag, hosts: command.hosts } };
      case 'NOOP':
        return { say: answer(tag, 'OK', 'Noop done'), task: { do: 'noop', tag } };
      case 'LOGOUT':
        return { say: answer(tag, 'OK', 'bye-bye'), task: { do: 'logout', heard: this.#pushed() } };
    }
  }

  #authenticate(tag: Bytes, { mechanism, initial }: Command & { verb: 'AUTHENTICATE' }): Step {
    if (this.#user) return { say: answer(tag, 'BAD', 'already authenticated') };
    const name = mechanism.toUpperCase();
    const steps = Object.hasOwn(mechanisms, name) ? mechanisms[name]?.(this.#verify) : undefined;
    if (!steps) return { say: answer(tag, 'NO', `no such mechanism; there is ${Object.keys(mechanisms).join(', ')}`) };
    const message = initial === undefined ? undefined : messageFrom(initial);
    const malformed = initial !== undefined && message === undefined;
    return this.#exchanged(tag, steps, malformed ? notBase64 : steps.begin(message));
  }

  #exchanged(tag: Bytes, steps: ServerExchange, step: ServerStep): Step {
    switch (step.kind) {
      case 'challenge':
        this.#exchange = { tag, steps };
        return { say: `${base64Of(step.message)}\r\n` };
      case 'failure':
        return { say: answer(tag, 'NO', 'authentication failed'), task: { do: 'login-failed', reason: step.reason } };
      case 'success':
        this.#user = this.#users.get(step.username);
        this.#server = this.#user?.server;
        return { say: answer(tag, 'OK', 'Authenticated'), task: { do: 'login', username: step.username } };
    }
  }

  readonly #verify: Verify = (username, password) => {
    const user = this.#users.get(username);
    const same = sameSecret(password, user?.password ?? '');
    return user !== undefined && same;
  };

  #write(tag: Bytes, write: Write): Step {
    if (this.#user?.access !== 'write') return { say: answer(tag, 'NO', 'no write access') };
    if (write.verb !== 'DELETE') this.#server ??= serverOf(write.location);
    return { say: '', task: { do: 'write', tag, write, writer: this.#writer() } };
  }

  /** A push never acts as an admin: what it has may be a stale copy. */
  #writer(): Writer {
    const push = this.#push !== undefined;
    const admin = this.#user?.admin === true && !push;
    return { session: this.id, admin, push, ...(this.#server === undefined ? {} : { server: this.#server }) };
  }

  /** Notes that a LIST is the beginning of a comparison, and gives the server if it is its push. */
  #comparison(prefix: Bytes): Bytes | undefined {
    if (!/^[^!]+!$/s.test(prefix)) return undefined;
    this.#comparing = true;
    const server = serverOf(prefix);
    if (this.#user?.access !== 'write') return undefined;
    this.#server ??= server;
    if (this.#server !== server) return undefined;
    this.#push ??= { server, listed: false, absent: new Set(), broken: false };
    return server;
  }

  /** The server whose push is complete: all that it has and we had not, it has activated. */
  #pushed(): Bytes | undefined {
    const push = this.#push;
    return push?.listed && !push.broken && push.absent.size === 0 ? push.server : undefined;
  }
}

const notBase64: ServerStep = { kind: 'failure', reason: 'not base64' };

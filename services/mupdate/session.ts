// One MUPDATE connection as a state machine: what came goes in, what to say and what to do comes out. No socket, no clock.
import type { Answer, Write, Writer } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import type { Finding } from '../directory/freshness.ts';
import { base64Of, messageFrom, sameSecret } from '../sasl/mechanism.ts';
import type { ServerExchange, ServerStep, Verify } from '../sasl/mechanism.ts';
import { PlainServer } from '../sasl/plain.ts';
import { activeInstead, serverAtLogin } from './binding.ts';
import type { HostTable, Speaker, User } from './binding.ts';
import { commandOf, isKnown, isUpdate } from './commands.ts';
import type { Command } from './commands.ts';
import type { Line, Read } from './grammar.ts';
import { answer, bye, goAhead, row } from './responses.ts';
import type { Step } from './step.ts';

/** Who may come, and from where. */
export interface Company {
  users: ReadonlyMap<string, User>;
  hosts: HostTable;
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
  readonly #company: Company;
  /** Undefined at a Unix socket. */
  readonly #address: string | undefined;
  #exchange: { tag: Bytes; steps: ServerExchange } | undefined;
  #user: User | undefined;
  #username = '';
  #server: Bytes | undefined;
  /** The host in charge of `#server`, where this session's is another: it is told nothing and may write nothing. */
  #active: string | undefined;
  #passiveTold = false;
  #push: Push | undefined;
  /** Set by any `LIST "S!"`: from then on FIND shows no rows (see `found`). */
  #comparing = false;
  #streaming = false;

  constructor(id: string, company: Company, address: string | undefined) {
    this.id = id;
    this.#company = company;
    this.#address = address;
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
        return bad(read.tag, read.verb, read.text);
      case 'go-ahead':
        return { say: goAhead };
      case 'end': {
        const mute = this.#streaming || isUpdate(read.verb);
        return { say: mute ? '' : bye(read.text), task: { do: 'end', reason: read.text } };
      }
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
    if (this.#push && outcome.undone === true) this.#push.broken = true;
    return answer(tag, outcome.ok ? 'OK' : 'NO', outcome.text);
  }

  /**
   * The reply to a FIND: a row, or an OK without one, but for an absence that is not proven. A backend that compares its mailboxes with ours (`ctl_mboxlist -m`, from its `LIST "S!"` on)
   * removes each that a FIND shows elsewhere, so none is shown; it then activates it, and the directory decides.
   */
  found({ tag, name }: { tag: Bytes; name: Bytes }, entry: Entry | undefined, found: Finding): Bytes {
    const visible = entry && entry.state !== 'tombstone' ? entry : undefined;
    if (visible && this.#comparing) return answer(tag, 'NO', 'mailbox exists; not shown after a LIST of one server');
    if (!visible) this.#foundAbsent(name);
    const unproven = !found.found && !found.proven && !this.#comparing;
    if (unproven) return answer(tag, 'NO', `not found, but there may be one: ${found.reason}`);
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
      return refused(line, 'Please login first');
    }
    const command = commandOf(line);
    if (command.verb === 'BAD') return refused(line, command.text);
    if (this.#streaming && !['NOOP', 'LOGOUT', 'AUTHENTICATE'].includes(command.verb)) {
      return refused(line, 'not legal when streaming');
    }
    return this.#command(line.tag, command);
  }

  #command(tag: Bytes, command: Exclude<Command, { verb: 'BAD' }>): Step {
    switch (command.verb) {
      case 'AUTHENTICATE':
        return this.#authenticate(tag, command);
      case 'WRITE':
        return this.#write(tag, command.write);
      case 'FIND':
        if (this.#active !== undefined) return this.#passive(this.#passiveNo(tag));
        return { say: '', task: { do: 'find', tag, name: command.name } };
      case 'LIST':
        return this.#list(tag, command.prefix);
      case 'UPDATE':
        if (this.#active !== undefined) return hangUp(this.#passiveText);
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
        this.#user = this.#company.users.get(step.username);
        this.#username = step.username;
        if (this.#speaker) this.#speakFor(serverAtLogin(this.#speaker, this.#company.hosts));
        return { say: answer(tag, 'OK', 'Authenticated'), task: { do: 'login', username: step.username } };
    }
  }

  readonly #verify: Verify = (username, password) => {
    const user = this.#company.users.get(username);
    const same = sameSecret(password, user?.password ?? '');
    return user !== undefined && same;
  };

  get #speaker(): Speaker | undefined {
    return this.#user && { user: this.#user, address: this.#address };
  }

  #speakFor(server: Bytes | undefined): void {
    this.#server = server;
    this.#active = server && this.#speaker && activeInstead(this.#speaker, server, this.#company.hosts);
  }

  /** The one place where an unbound session gets its server, which it names; the answer is that server, but of an admin. */
  #named(server: Bytes): { bound?: Bytes } {
    if (this.#server !== undefined) return {};
    this.#speakFor(server);
    return this.#active !== undefined || this.#user?.admin === true ? {} : { bound: server };
  }

  #write(tag: Bytes, write: Write): Step {
    if (this.#user?.access !== 'write') return { say: answer(tag, 'NO', 'no write access') };
    const bound = write.verb === 'DELETE' ? {} : this.#named(serverOf(write.location));
    if (this.#active !== undefined) return this.#passive(this.#passiveNo(tag));
    return { say: '', ...bound, task: { do: 'write', tag, write, writer: this.#writer() } };
  }

  /** `LIST "S!"` by who may write for S begins a push; of whatever server, it begins a comparison. */
  #list(tag: Bytes, prefix: Bytes): Step {
    const server = /^[^!]+!$/s.test(prefix) ? serverOf(prefix) : undefined;
    if (server !== undefined) this.#comparing = true;
    const bound = server !== undefined && this.#user?.access === 'write' ? this.#named(server) : {};
    // With nothing listed there is nothing that a twin could delete for lack of it.
    if (this.#active !== undefined) return this.#passive(answer(tag, 'OK', 'list complete'));
    const push = this.#user?.access === 'write' && server === this.#server ? server : undefined;
    if (push !== undefined) this.#push ??= { server: push, listed: false, absent: new Set(), broken: false };
    return { say: '', ...bound, task: { do: 'list', tag, prefix, push } };
  }

  /** What is said to a host that is not the active one; the first time, its connection hears why. */
  #passive(say: Bytes): Step {
    if (this.#passiveTold || this.#server === undefined || this.#active === undefined) return { say };
    this.#passiveTold = true;
    return { say, task: { do: 'passive', server: this.#server, active: this.#active } };
  }

  get #passiveText(): string {
    return `passive host of ${this.#server ?? ''}; active is ${this.#active ?? ''}`;
  }

  #passiveNo(tag: Bytes): Bytes {
    return answer(tag, 'NO', this.#passiveText);
  }

  /** A push never acts as an admin: what it has may be a stale copy. */
  #writer(): Writer {
    const push = this.#push !== undefined;
    const admin = this.#user?.admin === true && !push;
    const server = this.#server === undefined ? {} : { server: this.#server };
    return { session: this.id, by: this.#username, admin, push, ...server };
  }

  /** The server whose push is complete: all that it has and we had not, it has activated. */
  #pushed(): Bytes | undefined {
    const push = this.#push;
    return push?.listed && !push.broken && push.absent.size === 0 ? push.server : undefined;
  }
}

const notBase64: ServerStep = { kind: 'failure', reason: 'not base64' };

function hangUp(reason: string): Step {
  return { say: '', task: { do: 'hang-up', reason } };
}

function refused({ tag, verb }: Line, text: string): Step {
  return bad(tag, verb, text);
}

/** A client that hears BAD to a step of its RENAME takes it for a refusal, and takes back what it has deleted. */
function bad(tag: Bytes, verb: Bytes, text: Bytes): Step {
  if (isUpdate(verb)) return hangUp(text);
  const isStep = /^(RESERVE|ACTIVATE)$/i.test(verb);
  return { say: answer(tag, 'BAD', text), ...(isStep && { refused: true as const }) };
}

// One client of the MUPDATE server, from its greeting to its end: commands one after another, each answered before the next.
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Write, Writer } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import { finding } from '../directory/freshness.ts';
import { isUpdate } from './commands.ts';
import { LineReader } from './grammar.ts';
import { Leavings } from './leavings.ts';
import { countPush } from './push.ts';
import { answer, bye, greeting, row } from './responses.ts';
import { sendRows } from './rows.ts';
import { mechanisms, Session } from './session.ts';
import type { Caller, Service } from './service.ts';
import type { Role } from './session.ts';
import { limitsBeforeLogin, limitsOf } from './settings.ts';
import type { Step, Task } from './step.ts';
import type { Stream } from './stream.ts';
import { startUpdate } from './update.ts';
import type { Wire } from './wire.ts';

export class Connection {
  readonly #service: Service;
  readonly #wire: Wire;
  readonly #session: Session;
  readonly #reader = new LineReader(limitsBeforeLogin);
  readonly #peer: { session: string; peer: string; user?: string };
  readonly #loggedIn: () => void;
  #timer: NodeJS.Timeout;
  #stream: Stream | undefined;
  /** The epoch in which a push began: lost data in between would make its end worth nothing. */
  #epoch: number | undefined;
  /** When it did, in milliseconds since 1970. */
  #pushed = 0;
  readonly #leavings: Leavings;
  #busy = false;
  #stopping = false;
  /** No further command is looked at. */
  #over = false;

  constructor(service: Service, wire: Wire, caller: Caller, loggedIn: () => void) {
    this.#service = service;
    this.#wire = wire;
    this.#session = new Session(caller.id, service, caller.address);
    this.#peer = { session: caller.id, peer: caller.peer };
    this.#leavings = new Leavings(service, this.#peer);
    this.#loggedIn = loggedIn;
    this.#timer = setTimeout(() => {
      this.end('not logged in for too long');
    }, service.settings.login_timeout);
  }

  get id(): string {
    return this.#session.id;
  }

  get role(): Role {
    return this.#session.role;
  }

  /** Resolves when the connection is over; never rejects. */
  async run(): Promise<void> {
    const { servername, settings, log } = this.#service;
    log.debug(this.#peer, 'mupdate: connected');
    this.#wire.write(greeting({ servername, version: settings.version, mechanisms: Object.keys(mechanisms) }));
    try {
      await this.#converse();
    } catch (error) {
      log.error({ ...this.#peer, err: error }, 'mupdate: connection ended by a fault of ours');
    } finally {
      this.#over = true;
      clearTimeout(this.#timer);
      this.#stream?.close();
      await this.#leavings.settle('cut');
      this.#wire.close();
      log.debug(this.#peer, 'mupdate: connection over');
    }
  }

  /** Ends the connection unasked. */
  end(reason: string): void {
    this.#service.log.warn({ ...this.#peer, role: this.role }, `mupdate: connection ended: ${reason}`);
    this.#cut(reason);
  }

  /** Lets the command at hand be answered, and ends. */
  stop(): void {
    this.#stopping = true;
    if (!this.#busy) this.#cut('server is shutting down');
  }

  destroy(): void {
    this.#over = true;
    // The question at hand may never be answered: then nothing else clears it, and it would keep the process alive.
    clearTimeout(this.#timer);
    this.#wire.destroy();
  }

  /**
   * No BYE where UPDATE was asked for, and none once the client has logged in, when its UPDATE may be on its way: a slave
   * would take it for the end of the list (see `isUpdate`).
   */
  #cut(reason: string): void {
    this.#over = true;
    if (this.role === 'unauthenticated' && !isUpdate(this.#reader.verb)) this.#wire.write(bye(reason));
    this.#wire.close();
  }

  async #converse(): Promise<void> {
    for (let bytes = await this.#wire.read(); bytes !== undefined; bytes = await this.#wire.read()) {
      this.#reader.push(bytes);
      this.#busy = true;
      while (!this.#over && (await this.#one())) if (this.#stopping) this.#cut('server is shutting down');
      this.#busy = false;
    }
  }

  /** Reads and answers one command; false when none is there. */
  async #one(): Promise<boolean> {
    const step = this.#next();
    if (!step) return false;
    const refusal = step.bound && (await this.#leavings.bind(step.bound));
    if (refusal !== undefined && step.task && 'tag' in step.task) {
      // Its own deletions, too, were steps of what it now takes back.
      await this.#leavings.settle('refused');
      this.#wire.write(answer(step.task.tag, 'NO', refusal));
    } else if (step.task) await this.#perform(step.task, step.say);
    else {
      if (step.refused) await this.#leavings.settle('refused');
      this.#wire.write(step.say);
    }
    // A client that asks without reading is not read from either. When it is gone, what it has sent is still executed.
    await this.#wire.room();
    return true;
  }

  #next(): Step | undefined {
    if (this.#session.inExchange) {
      const raw = this.#reader.rawLine();
      if (raw?.kind !== 'raw') return raw && this.#session.take(raw);
      return this.#session.respond(raw.bytes);
    }
    const read = this.#reader.next();
    // Only a whole command shows that a client is there; bytes that never become one do not.
    if (read?.kind === 'line' && this.role !== 'unauthenticated') this.#timer.refresh();
    return read && this.#session.take(read);
  }

  async #perform(task: Task, say: Bytes): Promise<void> {
    switch (task.do) {
      case 'login':
        this.#login(task.username);
        break;
      case 'login-failed':
        this.#service.log.warn({ ...this.#peer, reason: task.reason }, 'mupdate: authentication failed');
        await pause(this.#service.settings.failedloginpause, undefined, { ref: false });
        break;
      case 'noop':
        await this.#barrier();
        break;
      case 'logout':
        await this.#leavings.settle('logout');
        if (task.heard === undefined) break;
        await this.#asked(
          countPush(this.#service, { peer: this.#peer, server: task.heard, epoch: this.#epoch, begun: this.#pushed }),
        );
        break;
      case 'end':
        this.#service.log.warn({ ...this.#peer, reason: task.reason }, 'mupdate: unreadable input');
        break;
      case 'hang-up':
        this.#service.log.warn({ ...this.#peer, reason: task.reason }, 'mupdate: UPDATE closed without a line');
        break;
      case 'passive':
        await this.#passive(task);
        break;
      case 'write':
      case 'find':
      case 'list':
      case 'update':
        await this.#ask(task);
    }
    this.#wire.write(say);
    if (task.do === 'logout' || task.do === 'end' || task.do === 'hang-up') {
      this.#over = true;
      this.#wire.close();
    }
  }

  async #ask(task: Task & { do: 'write' | 'find' | 'list' | 'update' }): Promise<void> {
    switch (task.do) {
      case 'write':
        this.#wire.write(this.#session.written(task, await this.#asked(this.#write(task))));
        return;
      case 'find':
        this.#wire.write(await this.#find(task));
        return;
      case 'list':
        await this.#list(task);
        return;
      case 'update':
        await this.#update(task);
    }
  }

  async #find(task: Task & { do: 'find' }): Promise<Bytes> {
    const { directory, witnesses } = this.#service;
    const names = [task.name];
    const asked = Date.now();
    const lookup = await this.#asked(directory.lookup(names));
    if (!lookup) return this.#session.unread(task);
    const found = finding({ names, lookup, witnesses, asked, now: Date.now(), autocreate: false });
    return this.#session.found(task, lookup.entries[0], found);
  }

  /** What the directory answered; undefined, and a log line, when it could not be asked. */
  async #asked<T>(question: Promise<T>): Promise<T | undefined> {
    try {
      return await question;
    } catch (error) {
      this.#service.log.warn({ ...this.#peer, err: error }, 'mupdate: directory unavailable');
      return undefined;
    }
  }

  #login(username: string): void {
    const { settings, log } = this.#service;
    this.#peer.user = username;
    this.#reader.limits = limitsOf(settings);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#idle(), settings.idle_timeout);
    this.#loggedIn();
    log.debug(this.#peer, 'mupdate: authenticated');
  }

  /** Whoever waits for an answer, or for the end of what he hands over, is not idle. */
  async #idle(): Promise<void> {
    const isAtWork = this.#busy || (await this.#leavings.isHanding());
    if (this.#over) return;
    if (isAtWork) this.#timer.refresh();
    else this.end('idle for too long');
  }

  async #passive({ server, active }: { server: Bytes; active: string }): Promise<void> {
    this.#service.log.info({ ...this.#peer, server, active }, 'mupdate: passive host');
    // Before it named its server it may have deleted, as the first step of a RENAME that now goes no further.
    await this.#leavings.settle('refused');
  }

  async #write({ write, writer }: { write: Write; writer: Writer }): Promise<Answer> {
    const outcome = await this.#service.directory.write(write, writer).catch((error: unknown) => {
      this.#leavings.wrote(undefined);
      throw error;
    });
    this.#leavings.wrote(outcome, write);
    const { verb, name, location } = write;
    const fields = { ...this.#peer, verb, name, location, push: writer.push, answer: outcome.text };
    if (outcome.ok) this.#service.log.debug(fields, 'mupdate: write');
    else this.#service.log.info(fields, 'mupdate: write refused');
    if (outcome.ring !== undefined) this.#service.onRing?.({ reason: outcome.ring, name });
    return outcome;
  }

  async #list(task: Task & { do: 'list' }): Promise<void> {
    const { directory, log } = this.#service;
    if (task.push !== undefined) {
      this.#pushed = Date.now();
      this.#epoch = (await this.#asked(directory.standing()))?.epoch;
      log.info({ ...this.#peer, server: task.push }, 'mupdate: push begun');
    }
    const entries = await this.#asked(directory.list(task.prefix));
    const visible = entries?.filter((entry) => entry.state !== 'tombstone') ?? [];
    await sendRows(this.#wire, visible, (entry) => row(task.tag, entry));
    this.#wire.write(entries ? this.#session.listed(task) : this.#session.unread(task));
  }

  async #update({ tag, hosts }: Task & { do: 'update' }): Promise<void> {
    const { log } = this.#service;
    const lost = (reason: string): void => {
      log.warn({ ...this.#peer, reason }, 'mupdate: stream closed: change log lost');
      this.destroy();
    };
    const begun = await this.#asked(startUpdate(this.#service, this.#wire, { tag, hosts, lost }));
    if (!begun) {
      log.warn(this.#peer, 'mupdate: UPDATE closed: directory not trusted or unavailable');
      this.destroy();
      return;
    }
    this.#stream = begun.stream;
    if (begun.stream) log.info({ ...this.#peer, rows: begun.rows, hosts }, 'mupdate: streaming');
  }

  async #barrier(): Promise<void> {
    if (!this.#stream) return;
    const passed = await this.#asked(this.#stream.barrier().then(() => true));
    // An OK would claim what nobody knows.
    if (!passed) this.destroy();
  }
}

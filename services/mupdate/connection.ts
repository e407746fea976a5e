// One client of the MUPDATE server, from its greeting to its end: commands one after another, each answered before the next.
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Change, Ending, Settlement, Write, Writer } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { LineReader } from './grammar.ts';
import { answer, bye, changed, greeting, row } from './responses.ts';
import { mechanisms, Session } from './session.ts';
import type { Service } from './service.ts';
import type { Role, Step, Task } from './session.ts';
import { limitsBeforeLogin, limitsOf } from './settings.ts';
import { Stream } from './stream.ts';
import type { Wire } from './wire.ts';

/** Rows are made into text and sent so many at a time. */
const rowsAtOnce = 256;

const nothing: Settlement = { restored: [], rung: [] };

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
  /** Whether the directory must be told of the session's end: rows wait for it. */
  #pending = false;
  /** A write was left without an answer, which the client takes for a refusal, and may yet be carried out. */
  #unanswered = false;
  #busy = false;
  #stopping = false;
  /** No further command is looked at. */
  #over = false;

  constructor(service: Service, wire: Wire, session: { id: string; peer: string }, loggedIn: () => void) {
    this.#service = service;
    this.#wire = wire;
    this.#session = new Session(session.id, service.users);
    this.#peer = { session: session.id, peer: session.peer };
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
      clearTimeout(this.#timer);
      this.#stream?.close();
      await this.#settle('cut');
      this.#wire.close();
      log.debug(this.#peer, 'mupdate: connection over');
    }
  }

  /** Ends the connection; a stream without a line, for a frontend takes a BYE for the end of the list. */
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
    this.#wire.destroy();
  }

  #cut(reason: string): void {
    this.#over = true;
    if (this.role !== 'streaming') this.#wire.write(bye(reason));
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
    if (step.task) await this.#perform(step.task, step.say);
    else this.#wire.write(step.say);
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
        await this.#settle('logout');
        if (task.heard !== undefined) await this.#heard(task.heard);
        break;
      case 'end':
        this.#service.log.warn({ ...this.#peer, reason: task.reason }, 'mupdate: unreadable input');
        break;
      case 'write':
      case 'find':
      case 'list':
      case 'update':
        await this.#ask(task);
    }
    this.#wire.write(say);
    if (task.do === 'logout' || task.do === 'end') {
      this.#over = true;
      this.#wire.close();
    }
  }

  async #ask(task: Task & { do: 'write' | 'find' | 'list' | 'update' }): Promise<void> {
    const { directory } = this.#service;
    switch (task.do) {
      case 'write':
        this.#wire.write(this.#session.written(task, await this.#asked(this.#write(task))));
        return;
      case 'find': {
        const lookup = await this.#asked(directory.lookup([task.name]));
        this.#wire.write(lookup ? this.#session.found(task, lookup.entries[0]) : this.#session.unread(task));
        return;
      }
      case 'list':
        await this.#list(task);
        return;
      case 'update':
        await this.#update(task);
    }
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
    this.#timer = setTimeout(() => {
      // Whoever waits for an answer is not idle.
      if (this.#busy) this.#timer.refresh();
      else this.end('idle for too long');
    }, settings.idle_timeout);
    this.#loggedIn();
    log.debug(this.#peer, 'mupdate: authenticated');
  }

  async #write({ write, writer }: { write: Write; writer: Writer }): Promise<Answer> {
    const outcome = await this.#service.directory.write(write, writer).catch((error: unknown) => {
      this.#pending = this.#unanswered = true;
      throw error;
    });
    this.#pending ||= outcome.pending;
    const { verb, name, location } = write;
    const fields = { ...this.#peer, verb, name, location, push: writer.push, answer: outcome.text };
    if (outcome.ok) this.#service.log.debug(fields, 'mupdate: write');
    else this.#service.log.info(fields, 'mupdate: write refused');
    if (outcome.ring !== undefined) this.#service.onRing?.({ reason: outcome.ring, name });
    return outcome;
  }

  /** Tells the directory of the session's end, once; if it is away, its next sweep finds the session gone. */
  async #settle(how: Ending): Promise<void> {
    if (!this.#pending) return;
    this.#pending = false;
    const { directory, log } = this.#service;
    const { restored, rung } = (await this.#asked(directory.end(this.id, this.#unanswered ? 'cut' : how))) ?? nothing;
    for (const name of rung) this.#service.onRing?.({ reason: `its session has ended: ${how}`, name });
    if (restored.length > 0) log.warn({ ...this.#peer, mailboxes: restored }, 'mupdate: cut; deletions are put back');
  }

  async #list(task: Task & { do: 'list' }): Promise<void> {
    const { directory, log } = this.#service;
    if (task.push !== undefined) {
      this.#pushed = Date.now();
      this.#epoch = (await this.#asked(directory.standing()))?.epoch;
      log.info({ ...this.#peer, server: task.push }, 'mupdate: push begun');
    }
    const entries = await this.#asked(directory.list(task.prefix));
    if (entries)
      await this.#rows(
        entries.filter((entry) => entry.state !== 'tombstone'),
        (entry) => row(task.tag, entry),
      );
    this.#wire.write(entries ? this.#session.listed(task) : this.#session.unread(task));
  }

  async #heard(server: Bytes): Promise<void> {
    const { directory, log } = this.#service;
    const standing = await this.#asked(directory.standing());
    // Epoch 0 is none: nothing could be noted of it.
    if (!standing || standing.epoch < 1 || standing.epoch !== this.#epoch) {
      log.warn({ ...this.#peer, server }, 'mupdate: push not counted: data were lost meanwhile');
      return;
    }
    await this.#asked(directory.heard(server, this.#service.required, this.#pushed));
    log.info({ ...this.#peer, server }, 'mupdate: push complete');
  }

  /** RFC 3656 section 4.11: all rows, OK, then what changes. Closed without a line when it cannot be answered truly. */
  async #update({ tag, hosts }: Task & { do: 'update' }): Promise<void> {
    const { directory, trusted, log } = this.#service;
    const truth = await this.#asked(trusted().then((all) => (all ? directory.snapshot() : undefined)));
    if (!truth) {
      log.warn(this.#peer, 'mupdate: UPDATE closed: directory not trusted or unavailable');
      this.destroy();
      return;
    }
    const wanted = (location: Bytes) => hosts.length === 0 || hosts.includes(serverOf(location));
    const entries = truth.entries.filter((entry) => wanted(entry.location));
    await this.#rows(entries, (entry) => row(tag, entry));
    this.#wire.write(answer(tag, 'OK', 'streaming starts'));
    // Once more as changes: Cyrus' frontend, merging the list into its own, loses names with bytes below `.`.
    await this.#rows(entries, (entry) => row(tag, entry));
    if (!(await this.#wire.room())) return;
    const line = (change: Change) => (wanted(change.location) || wanted(change.from) ? changed(tag, change) : '');
    const lost = (reason: string): void => {
      log.warn({ ...this.#peer, reason }, 'mupdate: stream closed: change log lost');
      this.destroy();
    };
    this.#stream = new Stream({ directory, from: truth.at, wire: this.#wire, line, lost });
    log.info({ ...this.#peer, rows: entries.length, hosts }, 'mupdate: streaming');
  }

  async #barrier(): Promise<void> {
    if (!this.#stream) return;
    const passed = await this.#asked(this.#stream.barrier().then(() => true));
    // An OK would claim what nobody knows.
    if (!passed) this.destroy();
  }

  /** Sends rows in pieces, as the client reads them. */
  async #rows(entries: readonly Entry[], text: (entry: Entry) => Bytes): Promise<void> {
    for (let at = 0; at < entries.length && (await this.#wire.room()); at += rowsAtOnce) {
      this.#wire.write(
        entries
          .slice(at, at + rowsAtOnce)
          .map(text)
          .join(''),
      );
    }
  }
}

// Two servers that move mailboxes as Cyrus does, step by step, in memory, with mail that arrives meanwhile; each step can be
// struck by a fault: a server, its process, the directory or the worker dies, falls silent or stands still.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from '../../services/backends/registry.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Directory, Writer } from '../../services/directory/directory.ts';
import { partitionOf, serverOf } from '../../services/directory/entry.ts';
import { afterLook } from '../../services/moves/audit.ts';
import type { KeptFinding } from '../../services/moves/audit.ts';
import type { CutAnswer, MoveDriver } from '../../services/moves/driver.ts';
import type { MessageFacts } from '../../services/backends/tree-facts.ts';
import type { Manifest } from '../../services/moves/manifest.ts';
import type { ManifestHead } from '../../services/moves/manifest-store.ts';
import type { Move } from '../../services/moves/move.ts';
import type { Kept } from '../../services/moves/move-store.ts';
import type { MovesOptions } from '../../workers/move-work.ts';

export class Killed extends Error {}
class Dead extends Error {}
class Trouble extends Error {
  readonly kind: string;
  constructor(kind: string, why: string) {
    super(why);
    this.kind = kind;
  }
}

type Act = <T>(what: () => T | Promise<T>) => Promise<T>;

/** What a server does for a move: it goes on in a session of its own. */
interface Cut {
  dead: boolean;
  session: string;
  at: Server;
}

interface Hand {
  from: Server;
  to: Server;
  writer: Writer;
  step: () => Promise<void>;
}

interface Mailbox {
  uniqueId: string;
  moving: boolean;
  partition: string;
  messages: Map<string, MessageFacts>;
}

export interface Server {
  name: string;
  up: boolean;
  /** Nobody of ours reaches it; the servers reach each other. */
  silent: boolean;
  mailboxes: Map<string, Mailbox>;
}

export const faults = [
  'source dies',
  'destination dies',
  'imapd of the source dies',
  'directory is away',
  'worker dies',
  'worker dies, and what it has begun takes long',
  'worker stands still',
  'source is silent',
  'destination is silent',
  'cancelled',
] as const;
export type Fault = (typeof faults)[number];

export const root = 'user.ann';
/** In milliseconds. */
const week = 604_800_000;
/** How long a driver has a copy known by itself. */
const whileMade = 1_000;
const all = [root, 'user.ann.Sent', 'user.ann.Work'];

interface WorldOptions {
  mupdate: boolean;
  /** Where it is to lie at its destination; empty: on the partition of the same name. */
  partition: string;
  strike?: { at: number; fault: Fault } | undefined;
}

/** What a worker has done last, and seen: he may cut only right after his lease was confirmed, and beside nobody. */
interface Doing {
  last: string;
  sawRunning: boolean;
}

export class World {
  now = 1_000_000;
  readonly truth: MemoryDirectory;
  readonly source: Server = { name: 'mail1', up: true, silent: false, mailboxes: new Map() };
  readonly destination: Server = { name: 'mail2', up: true, silent: false, mailboxes: new Map() };
  /** Messages that were acknowledged, and not expunged by their owner since. */
  readonly acknowledged = new Map<string, string>();
  readonly #options: WorldOptions;
  /** Whatever was done, counted. */
  points = 0;
  away = false;
  text: string | undefined;
  kept: { head: ManifestHead; manifest: Manifest } | undefined;
  findings: KeptFinding[] = [];
  readonly #cuts = new Set<Cut>();
  /** What went wrong in a cut that nobody waits for any more. */
  #unseen: Error | undefined;
  /** Sessions that broke while the directory was away. */
  readonly #broken: string[] = [];
  #sessions = 0;
  #mail = 0;
  #modseq = 1;
  #worker = 0;
  readonly #lives = new Map<number, AbortController>();

  constructor(options: Partial<WorldOptions> = {}) {
    this.#options = { mupdate: true, partition: '', ...options };
    this.truth = new MemoryDirectory({ clock: () => this.now });
  }

  /** The user, on the source, with some mail. */
  async begin(): Promise<void> {
    for (const name of ['mail1', 'mail2']) await this.truth.heard(name, ['mail1', 'mail2'], 0);
    for (const [at, name] of all.entries()) {
      this.source.mailboxes.set(name, {
        uniqueId: `id${at}`,
        moving: false,
        partition: 'default',
        messages: new Map(),
      });
      await this.#write(this.source, 'ACTIVATE', name, this.#session());
    }
    for (let n = 0; n < 3; n += 1) await this.deliver();
  }

  server(name: string): Server {
    return name === 'mail1' ? this.source : this.destination;
  }

  /** As our proxy does: where the directory has it, unless a lease or a reservation puts it off. */
  async deliver(): Promise<boolean> {
    const name = all[this.#mail % all.length] ?? root;
    const { entries, concerns } = await this.truth.lookup([name]);
    const [row] = entries;
    if (concerns[0] || row?.state !== 'active') return false;
    const server = this.server(serverOf(row.location));
    const mailbox = server.mailboxes.get(name);
    if (!server.up || !mailbox || mailbox.moving) return false;
    const guid = `m${++this.#mail}`;
    const facts = { uid: this.#mail, guid, modseq: ++this.#modseq, size: 10, flags: [], expunged: false };
    mailbox.messages.set(guid, facts);
    this.acknowledged.set(guid, name);
    return true;
  }

  /** As its owner does over IMAP, at the server that the directory names. */
  async expunge(): Promise<void> {
    const [guid, name] = [...this.acknowledged][0] ?? [];
    if (guid === undefined || name === undefined) return;
    const [row] = (await this.truth.lookup([name])).entries;
    const mailbox = row?.state === 'active' ? this.server(serverOf(row.location)).mailboxes.get(name) : undefined;
    const message = mailbox?.messages.get(guid);
    if (!mailbox || mailbox.moving || !message) return;
    mailbox.messages.set(guid, { ...message, expunged: true, modseq: ++this.#modseq });
    this.acknowledged.delete(guid);
  }

  /** As a person does who joins what a cut has left in two parts: what only the destination has is brought back. */
  async join(): Promise<void> {
    for (const name of all) {
      const copy = this.destination.mailboxes.get(name);
      if (!copy || this.source.mailboxes.has(name)) continue;
      this.#sync(name, this.destination, this.source);
      this.destination.mailboxes.delete(name);
      await this.truth.write(
        { verb: 'ACTIVATE', name, location: 'mail1!default', acl: 'a' },
        { ...this.#session(), admin: true },
      );
    }
  }

  /** Every acknowledged message is somewhere. */
  check(story: string): void {
    if (this.#unseen !== undefined) throw this.#unseen;
    for (const [guid, name] of this.acknowledged) {
      const copies = [this.source, this.destination].filter(({ mailboxes }) => mailboxes.get(name)?.messages.has(guid));
      assert.ok(copies.length > 0, `${story}: ${guid} of ${name} is nowhere`);
    }
  }

  /** All of it is at one server, which the directory names, and nowhere else active. */
  async whole(story: string): Promise<string> {
    this.check(story);
    const rows = (await this.truth.tree(root)).filter(({ state }) => state !== 'tombstone');
    const servers = new Set(rows.map(({ location }) => serverOf(location)));
    assert.deepEqual(
      [rows.map(({ name, state }) => `${name} ${state}`), servers.size],
      [all.map((one) => `${one} active`).sort(), 1],
      story,
    );
    const server = this.server([...servers][0] ?? '');
    for (const [guid, name] of this.acknowledged) {
      const message = server.mailboxes.get(name)?.messages.get(guid);
      assert.ok(message && !message.expunged, `${story}: ${server.name} lacks ${guid} of ${name}`);
    }
    if (server === this.destination && this.#options.partition !== '') {
      const places = all.map((name) => server.mailboxes.get(name)?.partition);
      const told = rows.map(({ location }) => partitionOf(location));
      assert.deepEqual(
        [...places, ...told],
        [...all, ...all].map(() => this.#options.partition),
        story,
      );
    }
    return server.name;
  }

  /** A copy that is not what the directory names is known to audits, where all could be asked. */
  async leftOversAreKnown(story: string): Promise<void> {
    if (this.away || [this.source, this.destination].some(({ up, silent }) => !up || silent)) return;
    const row = (await this.truth.tree(root)).find(({ name }) => name === root);
    for (const { name, mailboxes } of [this.source, this.destination]) {
      const isLeft = row?.state === 'active' && serverOf(row.location) !== name && mailboxes.has(root);
      const known = this.findings.filter(({ server }) => server === name).flatMap(({ names }) => names);
      assert.equal(known.includes(root), isLeft, `${story}: what is left at ${name}`);
      if (!isLeft || name !== this.destination.name) continue;
      assert.equal(this.truth.copies.of(root)?.destination, name, `${story}: the old copy is to take no names`);
    }
  }

  /** Resolves when no cut goes on any more. */
  async quiet(): Promise<void> {
    while (this.#cuts.size > 0) await turn();
    if (this.#unseen !== undefined) throw this.#unseen;
  }

  /** Whatever is done anywhere passes here; mail comes, and the fault strikes at its point. */
  async point(): Promise<void> {
    this.points += 1;
    const { strike } = this.#options;
    if (strike && this.points === strike.at) await this.strike(strike.fault);
    if (this.points % 3 === 0) await this.deliver();
    if (this.points % 17 === 0) await this.expunge();
    await turn();
    this.check(`at point ${this.points}`);
  }

  async strike(fault: Fault): Promise<void> {
    switch (fault) {
      case 'source dies':
        return this.die(this.source);
      case 'destination dies':
        return this.die(this.destination);
      case 'imapd of the source dies':
        await this.#breakCuts(this.source);
        return;
      case 'directory is away':
        this.away = true;
        return;
      case 'worker dies':
        this.#lives.get(this.#worker)?.abort(new Killed());
        return;
      case 'worker dies, and what it has begun takes long':
        this.#lives.get(this.#worker)?.abort(new Killed());
        this.now += 60_000;
        return;
      case 'worker stands still':
        this.now += 60_000;
        await this.deliver();
        return;
      case 'source is silent':
        this.source.silent = true;
        return;
      case 'destination is silent':
        this.destination.silent = true;
        return;
      case 'cancelled': {
        const move = this.move;
        if (move?.state === 'open') this.text = JSON.stringify({ ...move, cancelled: true });
      }
    }
  }

  async die(server: Server): Promise<void> {
    server.up = false;
    await this.#breakCuts(server);
  }

  async #breakCuts(at: Server): Promise<void> {
    for (const cut of this.#cuts) {
      if (cut.at !== at) continue;
      cut.dead = true;
      this.#cuts.delete(cut);
      await this.#end(cut.session, 'cut');
    }
  }

  async #end(session: string, how: 'cut' | 'logout'): Promise<void> {
    if (this.away) this.#broken.push(session);
    else await this.truth.end(session, how);
  }

  /** All is well again. Whoever was down, or is to be restarted, pushes its list as Cyrus does at its start. */
  async heal(restart: readonly Server[] = []): Promise<void> {
    this.away = false;
    for (const session of this.#broken.splice(0)) await this.truth.end(session, 'cut');
    for (const server of [this.source, this.destination]) {
      server.silent = false;
      if (server.up && !restart.includes(server)) continue;
      await this.#breakCuts(server);
      server.up = true;
      await this.#push(server);
    }
  }

  /** `ctl_mboxlist -m`: what it has and is told it does not, it activates; what it is told it has and does not, it deletes. */
  async #push(server: Server): Promise<void> {
    if (!this.#options.mupdate) {
      for (const mailbox of server.mailboxes.values()) mailbox.moving = false;
      return;
    }
    const writer = { ...this.#session(server.name), push: true };
    const listed = new Map((await this.truth.list(`${server.name}!`)).map((entry) => [entry.name, entry]));
    for (const [name, mailbox] of server.mailboxes) {
      const entry = listed.get(name);
      if (entry && entry.state !== 'active') mailbox.moving = false;
      if (entry?.state === 'active') continue;
      const location = `${server.name}!${mailbox.partition}`;
      await this.truth.write({ verb: 'ACTIVATE', name, location, acl: 'a' }, writer);
    }
    for (const name of listed.keys()) {
      if (!server.mailboxes.has(name)) await this.truth.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
    }
    await this.truth.end(writer.session, 'logout');
  }

  #session(server?: string): Writer {
    const session = `cyrus-${++this.#sessions}`;
    return { session, ...(server !== undefined && { server }), admin: false, push: false };
  }

  async #write(server: Server, verb: 'ACTIVATE' | 'DEACTIVATE', name: string, writer: Writer): Promise<boolean> {
    if (this.away) return false;
    const location = `${server.name}!${server.mailboxes.get(name)?.partition ?? 'default'}`;
    return (await this.truth.write({ verb, name, location, acl: verb === 'ACTIVATE' ? 'a' : '' }, writer)).ok;
  }

  #sync(name: string, from: Server, to: Server): void {
    const { uniqueId, messages } = from.mailboxes.get(name) ?? assert.fail('nothing to copy');
    const { partition } = to.mailboxes.get(name) ?? { partition: 'default' };
    to.mailboxes.set(name, { uniqueId, moving: false, partition, messages: new Map(messages) });
  }

  /** Goes on at a server whether or not somebody waits for its answer. */
  async #goingOn(
    at: Server,
    work: (writer: Writer, step: () => Promise<void>) => Promise<CutAnswer>,
  ): Promise<CutAnswer> {
    const writer = this.#session(at.name);
    const cut = { dead: false, session: writer.session, at };
    this.#cuts.add(cut);
    try {
      return await work(writer, async () => {
        // Slower than those who look on.
        for (let turns = 0; turns < 5; turns += 1) await turn();
        await this.point();
        if (cut.dead) throw new Dead();
      });
    } catch (error) {
      if (error instanceof Dead) throw new Trouble('away', 'the connection broke');
      this.#unseen ??= error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      if (!cut.dead) await this.#end(writer.session, 'logout');
      this.#cuts.delete(cut);
    }
  }

  /** The destination lays it into its partition, the root first. */
  #lay(at: Server): Promise<CutAnswer> {
    return this.#goingOn(at, async (writer, step) => {
      for (const [name, mailbox] of [...at.mailboxes].sort(([one], [other]) => (one < other ? -1 : 1))) {
        await step();
        mailbox.partition = this.#options.partition;
        if (this.#options.mupdate && !(await this.#write(at, 'ACTIVATE', name, writer)))
          return { ok: false, said: 'NO ACTIVATE' };
      }
      return { ok: true, said: 'OK' };
    });
  }

  #xfer(from: Server, to: Server): Promise<CutAnswer> {
    return this.#goingOn(from, (writer, step) => this.#xferSteps({ from, to, writer, step }));
  }

  async #xferSteps({ from, to, writer, step }: Hand): Promise<CutAnswer> {
    // Children first, as Cyrus has them.
    const names = all.filter((name) => from.mailboxes.has(name)).reverse();
    const done: string[] = [];
    await step();
    if (names.length === 0) return { ok: false, said: 'NO Mailbox does not exist' };
    for (const name of names) {
      if (!to.up) return { ok: false, said: 'NO Server(s) unavailable to complete operation' };
      this.#sync(name, from, to);
      await step();
    }
    // What the source does not have the destination is not to have, either.
    for (const name of to.mailboxes.keys()) if (!names.includes(name)) to.mailboxes.delete(name);
    const said = await this.#handOver(names, done, { from, to, writer, step });
    if (said !== undefined) return { ok: false, said };
    for (const name of names) {
      from.mailboxes.delete(name);
      await step();
    }
    for (const name of this.#options.mupdate ? names : []) {
      // Errors are only logged.
      if (to.up && to.mailboxes.has(name)) await this.tell(to, name).catch(() => undefined);
      await step();
    }
    return { ok: true, said: 'OK' };
  }

  /** Steps 4 and 5; what went wrong is undone as far as that goes, and said. */
  async #handOver(
    names: readonly string[],
    done: string[],
    { from, to, writer, step }: Hand,
  ): Promise<string | undefined> {
    const undone = async (said: string) => {
      for (const name of done) {
        const mailbox = from.mailboxes.get(name);
        if (mailbox) mailbox.moving = false;
        if (!(await this.#write(from, 'ACTIVATE', name, writer))) break;
        await step();
      }
      return said;
    };
    if (this.#options.mupdate) {
      for (const name of names) {
        if (!(await this.#write(from, 'DEACTIVATE', name, writer))) return undone('NO DEACTIVATE');
        done.push(name);
        await step();
      }
    }
    for (const name of names) {
      const mailbox = from.mailboxes.get(name) ?? assert.fail('gone');
      if (!to.up) {
        for (const one of from.mailboxes.values()) one.moving = false;
        return undone('NO destination lost');
      }
      mailbox.moving = true;
      this.#sync(name, from, to);
      await step();
    }
    return undefined;
  }

  /** MUPDATEPUSH. */
  async tell(server: Server, name: string): Promise<void> {
    const mailbox = server.mailboxes.get(name);
    if (!mailbox) throw new Trouble('refused', 'NO Mailbox does not exist');
    if (mailbox.moving) throw new Trouble('busy', 'NO it is moving');
    const writer = this.#session(server.name);
    const ok = await this.#write(server, 'ACTIVATE', name, writer);
    await this.#end(writer.session, 'logout');
    if (!ok) throw new Trouble('busy', 'NO ACTIVATE');
  }

  get move(): Move | undefined {
    return this.text === undefined ? undefined : (JSON.parse(this.text) as Move);
  }

  place(): void {
    const [from, to] = [this.source.name, this.destination.name];
    this.text = JSON.stringify({
      ...{
        name: root,
        from: { server: from, partition: 'default' },
        to: { server: to, partition: this.#options.partition },
      },
      ...{ by: 'test', since: this.now, state: 'open', cancelled: false, attempts: 0, octets: 0, messages: 0 },
      ...{ times: {}, step: '', note: '' },
    } satisfies Move);
  }

  #reached(name: string): Server {
    const server = this.server(name);
    if (!server.up || server.silent) throw new Trouble('away', `${name} does not answer`);
    return server;
  }

  #manifest(server: Server): Manifest | undefined {
    if (!server.mailboxes.has(root)) return undefined;
    const mailboxes = [...server.mailboxes].map(([name, { uniqueId, partition, messages }]) => ({
      ...{ name, uniqueId, partition, uidValidity: 1, lastUid: 0, highestModseq: 0, acl: 'a' },
      folderModseq: 0,
      messages: structuredClone([...messages.values()]),
    }));
    return { at: this.now, server: server.name, mailboxes, quotas: new Map(), subscriptions: [], sieve: [] };
  }

  #driver(act: Act, doing: Doing, gone: AbortSignal): MoveDriver {
    const alone = (): void => {
      assert.equal(doing.sawRunning, false, 'a second mover acts while a cut goes on');
    };
    return {
      name: 'fake',
      holds: (server, name) =>
        act(() => {
          const mailbox = this.#reached(server).mailboxes.get(name);
          return mailbox ? (mailbox.moving ? 'moving' : 'has') : 'lacks';
        }),
      uniqueId: (server, name) => act(() => this.#reached(server).mailboxes.get(name)?.uniqueId),
      check: ({ from }) =>
        act(async () => {
          // Questions wait at Cyrus while a cut goes on there.
          while (this.#cuts.size > 0) await turn();
          const isThere = this.#reached(from.server).mailboxes.has(root);
          return isThere ? undefined : { is: 'never', why: `${from.server} has no ${root}` };
        }),
      manifest: (server) => act(() => this.#manifest(this.#reached(server))),
      copy: ({ from, to }) => {
        alone();
        return act(async () => {
          const [source, destination] = [this.#reached(from.server), this.#reached(to.server)];
          if (source.mailboxes.get(root)?.moving !== false) return false;
          // Cyrus' own lock: a cut that goes on is not copied over.
          if (this.#cuts.size > 0) throw new Trouble('busy', 'locked');
          await this.truth.copies.made(root, to.server, whileMade);
          for (const name of source.mailboxes.keys()) this.#sync(name, source, destination);
          return true;
        });
      },
      cut: (move, signal) => {
        alone();
        assert.equal(doing.last, 'lease', 'the lease is confirmed right before a cut');
        return act(async () => {
          const [from, to] = [this.#reached(move.from.server), this.server(move.to.server)];
          if (this.#cuts.size > 0) throw new Trouble('busy', 'locked');
          if (from !== to) await this.truth.copies.made(root, to.name, whileMade);
          const told = await unless(gone, signal, from === to ? this.#lay(to) : this.#xfer(from, to));
          this.#reached(from.name);
          if (told.ok) await this.truth.copies.end(root);
          if (!told.ok || from === to || this.#options.partition === '') return told;
          return unless(gone, signal, this.#lay(this.#reached(to.name)));
        });
      },
      push: (server, names) => {
        alone();
        return act(async () => {
          await this.truth.copies.end(root);
          for (const name of names) {
            await this.tell(this.#reached(server), name);
            await this.point();
          }
        });
      },
      discard: () => Promise.reject(new Error('a move discards nothing')),
    };
  }

  /** What a worker has of the world; killed, it does nothing any more. */
  worker(): MovesOptions {
    const life = new AbortController();
    this.#lives.set(++this.#worker, life);
    const doing: Doing = { last: '', sawRunning: false };
    const isDead = () => {
      life.signal.throwIfAborted();
    };
    const act: Act = async (what) => {
      doing.last = '';
      isDead();
      await this.point();
      isDead();
      const done = await what();
      isDead();
      return done;
    };
    const ask = async <T>(what: () => Promise<T>): Promise<T> => {
      doing.last = '';
      isDead();
      await this.point();
      isDead();
      if (this.away) throw new Trouble('away', 'the directory does not answer');
      return what();
    };
    const directory: MovesOptions['directory'] = {
      copies: {
        keep: (name: string, at: string, ms: number) => ask(() => this.truth.copies.keep(name, at, ms)),
        end: (name: string, at?: string) => ask(() => this.truth.copies.end(name, at)),
      },
      lookup: (names) => ask(() => this.truth.lookup(names)),
      tree: async (name) => {
        const rows = await ask(() => this.truth.tree(name));
        doing.sawRunning = rows.some(({ state, ended }) => state === 'handed' && ended === undefined);
        return rows;
      },
      lease: async (name, lease, ms) => {
        const isOurs = await ask(() => this.truth.lease(name, lease, ms));
        if (isOurs) doing.last = 'lease';
        return isOurs;
      },
      release: (name, token) => ask(() => this.truth.release(name, token)),
      head: () => ask(() => this.truth.head()),
      write: (write, writer) => ask(() => this.truth.write(write, writer)),
      end: (session, how, by) => ask(() => this.truth.end(session, how, by)),
    } satisfies Partial<Omit<Directory, 'copies'>> & { copies: object };
    return {
      directory,
      routing: { held: async () => [{ reader: 'mx', seen: (await this.truth.head()).map(({ seq }) => seq) }] },
      registry: new Registry(
        ['mail1', 'mail2'].map((name) => ({ name, lmtp: undefined, imap: undefined, mupdate: this.#options.mupdate })),
      ),
      moves: {
        read: () =>
          act(() => (this.text === undefined ? undefined : { move: JSON.parse(this.text) as Move, text: this.text })),
        replace: (kept: Kept, move) => {
          const isCounted = move.attempts > kept.move.attempts;
          assert.ok(!isCounted || doing.last === 'lease', 'the lease is confirmed right before a cut is counted');
          return act(() => {
            if (this.text !== kept.text) return undefined;
            this.text = JSON.stringify(move);
            return { move, text: this.text };
          });
        },
      },
      manifests: {
        head: () => act(() => this.kept?.head),
        read: () => act(() => this.kept?.manifest),
        keep: (move, manifest, hold) =>
          act(() => {
            const uniqueId = manifest.mailboxes[0]?.uniqueId ?? '';
            const head = { hold, from: move.from.server, to: move.to.server, uniqueId, whole: false };
            this.kept = { head, manifest };
          }),
        compared: (_move, hold, whole) =>
          act(() => {
            if (this.kept?.head.hold === hold) this.kept.head = { ...this.kept.head, whole };
          }),
        drop: () =>
          act(() => {
            this.kept = undefined;
          }),
      },
      findings: {
        of: () => act(() => [...this.findings]),
        looked: (_tree, found, asked, now) => act(() => (this.findings = afterLook(this.findings, found, asked, now))),
      },
      driver: this.#driver(act, doing, life.signal),
      differences: lackedBy,
      remarks: () => [],
      settings: { lease: 10_000, cutTimeout: 3_600_000, observe: 60_000, attempts: 3, retention: week },
      pauses: { wait: 2_000, person: 60_000, failed: 5_000, short: 0 },
      ...{ clock: () => this.now, leaseClock: () => this.now },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
  }
}

/** The answer, unless the worker dies, or gives up waiting: what was told goes on all the same. */
async function unless(gone: AbortSignal, signal: AbortSignal, answer: Promise<CutAnswer>): Promise<CutAnswer> {
  const either = AbortSignal.any([gone, signal]);
  const over = Promise.withResolvers<never>();
  const give = (): void => {
    over.reject(either.reason);
  };
  if (either.aborted) give();
  either.addEventListener('abort', give);
  try {
    return await Promise.race([answer, over.promise]);
  } finally {
    either.removeEventListener('abort', give);
  }
}

/** A manifest is what is to be there at the least: what its owner has expunged since is there as that. */
function lackedBy(manifest: Manifest, found: Manifest): string[] {
  return manifest.mailboxes.flatMap(({ name, uniqueId, messages }) => {
    const mailbox = found.mailboxes.find((one) => one.name === name);
    if (mailbox?.uniqueId !== uniqueId) return [`${name} is missing`];
    const there = new Map(mailbox.messages.map((message) => [message.guid, message]));
    const missing = messages.filter((message) => {
      const other = there.get(message.guid);
      return !other || (other.expunged && !message.expunged && other.modseq <= message.modseq);
    });
    return missing.map(({ guid }) => `${name} lacks ${guid}`);
  });
}

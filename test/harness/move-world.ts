// Two servers that move mailboxes as Cyrus does, step by step, in memory, with mail that arrives meanwhile; each step can be
// struck by a fault: a server, its process, the directory or the worker dies, falls silent or stands still.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from '../../services/backends/registry.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Directory, Writer } from '../../services/directory/directory.ts';
import { serverOf } from '../../services/directory/entry.ts';
import { afterLook } from '../../services/moves/audit.ts';
import type { KeptFinding } from '../../services/moves/audit.ts';
import type { MoveDriver } from '../../services/moves/driver.ts';
import type { Manifest, MessageFacts } from '../../services/moves/manifest.ts';
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

interface Mailbox {
  uniqueId: string;
  moving: boolean;
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
  'worker stands still',
  'source is silent',
  'destination is silent',
  'cancelled',
] as const;
export type Fault = (typeof faults)[number];

export const root = 'user.ann';
/** In milliseconds. */
const week = 604_800_000;
const all = [root, 'user.ann.Sent', 'user.ann.Work'];

export class World {
  now = 1_000_000;
  readonly truth: MemoryDirectory;
  readonly source: Server = { name: 'mail1', up: true, silent: false, mailboxes: new Map() };
  readonly destination: Server = { name: 'mail2', up: true, silent: false, mailboxes: new Map() };
  /** Messages that were acknowledged, and not expunged by their owner since. */
  readonly acknowledged = new Map<string, string>();
  readonly #options: { mupdate: boolean; strike?: { at: number; fault: Fault } | undefined };
  /** Whatever was done, counted. */
  points = 0;
  away = false;
  text: string | undefined;
  kept: { head: ManifestHead; manifest: Manifest } | undefined;
  findings: KeptFinding[] = [];
  readonly #cuts = new Set<{ dead: boolean; session: string; at: Server }>();
  /** Sessions that broke while the directory was away. */
  readonly #broken: string[] = [];
  #sessions = 0;
  #mail = 0;
  #modseq = 1;
  #worker = 0;
  readonly #dead = new Set<number>();

  constructor(options: { mupdate?: boolean; strike?: { at: number; fault: Fault } | undefined } = {}) {
    this.#options = { mupdate: true, ...options };
    this.truth = new MemoryDirectory({ clock: () => this.now });
  }

  /** The user, on the source, with some mail. */
  async begin(): Promise<void> {
    for (const name of ['mail1', 'mail2']) await this.truth.heard(name, ['mail1', 'mail2'], 0);
    for (const [at, name] of all.entries()) {
      this.source.mailboxes.set(name, { uniqueId: `id${at}`, moving: false, messages: new Map() });
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
    return server.name;
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
        this.#dead.add(this.#worker);
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
      const location = `${server.name}!default`;
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
    const location = `${server.name}!default`;
    return (await this.truth.write({ verb, name, location, acl: verb === 'ACTIVATE' ? 'a' : '' }, writer)).ok;
  }

  #sync(name: string, from: Server, to: Server): void {
    const { uniqueId, messages } = from.mailboxes.get(name) ?? assert.fail('nothing to copy');
    to.mailboxes.set(name, { uniqueId, moving: false, messages: new Map(messages) });
  }

  /** Goes on whether or not somebody waits for its answer. */
  async #xfer(from: Server, to: Server): Promise<{ ok: boolean; said: string }> {
    const writer = this.#session(from.name);
    const cut = { dead: false, session: writer.session, at: from };
    this.#cuts.add(cut);
    const step = async () => {
      await this.point();
      if (cut.dead) throw new Dead();
    };
    // Children first, as Cyrus has them.
    const names = all.filter((name) => from.mailboxes.has(name)).reverse();
    const done: string[] = [];
    try {
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
    } finally {
      this.#cuts.delete(cut);
      if (!cut.dead) await this.#end(writer.session, 'logout');
    }
  }

  /** Steps 4 and 5; what went wrong is undone as far as that goes, and said. */
  async #handOver(
    names: readonly string[],
    done: string[],
    { from, to, writer, step }: { from: Server; to: Server; writer: Writer; step: () => Promise<void> },
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
      ...{ name: root, from: { server: from, partition: 'default' }, to: { server: to, partition: '' } },
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
    const mailboxes = [...server.mailboxes].map(([name, { uniqueId, messages }]) => ({
      ...{ name, uniqueId, partition: 'default', uidValidity: 1, lastUid: 0, highestModseq: 0, acl: 'a' },
      folderModseq: 0,
      messages: structuredClone([...messages.values()]),
    }));
    return { at: this.now, server: server.name, mailboxes, quotas: new Map(), subscriptions: [], sieve: [] };
  }

  #driver(act: <T>(what: () => T | Promise<T>) => Promise<T>): MoveDriver {
    return {
      name: 'fake',
      holds: (server, name) =>
        act(() => {
          const mailbox = this.#reached(server).mailboxes.get(name);
          return mailbox ? (mailbox.moving ? 'moving' : 'has') : 'lacks';
        }),
      uniqueId: (server, name) => act(() => this.#reached(server).mailboxes.get(name)?.uniqueId),
      check: () => act(() => undefined),
      manifest: (server) => act(() => this.#manifest(this.#reached(server))),
      copy: ({ from, to }) =>
        act(() => {
          const [source, destination] = [this.#reached(from.server), this.#reached(to.server)];
          if (source.mailboxes.get(root)?.moving !== false) return false;
          // Cyrus' own lock: a cut that goes on is not copied over.
          if (this.#cuts.size > 0) throw new Trouble('busy', 'locked');
          for (const name of source.mailboxes.keys()) this.#sync(name, source, destination);
          return true;
        }),
      cut: (move, signal) =>
        act(async () => {
          const [from, to] = [this.#reached(move.from.server), this.server(move.to.server)];
          if (this.#cuts.size > 0) throw new Trouble('busy', 'locked');
          const answer = await this.#xfer(from, to).catch((error: unknown) => {
            if (error instanceof Dead) throw new Trouble('away', 'the connection broke');
            throw error;
          });
          this.#reached(from.name);
          signal.throwIfAborted();
          return answer;
        }),
      push: (server, names) =>
        act(async () => {
          for (const name of names) {
            await this.tell(this.#reached(server), name);
            await this.point();
          }
        }),
      discard: () => Promise.reject(new Error('a move discards nothing')),
    };
  }

  /** What a worker has of the world; killed, it does nothing any more. */
  worker(): MovesOptions {
    const me = ++this.#worker;
    const isDead = () => {
      if (this.#dead.has(me)) throw new Killed();
    };
    const act = async <T>(what: () => T | Promise<T>): Promise<T> => {
      isDead();
      await this.point();
      isDead();
      const done = await what();
      isDead();
      return done;
    };
    const ask = async <T>(what: () => Promise<T>): Promise<T> => {
      isDead();
      await this.point();
      isDead();
      if (this.away) throw new Trouble('away', 'the directory does not answer');
      return what();
    };
    const directory: MovesOptions['directory'] = {
      copies: { keep: (name: string, at: string, ms: number) => ask(() => this.truth.copies.keep(name, at, ms)) },
      lookup: (names) => ask(() => this.truth.lookup(names)),
      tree: (name) => ask(() => this.truth.tree(name)),
      lease: (name, lease, ms) => ask(() => this.truth.lease(name, lease, ms)),
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
        replace: (kept: Kept, move) =>
          act(() => {
            if (this.text !== kept.text) return undefined;
            this.text = JSON.stringify(move);
            return { move, text: this.text };
          }),
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
      driver: this.#driver(act),
      differences: lackedBy,
      settings: { lease: 10_000, cutTimeout: 3_600_000, observe: 60_000, attempts: 3, retention: week },
      pauses: { wait: 2_000, person: 60_000, failed: 5_000, short: 0 },
      ...{ clock: () => this.now, leaseClock: () => this.now },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
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

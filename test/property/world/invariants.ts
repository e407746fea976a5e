// What must hold after every command, whatever happened before.
import assert from 'node:assert/strict';
import { finding } from '../../../services/directory/freshness.ts';
import { isDeletedName } from '../../../services/directory/settling.ts';
import { serverOf } from '../../../services/directory/entry.ts';
import type { Change, Write } from '../../../services/directory/directory.ts';
import type { Backend } from './backend.ts';
import type { Session } from './session.ts';
import type { Pair } from './paired.ts';

/** What is watched: the directory, and what its backends really have. */
interface Watched {
  readonly pair: Pair;
  readonly backends: readonly Backend[];
}

export class Invariants {
  readonly #world: Watched;
  /** Names that were written of. */
  readonly names = new Set<string>();
  /** All changes, as the model's log has them. */
  readonly changes: Change[] = [];
  /** Of each name that is active now: where. */
  readonly #active = new Map<string, string>();
  /** Below DELETED. an unbound session may remove another's row (settling.ts): nobody delivers there. */
  readonly #excepted = new Set<string>();
  /** Names that had a case when it was last looked. */
  doubtful: readonly string[] = [];

  constructor(world: Watched) {
    this.#world = world;
    world.pair.model.follow([], {
      change: (change) => {
        this.#changed(change);
      },
      lost: (reason) => {
        throw new Error(reason);
      },
    });
  }

  /** Never two active holders: from one server's hands into another's there is a step in between, or somebody's word. */
  #changed(change: Change): void {
    this.changes.push(change);
    const { name, state, location, cause } = change;
    const before = this.#active.get(name);
    if (state !== 'active') {
      this.#active.delete(name);
      return;
    }
    const server = serverOf(location);
    const words = cause === 'claim';
    assert.ok(
      before === undefined || before === server || words,
      `${name} went from ${before} to ${server} by ${cause}`,
    );
    this.#active.set(name, server);
  }

  async written(session: Session, { verb, name, location }: Write, ok: boolean): Promise<void> {
    const { pair } = this.#world;
    this.names.add(name);
    const [row, open] = [await pair.row(name), await pair.model.case(name)];
    if (verb === 'ACTIVATE' && ok) {
      assert.deepEqual(
        [row?.state, serverOf(row?.location ?? '')],
        ['active', serverOf(location)],
        `${name} after an OK`,
      );
    }
    const { backend } = session;
    const mailbox = backend.mailboxes.get(name);
    const known = row && serverOf(row.location) === backend.name;
    const answered = ok || verb === 'ACTIVATE';
    if (mailbox && answered && (known || open?.rivals.some(({ server }) => server === backend.name)))
      mailbox.told = true;
    if (verb === 'DELETE' && session.server === undefined && isDeletedName(name)) this.#excepted.add(name);
    await this.check();
  }

  /** A mailbox of which the directory was told, and that a backend holds, is never absent and proven. */
  async check(): Promise<void> {
    const { pair, backends } = this.#world;
    const held = new Map<string, Backend>();
    for (const backend of backends) {
      for (const [name, { told }] of backend.mailboxes) if (told && !this.#excepted.has(name)) held.set(name, backend);
    }
    const names = [...held.keys()];
    const { entries, concerns, begun, standing } = await pair.model.lookup(names);
    const witnesses = { pushing: backends.map(({ name }) => name), silent: [] };
    names.forEach((name, at) => {
      const lookup = { entries: [entries[at]], concerns: [concerns[at]], begun, standing };
      const found = finding({ names: [name], lookup, witnesses, asked: begun, now: begun, autocreate: false });
      assert.ok(found.found || !found.proven, `${name} is absent and proven, and ${held.get(name)?.name} holds it`);
    });
    this.doubtful = (await pair.model.cases()).map(({ name }) => name);
  }

  /** After a push every row of its server is of a mailbox that is there, or it is in doubt. */
  async heard(backend: Backend): Promise<void> {
    for (const row of await this.#world.pair.model.list(`${backend.name}!`)) {
      if (row.state !== 'active' || backend.mailboxes.has(row.name)) continue;
      assert.ok(await this.#world.pair.model.case(row.name), `${row.name} was shown to a push, and not deleted`);
    }
  }

  /** With all sessions over, and without any push: an active row of a mailbox that is not there waits in a case. */
  async noPhantoms(): Promise<void> {
    for (const backend of this.#world.backends) {
      for (const { name, state } of await this.#world.pair.model.list(`${backend.name}!`)) {
        if (state !== 'active' || backend.mailboxes.has(name) || backend.untold.has(name)) continue;
        assert.ok(
          await this.#world.pair.model.case(name),
          `${name} is active at ${backend.name}, which has no such mailbox`,
        );
      }
    }
  }

  /** Whatever is known by everybody, and asked of everybody, is right in the end; what is not waits in a case. */
  async inTheEnd(mayWait: boolean): Promise<void> {
    const { pair, backends } = this.#world;
    const all = new Set([...this.names, ...backends.flatMap((one) => one.names())]);
    for (const name of all) {
      const holders = backends.filter((one) => one.mailboxes.has(name)).map((one) => one.name);
      const [row, open] = [await pair.row(name), await pair.model.case(name)];
      const right =
        holders.length === 0
          ? row === undefined
          : holders.length === 1 && row?.state === 'active' && serverOf(row.location) === holders[0];
      const what = `${name}, held by ${holders.join(' and ') || 'nobody'}: ${JSON.stringify({ row, open })}`;
      if (holders.length > 1) assert.ok(open, what);
      else if (mayWait) assert.ok(right || (open?.waiting !== undefined && holders.length > 0), what);
      else assert.ok(right && !open, what);
    }
  }
}

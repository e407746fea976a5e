// Two servers that speak MUPDATE and one that does not, in memory, for orders of users: they stop, refuse, and answer too late.
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from '../../services/backends/registry.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { following } from '../../services/users/order.ts';
import type { Order, Place, Wish } from '../../services/users/order.ts';
import type { Kept } from '../../services/users/order-store.ts';
import type { PlacementOptions, Servers } from '../../workers/placement.ts';
import { Dice } from '../property/world/dice.ts';

export const silent = 'mail3';
export const names = ['mail1', 'mail2', silent];

export class Killed extends Error {}
export class Fault extends Error {
  readonly kind: string;
  constructor(kind: string) {
    super(`the server is ${kind}`);
    this.kind = kind;
  }
}

/** What is ordered, and what the servers really have. */
export class Town {
  readonly directory = new MemoryDirectory();
  readonly has = new Map(names.map((name) => [name, new Set<string>()]));
  readonly down = new Set<string>();
  readonly refusing = new Set<string>();
  /** Servers that make INBOXes, and refuse what comes after. */
  readonly refusingMore = new Set<string>();
  /** Users who have all that one has, as `server name`. */
  readonly whole = new Set<string>();
  readonly orders = new Map<string, string>();
  readonly dice: Dice;
  sessions = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
  }

  holders(name: string): string[] {
    return names.filter((server) => this.has.get(server)?.has(name));
  }

  /** `version`: of the row that it is meant for, where that was looked at. */
  place(name: string, wish: Wish, { since = 1, version }: { since?: number; version?: number } = {}): void {
    const order: Order = {
      ...{ name, wish, by: 'test', since, state: 'open', begun: false, made: false },
      passed: [],
      note: '',
      ...(version !== undefined && { version }),
    };
    const before = this.orders.get(name);
    const placed = following(order, before === undefined ? undefined : (JSON.parse(before) as Order));
    this.orders.set(name, JSON.stringify(placed));
  }

  order(name: string): Order {
    return JSON.parse(this.orders.get(name) ?? '') as Order;
  }

  /** A CREATE as Cyrus does it; it goes on when nobody waits for its end any more. */
  async make(server: string, name: string): Promise<void> {
    const mailboxes = this.has.get(server);
    if (server === silent) mailboxes?.add(name);
    if (mailboxes?.has(name)) return;
    const writer = { session: `cyrus-${++this.sessions}`, server, admin: false, push: false };
    const location = `${server}!default`;
    const reserved = await this.directory.write({ verb: 'RESERVE', name, location, acl: '' }, writer);
    await turn();
    if (!reserved.ok) throw new Fault('refused');
    mailboxes?.add(name);
    await this.directory.write({ verb: 'ACTIVATE', name, location, acl: 'x' }, writer);
    await this.directory.end(writer.session, 'logout');
  }

  /** A MUPDATEPUSH of what it has. */
  async tell(server: string, name: string): Promise<void> {
    const writer = { session: `cyrus-${++this.sessions}`, server, admin: false, push: false };
    const row = { name, location: `${server}!default`, acl: 'x' };
    if (!this.has.get(server)?.has(name)) throw new Fault('refused');
    const { ok } = await this.directory.write({ verb: 'ACTIVATE', ...row }, writer);
    await this.directory.end(writer.session, 'logout');
    if (!ok) throw new Fault('refused');
  }

  async remove(server: string, name: string): Promise<void> {
    this.whole.delete(`${server} ${name}`);
    if (!this.has.get(server)?.delete(name) || server === silent) return;
    const writer = { session: `cyrus-${++this.sessions}`, server, admin: false, push: false };
    await this.directory.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
    await turn();
    await this.directory.end(writer.session, 'logout');
  }
}

/** What a worker has of the town; killed, it does nothing any more, though what it has begun may still happen. */
export function worker(town: Town, permille: number): PlacementOptions {
  const { dice } = town;
  const imap = { host: '', port: 0, username: '', password: '' };
  let isDead = false;
  const act = async <T>(what: () => Promise<T>): Promise<T> => {
    await turn();
    if (isDead || dice.permille(permille)) {
      isDead = true;
      throw new Killed();
    }
    const done = await what();
    if (dice.permille(permille)) {
      isDead = true;
      throw new Killed();
    }
    return done;
  };
  const told = (server: string, what: () => Promise<void>) =>
    act(async () => {
      if (town.down.has(server)) throw new Fault('away');
      if (town.refusing.has(server)) throw new Fault('refused');
      await what();
      if (dice.permille(permille)) throw new Fault('away');
    });
  const servers: Servers = {
    holds: (server, name) =>
      act(() => {
        if (town.down.has(server)) throw new Fault('away');
        return Promise.resolve(town.has.get(server)?.has(name) === true ? 'has' : 'lacks');
      }),
    create: ({ server }, name) =>
      told(server, async () => {
        await town.make(server, name);
        if (town.refusingMore.has(server)) throw new Fault('refused');
        town.whole.add(`${server} ${name}`);
      }),
    remove: (server, name) => told(server, () => town.remove(server, name)),
    rename: (server, from, to) =>
      told(server, async () => {
        if (!town.has.get(server)?.has(from)) return;
        await town.make(server, to);
        await town.remove(server, from);
      }),
    push: (server, name) => told(server, () => town.tell(server, name)),
  };
  return {
    directory: town.directory,
    registry: new Registry(names.map((name) => ({ name, lmtp: undefined, imap, mupdate: name !== silent }))),
    orders: {
      read: (name) =>
        act(() => {
          const text = town.orders.get(name);
          return Promise.resolve(text === undefined ? undefined : { order: JSON.parse(text) as Order, text });
        }),
      replace: (kept: Kept, order) =>
        act(() => {
          if (town.orders.get(order.name) !== kept.text) return Promise.resolve(undefined);
          const text = JSON.stringify(order);
          town.orders.set(order.name, text);
          return Promise.resolve({ order, text });
        }),
    },
    servers,
    placer: {
      choose: ({ wish, passed }): Promise<Place> => {
        const wanted = wish.is === 'create' ? wish.server : undefined;
        const left = names.filter((name) => passed.every(({ server }) => server !== name));
        const server = wanted ?? dice.of(left);
        if (server === undefined) throw new Fault(passed.every(({ is }) => is === 'refused') ? 'refused' : 'away');
        return Promise.resolve({ server, partition: 'default' });
      },
      release: () => Promise.resolve(),
    },
    log: { info: () => undefined, warn: () => undefined },
  };
}

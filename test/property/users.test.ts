// Orders of users carried out by two workers at once that may be killed at any line, over servers that stop, refuse, or
// answer too late: in the end each user is on exactly one server, or on none, as was ordered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from '../../services/backends/registry.ts';
import { serverOf } from '../../services/directory/entry.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Order, Place, Wish } from '../../services/users/order.ts';
import type { Kept } from '../../services/users/order-store.ts';
import { placementProcessor } from '../../workers/placement.ts';
import type { PlacementOptions, Servers } from '../../workers/placement.ts';
import { quietDesk } from '../harness/events.ts';
import { Dice } from './world/dice.ts';

const histories = Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000) / 250;
const silent = 'mail3';
const names = ['mail1', 'mail2', silent];

class Killed extends Error {}
class Fault extends Error {
  readonly kind: string;
  constructor(kind: string) {
    super(`the server is ${kind}`);
    this.kind = kind;
  }
}

/** What is ordered, and what the servers really have. */
class Town {
  readonly directory = new MemoryDirectory();
  readonly has = new Map(names.map((name) => [name, new Set<string>()]));
  readonly down = new Set<string>();
  readonly refusing = new Set<string>();
  readonly orders = new Map<string, string>();
  readonly dice: Dice;
  sessions = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
  }

  holders(name: string): string[] {
    return names.filter((server) => this.has.get(server)?.has(name));
  }

  place(name: string, wish: Wish): void {
    const order: Order = {
      ...{ name, wish, by: 'test', since: 1, state: 'open', begun: false, made: false },
      passed: [],
      note: '',
    };
    this.orders.set(name, JSON.stringify(order));
  }

  order(name: string): Order {
    return JSON.parse(this.orders.get(name) ?? '') as Order;
  }

  /** A CREATE as Cyrus does it; it goes on when nobody waits for its end any more. */
  async make(server: string, name: string): Promise<void> {
    const mailboxes = this.has.get(server);
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

  async remove(server: string, name: string): Promise<void> {
    if (!this.has.get(server)?.delete(name)) return;
    const writer = { session: `cyrus-${++this.sessions}`, server, admin: false, push: false };
    await this.directory.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
    await turn();
    await this.directory.end(writer.session, 'logout');
  }
}

/** What a worker has of the town; killed, it does nothing any more, though what it has begun may still happen. */
function worker(town: Town, permille: number): PlacementOptions {
  const { dice } = town;
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
    reach: (server) =>
      told(server, () => Promise.resolve()).catch((error: unknown) => {
        if (error instanceof Killed || (error as Fault).kind === 'away') throw error;
      }),
    create: ({ server }, name) => told(server, () => town.make(server, name)),
    remove: (server, name) => told(server, () => town.remove(server, name)),
    rename: (server, from, to) =>
      told(server, async () => {
        if (!town.has.get(server)?.has(from)) return;
        await town.make(server, to);
        await town.remove(server, from);
      }),
    push: (server, name) => told(server, () => town.make(server, name)),
    lacks: (server, name) => act(() => Promise.resolve(!town.down.has(server) && !town.has.get(server)?.has(name))),
  };
  return {
    directory: town.directory,
    registry: new Registry(names.map((name) => ({ name, lmtp: undefined, imap: undefined, mupdate: name !== silent }))),
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
        const left = names.filter((name) => !passed.includes(name));
        const server = wanted ?? dice.of(left);
        if (server === undefined) throw new Fault('away');
        return Promise.resolve({ server, partition: 'default' });
      },
      release: () => Promise.resolve(),
    },
    log: { info: () => undefined, warn: () => undefined },
  };
}

/** A worker looks at the order again and again, as its queue has it; until it is over, or it dies. */
async function work(town: Town, name: string, permille: number): Promise<string> {
  const options = worker(town, permille);
  for (let look = 0; look < 20; look += 1) {
    try {
      const outcome = await placementProcessor(options)({ name }, new AbortController().signal, quietDesk);
      if (outcome.is === 'done') return outcome.note;
    } catch (error) {
      if (error instanceof Killed) return 'killed';
      if ((error as Fault).kind === 'refused') return 'refused';
      if ((error as Fault).kind !== 'away') throw error;
      if (town.dice.permille(500)) town.down.clear();
    }
  }
  return 'open';
}

async function trusted(town: Town): Promise<void> {
  for (const name of names) await town.directory.heard(name, ['mail1', 'mail2'], 0);
}

async function play(seed: number): Promise<void> {
  const town = new Town(seed);
  const { dice } = town;
  await trusted(town);
  const name = 'user.a';
  for (let round = 0; round < 3; round += 1) {
    const holder = town.holders(name)[0];
    const row = (await town.directory.lookup([name])).entries[0];
    const isThere = row?.state === 'active';
    const server = dice.permille(300) ? dice.of(names) : undefined;
    const wish: Wish = isThere ? { is: 'delete' } : { is: 'create', ...(server !== undefined && { server }) };
    for (const one of names) {
      if (dice.permille(200)) town.down.add(one);
      if (one !== holder && dice.permille(150)) town.refusing.add(one);
    }
    town.place(name, wish);
    // Killed workers are followed by others; stalled ones go on beside them.
    const byHand = !isThere && dice.permille(200) ? town.make(dice.of(['mail1', 'mail2']) ?? '', name) : undefined;
    await Promise.all([work(town, name, 60), work(town, name, 60), byHand?.catch(() => undefined)]);
    await Promise.all([work(town, name, 40), work(town, name, 40)]);
    town.down.clear();
    town.refusing.clear();
    const end = await work(town, name, 0);
    const story = JSON.stringify({ seed, round, wish, end, order: town.order(name) });
    const left = town.holders(name);
    const [after] = (await town.directory.lookup([name])).entries;
    if (wish.is === 'delete') {
      assert.deepEqual([left, after?.state ?? 'absent'], [[], after ? 'tombstone' : 'absent'], story);
      assert.match(end, /^deleted/, story);
      continue;
    }
    const place = after && serverOf(after.location);
    assert.equal(after?.state, 'active', story);
    if (place !== silent) assert.deepEqual(left, [place], story);
    else assert.deepEqual(left, [], story);
    const isElsewhere = server !== undefined && place !== server;
    if (isElsewhere) assert.ok(byHand, story);
    assert.equal(town.order(name).state, isElsewhere ? 'refused' : 'done', story);
  }
}

test('whoever dies when, a user is on one server', async (t) => {
  const first = Number(process.env['ROOKERY_TEST_SEED'] ?? 1);
  for (let seed = first; seed < first + histories; seed += 1) await play(seed);
  t.diagnostic(`${histories} histories`);
});

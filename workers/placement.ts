// The queue `placement`: makes, deletes and renames users as they were ordered, each on the one server that it is for.
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../services/address/bytes.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import { isGrave } from '../services/directory/entry.ts';
import type { Bytes } from '../services/directory/entry.ts';
import type { Holding } from '../services/directory/reconciliation.ts';
import { JobFailure } from '../services/events/failure.ts';
import type { Outcome, Processor } from '../services/events/processor.ts';
import { isRemoving, removingText } from '../services/moves/audit.ts';
import type { FindingStore } from '../services/moves/finding-store.ts';
import type { MoveStore } from '../services/moves/move-store.ts';
import { nextStep } from '../services/users/order.ts';
import type { Order, Passed, Place, Step, Wish } from '../services/users/order.ts';
import type { Kept, OrderStore } from '../services/users/order-store.ts';
import { look } from './order-facts.ts';
import { writeRows } from './user-rows.ts';

/**
 * What the servers are told. Each may be told twice; rejections carry a `kind` (away, busy, refused). One that speaks no
 * MUPDATE and is not administered by us is told nothing: all is well done there.
 */
export interface Servers {
  /** What the server says of the user now. */
  holds(server: Bytes, name: Bytes): Promise<Holding>;
  /** The mailbox, and all else that a new user has; what is there already is left as it is. */
  create(place: Place, name: Bytes, wish: Wish & { is: 'create' }): Promise<void>;
  /** With all folders; nothing to do is well done. */
  remove(server: Bytes, name: Bytes): Promise<void>;
  rename(server: Bytes, from: Bytes, to: Bytes): Promise<void>;
  /** Has the server tell the directory of it. */
  push(server: Bytes, name: Bytes): Promise<void>;
}

/** Chooses where a new user goes, and keeps promised what he will take until he is there (services/users/placing.ts). */
export interface Placer {
  /** Rejects with kind `away` where no server may be chosen now. */
  choose(order: Order): Promise<Place>;
  /** He is not to be there. */
  release(name: Bytes): Promise<void>;
}

export interface PlacementOptions {
  directory: Directory;
  registry: Registry;
  orders: Pick<OrderStore, 'read' | 'replace'>;
  servers: Servers;
  placer: Placer;
  /** Where it is seen that a server is to remove what it has of a name. Left out: none is. */
  findings?: Pick<FindingStore, 'of'>;
  /** Where it is seen that somebody is being moved. Left out: nobody is. */
  moves?: Pick<MoveStore, 'read'>;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/** What can't be done, now or later. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly kind = 'refused';
}

/** A user is told of by his server within milliseconds: so often, and so long in milliseconds, it is looked for in between. */
const shortWaits = 10;
const shortWait = 30;

/** Until an order that waits is looked at again, in milliseconds. */
const longWait = 2000;

/** How long servers that a new user is not meant for may take to say whether they have him, in milliseconds. */
const soon = 1000;

/** More steps than any order has: an order that goes in circles is a fault. */
const mostSteps = 40;

export function placementProcessor(options: PlacementOptions): Processor<'placement'> {
  return async ({ name }, signal) => {
    let waits = 0;
    for (let steps = 0; steps < mostSteps; steps += 1) {
      signal.throwIfAborted();
      const kept = await opened(name, options);
      if (!kept) return { is: 'done', note: 'nothing is ordered' };
      if (kept.order.state === 'cancelled') {
        if (await isMadeYet(kept, options)) continue;
        await options.placer.release(name);
        return { is: 'done', note: kept.order.note };
      }
      const step = nextStep(kept.order, await look(kept.order, options));
      if (step.do === 'wait') {
        if (kept.order.note !== step.why) await options.orders.replace(kept, { ...kept.order, note: step.why });
        if (waits === shortWaits) return { is: 'later', note: step.why, pause: longWait };
        waits += 1;
        await pause(shortWait, undefined, { signal });
        continue;
      }
      const outcome = await take(step, kept, options).catch((error: unknown) => told(error, name, options));
      if (outcome) return outcome;
    }
    throw new Error(`the order of ${readable(name)} has taken ${mostSteps} steps and is not done`);
  };
}

/** The order; one that was refused is tried again, for somebody has asked for that. */
async function opened(name: Bytes, { orders }: PlacementOptions): Promise<Kept | undefined> {
  const kept = await orders.read(name);
  if (kept?.order.state !== 'refused') return kept;
  return orders.replace(kept, { ...kept.order, state: 'open', passed: [] });
}

/**
 * Whether a creation that was cancelled after it had begun has come to be all the same, for its server was told meanwhile: it
 * is an order again, and is carried through. Rejects where its server does not say.
 */
async function isMadeYet(kept: Kept, { orders, servers }: PlacementOptions): Promise<boolean> {
  const { place, ...order } = kept.order;
  if (!order.begun || !place) return false;
  const said = await servers.holds(place.server, order.name);
  if (said === 'lacks') await orders.replace(kept, { ...order, begun: false });
  else await orders.replace(kept, { ...kept.order, state: 'open', note: 'its server had it before it was cancelled' });
  return said !== 'lacks';
}

type Taken = Exclude<Step, { do: 'wait' }>;
type Telling = Extract<Step, { do: 'tell' }>;

/** Takes one step; an outcome where it was the last one. What another worker has done meanwhile is seen by the next look. */
async function take(step: Taken, kept: Kept, options: PlacementOptions): Promise<Outcome | undefined> {
  const { orders, placer, servers, log } = options;
  const { order } = kept;
  const fields = { user: readable(order.name), order: order.wish.is };
  switch (step.do) {
    case 'choose':
      await orders.replace(kept, { ...order, place: await placer.choose(order), note: 'its place is chosen' });
      return undefined;
    case 'tell':
      await tell(step, kept, options);
      return undefined;
    case 'push':
      await servers.push(step.at.server, order.name);
      return undefined;
    case 'write':
      await writeRows(step.at, kept.order, options);
      return undefined;
    case 'finish':
      await orders.replace(kept, { ...order, state: 'done', note: step.note });
      // A new user stays promised until he is counted, and his space until the figures show it.
      if (order.wish.is !== 'create' || !order.made) await placer.release(order.name);
      log.info({ ...fields, note: step.note }, 'user: order is done');
      return { is: 'done', note: step.note };
    case 'refuse':
      throw new Refused(step.why);
  }
}

/**
 * What went wrong stands in the order, too; what will never be is over. Who was not reached may be by the next attempt, and
 * is free to be chosen again. Rethrows the error.
 */
async function told(error: unknown, name: Bytes, { orders, placer }: PlacementOptions): Promise<never> {
  const kept = await orders.read(name);
  if (kept?.order.state === 'open') {
    const state = (error as { kind?: unknown }).kind === 'refused' ? 'refused' : 'open';
    const passed = kept.order.passed.filter(({ is }) => is === 'refused');
    const note = error instanceof Error ? error.message : String(error);
    await orders.replace(kept, { ...kept.order, state, passed, note });
    if (state === 'refused') await placer.release(name);
  }
  throw error;
}

/** The server is told only once it is written down that it may have been, for a worker may end at any line. */
async function tell(step: Telling, kept: Kept, options: PlacementOptions): Promise<void> {
  const { orders, servers } = options;
  const { at } = step;
  if (!kept.order.begun && !(await reached(at, kept, options))) return;
  if (!kept.order.begun && (await heldElsewhere(at, kept.order, options))) return;
  const begun = await begin(step, kept, options);
  if (!begun) return;
  const { name, wish } = begun.order;
  try {
    if (wish.is === 'create') await servers.create(at, name, wish);
    else if (wish.is === 'delete') await servers.remove(at.server, name);
    else await servers.rename(at.server, name, wish.to);
  } catch (error) {
    await failed(error, at, begun, options);
    return;
  }
  await orders.replace(begun, { ...begun.order, made: true, note: 'its server has done it' });
}

/** Whether the server answers. Of a new user that is not meant for this server another one may be chosen instead. */
async function reached({ server }: Place, kept: Kept, options: PlacementOptions): Promise<boolean> {
  const { servers, log } = options;
  try {
    await servers.holds(server, kept.order.name);
    await mayBeMade(server, kept.order, options);
    return true;
  } catch (error) {
    if (!isFree(kept.order)) throw error;
    log.warn({ err: error, server, user: readable(kept.order.name) }, 'user: the chosen server does not answer');
    await pass({ server, is: 'silent', why: (error as Error).message }, kept, options);
    return false;
  }
}

/** Rejects where the server may yet carry out an order to remove who bore that name before: it would remove the new one. */
async function mayBeMade(server: Bytes, { name, wish }: Order, { findings }: PlacementOptions): Promise<void> {
  if (wish.is !== 'create') return;
  const found = (await findings?.of(name)) ?? [];
  if (found.some((one) => isRemoving(one, server))) throw new JobFailure('busy', removingText(name, server));
}

/**
 * Whether another server has the new user, whom nobody has told the directory of: it is to tell it now, and the next look
 * finds him there. A server that does not say so soon keeps nobody waiting.
 */
async function heldElsewhere({ server }: Place, { name, wish }: Order, options: PlacementOptions): Promise<boolean> {
  if (wish.is !== 'create') return false;
  const { directory, registry, servers } = options;
  const others = registry.all().filter((backend) => backend.imap && backend.name !== server);
  const said = await Promise.all(others.map((other) => within(servers.holds(other.name, name), soon, 'unknown')));
  const holder = others.find((_, at) => said[at] === 'has' || said[at] === 'moving');
  if (!holder) return false;
  const it = `${readable(holder.name)} has it, and`;
  if (!holder.mupdate) throw new Refused(`${it} its row is not written: import it`);
  await servers.push(holder.name, name);
  const [row] = (await directory.lookup([name])).entries;
  if (!row || isGrave(row)) throw new JobFailure('busy', `${it} does not tell the directory of it`);
  return true;
}

/** What it resolves to, or this in its place where it fails, or takes longer than so many milliseconds. */
async function within<T>(what: Promise<T>, milliseconds: number, otherwise: T): Promise<T> {
  const given = new AbortController();
  const late = pause(milliseconds, otherwise, { signal: given.signal }).catch(() => otherwise);
  try {
    return await Promise.race([what.catch(() => otherwise), late]);
  } finally {
    given.abort();
  }
}

/** Undefined where another worker was faster. */
async function begin({ at, version }: Telling, kept: Kept, { orders }: PlacementOptions): Promise<Kept | undefined> {
  const { order } = kept;
  if (order.begun) return kept;
  const seen = version === undefined ? {} : { version };
  return orders.replace(kept, { ...order, place: at, begun: true, ...seen, note: 'its server is told' });
}

/** What was refused for certain, and is not there, may be asked of another server; the rest is tried again. */
async function failed(error: unknown, { server }: Place, kept: Kept, options: PlacementOptions): Promise<void> {
  const { order } = kept;
  if ((error as { kind?: unknown }).kind !== 'refused') throw error;
  const isGone = order.wish.is === 'create' && (await options.servers.holds(server, order.name)) === 'lacks';
  if (isGone && isFree(order)) {
    options.log.warn({ err: error, server, user: readable(order.name) }, 'user: the chosen server refuses');
    await pass({ server, is: 'refused', why: (error as Error).message }, kept, options);
    return;
  }
  // Nothing has come of it: ordered again, it may go elsewhere.
  if (isGone) await options.orders.replace(kept, { ...order, begun: false });
  throw error;
}

/** Whether a new user may go to whichever server. */
function isFree({ wish }: Order): boolean {
  return wish.is === 'create' && wish.server === undefined;
}

/** Another server is to be chosen. */
async function pass(passed: Passed, kept: Kept, { orders, placer }: PlacementOptions): Promise<void> {
  const { place, ...order } = kept.order;
  await placer.release(order.name);
  const free = { begun: false, made: false, passed: [...order.passed, passed], note: passed.why };
  await orders.replace(kept, { ...order, ...free });
}

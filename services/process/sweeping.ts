// What a directory node does again and again: it shows itself, settles what lost sessions have left, rings for what is open.
import type { MupdateServer } from '../mupdate/server.ts';
import { emptyingJob } from '../moves/emptying.ts';
import { isAway } from '../redis/away.ts';
import { openMoves } from './open-moves.ts';
import { openUsers } from './open-users.ts';
import type { Moves } from './open-moves.ts';
import type { Users } from './open-users.ts';
import type { Events, RoleStart } from './role.ts';

/** How often a node shows itself and settles what others left, in milliseconds. */
const sweepEvery = 10_000;

/**
 * How often each open case is rung for again, in milliseconds: a ring may be lost with the queues' Redis, and a backend
 * that could not be asked may answer by now.
 */
const ringEvery = 60_000;

/** How many cases are rung for at a time; of more than these, others each time. */
const mostRings = 5000;

/** How many moves are rung for at a time, at whose end a server was silent. */
const mostUnasked = 50;

/** How many runs are looked at: the newest. */
const mostRuns = 1000;

export interface Sweeping {
  /** Sweeps once more, and no more after that. */
  stop(): Promise<void>;
}

/** Sweeps once, and from then on again and again. */
export async function startSweeping(start: RoleStart, server: MupdateServer, events: Events): Promise<Sweeping> {
  const sweep = () => sweepNow(start, server, events);
  const orders = openUsers(start.config, start.outages.of('events'));
  const moves = openMoves(start.config, start.outages.of('events'));
  await sweep();
  const timers = [
    setInterval(() => void sweep(), sweepEvery),
    setInterval(() => void ringNow(start, events), ringEvery),
    setInterval(() => void ringForOrders(orders, start, events), ringEvery),
    setInterval(() => void ringForMoves({ moves: moves.store }, start, events), ringEvery),
    setInterval(() => void ringForUnasked(moves, start, events), ringEvery),
    setInterval(() => void ringForRuns(moves, start, events), ringEvery),
    setInterval(() => {
      for (const [server, { empties }] of start.registry.words())
        if (empties) events.producer.ring('plans', { run: emptyingJob(server) });
    }, ringEvery),
    setInterval(() => {
      // Of the others nobody can tell how full they are.
      const { registry } = start;
      const isThere = (name: string) => registry.standing(name).stage !== 'retired';
      const told = registry.all().filter(({ name, imap, space }) => (imap ?? space) && isThere(name));
      for (const { name } of told) events.producer.ring('usage', { server: name });
    }, start.config.usage.interval * 1000),
  ];
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      orders.close();
      moves.close();
      await sweep();
    },
  };
}

/** Puts back what sessions deleted that nobody ends any more: of a node that died, or while Redis was away. */
async function sweepNow({ directory, node, log }: RoleStart, server: MupdateServer, events: Events): Promise<void> {
  try {
    const { restored, rung } = await directory.sweep(node, (session) => server.has(session));
    if (restored.length > 0) log.warn({ mailboxes: restored }, 'directory: deletions of lost sessions are put back');
    if (rung.length > 0) log.warn({ mailboxes: rung }, 'reconciliation is due: their sessions were lost');
    for (const name of rung) events.producer.ring('reconcile', { name });
  } catch (error) {
    // An outage is told of as one.
    if (!isAway(error)) log.error({ err: error }, 'directory: sweep');
  }
}

/**
 * A ring for an order may have been lost with the process that took it, or somebody who was away may be back. What was given
 * up for another reason waits for an operator: it would only be given up again.
 */
export function ringForOrders(
  { orders }: { orders: Pick<Users['orders'], 'open'> },
  start: Told,
  events: Bells,
): Promise<void> {
  return ringForOpen('placement', orders, start, events);
}

/** The same for moves. */
export function ringForMoves(
  { moves }: { moves: Pick<Moves['store'], 'open'> },
  start: Told,
  events: Bells,
): Promise<void> {
  return ringForOpen('moves', moves, start, events);
}

/**
 * And for moves at whose end a server was silent: whether it has kept anything is asked once it answers. Some at a time, others
 * each time: each waits for a server that may be silent still.
 */
export async function ringForUnasked(
  { findings }: { findings: Pick<Moves['findings'], 'all'> },
  { log }: Told,
  { producer }: Pick<Bells, 'producer'>,
): Promise<void> {
  try {
    const unasked = (await findings.all()).filter(({ kind }) => kind === 'unasked');
    const names = [...new Set(unasked.map(({ tree }) => tree))];
    for (const name of someOf(names, mostUnasked)) producer.ring('moves', { name });
  } catch (error) {
    if (!isAway(error)) log.error({ err: error }, 'events: moves with silent servers could not be rung for');
  }
}

/** So many in a row, from anywhere on. */
function someOf<T>(all: readonly T[], most: number): T[] {
  const first = all.length > most ? Math.floor(Math.random() * all.length) : 0;
  return [...all, ...all].slice(first, first + Math.min(all.length, most));
}

/** And for runs that are not over: their conductor's job may have been given up, or lost. */
export async function ringForRuns(
  { runs }: { runs: Pick<Moves['runs'], 'list'> },
  { log }: Told,
  { producer }: Pick<Bells, 'producer'>,
): Promise<void> {
  try {
    for (const { id, ended } of await runs.list(mostRuns)) if (ended === undefined) producer.ring('plans', { run: id });
  } catch (error) {
    if (!isAway(error)) log.error({ err: error }, 'events: runs could not be rung for');
  }
}

interface Told {
  log: Pick<RoleStart['log'], 'error'>;
}

interface Bells {
  producer: Pick<Events['producer'], 'ring'>;
  deadLetters: Pick<Events['deadLetters'], 'find'>;
}

async function ringForOpen(
  queue: 'placement' | 'moves',
  kept: { open(most: number): Promise<string[]> },
  { log }: Told,
  { producer, deadLetters }: Bells,
): Promise<void> {
  try {
    const open = new Set(await kept.open(mostRings));
    if (open.size === 0) return;
    const given = await deadLetters.find(queue, { about: (name) => open.has(name) });
    for (const { subject, kind } of given) if (subject !== undefined && kind !== 'away') open.delete(subject);
    for (const name of open) producer.ring(queue, { name });
  } catch (error) {
    if (!isAway(error)) log.error({ err: error, queue }, 'events: what is open could not be rung for');
  }
}

async function ringNow({ directory, log }: RoleStart, { producer }: Events): Promise<void> {
  try {
    const names = await directory.caseNames();
    for (const name of someOf(names, mostRings)) producer.ring('reconcile', { name });
  } catch (error) {
    if (!isAway(error)) log.error({ err: error }, 'directory: open cases could not be rung for');
  }
}

// The directory's change log as a source of events: each change, appended to its tree's list for one subscriber.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { shardOf } from '../directory/redis/keys.ts';
import type { Directory, Head, Position } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { EventLog } from '../events/processor.ts';
import type { TreeEvents } from '../events/tree-events.ts';
import type { Advance, Lead, NewTreeEvent, TreeLists } from '../events/tree-lists.ts';
import { isAway } from '../redis/away.ts';
import { changeBatches } from './change-batches.ts';
import type { Subscriber } from './subscriber.ts';

export interface ChangeSourceOptions {
  directory: Pick<Directory, 'follow' | 'snapshot'>;
  events: TreeEvents;
  subscriber: Subscriber;
  /** How long a process may be silent before another one reads in its place, in milliseconds. */
  lostAfter: number;
  log: EventLog;
}

export interface RunningSource {
  stop(): Promise<void>;
}

/**
 * How many changes are appended at once. Their position is kept by the same script that appends them, so that none is left
 * out or appended twice, wherever the process ends.
 */
const batchSize = 200;

/** A lead is renewed so often while it holds: two signs of life may be lost. */
const renewals = 3;

/** The end of each shard's log, as it is kept: `[seq, nonce]`. */
const positionSchema = z.array(z.tuple([z.int().nonnegative(), z.string()]));

function readPosition(text: string): Position {
  return positionSchema.parse(JSON.parse(text)).map(([seq, nonce]) => ({ seq, nonce }));
}

function writePosition(position: Position): string {
  return JSON.stringify(position.map(({ seq, nonce }) => [seq, nonce]));
}

/**
 * Modes: standing by (another process has the lead), leading (every change is appended as it comes), resyncing (the log does
 * not reach back to the position, or there is none: every tree is told of as a whole, and the log is followed from there).
 * It only reads the directory: no write waits for it.
 */
export function startChangeSource(options: ChangeSourceOptions): RunningSource {
  const stopping = new AbortController();
  const running = stoodBy(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function stoodBy(options: ChangeSourceOptions, stopped: AbortSignal): Promise<void> {
  const { events, subscriber, lostAfter, log } = options;
  const lists = events.lists(subscriber.queue);
  const lead: Lead = { token: randomUUID(), holds: lostAfter };
  let lastError = '';
  while (!stopped.aborted) {
    try {
      const place = await lists.lead(lead);
      if (place) await led(place.position, { ...options, lists, lead, stopped });
      lastError = '';
    } catch (error) {
      const { message } = error as Error;
      // An outage of Redis is told of by its connections.
      if (message !== lastError && !isAway(error))
        log.error({ err: error, queue: subscriber.queue }, 'changes: no events for now');
      lastError = message;
    }
    await sleep(lostAfter / renewals, undefined, { signal: stopped }).catch(() => undefined);
  }
  await lists.leave(lead.token).catch(() => undefined);
}

interface Leading extends ChangeSourceOptions {
  lists: TreeLists;
  lead: Lead;
  stopped: AbortSignal;
}

/** Appends changes until stopped, or until the lead is lost. */
async function led(position: string | undefined, leading: Leading): Promise<void> {
  const { subscriber, log, stopped } = leading;
  const renewing = renewed(leading);
  const signal = AbortSignal.any([stopped, renewing.lost]);
  log.info({ queue: subscriber.queue }, 'changes: this process makes events of them');
  try {
    let from: Position | undefined = position === undefined ? undefined : readPosition(position);
    let reason = 'nothing was read before';
    while (!signal.aborted) {
      from ??= await resynced(reason, leading);
      const lost = await followed(from, leading, signal);
      if (lost === undefined) break;
      reason = lost;
      from = undefined;
    }
  } finally {
    renewing.stop();
    if (!stopped.aborted) log.warn({ queue: subscriber.queue }, 'changes: this process makes no more events of them');
  }
}

/** Gives why the log can't be followed any more; undefined when it is somebody else's turn, or nobody's. */
async function followed(from: Position, leading: Leading, signal: AbortSignal): Promise<string | undefined> {
  const batches = changeBatches(leading.directory, from, batchSize, signal);
  let before = from;
  for (;;) {
    const next = await batches.next();
    if (next.done) return next.value;
    const { changes, at } = next.value;
    const told = changes.map((change) => ({
      tree: placeOf(change.name).tree,
      body: leading.subscriber.changed(change),
    }));
    if (!(await appended(told, { from: writePosition(before), to: writePosition(at) }, leading))) {
      await batches.return(undefined);
      return undefined;
    }
    before = at;
  }
}

/** Tells of every tree as a whole, and gives the position from which the log is to be followed. */
async function resynced(reason: string, leading: Leading): Promise<Position> {
  const { directory, subscriber, lists, log } = leading;
  const { queue } = subscriber;
  log.warn({ queue, reason }, 'changes: every tree is told of anew');
  const { entries, at } = await directory.snapshot();
  // What leaves a list from now on is known to the subscriber: so the lists are looked at first.
  const trees = new Map<Bytes, Entry[]>();
  for (const tree of [...(await lists.trees()), ...(await subscriber.known())]) trees.set(tree, []);
  for (const entry of entries) {
    const { tree } = placeOf(entry.name);
    const rows = trees.get(tree);
    if (rows) rows.push(entry);
    else trees.set(tree, [entry]);
  }
  const told = Array.from(trees, ([tree, rows]) => ({
    ...{ tree, body: subscriber.resynced(rows, at[shardOf(tree, at.length)] ?? start) },
  }));
  if (!(await appended(told, { to: writePosition(at) }, leading)))
    throw new Error('another process makes events of the changes now');
  log.info({ queue, trees: told.length }, 'changes: every tree has been told of');
  return at;
}

/** Before the first change. */
const start: Head = { seq: 0, nonce: '' };

/** False when another process has the lead, or Redis another position than it had. */
function appended(told: readonly Told[], advance: Advance, { events, subscriber, lead }: Leading) {
  const wanted = told.flatMap(({ tree, body }): NewTreeEvent[] => (body === undefined ? [] : [{ tree, body }]));
  return events.append(subscriber.queue, wanted, lead, advance);
}

/** What a subscriber says of a change of a tree, if anything. */
interface Told {
  tree: Bytes;
  body: string | undefined;
}

/** Renews the lead until stopped. `lost` is aborted when it is another's, or can't be renewed in time. */
function renewed({ lists, lead, lostAfter }: Leading) {
  const lost = new AbortController();
  let renewedAt = performance.now();
  const renew = async () => {
    const asked = performance.now();
    const held = await lists.lead(lead).catch(() => 'unknown' as const);
    if (held !== undefined && held !== 'unknown') renewedAt = asked;
    if (held === undefined || performance.now() - renewedAt > lostAfter) lost.abort();
  };
  const timer = setInterval(() => void renew(), lostAfter / renewals);
  return {
    lost: lost.signal,
    stop: () => {
      clearInterval(timer);
    },
  };
}

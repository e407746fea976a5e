// Works off one tree's list of events: in order, in batches, under a token that only one worker has.
import { randomUUID } from 'node:crypto';
import type { EventLog, Outcome } from './processor.ts';
import type { Hold, TreeEvent, TreeLists } from './tree-lists.ts';

export interface TreeWork {
  tree: string;
  /** In order, and at least one. */
  events: readonly TreeEvent[];
  /** Aborted when another worker may have the tree, or this one is to stop. */
  signal: AbortSignal;
  /** Only while Redis has this word at this key nobody else works on the tree: for whoever writes there by a script. */
  fence: { key: string; token: string };
}

/** Applies events of a tree; to throw is to have them come again. It may see the same events again, and be ended at any line. */
export type ApplyTreeEvents = (work: TreeWork) => Promise<void>;

export interface DrainOptions {
  lists: TreeLists;
  apply: ApplyTreeEvents;
  /**
   * What becomes of an event that fails again and again. `wait`: its tree waits, for what comes after makes no sense without
   * it. A number: after so many attempts it is set aside with the reason, and its tree goes on.
   */
  poison: 'wait' | number;
  /** How many events are applied at once, at most. */
  batch: number;
  /** How long a worker may be silent before another one may take its tree, in milliseconds. */
  lostAfter: number;
  /** The pause after the first failure, in milliseconds, doubled with each one after it; and the longest. */
  pause: { first: number; longest: number };
  log: Pick<EventLog, 'warn' | 'error'>;
}

/** After so many batches of one tree others have their turn. */
const mostBatches = 50;

/** A token is renewed so often while it holds: two signs of life may be lost. */
const renewals = 3;

/** The processor of a queue whose jobs are bells of trees. */
export function treeProcessor(options: DrainOptions) {
  return async ({ tree }: { tree: string }, signal: AbortSignal): Promise<Outcome> => {
    const { lists, lostAfter, batch } = options;
    const hold: Hold = { tree, token: randomUUID(), holds: lostAfter };
    const taken = await lists.take(hold, batch);
    if (typeof taken === 'number') {
      return { is: 'later', note: 'another worker has the tree', pause: Math.max(1, taken) };
    }
    if (taken.length === 0) return { is: 'done', note: 'nothing waits' };
    const renewing = renewed(hold, options);
    try {
      return await drained(hold, taken, AbortSignal.any([signal, renewing.lost]), options);
    } finally {
      renewing.stop();
      // Given up already when all went well; what Redis is not told of now it forgets by itself.
      await lists.release(hold).catch(() => undefined);
    }
  };
}

async function drained(
  hold: Hold,
  first: readonly TreeEvent[],
  signal: AbortSignal,
  options: DrainOptions,
): Promise<Outcome> {
  const { lists, apply, batch } = options;
  const fence = { key: `${lists.prefix}token:${hold.tree}`, token: hold.token };
  let events = first;
  let done = 0;
  for (let batches = 0; batches < mostBatches; batches += 1) {
    signal.throwIfAborted();
    try {
      await apply({ tree: hold.tree, events, signal, fence });
    } catch (error) {
      signal.throwIfAborted();
      return await failed(hold, events, error, options);
    }
    const next = await lists.trim(hold, events.length, batch);
    if (!next) return lostHold(hold);
    done += events.length;
    if (next.length === 0) return { is: 'done', note: `${done} events` };
    events = next;
  }
  return { is: 'later', note: `${done} events, and more wait`, pause: 0 };
}

async function failed(
  hold: Hold,
  events: readonly TreeEvent[],
  error: unknown,
  options: DrainOptions,
): Promise<Outcome> {
  const { lists, poison, pause, log } = options;
  const reason = error instanceof Error ? error.message : String(error);
  const attempts = poison === 'wait' ? undefined : poison;
  const count = await lists.fail(hold, { reason, alone: events.length === 1, attempts });
  if (!count) return lostHold(hold);
  const fields = { tree: hold.tree, event: events[0]?.id, attempts: count.attempts, err: error };
  if (count.aside) {
    log.error(fields, 'an event of a tree is set aside');
    return { is: 'later', note: `event ${events[0]?.id} is set aside: ${reason}`, pause: 0 };
  }
  log.warn(fields, 'events of a tree could not be applied');
  return { is: 'later', note: reason, pause: Math.min(pause.longest, pause.first * 2 ** (count.attempts - 1)) };
}

/** Somebody else goes on with the tree. This bell rings once more, in case he doesn't. */
function lostHold({ holds }: Hold): Outcome {
  return { is: 'later', note: 'the hold on the tree was lost', pause: holds };
}

/** Renews the token until stopped. `lost` is aborted when it is another's, or can't be renewed in time. */
function renewed(hold: Hold, { lists, lostAfter }: DrainOptions) {
  const lost = new AbortController();
  let renewedAt = performance.now();
  const renew = async () => {
    const asked = performance.now();
    const held = await lists.renew(hold).catch(() => undefined);
    if (held) renewedAt = asked;
    const silent = performance.now() - renewedAt > lostAfter;
    if (held === false || silent) lost.abort(new Error('the hold on the tree was lost'));
  };
  const timer = setInterval(() => void renew(), lostAfter / renewals);
  return {
    lost: lost.signal,
    stop: () => {
      clearInterval(timer);
    },
  };
}

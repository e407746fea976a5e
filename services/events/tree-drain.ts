// Works off trees' lists of events: each in order, in batches, under a token that only one worker has.
import { randomUUID } from 'node:crypto';
import type { EventLog, Outcome } from './processor.ts';
import type { Hold, Holder, Nothing, Taken, TreeEvent, TreeLists } from './tree-lists.ts';

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

/**
 * How long a run goes from tree to tree, in milliseconds: a worker that is to stop need not interrupt it, and a tree whose list
 * never ends makes way for others.
 */
const turn = 1_000;

/** A token is renewed so often while it holds: two signs of life may be lost. */
const renewals = 3;

/** What a run of a bell has done so far. */
interface Run {
  /** Aborted when it is to end at once. */
  signal: AbortSignal;
  /** When it takes no other tree any more. */
  until: number;
  events: number;
  batches: number;
  /** The trees that have failed under it: when they may be tried again, and why they have. */
  troubled: Map<string, { due: number; reason: string }>;
}

/** The processor of a queue whose jobs are bells of trees: works off one tree after the other, for a turn. */
export function treeProcessor(options: DrainOptions) {
  return async ({ tree }: { tree: string }, signal: AbortSignal): Promise<Outcome> => {
    const { lists, lostAfter, batch } = options;
    const run: Run = { signal, until: performance.now() + turn, events: 0, batches: 0, troubled: new Map() };
    let taken = await lists.take(newHolder(lostAfter), batch);
    if ('pause' in taken) return await inVain(tree, taken, lists);
    // There is more than one worker can do at a time: the next one that is free is to help, and rings in his turn.
    if (taken.other !== undefined) await lists.bells.ring(taken.other);
    while ('hold' in taken) taken = await worked(taken, run, options);
    return ended(run, taken);
  };
}

/**
 * Others have taken all there is, or it is to be tried later. Whoever has it may be dead, and this the bell that he had heard: it
 * is looked once more when his hold is over.
 */
async function inVain(tree: string, { pause }: Nothing, lists: TreeLists): Promise<Outcome> {
  if (pause !== undefined) await lists.bells.ringLater(tree, pause);
  return { is: 'done', note: 'nothing waits' };
}

function ended({ events, batches, troubled }: Run, { pause }: Nothing): Outcome {
  const note = `${events} events in ${batches} batches`;
  if (pause === 0) return { is: 'later', note: `${note}, and more wait`, pause };
  const [first] = Array.from(troubled.values()).sort((a, b) => a.due - b.due);
  if (!first) return { is: 'done', note };
  return { is: 'later', note: `${note}; ${first.reason}`, pause: Math.max(1, Math.ceil(first.due - performance.now())) };
}

/** Works on some events of a tree; gives those that are next, of the same tree or another one. */
async function worked(taken: Taken, run: Run, options: DrainOptions): Promise<Taken | Nothing> {
  const { lists, log } = options;
  const { hold } = taken;
  const holding = held(hold, run.signal, options);
  try {
    const next = await applied(taken, holding.signal, run, options);
    if (next) return next;
  } catch (error) {
    // What Redis is not told of now it forgets by itself.
    await lists.release(hold).catch(() => undefined);
    throw error;
  } finally {
    holding.stop();
  }
  // Somebody else goes on with it.
  log.warn({ tree: hold.tree }, 'the hold on the tree was lost');
  return await another(run, options);
}

/** Undefined when the hold was lost. */
async function applied({ hold, events }: Taken, signal: AbortSignal, run: Run, options: DrainOptions) {
  const { lists, apply, batch } = options;
  run.signal.throwIfAborted();
  try {
    await apply({ tree: hold.tree, events, signal, fence: { key: lists.tokenKey(hold.tree), token: hold.token } });
  } catch (error) {
    run.signal.throwIfAborted();
    return (await failed(hold, events, error, run, options)) ? await another(run, options) : undefined;
  }
  const next = await lists.trim(hold, events.length, batch, nextHolder(run, options));
  if (!next) return undefined;
  run.troubled.delete(hold.tree);
  run.events += events.length;
  run.batches += 1;
  return next;
}

async function another(run: Run, { lists, batch, lostAfter }: DrainOptions): Promise<Taken | Nothing> {
  return goesOn(run) ? await lists.take(newHolder(lostAfter), batch) : { pause: 0 };
}

function nextHolder(run: Run, { lostAfter }: DrainOptions): Holder | undefined {
  return goesOn(run) ? newHolder(lostAfter) : undefined;
}

function goesOn({ signal, until }: Run): boolean {
  return !signal.aborted && performance.now() < until;
}

function newHolder(holds: number): Holder {
  return { token: randomUUID(), holds };
}

/** False when the hold was lost. */
async function failed(
  hold: Hold,
  events: readonly TreeEvent[],
  error: unknown,
  { troubled }: Run,
  { lists, poison, pause, log }: DrainOptions,
): Promise<boolean> {
  const reason = error instanceof Error ? error.message : String(error);
  const attempts = poison === 'wait' ? undefined : poison;
  const count = await lists.fail(hold, { reason, alone: events.length === 1, attempts, pause });
  if (!count) return false;
  const fields = { tree: hold.tree, event: events[0]?.id, attempts: count.attempts, err: error };
  if (count.aside) {
    troubled.delete(hold.tree);
    log.error(fields, 'an event of a tree is set aside');
  } else {
    troubled.set(hold.tree, { due: performance.now() + count.pause, reason });
    log.warn(fields, 'events of a tree could not be applied');
  }
  return true;
}

/** Renews the token until stopped. `signal` is aborted with the other one, when the tree is another's, or can't be renewed in time. */
function held(hold: Hold, end: AbortSignal, { lists, lostAfter }: DrainOptions) {
  const over = new AbortController();
  const atEnd = () => {
    over.abort(end.reason);
  };
  end.addEventListener('abort', atEnd);
  let renewedAt = performance.now();
  const renew = async () => {
    const asked = performance.now();
    const mine = await lists.renew(hold).catch(() => undefined);
    if (mine) renewedAt = asked;
    const silent = performance.now() - renewedAt > lostAfter;
    if (mine === false || silent) over.abort(new Error('the hold on the tree was lost'));
  };
  const timer = setInterval(() => void renew(), lostAfter / renewals);
  return {
    signal: over.signal,
    stop: () => {
      clearInterval(timer);
      end.removeEventListener('abort', atEnd);
    },
  };
}

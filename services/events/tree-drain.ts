// Has trees' lists of events worked off by whoever hears a bell: each in order, in batches, by one worker at a time.
import { randomUUID } from 'node:crypto';
import type { EventLog, Outcome } from './processor.ts';
import type { TreeEvent } from './tree-event.ts';
import type { Failure, Found, Hold, Room, Taken, TreeLists } from './tree-lists.ts';

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
  /**
   * Why nobody will ever read an event with this body; undefined: it can be read. One that can't is set aside as soon as its
   * turn comes, whatever `poison` says: it is no failure that passes. Left out: all can be read.
   */
  unreadable?: ((body: string) => string | undefined) | undefined;
  /** How many events of a tree are applied at once, at most. */
  batch: number;
  /** How many trees a run works on at a time: each waits for none of the others. Default 1. */
  trees?: number | undefined;
  /** How long a worker may be silent before another one may take its tree, in milliseconds. */
  lostAfter: number;
  /** The pause after the first failure, in milliseconds, doubled with each one after it; and the longest. */
  pause: { first: number; longest: number };
  log: Pick<EventLog, 'warn' | 'error'>;
}

/**
 * How long a run takes further trees, in milliseconds: a worker that is to stop need not interrupt it, and a tree whose list
 * never ends makes way for others.
 */
const turn = 1_000;

/** A token is renewed so often while it holds: two signs of life may be lost. */
const renewals = 3;

/** The processor of a queue whose jobs are bells of trees. */
export function treeProcessor(options: DrainOptions) {
  return ({ tree }: { tree: string }, signal: AbortSignal): Promise<Outcome> =>
    new TreeRun(options, signal).outcome(tree);
}

/** One run of a bell: works on some trees at a time, each under a token that only one worker has, and goes on to others. */
class TreeRun {
  readonly #options: DrainOptions;
  readonly #signal: AbortSignal;
  readonly #until = performance.now() + turn;
  /** What is worked on; aborted when another worker may have the tree, or this one is to stop. */
  readonly #working = new Map<Hold, AbortController>();
  /** Applied, and to be removed from the lists by the next question to Redis: there is one at a time, for all trees. */
  #done: { hold: Hold; count: number }[] = [];
  /** Trees that have failed here: when they may be tried again, and why they have. */
  readonly #troubled = new Map<string, { due: number; reason: string }>();
  #error: { is: unknown } | undefined;
  /** Whether something is over of which Redis was not told yet. */
  #over = false;
  #wake: () => void = () => undefined;
  #renewedAt = performance.now();
  #events = 0;
  #batches = 0;

  constructor(options: DrainOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Works until the turn is over or nothing is left to take, and what it has taken then is done. `tree` is what was rung for. */
  async outcome(tree: string): Promise<Outcome> {
    this.#signal.throwIfAborted();
    const { lists, lostAfter } = this.#options;
    const first = await this.#next();
    if (first.taken.length === 0) return await this.#inVain(tree, first);
    const stop = () => {
      for (const over of this.#working.values()) over.abort(this.#signal.reason);
    };
    this.#signal.addEventListener('abort', stop);
    const renewing = setInterval(() => void this.#renew(), lostAfter / renewals);
    try {
      // There is more than one run has room for: the next worker that is free is to help, and rings in his turn.
      if (first.other !== undefined) await lists.bells.ring(first.other).catch(this.#fails);
      return this.#told(await this.#worked());
    } finally {
      clearInterval(renewing);
      this.#signal.removeEventListener('abort', stop);
    }
  }

  /**
   * Others have taken all there is, or it is to be tried later. Whoever has it may be dead, and this the bell that he had heard:
   * it is looked once more when his hold is over.
   */
  async #inVain(tree: string, { pause }: Found): Promise<Outcome> {
    if (pause !== undefined) await this.#options.lists.bells.ringLater(tree, pause);
    return { is: 'done', note: 'nothing waits' };
  }

  /** Resolves when nothing is worked on any more, with what was found last. */
  async #worked(): Promise<Found | undefined> {
    let found: Found | undefined;
    while (this.#working.size > 0 || this.#over) {
      if (!this.#over) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#over = false;
      found = await this.#next().catch(this.#fails);
    }
    if (this.#error) throw this.#error.is;
    this.#signal.throwIfAborted();
    return found;
  }

  readonly #fails = (error: unknown): undefined => {
    this.#error ??= { is: error };
  };

  #room(): Room {
    const { batch, lostAfter, trees = 1 } = this.#options;
    const goesOn = !this.#error && !this.#signal.aborted && performance.now() < this.#until;
    const free = goesOn ? trees - this.#working.size : 0;
    return { trees: free, events: batch, token: randomUUID(), holds: lostAfter };
  }

  /** Has Redis remove what is done, and begins with what is next. */
  async #next(): Promise<Found> {
    const done = this.#done;
    this.#done = [];
    const asked = performance.now();
    const found = await this.#options.lists.next(this.#room(), done);
    if (this.#working.size === 0) this.#renewedAt = asked;
    for (const { hold, count } of done) {
      if (found.lost.includes(hold.tree)) this.#lost(hold.tree);
      else this.#counted(hold.tree, count);
    }
    for (const taken of found.taken) void this.#work(taken);
    return found;
  }

  #counted(tree: string, events: number): void {
    this.#troubled.delete(tree);
    this.#events += events;
    this.#batches += 1;
  }

  async #work({ hold, events }: Taken): Promise<void> {
    const over = new AbortController();
    if (this.#signal.aborted) over.abort(this.#signal.reason);
    this.#working.set(hold, over);
    await this.#applied(hold, events, over.signal).catch(this.#fails);
    this.#working.delete(hold);
    this.#over = true;
    this.#wake();
  }

  async #applied(hold: Hold, events: readonly TreeEvent[], signal: AbortSignal): Promise<void> {
    const { apply, lists } = this.#options;
    try {
      signal.throwIfAborted();
      await apply({ tree: hold.tree, events, signal, fence: { key: lists.tokenKey(hold.tree), token: hold.token } });
      this.#done.push({ hold, count: events.length });
    } catch (error) {
      if (!signal.aborted) {
        const sound = this.#beforeUnreadable(events);
        // What comes before it is applied without it, so that it is the first one then.
        if (sound.length > 0 && sound.length < events.length) await this.#applied(hold, sound, signal);
        else await this.#failed(hold, events, error);
        return;
      }
      // What Redis is not told of now it forgets by itself.
      await lists.release(hold).catch(() => undefined);
      if (!this.#signal.aborted) this.#lost(hold.tree);
    }
  }

  #beforeUnreadable(events: readonly TreeEvent[]): readonly TreeEvent[] {
    const at = events.findIndex(({ body }) => this.#options.unreadable?.(body) !== undefined);
    return at < 0 ? events : events.slice(0, at);
  }

  async #failed(hold: Hold, events: readonly TreeEvent[], error: unknown): Promise<void> {
    const { lists, pause, log } = this.#options;
    const verdict = this.#verdict(events, error);
    const count = await lists.fail(hold, { ...verdict, pause });
    if (!count) {
      this.#lost(hold.tree);
      return;
    }
    const fields = { tree: hold.tree, event: events[0]?.id, attempts: count.attempts, err: error };
    if (count.aside) {
      this.#troubled.delete(hold.tree);
      log.error(fields, 'an event of a tree is set aside');
    } else {
      this.#troubled.set(hold.tree, { due: performance.now() + count.pause, reason: verdict.reason });
      log.warn(fields, 'events of a tree could not be applied');
    }
  }

  #verdict(events: readonly TreeEvent[], error: unknown): Omit<Failure, 'pause'> {
    const { poison, unreadable } = this.#options;
    const [first] = events;
    const why = first && unreadable?.(first.body);
    if (why !== undefined) return { reason: why, alone: true, attempts: 1 };
    const reason = error instanceof Error ? error.message : String(error);
    return { reason, alone: events.length === 1, attempts: poison === 'wait' ? undefined : poison };
  }

  /** Somebody else goes on with it. */
  #lost(tree: string): void {
    this.#options.log.warn({ tree }, 'the hold on the tree was lost');
  }

  /** A hold that is another's, or can't be renewed in time, is none. */
  async #renew(): Promise<void> {
    const { lists, lostAfter } = this.#options;
    const held = Array.from(this.#working.keys());
    if (held.length === 0) return;
    const asked = performance.now();
    const lost = await lists.renew(lostAfter, held).catch(() => undefined);
    if (lost) this.#renewedAt = asked;
    const silent = performance.now() - this.#renewedAt > lostAfter;
    for (const hold of held) {
      if (silent || lost?.includes(hold.tree))
        this.#working.get(hold)?.abort(new Error('the hold on the tree was lost'));
    }
  }

  #told(found: Found | undefined): Outcome {
    const events = this.#events === 1 ? '1 event' : `${this.#events} events`;
    const note = `${events} in ${this.#batches === 1 ? '1 batch' : `${this.#batches} batches`}`;
    if (found?.pause === 0) return { is: 'later', note: `${note}, and more wait`, pause: 0 };
    const [first] = Array.from(this.#troubled.values()).sort((a, b) => a.due - b.due);
    if (!first) return { is: 'done', note };
    const pause = Math.max(1, Math.ceil(first.due - performance.now()));
    return { is: 'later', note: `${note}; ${first.reason}`, pause };
  }
}

// The tail of one shard's change log: one blocking reader for a whole process, any number of listeners.
import type { Redis } from 'ioredis';
import type { FeedListener, Head } from '../directory.ts';
import { ChainBroken } from './change-log.ts';
import type { ChangeLog, LinkedChange } from './change-log.ts';

/** How many changes are read at once, and how long one read waits; after each wait the head is compared. */
const pageSize = 1000;
const heartbeat = 1000;
const retryPause = 200;

interface Subscriber {
  listener: FeedListener;
  /** The last change given to the listener. */
  at: Head;
  /** Changes that came while the listener was still catching up; undefined once it is up to date. */
  waiting: LinkedChange[] | undefined;
}

export interface LogTailOptions {
  log: ChangeLog;
  commands: Redis;
  /** Makes one connection for a blocking reader. */
  blocking: () => Promise<Redis>;
  onError: (error: Error) => void;
  /** Told of each change that was read. */
  saw: (place: Head) => void;
}

/**
 * Modes: idle (nobody listens, no connection is held), reading, and pausing (Redis is away: the same place is read again
 * when it is back). The reader's place moves only forward, change by change; a break in the chain ends every
 * subscription with `lost`, and the reader begins anew with the next subscriber.
 */
export class LogTail {
  readonly #log: ChangeLog;
  readonly #commands: Redis;
  readonly #blocking: () => Promise<Redis>;
  readonly #onError: (error: Error) => void;
  readonly #saw: (place: Head) => void;
  readonly #subscribers = new Set<Subscriber>();
  readonly #barriers = new Set<{
    seq: number;
    subscriber: Subscriber;
    resolve: () => void;
    reject: (e: Error) => void;
  }>();
  #connection: Redis | undefined;
  #starting: Promise<void> | undefined;
  #place: Head | undefined;
  #closed = false;

  constructor({ log, commands, blocking, onError, saw }: LogTailOptions) {
    this.#log = log;
    this.#commands = commands;
    this.#blocking = blocking;
    this.#onError = onError;
    this.#saw = saw;
  }

  /** Gives the listener every change after a place, once and in order. */
  subscribe(at: Head, listener: FeedListener): Subscriber {
    const subscriber: Subscriber = { listener, at, waiting: [] };
    this.#subscribers.add(subscriber);
    void this.#begin(subscriber);
    return subscriber;
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.#settle(subscriber, new Error('the feed was closed'));
  }

  /** Resolves once the subscriber has been given everything up to `seq`. */
  reached(subscriber: Subscriber, seq: number): Promise<void> {
    if (!this.#subscribers.has(subscriber)) return Promise.reject(new Error('the feed was lost'));
    if (subscriber.at.seq >= seq) return Promise.resolve();
    return new Promise((resolve, reject) => this.#barriers.add({ seq, subscriber, resolve, reject }));
  }

  close(): void {
    this.#closed = true;
    for (const subscriber of [...this.#subscribers]) this.unsubscribe(subscriber);
    this.#stop();
  }

  /** Starts the reader if it is idle, then brings one subscriber up to the reader's place. */
  async #begin(subscriber: Subscriber): Promise<void> {
    while (this.#subscribers.has(subscriber) && !this.#closed) {
      try {
        this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
        await this.#starting;
        await this.#catchUp(subscriber);
        return;
      } catch (error) {
        if (error instanceof ChainBroken) {
          this.#lose(subscriber, error.message);
          return;
        }
        this.#onError(error as Error);
        await pause(retryPause);
      }
    }
  }

  async #start(): Promise<void> {
    if (this.#connection) return;
    const connection = await this.#blocking();
    if (this.#closed) {
      connection.disconnect();
      return;
    }
    this.#place = await this.#log.head(connection);
    this.#connection = connection;
    void this.#read(connection);
  }

  async #catchUp(subscriber: Subscriber): Promise<void> {
    for (;;) {
      const goal = subscriber.waiting?.[0]?.seq ?? (this.#place?.seq ?? 0) + 1;
      if (subscriber.at.seq + 1 >= goal) break;
      const changes = await this.#log.after(this.#commands, subscriber.at, pageSize);
      if (changes.length === 0) throw new ChainBroken(`change ${subscriber.at.seq + 1} is gone from the log`);
      for (const change of changes) this.#give(subscriber, change);
    }
    const waiting = subscriber.waiting ?? [];
    subscriber.waiting = undefined;
    for (const change of waiting) this.#give(subscriber, change);
    await this.#verify(subscriber);
  }

  /** A subscriber that has seen more than there is, or something else, has seen what was lost since. */
  async #verify({ at }: Subscriber): Promise<void> {
    if (this.#place && at.seq < this.#place.seq) return;
    // Changes may be given to it while the question is under way.
    const head = await this.#log.head(this.#commands);
    if (head.seq < at.seq) throw new ChainBroken(`the log ends at ${head.seq}, before ${at.seq}`);
    if (head.seq === at.seq && head.nonce !== at.nonce)
      throw new ChainBroken(`change ${at.seq} is another than it was`);
  }

  async #read(connection: Redis): Promise<void> {
    while (this.#connection === connection) {
      try {
        await this.#readOnce(connection);
      } catch (error) {
        if (this.#isOver(connection)) return;
        if (error instanceof ChainBroken) this.#break(error.message);
        else await pause(retryPause);
      }
      if (this.#subscribers.size === 0) this.#stop();
    }
  }

  async #readOnce(connection: Redis): Promise<void> {
    const place = this.#place ?? { seq: 0, nonce: '' };
    const changes = await this.#log.next(connection, place, pageSize, heartbeat);
    if (changes.length === 0) {
      const head = await this.#log.head(connection);
      if (head.seq < place.seq || (head.seq === place.seq && head.nonce !== place.nonce)) {
        throw new ChainBroken(
          `the log of shard ${this.#log.shard} ends at ${head.seq}, not at ${place.seq}: data were lost`,
        );
      }
      return;
    }
    for (const change of changes) this.#arrived(change);
  }

  #arrived(change: LinkedChange): void {
    this.#place = { seq: change.seq, nonce: change.nonce };
    this.#saw(this.#place);
    for (const subscriber of [...this.#subscribers]) {
      if (subscriber.waiting) subscriber.waiting.push(change);
      else this.#give(subscriber, change);
    }
  }

  #give(subscriber: Subscriber, change: LinkedChange): void {
    if (change.seq <= subscriber.at.seq || !this.#subscribers.has(subscriber)) return;
    if (change.previous !== subscriber.at.nonce) {
      this.#lose(subscriber, `change ${change.seq} does not follow from change ${subscriber.at.seq}: data were lost`);
      return;
    }
    subscriber.at = { seq: change.seq, nonce: change.nonce };
    subscriber.listener.change(change);
    for (const barrier of this.#barriers) {
      if (barrier.subscriber !== subscriber || barrier.seq > change.seq) continue;
      this.#barriers.delete(barrier);
      barrier.resolve();
    }
  }

  #break(reason: string): void {
    for (const subscriber of [...this.#subscribers]) this.#lose(subscriber, reason);
  }

  #lose(subscriber: Subscriber, reason: string): void {
    if (!this.#subscribers.delete(subscriber)) return;
    this.#settle(subscriber, new Error(reason));
    subscriber.listener.lost(reason);
  }

  #settle(subscriber: Subscriber, error: Error): void {
    for (const barrier of this.#barriers) {
      if (barrier.subscriber !== subscriber) continue;
      this.#barriers.delete(barrier);
      barrier.reject(error);
    }
  }

  #isOver(connection: Redis): boolean {
    return this.#connection !== connection;
  }

  #stop(): void {
    this.#connection?.disconnect();
    this.#connection = undefined;
    this.#place = undefined;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// When a write may be acknowledged: after as many replicas have it as the configuration asks for.
import type { Redis } from 'ioredis';

export interface CommitOptions {
  /** The connection that the writes go through: WAIT means nothing on another one. */
  redis: Redis;
  replicas: number;
  /** How long they may take, in milliseconds. */
  timeout: number;
}

/**
 * Groups what waits: while one WAIT is under way, all that is written meanwhile shares the next one. With no replicas
 * asked for everything counts as durable when Redis has answered: whether it is on disk then is `appendfsync`'s to say.
 */
export class Commit {
  readonly #options: CommitOptions;
  #current: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Resolves to whether all that was answered before this call is durable; rejects when Redis could not be asked. */
  durable(): Promise<boolean> {
    if (this.#options.replicas === 0) return Promise.resolve(true);
    if (!this.#current) return (this.#current = this.#wait());
    // The WAIT under way was sent before this write, and says nothing about it.
    this.#next ??= this.#current
      .catch(() => false)
      .then(() => {
        this.#next = undefined;
        return (this.#current = this.#wait());
      });
    return this.#next;
  }

  async #wait(): Promise<boolean> {
    const { redis, replicas, timeout } = this.#options;
    try {
      return (await redis.wait(replicas, timeout)) >= replicas;
    } finally {
      this.#current = undefined;
    }
  }
}

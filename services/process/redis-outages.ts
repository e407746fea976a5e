// What the log says of Redis: a line when it goes away and a line when it is back, for each group of connections.
import { isAway } from '../redis/away.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import type { Log } from './log.ts';

/** The connections of a process that go to one place: the directory's, or those of the events and what is kept with them. */
export type RedisGroup = 'directory' | 'events';

export class RedisOutages {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #groups = new Map<RedisGroup, Required<ConnectionHearer>>();

  /** `now` is a clock in milliseconds. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** For all connections of the group: the first that fails is told of, and the first that is back. */
  of(group: RedisGroup): Required<ConnectionHearer> {
    const hearer = this.#groups.get(group) ?? this.#hearer(group);
    this.#groups.set(group, hearer);
    return hearer;
  }

  /** For an error that somebody met while he used a connection of the group: what says no more than an outage is left to it. */
  met(group: RedisGroup, error: Error): void {
    if (isAway(error)) this.#log.debug({ reason: error.message }, `${group}: Redis did not answer`);
    else this.#log.error({ err: error }, group);
  }

  #hearer(group: RedisGroup): Required<ConnectionHearer> {
    let since: number | undefined;
    /** Connections that have failed and are not back yet: what they say after the first one is back is of the same outage. */
    const down = new WeakSet();
    return {
      onError: ({ message }, by) => {
        const isOld = by !== undefined && down.has(by);
        if (by) down.add(by);
        if (since === undefined && isOld) {
          this.#log.debug({ reason: message }, `${group}: Redis was away`);
          return;
        }
        if (since === undefined) this.#log.error({ reason: message }, `${group}: Redis is away`);
        else this.#log.debug({ reason: message }, `${group}: Redis is still away`);
        since ??= this.#now();
      },
      onReady: (by) => {
        if (by) down.delete(by);
        if (since === undefined) return;
        this.#log.info({ away_ms: Math.round(this.#now() - since) }, `${group}: Redis is back`);
        since = undefined;
      },
    };
  }
}

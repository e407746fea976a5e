// Moves of single trees in a Murder: ordered in the Redis of the running program, and caught in the midst of a step.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeptFinding } from '../../services/moves/audit.ts';
import { FindingStore } from '../../services/moves/finding-store.ts';
import type { Move } from '../../services/moves/move.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { commandConnection } from '../../services/redis/connection.ts';
import { redisFolder } from '../../services/redis/redis-folder.ts';
import { openQueues } from './events.ts';
import { join } from 'node:path';
import type { Heard, Rule } from './mupdate-relay.ts';
import type { Backend, Murder } from './murder.ts';

/** How long what is over is kept, in seconds. */
const KEPT = 10_000;
/** From one look at a move to the next, in milliseconds. */
const LOOK_MS = 1;
/** How long the end of a move is waited for, in milliseconds. */
const PATIENCE_MS = 240_000;
/** From one ring for a move to the next, in milliseconds: whoever waits for an hour is of no use to a test. */
const RING_MS = 3_000;

/** What a server says to the directory. */
interface Said {
  verb: Heard['verb'];
  /** The root of the tree. */
  name: string;
  at: Backend;
  /** How the location begins. */
  location?: string;
}

export interface MurderMovesOptions {
  /** Of the Redis; left out: that of the program. */
  socket?: string;
  /** The process that carries moves out; left out: the program. */
  carrier?: () => number;
}

export class MurderMoves {
  readonly #murder: Murder;
  readonly #carrier: () => number;
  readonly #redis: ReturnType<typeof commandConnection>;
  readonly #store: MoveStore;
  readonly #findings: FindingStore;
  readonly #queues: ReturnType<typeof openQueues>;

  constructor(murder: Murder, options: MurderMovesOptions = {}) {
    this.#murder = murder;
    this.#carrier = options.carrier ?? (() => murder.rookery.pid);
    const socket = options.socket ?? redisFolder(join(murder.rookery.folder, 'data')).socket;
    this.#redis = commandConnection({ place: { socket }, commandTimeout: 5_000, onError: () => undefined });
    this.#store = new MoveStore(this.#redis, KEPT);
    this.#findings = new FindingStore(this.#redis);
    this.#queues = openQueues(socket);
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#queues.close();
  }

  async begun(): Promise<void> {
    await this.#store.begun();
    await this.#queues.queues.connected();
  }

  /** Orders a move, or what is over once more. */
  async order(name: string, from: Backend, to: Backend, partition = ''): Promise<void> {
    await this.#store.place({
      ...{ name, from: { server: from, partition: 'default' }, to: { server: to, partition } },
      ...{ by: 'test', since: Date.now(), state: 'open', cancelled: false, attempts: 0, octets: 0, messages: 0 },
      ...{ times: {}, step: 'ordered', note: 'ordered' },
    });
    this.#ring(name);
  }

  async cancel(name: string): Promise<void> {
    const kept = await this.#store.read(name);
    if (kept) await this.#store.replace(kept, { ...kept.move, cancelled: true });
  }

  /** As it is kept; undefined where Redis does not answer. */
  async read(name: string): Promise<Move | undefined> {
    return this.#store.read(name).then(
      (kept) => kept?.move,
      () => undefined,
    );
  }

  async findings(): Promise<KeptFinding[]> {
    return this.#findings.all();
  }

  /**
   * Stops who carries it out as soon as a server says this verb of the tree to the directory in the course of a cut, which
   * is not heard before the strike. Gives whether it came to that.
   */
  async strikeAt({ verb, name, at, location = '' }: Said, strike: () => Promise<void>): Promise<boolean> {
    const relay = this.#murder.relays[at];
    const reached = Promise.withResolvers<boolean>();
    const struck = Promise.withResolvers<undefined>();
    let isHeld = false;
    const rule: Rule = async (heard) => {
      const isMeant =
        heard.verb === verb && heard.name.startsWith(name) && heard.location.startsWith(location) && !isHeld;
      if (isMeant && (await this.read(name))?.step === 'cut') {
        isHeld = true;
        reached.resolve(true);
        await struck.promise;
      }
      // The strike may have been a rule of its own.
      return relay.rule === rule ? 'pass' : ((await relay.rule?.(heard)) ?? 'pass');
    };
    relay.rule = rule;
    void this.over(name, () => Promise.resolve()).then(
      () => {
        reached.resolve(false);
      },
      () => undefined,
    );
    const isReached = await reached.promise;
    await this.#stopped(strike);
    if (relay.rule === rule) relay.rule = undefined;
    struck.resolve(undefined);
    return isReached;
  }

  async #stopped<T>(act: () => Promise<T>): Promise<T> {
    const pid = this.#carrier();
    process.kill(pid, 'SIGSTOP');
    try {
      return await act();
    } finally {
      // It may be another one by now.
      if (isRunning(pid)) process.kill(pid, 'SIGCONT');
    }
  }

  /**
   * Stops who carries it out as soon as the move is in that step, and strikes; gives the step in which it really was then: a
   * step may be over before anybody sees it. What was done before he stood still is done.
   */
  async strikeIn(step: string, name: string, strike: () => Promise<void>): Promise<string> {
    for (let move = await this.read(name); ; move = await this.read(name)) {
      const isPast = move !== undefined && move.state !== 'open';
      if (move?.step === step || isPast) break;
      await sleep(LOOK_MS);
    }
    return this.#stopped(async () => {
      const found = await this.read(name);
      await strike();
      return found?.state === 'open' ? found.step : (found?.state ?? 'unread');
    });
  }

  /** The move once it is over; `person` is told what it waits for meanwhile. */
  async over(name: string, person: (note: string) => Promise<void>): Promise<Move> {
    const until = Date.now() + PATIENCE_MS;
    for (let rung = 0; ;) {
      const move = await this.read(name);
      if (move && move.state !== 'open') return move;
      if (Date.now() > until) throw new Error(`${name} is not over: ${JSON.stringify(move)}`);
      if (move) await person(move.note);
      if (Date.now() - rung > RING_MS) {
        this.#ring(name);
        rung = Date.now();
      }
      await sleep(50);
    }
  }

  #ring(name: string): void {
    this.#queues.producer.ring('moves', { name });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

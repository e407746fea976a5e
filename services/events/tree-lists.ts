// The lists of events that trees have: one of each tree and queue, worked off by one worker at a time under a token.
import { pairsIn, replyFrom, stringsIn } from '../redis/script.ts';
import type { Reply, Script } from '../redis/script.ts';
import type { QueueSet } from './queue-set.ts';
import { keyPrefix } from './queue-set.ts';
import type { TreeQueue } from './queues.ts';
import { TreeBells } from './tree-bells.ts';
import { asideIn, bytesOf, textOf } from './tree-event.ts';
import type { AsideEvent, TreeEvent } from './tree-event.ts';
import {
  appendScript,
  failScript,
  giveBackScript,
  leadScript,
  leaveScript,
  nextScript,
  overdueScript,
  releaseScript,
  renewScript,
} from './tree-scripts.ts';

export interface NewTreeEvent {
  /** A byte string. */
  tree: string;
  /** What is to be said to the subscriber; text. */
  body: string;
}

/** The right to append what a source of events has found: whoever lost it appends no more. */
export interface Lead {
  token: string;
  /** How long it holds from now on, in milliseconds. */
  holds: number;
}

/** How far a source has come. */
export interface Advance {
  /** Where it was before: with another position in Redis nothing is appended, for Redis has lost something. Undefined: anywhere. */
  from?: string | undefined;
  /** Where it is with these events; kept in the same instant as they are. Undefined: it stays. */
  to?: string | undefined;
}

/** A worker's hold on a tree's list. */
export interface Hold {
  tree: string;
  token: string;
}

/** A tree to work on, and its first events. */
export interface Taken {
  hold: Hold;
  events: TreeEvent[];
}

/** What a worker has room for. */
export interface Room {
  trees: number;
  /** Of one tree, at most. */
  events: number;
  /** Under which new trees are taken: nobody else's, and each time another one. */
  token: string;
  /** How long a hold lasts after each sign of life, in milliseconds. */
  holds: number;
}

export interface Found {
  taken: Taken[];
  /** One that may be taken as well. */
  other: string | undefined;
  /** In how many milliseconds one may be taken; undefined when no tree waits. */
  pause: number | undefined;
  /** Trees whose hold was lost, with what was done there: nothing of it is removed. */
  lost: string[];
}

export interface Failure {
  reason: string;
  /** Whether the event was tried alone: a batch that fails says nothing of its first event. */
  alone: boolean;
  /** After how many attempts it is set aside; undefined: never, and its tree waits. */
  attempts: number | undefined;
  /** The pause after the first failure, in milliseconds, doubled with each one after it; and the longest. */
  pause: { first: number; longest: number };
}

/** How much waits in the lists of a queue. */
export interface TreeLoad {
  events: number;
  trees: number;
  /** Trees whose first event has failed, and is tried again. */
  troubled: number;
  /** When the event that has waited longest was appended, in milliseconds since 1970. */
  oldest: number | undefined;
  /** Events that were set aside. */
  dead: number;
}

/**
 * Keys, after a queue's prefix: `list:<tree>` its events, the oldest first, as `id at body`; `token:<tree>` whose hold it
 * is; `waiting` the trees with a list, by the time of its first event; `due` the same trees, by when they may be taken (once
 * taken: when the hold is over); `trouble` what failed first in a tree; `dead` what was set aside; `lease` and `position` of the queue's source; `meta` the last id, and the number of events in all lists.
 */
export class TreeLists {
  readonly prefix: string;
  readonly bells: TreeBells;
  readonly #queues: QueueSet;

  constructor(queues: QueueSet, queue: TreeQueue) {
    this.#queues = queues;
    this.bells = new TreeBells(queues, queue);
    this.prefix = `${keyPrefix}:trees:${queue}:`;
  }

  /** Where a tree's token is. */
  tokenKey(tree: string): string {
    return `${this.prefix}token:${tree}`;
  }

  /**
   * Appends all or none; gives the trees whose list was empty. Undefined, and nothing done, when the lead was lost, or the
   * position is another than it was.
   */
  async append(events: readonly NewTreeEvent[], lead?: Lead, advance?: Advance): Promise<string[] | undefined> {
    const { token = '', holds = 0 } = lead ?? {};
    const { from = '', to = '' } = advance ?? {};
    const said = events.flatMap(({ tree, body }) => [tree, bytesOf(body)]);
    return listIn(await this.#run(appendScript, [String(Date.now()), token, String(holds), from, to, ...said]));
  }

  /** Takes or renews the lead: the position it is at, if there is one; undefined when another has it. */
  async lead({ token, holds }: Lead): Promise<{ position: string | undefined } | undefined> {
    const reply = listIn(await this.#run(leadScript, [token, String(holds)]));
    return reply && { position: reply[0] === '' ? undefined : reply[0] };
  }

  async leave(token: string): Promise<void> {
    await this.#run(leaveScript, [token]);
  }

  /**
   * Removes events that are done, so many of each tree, and gives what is next: more events of the same trees, and of those that
   * could be taken for the longest. Trees with more events for which there is no room are given up.
   */
  async next(room: Room, done: readonly { hold: Hold; count: number }[] = []): Promise<Found> {
    const { trees, events, token, holds } = room;
    const said = done.flatMap(({ hold, count }) => [hold.tree, hold.token, String(count)]);
    const args = [String(holds), String(trees), String(events), token, ...said];
    const reply = await this.#run(nextScript, args);
    const [lost, taken, other, pause] = Array.isArray(reply) ? reply : [];
    return {
      lost: stringsIn(lost),
      taken: Array.isArray(taken) ? taken.map(takenIn) : [],
      other: other === '' ? undefined : String(other),
      pause: Number(pause) < 0 ? undefined : Number(pause),
    };
  }

  /**
   * The first event has failed: how often it has by now, when it may be tried again, and whether it is set aside. Undefined when
   * the hold was lost.
   */
  async fail(hold: Hold, failure: Failure): Promise<{ attempts: number; pause: number; aside: boolean } | undefined> {
    const { reason, alone, attempts = 0, pause } = failure;
    const said = [bytesOf(reason), String(Date.now()), String(attempts), alone ? '1' : '0'];
    const args = [...said, String(pause.first), String(pause.longest)];
    const reply = listIn(await this.#run(failScript, ['0', hold.tree, hold.token, ...args]));
    return reply && { attempts: Number(reply[0]), pause: Number(reply[1]), aside: reply.length > 2 };
  }

  /** Gives the trees whose hold was lost. */
  async renew(holds: number, held: readonly Hold[]): Promise<string[]> {
    const said = held.flatMap(({ tree, token }) => [tree, token]);
    return stringsIn(await this.#run(renewScript, [String(holds), ...said]));
  }

  async release({ tree, token }: Hold): Promise<void> {
    await this.#run(releaseScript, ['0', tree, token]);
  }

  /** Trees that nobody has taken though they could be for so many milliseconds: how many, one of them, and the longest time. */
  async overdue(by: number): Promise<{ count: number; tree: string; longest: number }> {
    const [count, tree = '', longest] = stringsIn(await this.#run(overdueScript, [String(by)]));
    return { count: Number(count), tree, longest: Number(longest) };
  }

  /** The trees with a list: all that have one the whole time, and perhaps some that had one for a moment. */
  async trees(): Promise<Set<string>> {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const scan = await this.#queues.redis.callBuffer('ZSCAN', [`${this.prefix}waiting`, cursor, 'COUNT', 1000]);
      const [next, page] = scan as [Buffer, unknown];
      stringsIn(replyFrom(page)).forEach((text, index) => index % 2 === 0 && found.add(text));
      cursor = String(next);
    } while (cursor !== '0');
    return found;
  }

  /** Events that were set aside, the oldest first. */
  async aside(most: number): Promise<AsideEvent[]> {
    const reply = replyFrom(await this.#queues.redis.callBuffer('HGETALL', [`${this.prefix}dead`]));
    return Array.from(pairsIn(stringsIn(reply)), ([id, packed]) => asideIn(Number(id), packed))
      .sort((a, b) => a.id - b.id)
      .slice(0, most);
  }

  /** How many events were set aside. */
  async asideCount(): Promise<number> {
    return this.#queues.redis.hlen(`${this.prefix}dead`);
  }

  /** Gives an event that was set aside back to its tree, behind what waits there: the tree, and whether its list was empty. */
  async giveBack(id: number): Promise<{ tree: string; begun: boolean } | undefined> {
    const reply = listIn(await this.#run(giveBackScript, [String(id), String(Date.now())]));
    return reply && { tree: reply[0] ?? '', begun: reply[1] === '1' };
  }

  /** Forgets an event that was set aside; false when there is none with this id. */
  async discard(id: number): Promise<boolean> {
    return (await this.#queues.redis.hdel(`${this.prefix}dead`, String(id))) === 1;
  }

  async load(): Promise<TreeLoad> {
    const { redis } = this.#queues;
    const key = (name: string) => this.prefix + name;
    const [events, trees, troubled, dead, first] = await Promise.all([
      redis.hget(key('meta'), 'events'),
      redis.zcard(key('waiting')),
      redis.hlen(key('trouble')),
      redis.hlen(key('dead')),
      redis.zrangebyscore(key('waiting'), '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1),
    ]);
    const oldest = first[1] === undefined ? undefined : Number(first[1]);
    return { events: Number(events ?? 0), ...{ trees, troubled, dead, oldest } };
  }

  #run(script: Script, args: readonly string[]): Promise<Reply> {
    return script.run(this.#queues.redis, this.prefix, [this.prefix, ...args]);
  }
}

function listIn(reply: Reply): string[] | undefined {
  return Array.isArray(reply) ? stringsIn(reply) : undefined;
}

/** As next.lua writes it down. */
function takenIn(reply: Reply): Taken {
  const [tree = '', token = '', events = []] = Array.isArray(reply) ? reply : [];
  return { hold: { tree: String(tree), token: String(token) }, events: eventsIn(events) };
}

function eventsIn(reply: Reply): TreeEvent[] {
  return stringsIn(reply).map((text) => {
    const [, id, at, body = ''] = /^(\d+) (\d+) (.*)$/s.exec(text) ?? [];
    return { id: Number(id), at: Number(at), body: textOf(body) };
  });
}

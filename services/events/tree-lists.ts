// The lists of events that trees have: one of each tree and queue, worked off by one worker at a time under a token.
import { readFileSync } from 'node:fs';
import { Script, pairsIn, replyFrom, stringsIn } from '../redis/script.ts';
import type { Reply } from '../redis/script.ts';
import type { QueueSet } from './queue-set.ts';
import { keyPrefix } from './queue-set.ts';
import type { TreeQueue } from './queues.ts';

export interface NewTreeEvent {
  /** A byte string. */
  tree: string;
  /** What is to be said to the subscriber; text. */
  body: string;
}

export interface TreeEvent {
  /** Grows with each event of a queue: a second time the same id is the same event once more. */
  id: number;
  /** When it was appended, in milliseconds since 1970. */
  at: number;
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
  /** How long it holds after each sign of life, in milliseconds. */
  holds: number;
}

export interface Failure {
  reason: string;
  /** Whether the event was tried alone: a batch that fails says nothing of its first event. */
  alone: boolean;
  /** After how many attempts it is set aside; undefined: never, and its tree waits. */
  attempts: number | undefined;
}

/** An event that was set aside: it failed too often. */
export interface AsideEvent extends TreeEvent {
  tree: string;
  attempts: number;
  /** When it was set aside, in milliseconds since 1970. */
  since: number;
  /** Why it failed last. */
  reason: string;
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

/** How many events may be set aside in a queue: some megabytes. With more than that their trees wait, for nothing is lost. */
const mostDead = 10_000;

const source = (name: string) => readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
const ofTree = (name: string) => new Script(source('tree') + source(name));
const appendScript = new Script(source('append'));
const leadScript = new Script(source('lead'));
const leaveScript = new Script(source('leave'));
const giveBackScript = new Script(source('give-back'));
const takeScript = ofTree('take');
const trimScript = ofTree('trim');
const failScript = ofTree('fail');
const renewScript = ofTree('renew');
const releaseScript = ofTree('release');

/**
 * Keys, after a queue's prefix: `list:<tree>` its events, the oldest first, as `id at body`; `token:<tree>` whose hold it
 * is; `waiting` the trees with a list, by the time of its first event; `trouble` what failed first in a tree; `dead` what was
 * set aside; `lease` and `position` of the queue's source; `meta` the last id, and the number of events in all lists.
 */
export class TreeLists {
  readonly prefix: string;
  readonly #queues: QueueSet;

  constructor(queues: QueueSet, queue: TreeQueue) {
    this.#queues = queues;
    this.prefix = `${keyPrefix}:trees:${queue}:`;
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

  /** Takes a tree's list: its first events, or for how many milliseconds another's hold lasts. */
  async take(hold: Hold, most: number): Promise<TreeEvent[] | number> {
    const reply = await this.#onTree(takeScript, hold, [String(most)]);
    return Array.isArray(reply) ? eventsIn(reply) : Number(reply);
  }

  /** Removes events that are done; gives the next ones, none being the end. Undefined, and nothing done, when the hold was lost. */
  async trim(hold: Hold, done: number, most: number): Promise<TreeEvent[] | undefined> {
    const reply = await this.#onTree(trimScript, hold, [String(done), String(most)]);
    return Array.isArray(reply) ? eventsIn(reply) : undefined;
  }

  /** The first event has failed: how often it has by now, and whether it is set aside. Undefined when the hold was lost. */
  async fail(hold: Hold, failure: Failure): Promise<{ attempts: number; aside: boolean } | undefined> {
    const { reason, alone, attempts = 0 } = failure;
    const args = [bytesOf(reason), String(Date.now()), String(attempts), alone ? '1' : '0', String(mostDead)];
    const reply = listIn(await this.#onTree(failScript, hold, args));
    return reply && { attempts: Number(reply[0]), aside: reply.length > 1 };
  }

  /** False when the hold was lost. */
  async renew(hold: Hold): Promise<boolean> {
    return (await this.#onTree(renewScript, hold, [])) === '1';
  }

  async release(hold: Hold): Promise<void> {
    await this.#onTree(releaseScript, hold, []);
  }

  /** Trees whose first event was appended before that time: how many, and some of them. */
  async quiet(before: number, from: number, most: number): Promise<{ count: number; trees: string[] }> {
    const key = `${this.prefix}waiting`;
    const count = await this.#queues.redis.zcount(key, '-inf', before);
    const range = ['-inf', String(before), 'LIMIT', String(from), String(most)];
    const trees = replyFrom(await this.#queues.redis.callBuffer('ZRANGEBYSCORE', [key, ...range]));
    return { count, trees: stringsIn(trees) };
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

  #onTree(script: Script, { tree, token, holds }: Hold, args: readonly string[]): Promise<Reply> {
    return this.#run(script, [tree, token, String(holds), ...args]);
  }

  #run(script: Script, args: readonly string[]): Promise<Reply> {
    return script.run(this.#queues.redis, this.prefix, [this.prefix, ...args]);
  }
}

function listIn(reply: Reply): string[] | undefined {
  return Array.isArray(reply) ? stringsIn(reply) : undefined;
}

function eventsIn(reply: Reply): TreeEvent[] {
  return stringsIn(reply).map((text) => {
    const [, id, at, body = ''] = /^(\d+) (\d+) (.*)$/s.exec(text) ?? [];
    return { id: Number(id), at: Number(at), body: textOf(body) };
  });
}

/** As fail.lua writes it down: JSON around bytes. */
function asideIn(id: number, packed: string): AsideEvent {
  const [tree, at, body, since, attempts, reason] = JSON.parse(packed) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const numbers = { id, at: Number(at), since: Number(since), attempts: Number(attempts) };
  return { ...numbers, tree, body: textOf(body), reason: textOf(reason) };
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

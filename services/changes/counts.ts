// How many mailboxes and users each server has: a subscriber of the directory's changes, which counts and never scans.
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Change, Head } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { keyPrefix } from '../events/queue-set.ts';
import type { QueueSet } from '../events/queue-set.ts';
import type { TreeWork } from '../events/tree-drain.ts';
import { Script, pairsIn, replyFrom, stringsIn } from '../redis/script.ts';
import type { Subscriber } from './subscriber.ts';
import { bringsUser, difference, movedBy, readEvent, tallied, wholeOf, writeEvent } from './tally.ts';
import type { Figures, Tally } from './tally.ts';

const countScript = new Script(readFileSync(new URL('scripts/count.lua', import.meta.url), 'utf8'));

/** Tallies lie in so many hashes: with two million trees each is still small enough for Redis to pack it. */
const buckets = 4096;

/** How many hashes are asked at once. */
const asked = 64;

/**
 * Keys, after `counts:`: `mailboxes` and `users` the sums by server; `tally:<n>` what each tree has of them, and its last
 * change that is counted, so that no change is counted twice.
 */
export class Counts implements Subscriber {
  readonly queue = 'counts';
  readonly #queues: QueueSet;
  readonly #prefix = `${keyPrefix}:counts:`;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  readonly changed = (change: Change): string => writeEvent(movedBy(change));

  readonly resynced = (entries: readonly Entry[], at: Head): string => writeEvent(wholeOf(entries, at));

  async known(): Promise<Bytes[]> {
    const { redis } = this.#queues;
    const found: Bytes[] = [];
    for (let at = 0; at < buckets; at += asked) {
      const some = Array.from({ length: asked }, (_, n) => redis.hkeysBuffer(`${this.#prefix}tally:${at + n}`));
      for (const trees of await Promise.all(some)) for (const tree of stringsIn(replyFrom(trees))) found.push(tree);
    }
    return found;
  }

  /**
   * Counts events of one tree, once each: its tally and the sums change together, and only under the worker's hold. Resolves
   * to the servers on which its user is counted by now, where that may be new: also when the events come again.
   */
  readonly apply = async ({ tree, events: written, fence }: TreeWork): Promise<Bytes[]> => {
    const { redis } = this.#queues;
    const key = `${this.#prefix}tally:${crc32(Buffer.from(tree, 'latin1')) % buckets}`;
    const [packed] = stringsIn(replyFrom([await redis.hgetBuffer(key, Buffer.from(tree, 'latin1'))]));
    const before = unpack(packed ?? '');
    const events = written.map(({ body }) => readEvent(body));
    const after = tallied(before, events);
    const sums = difference(before, after).flatMap(({ server, mailboxes, users }) => [
      ...[server, String(mailboxes), String(users)],
    ]);
    const args = [this.#prefix, fence.key, fence.token, key, tree, pack(after), ...sums];
    if ((await countScript.run(redis, this.#prefix, args)) !== '1') throw new Error('the hold on the tree was lost');
    return events.some(bringsUser)
      ? [...after.servers].flatMap(([server, { users }]) => (users > 0 ? server : []))
      : [];
  };

  /** The sums, by server. */
  async byServer(): Promise<Map<Bytes, Figures>> {
    const [mailboxes, users] = await Promise.all([this.#sums('mailboxes'), this.#sums('users')]);
    return new Map(
      Array.from(mailboxes, ([server, count]) => [server, { mailboxes: count, users: users.get(server) ?? 0 }]),
    );
  }

  async #sums(of: keyof Figures): Promise<Map<Bytes, number>> {
    const reply = replyFrom(await this.#queues.redis.callBuffer('HGETALL', [this.#prefix + of]));
    return new Map(Array.from(pairsIn(stringsIn(reply)), ([server, count]) => [server, Number(count)]));
  }
}

/** `seq`, then `server mailboxes users` for each; nothing at all for a tree without rows. */
function pack({ seq, servers }: Tally): Bytes {
  if (servers.size === 0) return '';
  const parts = Array.from(servers, ([server, { mailboxes, users }]) => [server, mailboxes, users] as const);
  return JSON.stringify([seq, ...parts]);
}

function unpack(packed: Bytes): Tally {
  if (packed === '') return { seq: 0, servers: new Map() };
  const [seq, ...parts] = JSON.parse(packed) as [number, ...[Bytes, number, number][]];
  return { seq, servers: new Map(parts.map(([server, mailboxes, users]) => [server, { mailboxes, users }])) };
}

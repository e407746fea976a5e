// Copies of trees in Redis: a key of each tree beside its rows, which write.lua looks at.
import type { Redis } from 'ioredis';
import { copiedAs } from '../copies.ts';
import type { Copies, Copy } from '../copies.ts';
import type { Bytes } from '../entry.ts';
import { placeOf } from '../tree.ts';
import { shardOf, shardPrefix } from './keys.ts';

/**
 * KEYS = the copy. ARGV = now, until when it is known, its destination, how long the key lasts, in milliseconds. While it is
 * made it stays so.
 */
const keepScript = `
local ends, made, later, destination = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) ([+-])(%d*) (.*)$')
local is_known = ends and math.max(tonumber(ends), tonumber(later) or 0) > tonumber(ARGV[1])
if is_known and destination ~= ARGV[3] then return end
local value = ARGV[2] .. ' - ' .. ARGV[3]
if is_known and made == '+' and tonumber(ends) > tonumber(ARGV[1]) then
  value = ends .. ' +' .. ARGV[2] .. ' ' .. ARGV[3]
end
local lasts = math.max(tonumber(ARGV[4]), redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], value, 'PX', lasts)`;

/** KEYS = the copy. ARGV = its destination, now. What is being made there goes on. */
const endScript = `
local ends, made, destination = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) ([+-])%d* (.*)$')
if destination ~= ARGV[1] or (made == '+' and tonumber(ends) > tonumber(ARGV[2])) then return end
redis.call('DEL', KEYS[1])`;

export class RedisCopies implements Copies {
  readonly #redis: Redis;
  readonly #shards: number;
  readonly #clock: () => number;

  constructor(redis: Redis, shards: number, clock: () => number) {
    this.#redis = redis;
    this.#shards = shards;
    this.#clock = clock;
  }

  begin(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, `+ ${destination}`, milliseconds);
  }

  made(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, `- ${destination}`, milliseconds);
  }

  async keep(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    const now = Math.round(this.#clock());
    const args = [now, now + Math.round(milliseconds), Buffer.from(destination, 'latin1'), lasting(milliseconds)];
    await this.#redis.call('EVAL', [keepScript, 1, this.#keyOf(name), ...args]);
  }

  async end(name: Bytes, destination?: Bytes): Promise<void> {
    const now = Math.round(this.#clock());
    if (destination === undefined) await this.#redis.del(this.#keyOf(name));
    else await this.#redis.call('EVAL', [endScript, 1, this.#keyOf(name), Buffer.from(destination, 'latin1'), now]);
  }

  async known(name: Bytes): Promise<Copy | undefined> {
    const value = (await this.#redis.getBuffer(this.#keyOf(name)))?.toString('latin1') ?? '';
    const [, ends, made, later, destination] = /^(\d+) ([+-])(\d*) ([^]*)$/.exec(value) ?? [];
    const [until, now] = [Number(ends), this.#clock()];
    if (destination === undefined || Math.max(until, Number(later)) <= now) return undefined;
    return { destination, goesOn: made === '+' && until > now };
  }

  /**
   * Its end, `+` while it is made and `-` after that, its destination. After a `+`, with no space between, until when it is
   * known as made once that has ended.
   */
  async #note(name: Bytes, copy: Bytes, milliseconds: number): Promise<void> {
    const value = Buffer.from(`${Math.round(this.#clock() + milliseconds)} ${copy}`, 'latin1');
    await this.#redis.set(this.#keyOf(name), value, 'PX', lasting(milliseconds));
  }

  #keyOf(name: Bytes): Buffer {
    return Buffer.from(`${shardPrefix(shardOf(placeOf(name).tree, this.#shards))}copy:${copiedAs(name)}`, 'latin1');
  }
}

/** Redis may forget it later than it ends, never earlier. */
function lasting(milliseconds: number): number {
  return Math.round(milliseconds) + 60_000;
}

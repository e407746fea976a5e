// What placements in flight will take, kept in Redis, so that processes that decide at the same time see each other's.
import { pairsIn, Script, stringsIn } from '../redis/script.ts';
import type { Reply } from '../redis/script.ts';
import type { commandConnection } from '../redis/connection.ts';
import type { Place } from './decision.ts';
import type { Promised } from './facts.ts';

/** All keys share a hash tag, so that a script may touch them together on Redis Cluster too. */
const prefix = 'rookery:{placement}:';

/** What is promised, at an instant. */
export interface PromisedState {
  /** Changes with each promise that is taken, given back, or expires. */
  version: string;
  /** Changes with each user who is counted by the directory from then on, and promised no longer. */
  settles: string;
  /** By server. */
  servers: ReadonlyMap<string, Promised>;
}

export interface NewPromise extends Place {
  /** Whom it is for: one promise at a time has this token, whoever takes it. */
  token: string;
  /** Space, a whole number of KiB. */
  KiB: number;
  /** How long it counts unless it is released, in milliseconds. */
  lifetime: number;
}

/** What a server with a limit has left, by a state of promises and what was counted after that was read. */
export interface Room {
  /** How many users may be promised to it, with those that are. */
  users: number;
  settles: string;
}

export type Taken =
  | { is: 'taken' }
  /** The token has a promise from before: there the user goes, for somebody may have begun to make him there. */
  | { is: 'held'; place: Place }
  /** Others were promised something meanwhile; this is how it stands now. */
  | { is: 'refused'; state: PromisedState };

/**
 * Keys: `promises` is a hash of `KiB users server!partition` by token, `ends` has the tokens by when they expire, `KiB` and
 * `users` are the sums by location, `version` and `settles` count. The clock is that of Redis, for deciders on several hosts
 * have several.
 */
const prologue = `
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function add(sum, location, amount)
  if tonumber(amount) == 0 then return end
  if redis.call('HINCRBY', base .. sum, location, string.format('%.0f', amount)) == 0 then
    redis.call('HDEL', base .. sum, location)
  end
end
local function promise_of(token)
  local promise = redis.call('HGET', base .. 'promises', token)
  if promise then return string.match(promise, '^(%d+) (%d+) (.*)$') end
end
local function release(token)
  local KiB, users, location = promise_of(token)
  if not KiB then return '0' end
  add('KiB', location, -KiB)
  add('users', location, -users)
  redis.call('HDEL', base .. 'promises', token)
  redis.call('ZREM', base .. 'ends', token)
  redis.call('INCR', base .. 'version')
  return '1'
end
-- Those that are left by a bound on the work of one call expire in the next one.
for _, token in ipairs(redis.call('ZRANGEBYSCORE', base .. 'ends', '-inf', now, 'LIMIT', 0, 1000)) do release(token) end
local function version() return redis.call('GET', base .. 'version') or '0' end
local function settles() return redis.call('GET', base .. 'settles') or '0' end
local function state(word)
  return { word, version(), settles(), redis.call('HGETALL', base .. 'KiB'), redis.call('HGETALL', base .. 'users') }
end
`;

const readScript = new Script(`${prologue}return state('read')`);

/**
 * ARGV: the version that was decided by, or nothing; token, KiB, lifetime, location; how many users its server may be
 * promised, or nothing, and `settles` as it was then: who was settled since is in neither of the two numbers.
 */
const takeScript = new Script(`${prologue}
local expected, token, KiB, lifetime, location, most, settled = unpack(ARGV)
local _, _, held = promise_of(token)
if held then return { 'held', held } end
if expected ~= '' and expected ~= version() then return state('refused') end
local function is_full()
  if settled ~= settles() then return true end
  local server, users = string.match(location, '^[^!]*!'), 0
  local sums = redis.call('HGETALL', base .. 'users')
  for at = 1, #sums, 2 do
    if string.sub(sums[at], 1, #server) == server then users = users + sums[at + 1] end
  end
  return users >= tonumber(most)
end
if most ~= '' and is_full() then return state('refused') end
redis.call('HSET', base .. 'promises', token, KiB .. ' 1 ' .. location)
redis.call('ZADD', base .. 'ends', string.format('%.0f', now + lifetime), token)
add('KiB', location, KiB)
add('users', location, 1)
redis.call('INCR', base .. 'version')
return { 'taken' }`);

/** ARGV: token, and the server with `!` behind it. */
const settleScript = new Script(`${prologue}
local KiB, users, location = promise_of(ARGV[1])
if not KiB or string.sub(location, 1, #ARGV[2]) ~= ARGV[2] then return '0' end
if users == '0' then return '1' end
add('users', location, -users)
redis.call('HSET', base .. 'promises', ARGV[1], KiB .. ' 0 ' .. location)
redis.call('INCR', base .. 'version')
redis.call('INCR', base .. 'settles')
return '1'`);

const releaseScript = new Script(`${prologue}return release(ARGV[1])`);

export class Promises {
  readonly #redis: ReturnType<typeof commandConnection>;

  constructor(redis: ReturnType<typeof commandConnection>) {
    this.#redis = redis;
  }

  async read(): Promise<PromisedState> {
    return stateIn(await readScript.run(this.#redis, prefix, []));
  }

  /**
   * Takes a promise if all is as it was in that version; without one, however it is. With `room`, only while the server has
   * that.
   */
  async take(promise: NewPromise, version?: string, room?: Room): Promise<Taken> {
    const { token, server, partition, KiB, lifetime } = promise;
    const location = latin1(`${server}!${partition}`);
    const left = room === undefined ? ['', ''] : [String(room.users), room.settles];
    const args = [version ?? '', latin1(token), String(KiB), String(lifetime), location, ...left];
    const reply = await takeScript.run(this.#redis, prefix, args);
    const [word, held] = Array.isArray(reply) ? reply : [];
    if (word === 'taken') return { is: 'taken' };
    if (word === 'held' && typeof held === 'string') return { is: 'held', place: placeIn(held) };
    return { is: 'refused', state: stateIn(reply) };
  }

  /**
   * The user is on the server, and counted there: he is promised no longer, but his space, which the figures do not show
   * yet, is. False: nothing is promised him there.
   */
  async settle(token: string, server: string): Promise<boolean> {
    return (await settleScript.run(this.#redis, prefix, [latin1(token), latin1(`${server}!`)])) === '1';
  }

  /** Gives it back: the user does not come, or is to go elsewhere. False: there was none. */
  async release(token: string): Promise<boolean> {
    return (await releaseScript.run(this.#redis, prefix, [latin1(token)])) === '1';
  }
}

/** Text as the bytes that scripts take. */
function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A server's name has no `!`. */
function placeIn(location: string): Place {
  const text = Buffer.from(location, 'latin1').toString('utf8');
  const end = text.indexOf('!');
  return { server: text.slice(0, end), partition: text.slice(end + 1) };
}

function stateIn(reply: Reply): PromisedState {
  const [, version, settles, KiB, users] = Array.isArray(reply) ? reply : [];
  if (typeof version !== 'string' || typeof settles !== 'string')
    throw new Error('Redis answered something that is no state of promises');
  const servers = new Map<string, { users: number; KiB: Map<string, number> }>();
  const on = (server: string) => {
    const promised = servers.get(server) ?? { users: 0, KiB: new Map<string, number>() };
    servers.set(server, promised);
    return promised;
  };
  for (const [location, amount] of pairsIn(stringsIn(KiB))) {
    const { server, partition } = placeIn(location);
    on(server).KiB.set(partition, Number(amount));
  }
  for (const [location, amount] of pairsIn(stringsIn(users))) on(placeIn(location).server).users += Number(amount);
  return { version, settles, servers };
}

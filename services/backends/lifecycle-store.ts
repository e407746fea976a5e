// What operators have said of backends, kept in the directory's Redis, where every process that routes mail looks anyway.
import { z } from 'zod';
import type { commandConnection } from '../redis/connection.ts';
import { pairsIn, replyFrom, Script, stringsIn } from '../redis/script.ts';
import { stages } from './lifecycle.ts';
import type { Word } from './lifecycle.ts';

type Redis = ReturnType<typeof commandConnection>;

/**
 * A hash beside the directory's keys: by the name of a backend `<time> <word as JSON>`, and under no name at all the time of
 * the newest word, by which whoever follows sees that there is one.
 */
const key = 'rookery:{d0}:backends';
const newest = '';

const share = z.exactOptional(z.number().min(0).max(100));
const form: z.ZodType<Omit<Word, 'at'>> = z.strictObject({
  ...{ stage: z.enum(stages), share, by: z.string() },
  before: z.exactOptional(z.strictObject({ stage: z.enum(['new', 'canary', 'active']), share })),
  empties: z.exactOptional(z.literal(true)),
  fence: z.exactOptional(
    z.strictObject({ until: z.exactOptional(z.int()), reason: z.string(), by: z.string(), since: z.int() }),
  ),
});

const prologue = `
local function time_of(text) return tonumber(string.match(text or '', '^(%d+)')) or 0 end
local latest = time_of(redis.call('HGET', KEYS[1], ''))
`;

/**
 * ARGV: the backend, the time of the word that was read (0: there was none), the new word without its time. Answers the new
 * word's time, or nothing where somebody else has spoken since. No word is ever older than one before it, whatever the clock.
 */
const sayScript = new Script(`${prologue}
if time_of(redis.call('HGET', KEYS[1], ARGV[1])) ~= tonumber(ARGV[2]) then return '' end
local clock = redis.call('TIME')
local at = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), latest + 1)
local text = string.format('%.0f', at)
redis.call('HSET', KEYS[1], ARGV[1], text .. ' ' .. ARGV[3], '', text)
return text`);

/** ARGV: backends and words in turn, as somebody remembers them: those that are newer than what is kept are put back. */
const restoreScript = new Script(`${prologue}
local restored = 0
for at = 1, #ARGV, 2 do
  local time = time_of(ARGV[at + 1])
  if time > time_of(redis.call('HGET', KEYS[1], ARGV[at])) then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    latest = math.max(latest, time)
    restored = restored + 1
  end
end
if restored > 0 then redis.call('HSET', KEYS[1], '', string.format('%.0f', latest)) end
return tostring(restored)`);

/** The words by backend, and the names of those whose word is of another version of this program. */
export interface Words {
  words: ReadonlyMap<string, Word>;
  unreadable: readonly string[];
}

export class LifecycleStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** The time of the newest word, as text; empty where nobody has spoken. */
  async newest(): Promise<string> {
    return (await this.#redis.hget(key, newest)) ?? '';
  }

  async all(): Promise<Words> {
    const reply = replyFrom(await this.#redis.callBuffer('HGETALL', [key]));
    const words = new Map<string, Word>();
    const unreadable: string[] = [];
    for (const [bytes, text] of pairsIn(stringsIn(reply))) {
      const backend = Buffer.from(bytes, 'latin1').toString();
      if (backend === newest) continue;
      const word = wordIn(Buffer.from(text, 'latin1').toString());
      if (word) words.set(backend, word);
      else unreadable.push(backend);
    }
    return { words, unreadable };
  }

  /** Keeps a word in place of the one that was read; gives it with its time, or undefined where somebody was faster. */
  async say(backend: string, before: Word | undefined, { at: _, ...word }: Word): Promise<Word | undefined> {
    const args = [backend, String(before?.at ?? 0), JSON.stringify(form.parse(word))].map(utf8);
    const at = await sayScript.run(this.#redis, key, args);
    return typeof at === 'string' && at !== '' ? { ...word, at: Number(at) } : undefined;
  }

  /** Puts words back that Redis has lost; gives how many. */
  async restore(words: ReadonlyMap<string, Word>): Promise<number> {
    const args = Array.from(words, ([backend, { at, ...word }]) => [backend, `${at} ${JSON.stringify(word)}`]);
    return Number(await restoreScript.run(this.#redis, key, args.flat().map(utf8)));
  }
}

/** Scripts take bytes. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Undefined where it is none, or one of another version. */
function wordIn(text: string): Word | undefined {
  const [, at, json = ''] = /^(\d{1,15}) (.*)$/s.exec(text) ?? [];
  try {
    return at === undefined ? undefined : { ...form.parse(JSON.parse(json)), at: Number(at) };
  } catch {
    return undefined;
  }
}

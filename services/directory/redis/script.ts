// A Lua script of the directory: its text put together once, run by its digest.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { Bytes } from '../entry.ts';
import { reasons } from '../case.ts';
import type { Policy } from '../rules.ts';
import { situations } from '../rules.ts';
import { bucketRows } from '../tree.ts';
import type { Verb } from '../directory.ts';

/** What Redis answers: nested lists of byte strings; null for what is not there. */
export type Reply = Bytes | null | Reply[];

export class Script {
  readonly #source: string;
  readonly #digest: string;

  constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /** `key` routes the call to its slot; all arguments are bytes. */
  async run(redis: Redis, key: Bytes, args: readonly Bytes[]): Promise<Reply> {
    const rest = [1, bytes(key), ...args.map(bytes)];
    try {
      return replyFrom(await redis.callBuffer('EVALSHA', [this.#digest, ...rest]));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return replyFrom(await redis.callBuffer('EVAL', [this.#source, ...rest]));
    }
  }
}

function bytes(text: Bytes): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What ioredis gives for a call with buffers, as byte strings. */
export function replyFrom(value: unknown): Reply {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(replyFrom);
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  return null;
}

/** A reply that must be a list of byte strings; anything else is not ours. */
export function stringsIn(reply: Reply | undefined): Bytes[] {
  if (!Array.isArray(reply)) throw new Error('Redis answered something that is not a list');
  return reply.map((item) => (typeof item === 'string' ? item : ''));
}

function source(name: string): string {
  return readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** A list of keys and values in turn, as a map. */
export function pairsIn(list: readonly Bytes[]): Map<Bytes, Bytes> {
  const map = new Map<Bytes, Bytes>();
  for (let i = 0; i + 1 < list.length; i += 2) map.set(list[i] ?? '', list[i + 1] ?? '');
  return map;
}

/** A truth as an argument of a script. */
export function flag(value: boolean): string {
  return value ? '1' : '0';
}

const prologue = `local prefix = ARGV[1]\n${source('rows')}`;

export const lookupScript = new Script(prologue + source('lookup'));
export const readTreesScript = new Script(prologue + source('read-trees'));
export const makeScript = new Script(prologue + source('make'));
export const vouchScript = new Script(prologue + source('vouch'));
export const verifyScript = new Script(prologue + source('verify'));
export const noteScript = new Script(prologue + source('note'));
export const leaseScript = new Script(prologue + source('lease'));
export const releaseScript = new Script(prologue + source('release'));
export const raiseScript = new Script(prologue + source('raise'));

const words = Object.entries(reasons).map(([word, reason]) => `${word}=${quoted(reason)}`);
const constants = `local bucket_rows = ${bucketRows}\nlocal reasons = {${words.join(',')}}\n`;
const writing = prologue + constants + source('store') + source('cases');
export const endSessionScript = new Script(writing + source('end-session'));
export const heardScript = new Script(writing + source('heard'));
export const resolveScript = new Script(writing + source('resolve'));
export const undoScript = new Script(writing + source('undo'));

/** The script of one verb: the verb's column of the policy's table goes before the text that obeys it. */
export function writeScript(policy: Policy, verb: Verb): Script {
  const cells = situations.map((situation) => {
    const rules = policy.table[situation][verb].map(
      ({ when = [], effect, ok, ring = '' }) => `{'${when.join(' ')}','${effect}',${String(ok)},${quoted(ring)}}`,
    );
    return `['${situation}']={${rules.join(',')}}`;
  });
  const head = `local VERB, bound = '${verb}', ${String(policy.bound)}\nlocal cells = {${cells.join(',')}}\n`;
  return new Script(writing + head + source('write'));
}

/** A text of ours as a string of Lua. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

// The rows of a run in Redis: written once, read a page at a time with what became of each.
import type { commandConnection } from '../redis/connection.ts';
import { keysOf, underWayKey } from './run-keys.ts';
import type { KeptRow, Line, LoggedEnd, RunKeys } from './run-keys.ts';
import type { RowEnd, Run, RunMove, RunRow } from './run.ts';

type Redis = ReturnType<typeof commandConnection>;

/** How many rows are written or read at once. */
export const page = 500;

/** How long rows are kept whose run never came to be, for its starter died: in seconds. */
const unfinished = 3600;

/** A row of a new run; one with an end is skipped. */
export type NewRow = RunRow & { end?: RowEnd };

/** Writes the rows of a run that nobody knows of yet; gives the number of its lines. */
export async function writeRows(redis: Redis, id: string, rows: readonly NewRow[]): Promise<number> {
  const keys = keysOf(id);
  const lines = new Map<string, number>();
  const counted = { waiting: 0, skipped: 0, passed: 0 };
  for (let at = 0; at < rows.length; at += page) {
    const batch = redis.pipeline();
    rows.slice(at, at + page).forEach(({ end, ...row }, offset) => {
      const index = at + offset;
      const text = JSON.stringify({ from: row.from, to: row.to } satisfies Line);
      const line = lines.get(text) ?? lines.size;
      if (!lines.has(text)) batch.rpush(keys.lines, text);
      lines.set(text, line);
      batch.hset(keys.rows, index, JSON.stringify({ ...row, line } satisfies KeptRow));
      batch.hset(keys.names, row.name, index);
      if (!end) {
        batch.zadd(keys.line(line), index, index);
        counted.waiting += 1;
        return;
      }
      const logged = JSON.stringify({ index, name: row.name, ...end } satisfies LoggedEnd);
      batch.hset(keys.ends, index, logged);
      batch.rpush(keys.log, logged);
      counted.skipped += 1;
      counted.passed += row.octets;
    });
    for (const key of allKeys(keys, lines.size)) batch.expire(key, unfinished);
    const answers = await batch.exec();
    for (const [error] of answers ?? []) if (error) throw error;
  }
  await redis.hset(keys.counts, counted);
  await redis.expire(keys.counts, unfinished);
  return lines.size;
}

/** Rows as they are kept, by their indices, in that order. */
export async function keptRows(
  redis: Redis,
  rows: string,
  indices: readonly number[],
): Promise<(KeptRow & { index: number })[]> {
  if (indices.length === 0) return [];
  const texts = await redis.hmget(rows, ...indices.map(String));
  return indices.flatMap((index, at) => {
    const text = texts[at];
    return typeof text === 'string' ? [{ ...(JSON.parse(text) as KeptRow), index }] : [];
  });
}

/** Failed rows as they are kept, by their indices. */
export async function failedRows(redis: Redis, { ends, rows }: RunKeys, indices: readonly string[]) {
  const [ended, texts] = await Promise.all([redis.hmget(ends, ...indices), redis.hmget(rows, ...indices)]);
  return indices.flatMap((index, at) => {
    const [text, row] = [ended[at], texts[at]];
    if (typeof text !== 'string' || typeof row !== 'string') return [];
    const { line, octets } = JSON.parse(row) as KeptRow;
    return [{ index, text, line, octets, state: (JSON.parse(text) as RowEnd).state }];
  });
}

/** The members of a set, a page at a time. */
export async function membersOf(redis: Redis, key: string): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, some] = await redis.sscan(key, cursor, 'COUNT', page);
    for (const one of some) found.add(one);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

/** Rows in the order of the plan, with what became of them. */
export async function readRows(redis: Redis, run: Run, from: number, most: number): Promise<RunMove[]> {
  const { rows, ends } = keysOf(run.id);
  const indices = Array.from({ length: Math.max(0, Math.min(most, run.totals.moves - from)) }, (_, at) => from + at);
  if (indices.length === 0) return [];
  const fields = indices.map(String);
  const [texts, ended, begun] = await Promise.all([
    redis.hmget(rows, ...fields),
    redis.hmget(ends, ...fields),
    redis.hmget(underWayKey, ...fields.map((field) => `${run.id} ${field}`)),
  ]);
  return indices.flatMap((index, at) => {
    const text = texts[at];
    if (typeof text !== 'string') return [];
    const { line: _, ...row } = JSON.parse(text) as KeptRow;
    return [{ ...row, index, ...stateOf(run, ended[at], begun[at]) }];
  });
}

/** The run first, then its counts. */
export function allKeys(keys: RunKeys, lines: number): string[] {
  const { run, counts, rows, names, ends, log, failed, line } = keys;
  const all = Array.from({ length: lines }, (_, at) => line(at));
  return [run, counts, rows, names, ends, log, failed, keys.lines, ...all];
}

function stateOf(
  run: Run,
  ended: string | null | undefined,
  begun: string | null | undefined,
): Pick<RunMove, 'state' | 'end'> {
  if (typeof begun === 'string') return { state: 'moving' };
  if (typeof ended === 'string') {
    const { index: _, name: _name, ...end } = JSON.parse(ended) as LoggedEnd;
    return { state: end.state, end };
  }
  return { state: run.state === 'cancelled' ? 'dropped' : 'waiting' };
}

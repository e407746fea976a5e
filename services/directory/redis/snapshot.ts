// All rows of one shard as they are after exactly one change of its log.
import type { Redis } from 'ioredis';
import type { Head } from '../directory.ts';
import type { Bytes, Entry } from '../entry.ts';
import { ChainBroken } from './change-log.ts';
import type { ChangeLog, LinkedChange } from './change-log.ts';
import { treePages } from './row-reader.ts';
import type { RowReader } from './row-reader.ts';

export interface ShardSnapshot {
  entries: Entry[];
  /** The last change that the rows contain. */
  at: Head;
}

export interface SnapshotSource {
  redis: Redis;
  log: ChangeLog;
  reader: Pick<RowReader, 'trees'>;
}

/** A log that is trimmed faster than a shard is read three times over is configured far too short. */
const attempts = 3;

/**
 * Reads the tree index page by page (never SCAN: other keys live in the same Redis), then applies what the log says has
 * changed meanwhile, and begins again when the log was trimmed past its start.
 */
export async function takeSnapshot(source: SnapshotSource): Promise<ShardSnapshot> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(source);
    } catch (error) {
      if (!(error instanceof ChainBroken) || attempt === attempts) throw error;
    }
  }
}

async function readOnce(source: SnapshotSource): Promise<ShardSnapshot> {
  const from = await source.log.head(source.redis);
  const rows = new Map<Bytes, Entry>();
  for await (const trees of treePages(source.redis, source.log.shard)) {
    for (const entry of await source.reader.trees(source.log.shard, trees)) rows.set(entry.name, entry);
  }
  const at = await applyChanges(source, from, rows);
  return { entries: [...rows.values()], at };
}

/** Brings the rows to one point of the log, and returns that point. Its changes carry whole rows, so repeats do no harm. */
async function applyChanges(source: SnapshotSource, from: Head, rows: Map<Bytes, Entry>): Promise<Head> {
  const { seq: goal } = await source.log.head(source.redis);
  let at = from;
  while (at.seq < goal) {
    const changes = await source.log.after(source.redis, at, 1000);
    const last = changes.at(-1);
    if (!last) throw new ChainBroken(`change ${at.seq + 1} is gone from the log`);
    for (const change of changes) apply(change, rows);
    at = { seq: last.seq, nonce: last.nonce };
  }
  return at;
}

function apply(change: LinkedChange, rows: Map<Bytes, Entry>): void {
  const { name, state, location, acl, seq, session, time } = change;
  if (state === 'absent') rows.delete(name);
  else if (state === 'active') rows.set(name, { name, state, location, acl, version: seq });
  else rows.set(name, { name, state, location, acl, version: seq, session, since: time });
}

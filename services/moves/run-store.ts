// Runs and their rows in Redis: tens of thousands of rows, of which no step reads more than it needs.
import type { commandConnection } from '../redis/connection.ts';
import type { Bytes } from '../directory/entry.ts';
import { keysOf, paceKey, planKey, progressIn, runCodec, runsKey, underWayKey } from './run-keys.ts';
import type { Begun, KeptRow, Line, LoggedEnd } from './run-keys.ts';
import { admitScript, againScript, beginScript, settleScript, turnScript } from './run-scripts.ts';
import { failedStates, isOver } from './run.ts';
import type { Progress, RowEnd, Run, RunMove } from './run.ts';
import type { Bucket } from './pacing.ts';
import { allKeys, failedRows, keptRows, membersOf, page, readRows, writeRows } from './run-rows.ts';
import type { NewRow } from './run-rows.ts';

type Redis = ReturnType<typeof commandConnection>;

/** A run as it was read: only as such may it be replaced. */
export interface KeptRun {
  run: Run;
  text: string;
}

export type Started = { is: 'started'; run: Run } | { is: 'there'; run: Run };

/** A move of a run that is under way, with its place in the plan. */
export interface UnderWay extends Begun {
  run: string;
  index: number;
  text: string;
}

/** Moves under way of all runs as they are at one moment: only as such more may begin. */
export interface Pace {
  version: string;
  bucket: Bucket;
  underWay: UnderWay[];
}

/** Among how many runs, the newest, those are looked for that are not over. */
const mostOpen = 1000;

export class RunStore {
  readonly #redis: Redis;
  readonly #keepDone: number;

  /** `keepDone`: how long what is over can be asked for, in seconds. */
  constructor(redis: Redis, keepDone: number) {
    this.#redis = redis;
    this.#keepDone = keepDone;
  }

  /** Keeps a new run, unless the plan has one that is not over; `again`: or one at all. */
  async start(run: Run, rows: readonly NewRow[], again: boolean): Promise<Started> {
    const there = (found: Run | undefined) => (found && (!again || !isOver(found)) ? found : undefined);
    let [id, before] = await this.#ofPlan(run.plan);
    if (there(before)) return { is: 'there', run: before as Run };
    const lines = await writeRows(this.#redis, run.id, rows);
    for (;;) {
      const keys = allKeys(keysOf(run.id), lines);
      const args = [
        planKey(run.plan),
        keysOf(run.id).run,
        runsKey,
        ...keys.slice(1),
        id,
        run.id,
        runCodec.written(run),
        run.since,
      ];
      if (await this.#eval(beginScript, keys.length + 2, args)) return { is: 'started', run };
      [id, before] = await this.#ofPlan(run.plan);
      if (there(before)) return { is: 'there', run: before as Run };
    }
  }

  async read(id: string): Promise<KeptRun | undefined> {
    const text = await this.#redis.get(keysOf(id).run);
    const run = text === null ? undefined : runCodec.read(text);
    return run && text !== null ? { run, text } : undefined;
  }

  /** The newest first; those that are kept no more are forgotten. */
  async list(most: number): Promise<Run[]> {
    const ids = await this.#redis.zrevrange(runsKey, 0, most - 1);
    const found = await Promise.all(ids.map((id) => this.read(id)));
    const gone = ids.filter((_, at) => !found[at]);
    if (gone.length > 0) await this.#redis.zrem(runsKey, ...gone);
    return found.flatMap((kept) => (kept ? [kept.run] : []));
  }

  /** The rows that wait, or have only just been let in, of all runs that are not over. */
  async *waitingOfAll(): AsyncGenerator<RunMove & { run: string }> {
    for (const run of await this.list(mostOpen)) {
      if (isOver(run)) continue;
      for (let from = 0; from < run.totals.moves; from += page) {
        for (const row of await readRows(this.#redis, run, from, page))
          if (row.state === 'waiting' || row.state === 'moving') yield { ...row, run: run.id };
      }
    }
  }

  async progress(run: Run): Promise<Progress> {
    return progressIn(await this.#redis.hgetall(keysOf(run.id).counts), run);
  }

  /** What is under way of all runs. */
  async pace(): Promise<Pace> {
    // The version first: what begins after it was read has another one.
    const [version, owed, at] = await this.#redis.hmget(paceKey, 'version', 'owed', 'at');
    const all = await this.#redis.hgetall(underWayKey);
    const underWay = Object.entries(all).map(([field, text]) => {
      const [run = '', index = ''] = field.split(' ');
      return { ...(JSON.parse(text) as Begun), run, index: Number(index), text };
    });
    return { version: version ?? '0', bucket: { owed: Number(owed ?? 0), at: Number(at ?? 0) }, underWay };
  }

  /** From where to where rows of a run go, in the order in which the plan has them first. */
  async lines(id: string): Promise<Line[]> {
    return (await this.#redis.lrange(keysOf(id).lines, 0, -1)).map((text) => JSON.parse(text) as Line);
  }

  /** The first rows that wait in some lines, at most so many of each; all in the order of the plan. */
  async waiting(
    id: string,
    wanted: readonly { line: number; most: number }[],
  ): Promise<(KeptRow & { index: number })[]> {
    const { line, rows } = keysOf(id);
    const heads = await Promise.all(wanted.map((one) => this.#redis.zrange(line(one.line), '0', String(one.most - 1))));
    const indices = heads
      .flat()
      .map(Number)
      .sort((a, b) => a - b);
    return keptRows(this.#redis, rows, indices);
  }

  /** Those of these rows that wait, in this order. */
  async waitingAmong(id: string, indices: readonly number[]): Promise<(KeptRow & { index: number })[]> {
    const { line, rows } = keysOf(id);
    const all = await keptRows(this.#redis, rows, indices);
    const places = await Promise.all(all.map((row) => this.#redis.zscore(line(row.line), String(row.index))));
    return all.filter((_, at) => places[at] !== null);
  }

  /** Lets moves begin; false where the run, or what is under way, is not as it was read any more. */
  async admit(
    kept: KeptRun,
    pace: Pace,
    bucket: Bucket,
    moves: readonly (KeptRow & { index: number; since: number })[],
  ): Promise<boolean> {
    const { id } = kept.run;
    const keys = keysOf(id);
    const lines = moves.map(({ line }) => keys.line(line));
    const args = [kept.text, pace.version, bucket.owed, bucket.at, id];
    const each = moves.flatMap(({ index, ...begun }) => [index, JSON.stringify(begun)]);
    return (
      (await this.#eval(admitScript, 4 + lines.length, [
        keys.run,
        paceKey,
        underWayKey,
        keys.counts,
        ...lines,
        ...args,
        ...each,
      ])) === 1
    );
  }

  /** Notes the end of a move that is under way; false where somebody has. */
  async settle({ run, index, text, name, octets }: UnderWay, end: RowEnd): Promise<boolean> {
    const { counts, ends, log, failed } = keysOf(run);
    const logged: LoggedEnd = { index, name, ...end };
    const hasFailed = failedStates.includes(end.state) ? 1 : 0;
    const moved = end.state === 'done' ? end.octets : 0;
    const told = [`${run} ${index}`, text, index, JSON.stringify(logged), end.state, octets, moved, hasFailed];
    return (await this.#eval(settleScript, 5, [underWayKey, counts, ends, log, failed, ...told])) === 1;
  }

  /**
   * Replaces a run by what it has become; undefined where it is not as it was read any more. `empty`: unless rows wait, or
   * moves are under way, by then. What is over and idle is kept for a while only.
   */
  async turn(
    kept: KeptRun,
    run: Run,
    empty: 'of all' | 'of moves' | 'no matter' = 'no matter',
  ): Promise<KeptRun | undefined> {
    const keys = keysOf(run.id);
    const text = runCodec.written(run);
    const all = allKeys(keys, await this.#redis.llen(keys.lines));
    const [first = '', second = '', ...others] = all;
    const keep = isOver(run) && run.ended !== undefined ? this.#keepDone : 0;
    const conditions = [empty === 'of all' ? 1 : 0, empty === 'no matter' ? 0 : 1, keep, run.id];
    const args = [first, second, planKey(run.plan), ...others, kept.text, text, ...conditions];
    return (await this.#eval(turnScript, all.length + 1, args)) === 1 ? { run, text } : undefined;
  }

  /** Has failed rows wait again: one, or all. `whole`: unless the run is not as it was read any more. */
  async again(kept: KeptRun, only?: number): Promise<{ again: number; whole: boolean }> {
    const keys = keysOf(kept.run.id);
    const failed = only === undefined ? await membersOf(this.#redis, keys.failed) : [String(only)];
    let again = 0;
    for (let at = 0; at < failed.length; at += page) {
      const some = await failedRows(this.#redis, keys, failed.slice(at, at + page));
      const lines = some.map(({ line }) => keys.line(line));
      const each = some.flatMap(({ index, text, state, octets }) => [index, text, state, octets]);
      const args = [keys.run, keys.counts, keys.ends, keys.failed, ...lines, kept.text, ...each];
      const done = Number(await this.#eval(againScript, 4 + lines.length, args));
      if (done < 0) return { again, whole: false };
      again += done;
    }
    return { again, whole: true };
  }

  /** Whether the plan of a run has another one since. */
  async isSuperseded({ id, plan }: Run): Promise<boolean> {
    const now = await this.#redis.get(planKey(plan));
    return now !== null && now !== id;
  }

  /** The place of a name in a plan. */
  async indexOf(id: string, name: Bytes): Promise<number | undefined> {
    const index = await this.#redis.hget(keysOf(id).names, name);
    return index === null ? undefined : Number(index);
  }

  /** Rows in the order of the plan, with what became of them. */
  async rows(run: Run, from: number, most: number): Promise<RunMove[]> {
    return readRows(this.#redis, run, from, most);
  }

  /** Whether a move has not been settled since it was read. */
  async isUnderWay({ run, index, text }: UnderWay): Promise<boolean> {
    return (await this.#redis.hget(underWayKey, `${run} ${index}`)) === text;
  }

  /** What has ended since so many ends, in their order. */
  async ends(id: string, after: number, most: number): Promise<LoggedEnd[]> {
    return (await this.#redis.lrange(keysOf(id).log, after, after + most - 1)).map(
      (text) => JSON.parse(text) as LoggedEnd,
    );
  }

  /** How many ends there have been. */
  async endCount(id: string): Promise<number> {
    return this.#redis.llen(keysOf(id).log);
  }

  /** The run that a plan has, where it has one. */
  async ofPlan(hash: string): Promise<Run | undefined> {
    return (await this.#ofPlan(hash))[1];
  }

  async #ofPlan(hash: string): Promise<[id: string, run: Run | undefined]> {
    const id = (await this.#redis.get(planKey(hash))) ?? '';
    return [id, id === '' ? undefined : (await this.read(id))?.run];
  }

  #eval(script: string, keys: number, args: readonly (string | number)[]): Promise<unknown> {
    return this.#redis.call('EVAL', [script, keys, ...args]);
  }
}

// The four writes in Redis: by script, acknowledged when they are durable, taken back when they can't be made so.
import type { Redis } from 'ioredis';
import { reasons } from '../case.ts';
import { answerText, undoes } from '../ruling.ts';
import { placeOf } from '../tree.ts';
import type { Answer, Verb, Write, Writer } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import type { Policy, Situation } from '../rules.ts';
import type { ChainWatch } from './chain-watch.ts';
import { Commit } from './commit.ts';
import { shardOf, shardPrefix } from './keys.ts';
import { unpackRow } from './packing.ts';
import { flag, stringsIn, undoScript, writeScript } from './script.ts';
import type { Script } from '../../redis/script.ts';
import type { SessionEnds } from './session-ends.ts';

/** What a write waits for. */
export interface Acknowledgement {
  /** How many replicas must have it. */
  replicas: number;
  /** How long they may take, in milliseconds. */
  timeout: number;
  /** For writes alone: WAIT holds up everything behind it, and says nothing about other connections. */
  connection: Redis;
}

export interface WritesOptions {
  redis: Redis;
  shards: number;
  changeLogLength: number;
  policy: Policy;
  acknowledge?: Acknowledgement;
  watch: ChainWatch;
  ends: SessionEnds;
  clock: () => number;
  nonce: () => string;
}

export class Writes {
  readonly #options: WritesOptions;
  readonly #redis: Redis;
  readonly #commit: Commit;
  readonly #scripts: Record<Verb, Script>;

  constructor(options: WritesOptions) {
    const { policy, acknowledge } = options;
    this.#options = options;
    this.#redis = acknowledge?.connection ?? options.redis;
    const { replicas = 0, timeout = 0 } = acknowledge ?? {};
    this.#commit = new Commit({ redis: this.#redis, replicas, timeout });
    this.#scripts = {
      ...{ RESERVE: writeScript(policy, 'RESERVE'), ACTIVATE: writeScript(policy, 'ACTIVATE') },
      ...{ DEACTIVATE: writeScript(policy, 'DEACTIVATE'), DELETE: writeScript(policy, 'DELETE') },
    };
  }

  /** See Directory.write. */
  async write(write: Write, writer: Writer): Promise<Answer> {
    const { policy, watch, clock, ends } = this.#options;
    const now = clock();
    const nonce = this.#options.nonce();
    const { shard, reply } = await this.#run(write, writer, now, nonce);
    const [situation, number, packed = '', seq = '0', pending, last = ''] = reply;
    const head = { seq: Number(seq), nonce: last };
    watch.saw(shard, head);
    const row = packed === '' ? undefined : unpackRow(write.name, packed);
    const rule = policy.table[situation as Situation][write.verb][Number(number) - 1];
    if (!rule) throw new Error(`the script answered rule ${String(number)} of ${String(situation)}, which is none`);
    const outcome = { at: { shard, seq: head.seq }, pending: pending === '1' };
    if (rule.ok && !(await this.#commit.durable())) {
      if (last === nonce) await this.#undo(write, writer, head.seq, packed);
      return { ok: false, text: 'not enough replicas have it', ...outcome, undone: true, ring: reasons.undone };
    }
    const undone = undoes(rule, write, writer) ? (await ends.end(writer.session, 'refused', writer.by)).restored : [];
    const ring = undone.length > 0 ? 'refused: its deletions are put back' : rule.ring;
    const text = answerText(rule, row, write, writer, now);
    return { ok: rule.ok, text, ...outcome, ...(ring === undefined ? {} : { ring }) };
  }

  async #run(write: Write, writer: Writer, now: number, nonce: string): Promise<{ shard: number; reply: Bytes[] }> {
    const { policy, changeLogLength, shards } = this.#options;
    const { tree, field, shared } = placeOf(write.name);
    const shard = shardOf(tree, shards);
    const prefix = shardPrefix(shard);
    const reply = await this.#scripts[write.verb].run(this.#redis, `${prefix}tree:${tree}`, [
      ...[prefix, tree, field, flag(shared), write.location, write.acl],
      ...[writer.session, writer.server ?? '', flag(writer.admin), flag(writer.push), String(now)],
      ...[limit(policy.times.reservationMaxAge), limit(policy.times.reservationGrace)],
      ...[nonce, String(changeLogLength), write.name, writer.by ?? ''],
    ]);
    return { shard, reply: stringsIn(reply) };
  }

  /** Takes a write back that was carried out and is not durable: NO must mean that nothing has happened. */
  async #undo({ name }: Write, { session, by = '' }: Writer, seq: number, before: Bytes): Promise<void> {
    const { shards, clock, nonce, changeLogLength } = this.#options;
    const { tree, field, shared } = placeOf(name);
    const prefix = shardPrefix(shardOf(tree, shards));
    const place = [prefix, name, tree, field, flag(shared)];
    const args = [...place, String(seq), before, session, by, String(clock()), nonce(), String(changeLogLength)];
    await undoScript.run(this.#redis, `${prefix}tree:${tree}`, args);
  }
}

/** A time limit as an argument of a script; empty for none. */
function limit(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? String(milliseconds) : '';
}

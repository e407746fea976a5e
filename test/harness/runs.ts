// Runs of plans in a test, on a scratch Redis, with moves that only pretend: kept in memory, ended when the test says so.
import type { TestContext } from 'node:test';
import { Conducting } from '../../services/moves/conducting.ts';
import type { ConductingOptions, KeptMoves } from '../../services/moves/conducting.ts';
import type { Move, MoveState, Place } from '../../services/moves/move.ts';
import type { Run } from '../../services/moves/run.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import type { NewRow } from '../../services/moves/run-rows.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { quietLog } from './quiet-log.ts';

/** Moves as a store keeps them, in memory; what conductors do with them is written down. */
export class PretendedMoves implements KeptMoves {
  readonly moves = new Map<string, Move>();
  /** The most that were open at a time, by what they have in common. */
  readonly most = new Map<string, number>();
  placed = 0;

  open(): Move[] {
    return [...this.moves.values()].filter(({ state }) => state === 'open');
  }

  async place(move: Move): Promise<{ is: 'placed' } | { is: 'open'; move: Move }> {
    await Promise.resolve();
    const before = this.moves.get(move.name);
    const isSame = before && before.run === move.run && before.since === move.since;
    if (before?.state === 'open' || isSame) return { is: 'open', move: before };
    this.moves.set(move.name, move);
    this.placed += 1;
    const open = this.open();
    const count = (key: string, has: (one: Move) => boolean) => {
      this.most.set(key, Math.max(this.most.get(key) ?? 0, open.filter(has).length));
    };
    count('total', () => true);
    count(`from ${move.from.server}`, ({ from }) => from.server === move.from.server);
    count(`to ${move.to.server}`, ({ to }) => to.server === move.to.server);
    for (const at of [move.from, move.to]) {
      const same = (other: Place) => other.server === at.server && other.partition === at.partition;
      count(`partition ${at.server}!${at.partition}`, ({ from, to }) => same(from) || same(to));
    }
    return { is: 'placed' };
  }

  async read(name: string) {
    await Promise.resolve();
    const move = this.moves.get(name);
    return move && { move, text: JSON.stringify(move) };
  }

  async replace(kept: { move: Move; text: string }, move: Move) {
    await Promise.resolve();
    if (JSON.stringify(this.moves.get(move.name)) === kept.text) this.moves.set(move.name, move);
  }

  /** As a worker ends it. */
  end({ name }: Pick<Move, 'name'>, state: Exclude<MoveState, 'open'> = 'done', note = 'moved'): void {
    const move = this.moves.get(name);
    if (move) this.moves.set(name, { ...move, state, note, times: { begun: 1, ended: 2 } });
  }
}

export const limits = { total: 8, perSource: 4, perDestination: 4, perPartition: 4, bytesPerSecond: 0 };

let runs = 0;

export function runOf(more: Partial<Run> = {}, rows: readonly NewRow[] = []): Run {
  runs += 1;
  const octets = rows.reduce((sum, row) => sum + row.octets, 0);
  return {
    ...{ id: `run${runs}`, plan: `plan${runs}`, totals: { moves: rows.length, octets }, by: 'ann', since: Date.now() },
    ...{ state: 'running', why: '', limits, windows: [], forgiven: { failed: 0, ended: 0 } },
    stopWhen: { failed: 0, failedPercent: 0, deferred: 0, latency: 0 },
    ...more,
  };
}

/** From mail1, by turns to each of the others. */
export function rowsOf(count: number, to: readonly string[] = ['mail2!default', 'mail3!p1', 'mail3!p2']): NewRow[] {
  return Array.from({ length: count }, (_, at) => {
    const [server = '', partition = ''] = (to[at % to.length] ?? '').split('!');
    return {
      ...{ name: `user.u${at}`, from: { server: 'mail1', partition: 'default' }, to: { server, partition } },
      ...{ octets: 10, messages: 1 },
    };
  });
}

/** Its stores, and conductors as many as are wanted. */
export async function runsFor(t: TestContext, socket: string) {
  const redis = commandConnection({ place: { socket }, commandTimeout: 5000, onError: () => undefined });
  t.after(() => {
    redis.disconnect();
  });
  await connected(redis, 5000);
  const store = new RunStore(redis, 1000);
  const moves = new PretendedMoves();
  const rung: string[] = [];
  const conducting = (more: Partial<ConductingOptions> = {}) =>
    new Conducting({
      ...{ runs: store, moves, ring: (name: string) => rung.push(name), clock: Date.now, log: quietLog },
      ...{ weather: () => Promise.resolve({}), ...more },
    });
  return { redis, store, moves, rung, conducting };
}

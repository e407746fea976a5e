// A backend that drains is emptied run after run, on a real Redis with moves that only pretend: whoever comes meanwhile goes, too, and
// it ends when an operator says so, or a run has moved nothing; whoever looks may be killed at any line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Registry } from '../../services/backends/registry.ts';
import type { RedisDirectory } from '../../services/directory/redis/redis-directory.ts';
import { Conducting } from '../../services/moves/conducting.ts';
import { EmptyingStore } from '../../services/moves/emptying-store.ts';
import type { MoveState } from '../../services/moves/move.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import { Evacuation } from '../../services/operations/evacuating.ts';
import type { EvacuationMeans } from '../../services/operations/evacuating.ts';
import { movePlanning } from '../../services/operations/move-planning.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { fillDirectory, openScratchDirectory } from '../harness/directory.ts';
import { holding } from '../harness/plan.ts';
import { policyFor, serverOf } from '../harness/placement.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { redisOfFile } from '../harness/redis.ts';
import { limits } from '../harness/runs.ts';

const redis = redisOfFile();
const facts = [serverOf('mail1', 1000, 2000), serverOf('mail2', 90_000, 100_000)];
const imap = { host: '127.0.0.1', port: 1, username: 'cyrus', password: 'x' };

/** Whose times are those of this test. */
class Stand {
  readonly directory: RedisDirectory;
  readonly runs: RunStore;
  readonly moves: MoveStore;
  readonly store: EmptyingStore;
  readonly rung: string[] = [];
  wanted = true;
  now = 1000;
  #ids = 0;

  constructor(directory: RedisDirectory, connection: ReturnType<typeof commandConnection>) {
    this.directory = directory;
    this.runs = new RunStore(connection, 1000);
    this.moves = new MoveStore(connection, 1000);
    this.store = new EmptyingStore(connection);
  }

  /** What a process has that knows nothing yet. */
  process(more: Partial<EvacuationMeans> = {}): Evacuation {
    const registry = new Registry(facts.map(({ name }) => ({ name, lmtp: undefined, imap, mupdate: true })));
    const policy = policyFor(facts, { backends: { mail1: { drain: true } } });
    const planning = movePlanning(
      {
        ...{ directory: this.directory, registry, policy, chance: () => 0, now: () => (this.now += 1) },
        admins: { ask: () => Promise.reject(new Error('not asked here')) },
        figures: () => Promise.resolve(facts.map((one) => ({ ...one, at: this.now }))),
        promised: () => Promise.resolve(new Map()),
        moves: {
          open: async () => this.moves.readAll(await this.moves.open(1000)),
          waiting: () => this.runs.waitingOfAll(),
          done: () => Promise.resolve([]),
        },
        ordered: () => Promise.resolve([]),
        hasPartition: () => Promise.resolve(true),
      },
      {
        limits,
        addresses: {
          ...{ virtdomains: 'off', defaultdomain: '', unixhierarchysep: true, lmtp_downcase_rcpt: true },
          ...{ postuser: '', lmtp_strict_rfc2821: true },
        },
      },
    );
    const settings = { windows: [], drift: 5, stopWhen: { failed: 0, failedPercent: 0, deferred: 0, latency: 0 } };
    return new Evacuation({
      ...{ planning, runs: this.runs, store: this.store, clock: () => this.now },
      starting: {
        ...{ directory: this.directory, registry, settings, ring: () => undefined, clock: () => this.now },
        newId: () => `run${(this.#ids += 1)}`,
      },
      wanted: () => Promise.resolve(this.wanted ? { by: 'ann' } : undefined),
      ring: (server) => this.rung.push(server),
      ...more,
    });
  }

  async rows(server: string): Promise<string[]> {
    // What it is on record for as a rival has no version.
    const listed = (await this.directory.list(`${server}!`)).filter(({ version }) => version > 0);
    return listed.map(({ name }) => name).sort();
  }

  /** Carries a run out to its end; what a move ends as is told for each name. */
  async conduct(run: string, end: (name: string) => Exclude<MoveState, 'open'> = () => 'done'): Promise<void> {
    this.now += 1000;
    const { runs, moves } = this;
    const conducting = new Conducting({
      ...{
        runs,
        moves,
        ring: () => undefined,
        weather: () => Promise.resolve({}),
        clock: () => this.now,
        log: quietLog,
      },
    });
    for (let looks = 0; (await conducting.look(run)).is !== 'over'; looks += 1) {
      assert.ok(looks < 50);
      for (const name of await moves.open(100)) {
        const kept = await moves.read(name);
        if (!kept) continue;
        const state = end(name);
        if (state === 'done') await this.arrive(name);
        await moves.replace(kept, { ...kept.move, state, note: `it is ${state}`, times: { ended: this.now } });
      }
    }
  }

  async arrive(name: string): Promise<void> {
    const writer = (server: string) => ({ session: `${server}-${name}`, server, admin: false, push: false });
    for (const [verb, server] of [
      ['DEACTIVATE', 'mail1'],
      ['ACTIVATE', 'mail2'],
    ] as const) {
      const { ok } = await this.directory.write({ verb, name, location: `${server}!default`, acl: '' }, writer(server));
      assert.ok(ok);
    }
    for (const server of ['mail1', 'mail2']) await this.directory.end(writer(server).session, 'logout');
  }
}

async function standFor(t: TestContext, users: readonly string[]): Promise<Stand> {
  await fillDirectory(
    redis.socket,
    users.map((name) => [`user.${name}`, 'mail1!default']),
  );
  const scratch = await openScratchDirectory(redis.socket);
  const connection = commandConnection({
    place: { socket: redis.socket },
    commandTimeout: 5000,
    onError: () => undefined,
  });
  t.after(async () => {
    connection.disconnect();
    await scratch.close();
  });
  await connected(connection, 5000);
  return new Stand(scratch.directory, connection);
}

const kept = async (stand: Stand) => (await stand.store.read('mail1')).emptying;

test('run after run until it is empty; whoever comes then goes, too; it ends when it drains no more', async (t) => {
  const stand = await standFor(t, ['a', 'b', 'c']);
  assert.equal(await stand.process().begin('mail1', 'ann'), 'run1');
  assert.deepEqual(stand.rung, ['mail1']);
  assert.equal((await stand.process().look('mail1')).is, 'open');
  await holding(stand.directory, 'mail1', ['user.late']);
  await stand.conduct('run1');
  assert.deepEqual(await stand.rows('mail1'), ['user.late']);
  assert.deepEqual(await stand.process().look('mail1'), { is: 'open', note: 'run run2 moves 1 tree' });
  const under = await stand.process().look('mail1');
  assert.match(under.note, /run run2 is running; what is left after it is moved, too/);
  await stand.conduct('run2');
  assert.equal((await stand.process().look('mail1')).is, 'over');
  const { state, rounds, by } = (await kept(stand)) ?? {};
  assert.deepEqual([state, rounds, by], ['empty', 2, 'ann']);
  await holding(stand.directory, 'mail1', ['user.later']);
  assert.deepEqual(await stand.process().look('mail1'), { is: 'open', note: 'run run3 moves 1 tree' });
  stand.wanted = false;
  assert.deepEqual(await stand.process().look('mail1'), { is: 'over', note: 'mail1 is not to be emptied any more' });
  assert.equal(await kept(stand), undefined);
  await stand.conduct('run3');
  await holding(stand.directory, 'mail1', ['user.last']);
  await stand.process().look('mail1');
  assert.equal((await stand.runs.list(10)).length, 3);
});

test('what cannot be moved is told with the reason, and goes as soon as it can', async (t) => {
  const stand = await standFor(t, ['doubtful']);
  await stand.directory.suspect('user.doubtful', 'a test', 's2');
  const refused =
    /none of 1 tree can be moved now \(user\.doubtful: it has an open case .*looked at again each minute$/;
  await assert.rejects(stand.process().begin('mail1', 'ann'), { kind: 'unsafe', message: refused });
  const { state, leftTrees, left } = (await kept(stand)) ?? {};
  assert.deepEqual([state, leftTrees, left?.[0]?.name], ['waiting', 1, 'user.doubtful']);
  assert.equal((await stand.process().look('mail1')).is, 'over');
  const [one] = await stand.directory.cases();
  assert.ok(one);
  await holding(stand.directory, 'mail1', ['user.other']);
  assert.deepEqual(await stand.process().look('mail1'), { is: 'open', note: 'run run1 moves 1 tree' });
  assert.equal((await kept(stand))?.leftTrees, 1, 'the other one is left');
});

test('a run that moves nothing, and one that is cancelled, is the last until an operator says so; one that is held up is waited for', async (t) => {
  const stand = await standFor(t, ['a', 'b']);
  await stand.process().begin('mail1', 'ann');
  const paused = await stand.runs.read('run1');
  assert.ok(paused);
  const held = await stand.runs.turn(paused, { ...paused.run, state: 'paused', why: 'paused by ben' });
  assert.match(
    (await stand.process().look('mail1')).note,
    /run run1 is paused \(paused by ben\): rookery move resume run1/,
  );
  assert.ok(held && (await stand.runs.turn(held, { ...held.run, state: 'running' })));
  await stand.conduct('run1', () => 'refused');
  assert.match((await stand.process().look('mail1')).note, /run run1 has moved nothing, 2 have failed/);
  const { state, left } = (await kept(stand)) ?? {};
  assert.deepEqual([state, left], ['stuck', ['user.a', 'user.b'].map((name) => ({ name, why: 'it is refused' }))]);
  assert.equal((await stand.process().look('mail1')).is, 'over');
  assert.equal(await stand.process().begin('mail1', 'ann'), 'run2');
  const second = await stand.runs.read('run2');
  assert.ok(second && (await stand.runs.turn(second, { ...second.run, state: 'cancelled', why: 'cancelled by ben' })));
  await stand.conduct('run2');
  assert.match(
    (await stand.process().look('mail1')).note,
    /run run2 was cancelled: rookery backend drain mail1 --move goes on/,
  );
  assert.equal((await kept(stand))?.state, 'stuck');
  // One that has moved some goes on with those that have failed.
  await stand.process().begin('mail1', 'ann');
  await stand.conduct('run3', (name) => (name === 'user.a' ? 'done' : 'refused'));
  assert.deepEqual(await stand.process().look('mail1'), { is: 'open', note: 'run run4 moves 1 tree' });
});

test('killed before its run was started: nobody starts another one at once, and one is started then', async (t) => {
  const stand = await standFor(t, ['a']);
  const { runs } = stand;
  const dying = {
    start: () => Promise.reject(new Error('killed')),
    ofPlan: (hash: string) => runs.ofPlan(hash),
    list: (most: number) => runs.list(most),
    lines: (id: string) => runs.lines(id),
  } as Pick<RunStore, 'start' | 'ofPlan' | 'list' | 'lines'> as RunStore;
  await assert.rejects(stand.process({ runs: dying }).begin('mail1', 'ann'), /killed/);
  assert.equal((await stand.process().look('mail1')).note, 'run run1 is about to begin');
  assert.equal((await runs.list(10)).length, 0);
  stand.now += 61_000;
  assert.deepEqual(await stand.process().look('mail1'), { is: 'open', note: 'run run2 moves 1 tree' });
  assert.deepEqual(
    (await runs.list(10)).map(({ id }) => id),
    ['run2'],
  );
});

test('several who look at once start one run; a run of another plan is waited for', async (t) => {
  const stand = await standFor(t, ['a']);
  await Promise.all([1, 2, 3].map(() => stand.process().look('mail1')));
  const [run, ...others] = await stand.runs.list(10);
  assert.deepEqual(others, []);
  const told = { kind: 'unsafe', message: new RegExp(`run ${run?.id} moves trees from mail1, and is not over`) };
  await assert.rejects(stand.process().begin('mail1', 'ben'), told);
  await holding(stand.directory, 'mail1', ['user.late']);
  await stand.conduct(run?.id ?? '');
  assert.equal((await stand.process().look('mail1')).is, 'open');
  assert.equal((await stand.runs.list(10)).length, 2);
});

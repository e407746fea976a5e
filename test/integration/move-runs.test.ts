// Runs of plans on a real Redis with moves that only pretend: limits kept at every moment, several conductors, each kind of end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Move } from '../../services/moves/move.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { MinuteFigures } from '../../services/metrics/minute-figures.ts';
import { retried, turned } from '../../services/moves/run.ts';
import type { Run } from '../../services/moves/run.ts';
import type { RunStore } from '../../services/moves/run-store.ts';
import { limits, rowsOf, runOf, runsFor } from '../harness/runs.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { redisOfFile } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

async function started(store: RunStore, rows = rowsOf(20), more: Partial<Run> = {}): Promise<Run> {
  const begun = await store.start(runOf(more, rows), rows, false);
  assert.equal(begun.is, 'started');
  return begun.run;
}

async function turn(store: RunStore, id: string, to: 'paused' | 'running' | 'cancelled') {
  const kept = await store.read(id);
  assert.ok(kept);
  const { counts } = await store.progress(kept.run);
  const next = turned(kept.run, { to, why: `${to} by ann` }, counts);
  assert.ok(next);
  assert.ok(await store.turn(kept, next));
}

/** All in `npm test`, some in the inner loop. */
const many = Math.min(2000, Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000) / 8);

test(`${many} moves by three conductors at a time: every limit is kept at every moment, each is moved once`, async (t) => {
  const { store, moves, conducting, rung, redis: connection } = await runsFor(t, redis.socket);
  const rows = rowsOf(many);
  const { id } = await started(store, rows, {
    limits: { ...limits, perSource: 7, perDestination: 5, perPartition: 7 },
  });
  const conductors = [conducting(), conducting(), conducting()];
  for (let looks = 0; ; looks += 1) {
    assert.ok(looks < 10_000);
    const found = await Promise.all(conductors.map((one) => one.look(id)));
    if (found.every(({ is }) => is === 'over')) break;
    // Some of those under way end, by no rule that the conductors know.
    moves.open().forEach((move, at) => {
      if ((at + looks) % 3 !== 0) return;
      moves.end(move);
    });
  }
  assert.equal(moves.placed, many);
  for (const [what, most] of moves.most) assert.ok(most <= (/^to /.test(what) ? 5 : 7), `${what}: ${most}`);
  const most = ['total', 'from mail1', 'to mail3'].map((what) => moves.most.get(what));
  assert.deepEqual(most, [7, 7, 5], 'and used up');
  const run = await store.read(id);
  assert.equal(run?.run.state, 'done');
  const { counts, moved, passed } = await store.progress(run.run);
  assert.deepEqual([counts.done, counts.waiting, counts.moving, moved, passed], [many, 0, 0, 10 * many, 10 * many]);
  assert.equal((await store.ends(id, 0, 5000)).length, many);
  assert.ok(rung.length >= many);
  // What is over goes away by itself, all of it.
  const keys = await connection.keys('*run:*');
  assert.ok(keys.length > 5);
  for (const key of keys) assert.ok((await connection.ttl(key)) > 0, key);
});

test('two runs at a time share what may be under way', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const few = rowsOf(30).map((row) => ({ ...row, name: `other.${row.name}` }));
  const ids = [(await started(store, rowsOf(30))).id, (await started(store, few)).id];
  const conductor = conducting();
  for (let looks = 0; looks < 200; looks += 1) {
    const found = await Promise.all(ids.map((id) => conductor.look(id)));
    if (found.every(({ is }) => is === 'over')) break;
    for (const move of moves.open().slice(0, 2)) moves.end(move);
  }
  assert.deepEqual([moves.placed, moves.most.get('from mail1')], [60, 4]);
});

/** A store under which everything ends after so many commands, as when its process is killed. */
function killedAfter(commands: number, store: RunStore, moves: { place: unknown; read: unknown; replace: unknown }) {
  let left = commands;
  const mortal = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value = Reflect.get(object, key) as unknown;
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          left -= 1;
          return left < 0
            ? Promise.reject(new Error('killed'))
            : (value as (...all: unknown[]) => unknown).apply(object, given);
        };
      },
    });
  return { runs: mortal(store), moves: mortal(moves) as never };
}

test('a conductor that is killed after any command leaves a run that another one ends, each tree moved once', async (t) => {
  for (let commands = 0; commands < 40; commands += 1) {
    const { store, moves, conducting, redis: connection } = await runsFor(t, redis.socket);
    await connection.flushall();
    const { id } = await started(store, rowsOf(6));
    const dying = conducting({ ...killedAfter(commands, store, moves), ring: () => undefined });
    await dying.look(id).catch(() => undefined);
    for (const move of moves.open().slice(0, 2)) moves.end(move);
    await dying.look(id).catch(() => undefined);
    for (let looks = 0; (await conducting().look(id)).is !== 'over'; looks += 1) {
      assert.ok(looks < 50, `killed after ${commands}`);
      moves.open().forEach((move) => {
        moves.end(move);
      });
    }
    const run = (await store.read(id))?.run;
    assert.ok(run);
    const { counts } = await store.progress(run);
    assert.deepEqual([run.state, counts.done, moves.placed], ['done', 6, 6], `killed after ${commands}`);
  }
});

test('a run that is paused begins nothing more, from the moment on; resumed it goes on', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const { id } = await started(store);
  const conductor = conducting();
  await conductor.look(id);
  assert.equal(moves.placed, 4);
  const [stale, pace] = [await store.read(id), await store.pace()];
  await turn(store, id, 'paused');
  // Whoever had read the run as running can't begin anything any more.
  const waiting = (await store.waiting(id, [{ line: 0, most: 1 }])).map((row) => ({ ...row, since: 1 }));
  assert.ok(stale);
  assert.equal(await store.admit(stale, pace, pace.bucket, waiting), false);
  moves.open().forEach((move) => {
    moves.end(move);
  });
  assert.equal((await conductor.look(id)).is, 'open');
  assert.equal(moves.placed, 4);
  await turn(store, id, 'running');
  await conductor.look(id);
  assert.equal(moves.placed, 8);
});

test('a run that is cancelled begins nothing, has what is under way go back, and is over when all of it has ended', async (t) => {
  const { store, moves, conducting, rung } = await runsFor(t, redis.socket);
  const { id } = await started(store);
  const warn = () => assert.fail('what was cancelled has not failed');
  const conductor = conducting({ log: { ...quietLog, warn } });
  await conductor.look(id);
  rung.length = 0;
  await turn(store, id, 'cancelled');
  assert.equal((await conductor.look(id)).is, 'open');
  assert.deepEqual(
    moves.open().map(({ cancelled }) => cancelled),
    [true, true, true, true],
  );
  assert.equal(rung.length, 4, 'their workers are told');
  const [first, ...others] = moves.open();
  moves.end(first as Move);
  for (const move of others) moves.end(move, 'back', 'cancelled');
  assert.equal((await conductor.look(id)).is, 'over');
  const run = (await store.read(id))?.run;
  assert.ok(run);
  const { counts } = await store.progress(run);
  assert.deepEqual([run.state, counts.done, counts.back, counts.dropped, counts.waiting], ['cancelled', 1, 3, 16, 0]);
  const rows = await store.rows(run, 0, 100);
  assert.deepEqual(
    rows.slice(3, 6).map(({ state }) => state),
    ['back', 'dropped', 'dropped'],
  );
});

test('a run stops by itself when too much fails; resumed it counts anew, and failed ones are tried again', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const { id } = await started(store, rowsOf(20), {
    stopWhen: { failed: 3, failedPercent: 0, deferred: 0, latency: 0 },
  });
  const conductor = conducting();
  await conductor.look(id);
  for (const move of moves.open().slice(0, 3)) moves.end(move, 'refused', 'no room');
  await conductor.look(id);
  const stopped = (await store.read(id))?.run;
  assert.deepEqual([stopped?.state, stopped?.why], ['stopped', '3 moves have failed; 3 stop it']);
  assert.equal(moves.placed, 4, 'nothing has begun since');
  await turn(store, id, 'running');
  await conductor.look(id);
  assert.deepEqual([(await store.read(id))?.run.state, moves.placed], ['running', 7]);
  const kept = await store.read(id);
  assert.ok(kept);
  assert.deepEqual(await store.again(kept), { again: 3, whole: true });
  const { counts } = await store.progress(kept.run);
  assert.deepEqual([counts.refused, counts.waiting, counts.moving], [0, 16, 4]);
  const again = retried(kept.run, 'again', counts);
  assert.ok(again && (await store.turn(kept, again)));
  for (let looks = 0; (await conductor.look(id)).is !== 'over'; looks += 1) {
    assert.ok(looks < 100);
    moves.open().forEach((move) => {
      moves.end(move);
    });
  }
  const done = (await store.read(id))?.run;
  assert.ok(done);
  assert.deepEqual([done.state, (await store.progress(done)).counts.done, moves.placed], ['done', 20, 23]);
});

test('the weather stops a run whose bounds are about it, and is not asked for others', async (t) => {
  const { store, conducting } = await runsFor(t, redis.socket);
  const calm = await started(store, rowsOf(4));
  const asked: (readonly string[])[] = [];
  const weather = (servers: readonly string[]) => {
    asked.push(servers);
    return Promise.resolve({ deferred: 12 });
  };
  await conducting({ weather }).look(calm.id);
  assert.deepEqual(asked, []);
  const other = rowsOf(4).map((row) => ({ ...row, name: `x${row.name}` }));
  const { id } = await started(store, other, { stopWhen: { failed: 0, failedPercent: 0, deferred: 10, latency: 0 } });
  await conducting({ weather }).look(id);
  assert.deepEqual(asked, [['mail1', 'mail2', 'mail3']]);
  assert.match((await store.read(id))?.run.why ?? '', /^12 messages were put off/);
});

test('outside its windows a run begins nothing, and what has begun ends', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const { id } = await started(store, rowsOf(6), { windows: ['22:00-06:00'] });
  let hour = 23;
  const clock = () => new Date(2024, 1, 1, hour).getTime();
  const conductor = conducting({ clock });
  await conductor.look(id);
  hour = 7;
  moves.end(moves.open()[0] as Move);
  await conductor.look(id);
  const run = (await store.read(id))?.run;
  assert.ok(run);
  const { counts } = await store.progress(run);
  assert.deepEqual([run.state, counts.done, counts.moving, counts.waiting], ['running', 1, 3, 2]);
});

test('of a plan there is one run at a time; when that is over another one may be started, if it is wanted', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const rows = rowsOf(3);
  const run = () => runOf({ plan: 'the same' }, rows);
  const both = await Promise.all([store.start(run(), rows, false), store.start(run(), rows, true)]);
  assert.deepEqual(both.map(({ is }) => is).sort(), ['started', 'there']);
  assert.equal(both[0].run.id, both[1].run.id);
  const { id } = both[0].run;
  for (let looks = 0; (await conducting().look(id)).is !== 'over'; looks += 1) {
    assert.ok(looks < 10);
    moves.open().forEach((move) => {
      moves.end(move);
    });
  }
  assert.equal((await store.start(run(), rows, false)).is, 'there');
  assert.equal((await store.start(run(), rows, true)).is, 'started');
});

test('what changed since it was planned is skipped; a tree that another moves is told as such; names are any bytes', async (t) => {
  const { store, moves, conducting } = await runsFor(t, redis.socket);
  const [first, second, third] = rowsOf(3);
  assert.ok(first && second && third);
  const end = { state: 'skipped', note: 'it has moved', at: 1, octets: 0, messages: 0, times: {} } as const;
  const odd = 'user.\xe4\xff &AOQ- ^x';
  const rows = [{ ...first, end }, second, { ...third, name: odd }];
  await moves.place({
    ...{ name: second.name, from: second.from, to: second.to, by: 'bob', since: 5, state: 'open', cancelled: false },
    ...{ attempts: 0, octets: 0, messages: 0, times: {}, step: '', note: '' },
  });
  const { id } = await started(store, rows);
  const conductor = conducting();
  await conductor.look(id);
  moves.end({ name: odd });
  assert.equal((await conductor.look(id)).is, 'over');
  const run = (await store.read(id))?.run;
  assert.ok(run);
  assert.deepEqual(
    (await store.rows(run, 0, 10)).map(({ name, state, end }) => [name, state, end?.note]),
    [
      [first.name, 'skipped', 'it has moved'],
      [second.name, 'refused', 'another move of it is under way, ordered by bob'],
      [odd, 'done', 'moved'],
    ],
  );
  assert.equal(await store.indexOf(id, odd), 2);
  assert.deepEqual(
    (await store.ends(id, 1, 10)).map(({ name }) => name),
    [second.name, odd],
  );
});

test('the figures of a minute are summed up over processes, and fade with it', async (t) => {
  const { redis: connection } = await runsFor(t, redis.socket);
  let now = 600_000;
  const processes = [new MinuteFigures(connection, () => now), new MinuteFigures(connection, () => now)];
  const [one, other] = processes;
  assert.ok(one && other);
  assert.deepEqual(await one.weather(['mail1']), { deferred: 0, slowest: undefined });
  for (let at = 0; at < 3; at += 1) one.deferred();
  other.deferred();
  one.answered('mail1', 1000);
  other.answered('mail1', 3000);
  one.answered('mail2', 9000);
  for (const figures of processes) await figures.close();
  assert.deepEqual(await one.weather(['mail1', 'mail2']), { deferred: 4, slowest: undefined }, 'too few answers');
  other.answered('mail1', 2000);
  await other.close();
  assert.deepEqual((await one.weather(['mail1', 'mail2'])).slowest, { server: 'mail1', seconds: 2 });
  assert.equal((await one.weather(['mail2'])).slowest, undefined);
  now += 90_000;
  assert.deepEqual(await one.weather(['mail1']), { deferred: 2, slowest: undefined }, 'half of it is gone');
  now += 60_000;
  assert.deepEqual(await one.weather(['mail1']), { deferred: 0, slowest: undefined });
});

test('what one conductor has placed, and a worker has ended, another one who is late does not place again', async (t) => {
  const { store, redis: connection, conducting } = await runsFor(t, redis.socket);
  const moves = new MoveStore(connection, 1000);
  const { id } = await started(store, rowsOf(1));
  // It has seen that nothing is placed yet, and is held up until the other one's move is over.
  let late = Promise.resolve();
  const slow = {
    read: () => Promise.resolve(undefined),
    replace: moves.replace.bind(moves),
    place: async (move: Move) => {
      await late;
      return moves.place(move);
    },
  };
  let go: () => void = () => undefined;
  late = new Promise((resolve) => (go = resolve));
  const looking = conducting({ moves: slow }).look(id);
  await until('it is admitted', async () => (await store.pace()).underWay.length === 1);
  await conducting({ moves }).look(id);
  const kept = await moves.read('user.u0');
  assert.ok(kept);
  await moves.replace(kept, { ...kept.move, state: 'done', note: 'moved', times: { ended: 1 } });
  go();
  await looking;
  assert.equal((await moves.read('user.u0'))?.move.state, 'done');
  assert.equal((await conducting({ moves }).look(id)).is, 'over');
});

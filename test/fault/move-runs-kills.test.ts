// Conductors that are killed again and again in the middle of a run of 500 moves: it ends, each tree is moved once, and the limits
// are kept at every look.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MoveStore } from '../../services/moves/move-store.ts';
import { redisOfFile } from '../harness/redis.ts';
import { queuesFor } from '../harness/events.ts';
import { limits, rowsOf, runOf, runsFor } from '../harness/runs.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

const file = join(import.meta.dirname, '../harness/conductor-process.ts');

async function conductor(t: TestContext) {
  const child = spawn(process.execPath, [file, redis.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await once(child.stdout, 'data');
  return {
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('a run of 500 moves outlives its conductors, and keeps its limits', async (t) => {
  const { store, redis: connection } = await runsFor(t, redis.socket);
  const { producer } = await queuesFor(t, redis.socket);
  const moves = new MoveStore(connection, 1000);
  const rows = rowsOf(500);
  const wide = { ...limits, total: 20, perSource: 20, perDestination: 15, perPartition: 20 };
  const begun = await store.start(runOf({ limits: wide }, rows), rows, false);
  const { id } = begun.run;
  let most = 0;
  const over = async () => {
    const [open, { underWay }] = await Promise.all([moves.openCount(), store.pace()]);
    const to = (server: string) => underWay.filter((one) => one.to.server === server).length;
    most = Math.max(most, open, underWay.length);
    assert.ok(open <= 20 && underWay.length <= 20 && to('mail2') <= 15 && to('mail3') <= 15);
    return (await store.read(id))?.run.ended !== undefined;
  };
  producer.ring('plans', { run: id });
  let [one, other] = [await conductor(t), await conductor(t)];
  let kills = 0;
  while (!(await over())) {
    if (kills < 4) {
      await sleep(300 + 100 * kills);
      await one.kill();
      kills += 1;
      [one, other] = [other, await conductor(t)];
      // A job whose worker is dead is rung for again by what watches over runs, too.
      producer.ring('plans', { run: id });
    } else await sleep(20);
    assert.ok((await store.pace()).underWay.length <= 20);
  }
  const run = (await store.read(id))?.run;
  assert.ok(run);
  const { counts } = await store.progress(run);
  assert.deepEqual([run.state, counts.done, counts.waiting, counts.moving], ['done', 500, 0, 0]);
  const ended = Object.values(await connection.hgetall('test:ended'));
  // A worker that was killed after the end may not have counted it.
  assert.ok(ended.length >= 500 - 4 * 20, `${ended.length} are counted`);
  assert.deepEqual(
    ended.filter((times) => times !== '1'),
    [],
    'none is moved twice',
  );
  assert.equal(new Set((await store.ends(id, 0, 5000)).map(({ name }) => name)).size, 500);
  assert.equal(await store.endCount(id), 500);
  assert.ok(most > 10, `${most} at a time`);
  assert.ok(kills > 0);
  await until('nothing is open', async () => (await moves.openCount()) === 0);
});

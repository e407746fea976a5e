// The kept traces, played through the decisions of a pool with the default limits: what must hold in each.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import { poolsOf } from '../../services/process/scaling-pools.ts';
import { simulate } from '../../workers/autoscaler/simulation.ts';
import type { Sample } from '../../workers/autoscaler/simulation.ts';
import { TraceError, readTrace } from '../../workers/autoscaler/trace.ts';

const [pool] = poolsOf(loadConfig({ env: {} }));
assert.ok(pool);
const limits = { ...pool.limits, max: 10 };
const world = { every: 1000, startDelay: 1000 };
const traceOf = (name: string) => readTrace(readFileSync(join(import.meta.dirname, `../traces/${name}.csv`), 'utf8'));

function play(name: string, more: Partial<typeof limits> = {}) {
  const played = simulate(traceOf(name), { ...limits, ...more }, world);
  assert.equal(played.unfinished, 0, `${name}: all jobs are done`);
  assert.equal(played.samples.at(-1)?.desired, 0, `${name}: no worker is left`);
  for (const { desired, active } of played.samples) assert.ok(desired * limits.concurrency >= active);
  return played;
}

/** How often the number of workers went the other way. */
function turns(samples: readonly Sample[]): number {
  const steps = samples
    .map(({ desired }, at) => desired - (samples[at - 1]?.desired ?? 0))
    .filter((step) => step !== 0);
  return steps.filter((step, at) => at > 0 && step > 0 !== (steps[at - 1] ?? 0) > 0).length;
}

test('burst: a worker at once, up to the limit, and down again in one go', () => {
  const { firstDone, mostWorkers, samples, workerSeconds } = play('burst');
  // A look a second, a second to start, half a second for the job.
  assert.ok(firstDone <= 2.5, `the first job was done after ${firstDone} s`);
  assert.equal(mostWorkers, limits.max);
  assert.equal(turns(samples), 1);
  const needed = 5000 * 0.5;
  assert.ok(workerSeconds * limits.concurrency < 4 * needed, `${workerSeconds} s of workers`);
  const few = play('burst', { max: 2 });
  assert.equal(few.mostWorkers, 2);
});

test('ramp: the workers follow, and no job waits for longer than the objective', () => {
  const { longestWait, mostWorkers, samples, changes } = play('ramp');
  assert.ok(longestWait <= limits.ageObjective / 1000, `a job waited ${longestWait} s`);
  // 60 jobs of a second need six workers.
  assert.ok(mostWorkers >= 6 && mostWorkers <= 8, `${mostWorkers} workers`);
  assert.equal(turns(samples), 1, 'up the ramp, and down');
  assert.ok(changes <= 2 * mostWorkers);
});

test('night: no worker is there most of the time, and the batch is done all the same', () => {
  const { idleShare, longestWait } = play('night');
  assert.ok(idleShare > 0.9, `without any worker for ${idleShare} of the time`);
  assert.ok(longestWait <= limits.ageObjective / 1000);
});

test('flapping: the number of workers does not follow each wave', () => {
  const { changes, samples } = play('flapping');
  const waves = traceOf('flapping').length;
  assert.ok(changes <= 6, `${changes} changes in ${waves} waves`);
  const hasty = simulate(traceOf('flapping'), { ...limits, cooldown: 1, downEvery: 1 }, world);
  assert.ok(hasty.changes > waves, `what it is held against changes ${hasty.changes} times`);
  assert.ok(samples.slice(1, -90).every(({ desired }) => desired > 0));
});

test('a pool that cannot keep up, and one that never rests, come to an end', () => {
  const never = simulate(
    [{ at: 0, jobs: 100, duration: 80_000 }],
    { ...limits, max: 1 },
    { every: 60_000, startDelay: 0 },
  );
  assert.equal(never.unfinished, 90);
  const min = simulate([{ at: 5, jobs: 1, duration: 0 }], { ...limits, min: 2 }, world);
  assert.deepEqual([min.samples.at(-1)?.desired, min.firstDone, min.unfinished], [2, 0, 0]);
});

const wrong: [string, RegExp][] = [
  ['', /line 1: the heading is missing; it must be at,jobs,duration/],
  ['0,1,1\n', /line 1: the heading is '0,1,1'/],
  ['at,jobs,duration\n', /no job is in it/],
  ['# x\nat,jobs,duration\n0,1\n', /line 3: '0,1': it must be three numbers/],
  ['at,jobs,duration\n0,1,1\n5,-1,1\n', /line 3: '5,-1,1': jobs must be a whole number/],
  ['at,jobs,duration\n0,1.5,1\n', /jobs must be a whole number/],
  ['at,jobs,duration\n1e9,1,1\n', /at must be seconds, from 0 to 2678400/],
  ['at,jobs,duration\n0,1,soon\n', /duration must be seconds/],
  ['at,jobs,duration\n9,1,1\n\n5,1,1\n', /line 4: 5 s is before the line above it/],
  ['at,jobs,duration\n0,99999999,1\n', /99999999 jobs are in it; at most 10000000/],
];
for (const [text, message] of wrong) {
  test(`a trace that is refused: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => readTrace(text),
      (error) => error instanceof TraceError && message.test(error.message),
    );
  });
}

test('a trace may have comments, spaces and empty lines', () => {
  assert.deepEqual(readTrace('# mine\r\n\r\nat,jobs,duration\r\n 0, 3, 0.25 \r\n7.5,1,0\r\n'), [
    { at: 0, jobs: 3, duration: 0.25 },
    { at: 7.5, jobs: 1, duration: 0 },
  ]);
});

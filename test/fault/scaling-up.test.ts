// `rookery up` with worker processes: they reach its embedded Redis, do the jobs, are replaced, and never outlive it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { redisFolder } from '../../services/redis/redis-folder.ts';
import { openQueues } from '../harness/events.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };
const config = {
  ...{ directory: { listen: [anyPort] }, lmtp: { listen: [anyPort] }, api: { listen: anyPort } },
  workers: { shutdown_grace: 2 },
};

/** The worker processes that were started with this configuration file: proc(5), cmdline. */
function workersOf({ configFile }: Rookery): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      const words = commandLine(pid).split('\0');
      return words.includes('worker') && words.includes(configFile);
    })
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}

async function up(t: TestContext, scaling: object) {
  const rookery = await Rookery.layOut({ ...config, scaling: { local: true, interval: 0.1, ...scaling } });
  t.after(() => rookery.stop());
  await rookery.start('up');
  const opened = openQueues(redisFolder(`${rookery.folder}/data`).socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  return { rookery, opened };
}

test('the first job brings a worker process, which does it by the embedded Redis, and goes when nothing is to do', async (t) => {
  const { rookery, opened } = await up(t, { pools: { all: { cooldown: 0.5, concurrency: 3 } } });
  assert.match(rookery.out, /^Scaling +all \(.*reconcile.*\): 0 to 4 worker processes$/m);
  assert.doesNotMatch(rookery.out, /^Worker/m);
  assert.deepEqual(workersOf(rookery), []);
  opened.producer.ring('reconcile', { name: 'user.a' });
  await until('it is done', async () => (await opened.backlog.counts('reconcile')).completed === 1, 30_000);
  await until('no worker is left', () => workersOf(rookery).length === 0, 30_000);
  const told = rookery.log.filter(({ msg }) => msg === 'scaling').map(({ pool, from, to }) => [pool, from, to]);
  assert.deepEqual(told, [
    ['all', 0, 1],
    ['all', 1, 0],
  ]);
  // It ended because it was told to, not because it was killed.
  assert.deepEqual(
    rookery.log.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a worker that is killed is replaced; all end with the program, by SIGTERM and by kill -9', async (t) => {
  const { rookery } = await up(t, { pools: { all: { min: 2 } } });
  const two = async () => {
    let found: number[] = [];
    await until('two workers are there', () => (found = workersOf(rookery)).length === 2);
    return found;
  };
  const [first = 0] = await two();
  process.kill(first, 'SIGKILL');
  await until('another one is there', async () => !(await two()).includes(first));
  const { host, port } = rookery.address('HTTP');
  const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
  assert.match(metrics, /^rookery_scaler_desired_replicas\{pool="all"\} 2$/m);
  assert.match(metrics, /^rookery_scaler_workers\{pool="all",state="current"\} 2$/m);

  assert.equal(await rookery.end(), 0);
  assert.deepEqual(workersOf(rookery), []);

  await rookery.start('up');
  await two();
  await rookery.end('SIGKILL');
  await until('none is left', () => workersOf(rookery).length === 0, 30_000);
});

test('the role autoscaler works by the hands that are set, and says when there is none', async (t) => {
  const rookery = await Rookery.layOut({ ...config, scaling: { keda: anyPort } });
  t.after(() => rookery.stop());
  await rookery.start('run', 'autoscaler');
  assert.match(rookery.out, /^Scaling +KEDA at 127\.0\.0\.1:\d+$/m);
  assert.equal(await rookery.end(), 0);
  await rookery.configure(config);
  const { code, err } = await rookery.command('run', 'autoscaler');
  assert.equal(code, 69);
  assert.match(err, /^rookery: could not start: autoscaler: .*set scaling\.local or scaling\.keda\n$/m);
});

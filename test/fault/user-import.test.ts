// `rookery user import`: many users by the configuration and by the API, cut short, given again, and refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import { openOrders } from '../../services/process/open-orders.ts';
import { openUsersNow } from '../../services/process/open-users.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const token = 'operating-0123456789';
let redis: ScratchRedis;
let rookery: Rookery;
let base: string;

before(async () => {
  redis = await startRedis();
  rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    backends: { mail1: {} },
    api: { listen: { host: '127.0.0.1', port: 0 }, tokens: { ops: { token, role: 'operate' } } },
  });
  await rookery.start('run', 'api');
  const { host, port } = rookery.address('HTTP');
  base = `http://${host}:${port}`;
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

/** In the place of workers: what is ordered is done, but of some who are refused, until the test is over. */
async function startMaking(t: TestContext, most = Infinity) {
  const users = await openUsersNow(loadConfig({ env: {}, file: rookery.configFile }));
  const made: string[] = [];
  let mostOpen = 0;
  let going = true;
  const work = async () => {
    while (going) {
      const open = await users.orders.open(1_000);
      mostOpen = Math.max(mostOpen, open.length);
      await Promise.all(
        open.slice(0, most - made.length).map(async (name) => {
          const kept = await users.orders.read(name);
          if (kept?.order.state !== 'open') return;
          const state = name.endsWith('bad') ? 'refused' : 'done';
          await users.orders.replace(kept, { ...kept.order, state, note: 'as it was ordered' });
          made.push(name);
        }),
      );
      await new Promise((next) => setTimeout(next, 5));
    }
    users.close();
  };
  const done = work();
  t.after(async () => {
    going = false;
    await done;
  });
  return { made, mostOpen: () => mostOpen };
}

async function fileOf(lines: readonly string[]): Promise<string> {
  const file = join(rookery.folder, 'users.txt');
  await writeFile(file, lines.join('\n'));
  return file;
}

const doors = {
  'by the configuration': (...args: string[]) =>
    carriedOut(args, { env: { ROOKERY_CONFIG: rookery.configFile, USER: 'ops' }, openOrders }),
  'by the API': (...args: string[]) => carriedOut(args, { env: { ROOKERY_API: base, ROOKERY_API_TOKEN: token } }),
};

for (const [door, run] of Object.entries(doors)) {
  test(`${door}, hundreds are made, a bounded number at a time; what is refused is told by its line`, async (t) => {
    await redisSays(redis.socket, 'FLUSHALL');
    const making = await startMaking(t);
    const lines = ['# name', ...Array.from({ length: 500 }, (_, at) => `many${at}@example.org quota=1G`)];
    const file = await fileOf([...lines, 'onebad']);
    const { code, out, err } = await run('user', 'import', file);
    assert.deepEqual([code, out], [65, ['500 of 501 users are there, 1 were refused, 0 are not done yet']]);
    assert.equal(err.at(-1), 'rookery: line 502: onebad: as it was ordered');
    assert.equal(new Set(making.made).size, 501);
    assert.ok(making.mostOpen() <= 200, `${making.mostOpen()} were open at once`);
    const shown = await run('user', 'show', 'many7', '-f', 'json');
    const { wanted, by } = JSON.parse(shown.out[0] ?? '') as { wanted: object; by: string };
    assert.deepEqual([wanted, by], [{ quota: 2 ** 20 }, 'ops']);
  });

  test(`${door}, a file with a line that is wrong orders nobody`, async () => {
    await redisSays(redis.socket, 'FLUSHALL');
    const unfit = await run('user', 'import', await fileOf(['ann', 'user.a.b', 'eve', 'a b@c']));
    assert.deepEqual([unfit.code, unfit.out], [65, []]);
    assert.match(unfit.err.join(), /nothing is ordered:\n {2}line 4: 'b@c' may be server=/);
    const nobody = await run('user', 'import', await fileOf(['ann', 'user.a.b', 'eve quota=1G', '+x']));
    assert.match(nobody.err.join(), /nothing is ordered:\n {2}line 2: user\.a\.b: .*\n {2}line 4: \+x: /);
    assert.equal((await run('user', 'show', 'ann')).code, 65);
    const missing = await run('user', 'import', '/nonexistent');
    assert.deepEqual([missing.code, missing.out], [65, []]);
  });
}

test('given again after it was cut short, it goes on: who is on his way is not ordered twice', async (t) => {
  await redisSays(redis.socket, 'FLUSHALL');
  const file = await fileOf(Array.from({ length: 400 }, (_, at) => `user.cut${at}`));
  const cut = new AbortController();
  const first = await startMaking(t, 150);
  const stopped = rookeryKilled(file, cut.signal);
  await until('some of them are made', () => first.made.length >= 150);
  cut.abort();
  await stopped;
  const second = await startMaking(t);
  const { code, out } = await doors['by the API']('user', 'import', file);
  assert.deepEqual([code, out], [0, ['400 of 400 users are there, 0 were refused, 0 are not done yet']]);
  assert.equal(new Set([...first.made, ...second.made]).size, 400);
});

/** The program itself over the API, killed at the signal. */
async function rookeryKilled(file: string, signal: AbortSignal): Promise<void> {
  const program = join(import.meta.dirname, '../../services/cli/rookery');
  const env = { PATH: process.env['PATH'], ROOKERY_API: base, ROOKERY_API_TOKEN: token };
  const child = spawn(program, ['user', 'import', file], { env, stdio: 'ignore' });
  signal.addEventListener('abort', () => child.kill('SIGKILL'));
  await once(child, 'exit');
}

test('an API that has had enough for a minute is asked again when it said', async (t) => {
  const asked: string[] = [];
  const answer = (path: string): object => {
    if (path.endsWith('/import')) return { users: [{ state: 'ordered', note: '' }] };
    return { users: [{ state: asked.length > 3 ? 'done' : 'unknown', note: '' }] };
  };
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(request.url ?? '');
    request.resume();
    if (asked.length === 1) {
      response.writeHead(429, { 'retry-after': '1', 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: 'urn:rookery:problem:rate', title: '', status: 429, detail: 'too many' }));
      return;
    }
    response.end(JSON.stringify(answer(request.url ?? '')));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const env = { ROOKERY_API: `http://127.0.0.1:${port}`, ROOKERY_API_TOKEN: token };
  const { code, out } = await carriedOut(['user', 'import', await fileOf(['ann'])], { env });
  assert.deepEqual([code, out], [0, ['1 of 1 users are there, 0 were refused, 0 are not done yet']]);
  assert.deepEqual(asked.slice(0, 3), ['/v1/users/states', '/v1/users/states', '/v1/users/import']);
});

test('while Redis is away, or the API, what was asked is asked again: nothing has to be given anew', async (t) => {
  let asked = 0;
  const server = createServer((request: IncomingMessage, response) => {
    asked += 1;
    request.resume();
    response.setHeader('content-type', 'application/json');
    const isImport = request.url?.endsWith('/import') ?? false;
    if (asked === 2 || asked === 4) {
      response.writeHead(503, { 'content-type': 'application/problem+json' });
      const detail = 'the orders could not be asked: Connection is closed.';
      response.end(JSON.stringify({ type: 'urn:rookery:problem:unavailable', title: '', status: 503, detail }));
    } else if (asked === 5) request.socket.destroy();
    else
      response.end(
        JSON.stringify({ users: [{ state: isImport ? 'ordered' : asked > 5 ? 'done' : 'unknown', note: '' }] }),
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const env = { ROOKERY_API: `http://127.0.0.1:${port}`, ROOKERY_API_TOKEN: token };
  const { code, out } = await carriedOut(['user', 'import', await fileOf(['ann'])], { env });
  assert.deepEqual([code, out], [0, ['1 of 1 users are there, 0 were refused, 0 are not done yet']]);
});

test('two lines that want different things of one user order nobody; the same thing twice is nothing new', async (t) => {
  await redisSays(redis.socket, 'FLUSHALL');
  const run = doors['by the configuration'];
  const { code, err } = await run(
    'user',
    'import',
    await fileOf(['eve', 'dupx server=mail1', 'dupx server=mail1 quota=7']),
  );
  assert.equal(code, 65);
  assert.match(err.join(), /nothing is ordered:\n {2}line 3: dupx: something else is wanted of him in line 2: dupx$/);
  await startMaking(t);
  const twice = await run('user', 'import', await fileOf(['eve', 'eve']));
  assert.deepEqual([twice.code, twice.out], [0, ['2 of 2 users are there, 0 were refused, 0 are not done yet']]);
});

test('whose open order wants something else of him is not done', async () => {
  await redisSays(redis.socket, 'FLUSHALL');
  const run = doors['by the configuration'];
  await run('user', 'create', 'dup', '--server', 'mail1', '--wait', '0');
  const { code, err } = await run('user', 'import', await fileOf(['dup server=mail2 quota=7']));
  assert.equal(code, 75);
  assert.equal(err.at(-1), 'rookery: line 1: dup: another order is open: create server=mail1');
});

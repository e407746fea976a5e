// The commands over the API: they print what they print without it, and end the same.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { loadConfig } from '../../services/config/load.ts';
import { JobFailure } from '../../services/events/failure.ts';
import { replicaQueue } from '../../services/events/queues.ts';
import { decide } from '../../services/placement/decision.ts';
import { openAudit } from '../../services/process/open-audit.ts';
import { openDirectory } from '../../services/process/open-directory.ts';
import { openBacklog, ringReconcile as ring } from '../../services/process/open-events.ts';
import { openOrders } from '../../services/process/open-orders.ts';
import { openReplicas } from '../../services/process/open-replicas.ts';
import { openUsage } from '../../services/process/open-usage.ts';
import { openUsersNow } from '../../services/process/open-users.ts';
import { configuredFacts, placementPolicy } from '../../services/process/placement-settings.ts';
import { fillDirectory } from '../harness/directory.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import { leaveFailedJob, workOn } from '../harness/events.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const bin = resolve(import.meta.dirname, '../../services/cli/rookery');
const token = 'administering-0123456789';

interface Job {
  id: string;
  state: string;
}

let redis: ScratchRedis;
let rookery: Rookery;
let base: string;

before(async () => {
  redis = await startRedis();
  const rows = [
    ['user.jdoe', 'mail1!default'],
    ['user.jdoe.Sent\x07', 'mail1!default'],
    [Buffer.from('user.j/ö?#').toString('latin1'), 'mail2!p2'],
    ['user.b\xff', 'mail2!p2'],
  ] as const;
  await fillDirectory(redis.socket, rows, [['user.new', 'mail2!p2']], (directory) =>
    directory.write(
      { verb: 'ACTIVATE', name: 'user.jdoe', location: 'mail2!default', acl: '' },
      { session: 's2', server: 'mail2', admin: false, push: true, by: 'mail2' },
    ),
  );
  await leaveFailedJob(redis.socket, 'user.jdoe', 'mail1 takes no more:\nno room');
  const space = { available: 400_000_000, total: 800_000_000 };
  const anyPort = { host: '127.0.0.1', port: 0 };
  rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    backends: {
      mail1: { lmtp: { host: '127.0.0.1', port: 24 }, placement: { partitions: { default: space } }, replica: {} },
      mail2: { placement: { zone: 'ulm' } },
    },
    scaling: { pools: { default: { max: 4 } } },
    api: { listen: anyPort, tokens: { boss: { token, role: 'admin' }, reader: { token: 'reading-0123456789' } } },
  });
  await writeFile(join(rookery.folder, 'unfit.txt'), 'ann\nuser.a.b quota=1G\na b@c\n<x\n');
  await writeFile(join(rookery.folder, 'token'), `${token}\n`);
  await rookery.start('run', 'api');
  const { host, port } = rookery.address('HTTP');
  base = `http://${host}:${port}`;
  await orderSome();
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

/** Orders in each state, a decision and figures: what workers leave behind. */
async function orderSome(): Promise<void> {
  const config = loadConfig({ env: {}, file: rookery.configFile });
  const users = await openUsersNow(config);
  const ordered = { by: 'boss', since: Date.now(), begun: false, made: false, passed: [], note: 'ordered' };
  await users.orders.place({ ...ordered, name: 'user.ann', wish: { is: 'create', quota: 512 }, state: 'open' });
  await users.orders.place({ ...ordered, name: 'user.bob', wish: { is: 'delete' }, state: 'open' });
  const kept = await users.orders.read('user.bob');
  assert.ok(kept);
  await users.orders.replace(kept, { ...kept.order, state: 'refused', note: 'mail1 does not like him' });
  const now = Date.now();
  const facts = { now, servers: configuredFacts(config, now) };
  await users.decisions.keep(
    'user.ann',
    decide({ name: 'user.ann' }, facts, placementPolicy(config), () => 0.5),
  );
  const room = { availableKiB: 25, totalKiB: 100 };
  const partitions = [{ ...room, name: 'default' }];
  await users.history.add({ server: 'mail1', at: now, answered: true, total: room, emptiest: room, partitions });
  await users.history.add({ server: 'mail1', at: now, answered: false, partitions: [], error: 'mail1: gone' });
  users.close();
}

/** A command line in this process: over the API, with no configuration. */
const overApi = (...args: string[]) => carriedOut(args, { env: { ROOKERY_API: base, ROOKERY_API_TOKEN: token } });

/** The same by the configuration, from Redis. */
const fromRedis = (...args: string[]) =>
  carriedOut(args, {
    env: { ROOKERY_CONFIG: rookery.configFile, USER: 'boss' },
    ...{ openDirectory, openBacklog, openOrders, openReplicas, openUsage, openAudit, ring },
  });

/** Ages pass while one looks. */
const ageless = (text: string) => text.replace(/\d+ (s|min)\b/g, 'N s').replace(/("oldest_age_seconds":)\d+/g, '$1N');

test('what is asked over the API is printed as without it', async () => {
  const commands = [
    ['queue', 'list', '-f', 'json'],
    ['queue', 'show', 'reconcile'],
    ['queue', 'show', 'reconcile', '--state', 'failed', '--limit', '1', '-f', 'json'],
    ['queue', 'retry', 'reconcile', '--id', 'x1'],
    ['queue', 'show', 'reconcile', '--id', '1'],
    ['queue', 'show', 'reconcile', '--id', '1', '-f', 'json'],
    ['queue', 'show', 'reconcile', '--id', 'x1'],
    ['queue', 'retry', 'reconcile', '--kind', 'refused', '--about', 'user.%', '--dry-run'],
    ['queue', 'retry', 'reconcile', '--id', '1', '--older-than', '1d'],
    ['queue', 'discard', 'reconcile', '--id', 'x1'],
    ['queue', 'discard', 'reconcile'],
    ['queue', 'discard', 'reconcile', '--all', '--dry-run'],
    ['directory', 'status'],
    ['directory', 'status', '-f', 'json'],
    ['directory', 'cases'],
    ['directory', 'cases', '-f', 'json'],
    ['directory', 'log', 'user.jdoe'],
    ['directory', 'log', '--limit', '2', '-f', 'json'],
    ['mailbox', 'list'],
    ['mailbox', 'list', 'user.%', '--server', 'mail2', '-f', 'json'],
    ['mailbox', 'where', 'user.jdoe'],
    ['mailbox', 'where', 'user.new'],
    ['mailbox', 'where', 'user.nobody'],
    ['mailbox', 'show', 'user.jdoe'],
    ['mailbox', 'show', 'user.jdoe', '-f', 'json'],
    ['mailbox', 'show', 'user.j/ö?#', '-f', 'json'],
    ['mailbox', 'show', 'user.nobody', '-f', 'json'],
    ['mailbox', 'claim', '*', '--from', 'mail1', '--to', 'mail2', '--dry-run'],
    ['mailbox', 'claim', '*', '--from', 'mail1', '--to', 'mail9', '--dry-run'],
    ['mailbox', 'claim', '*', '--from', 'mail1', '--to', 'mail1', '--dry-run'],
    ['mailbox', 'claim', '*', '--from', 'mail9', '--to', 'mail1', '--dry-run'],
    ['route', 'explain', 'jdoe+Sent@example.org'],
    ['route', 'explain', 'nobody@example.org', '-f', 'json'],
    ['route', 'explain', 'a b@example.org'],
    ['route', 'explain', 'jdoe@example.org', '--from', '<>', '--size', '1000', '--auth', 'joe'],
    ['route', 'explain', 'jdoe@example.org', '--from', 'jürg@example.org', '-f', 'json'],
    ['route', 'explain', 'jdoe@example.org', '--from', 'a b'],
    ['user', 'show', 'ann@example.org'],
    ['user', 'show', 'user.ann', '-f', 'json'],
    ['user', 'show', 'user.bob'],
    ['user', 'show', 'nobody'],
    ['user', 'show', 'a b@c'],
    ['user', 'create', 'ann', '--quota', '512', '--wait', '0'],
    ['user', 'create', 'ann', '--quota', '512', '--wait', '1', '-f', 'json'],
    ['user', 'create', 'ann', '--zone', 'ulm'],
    ['user', 'create', 'ann', '--quota', '999999999999T'],
    ['user', 'create', 'user.a.b'],
    ['user', 'delete', 'ann'],
    ['user', 'rename', 'ann', 'user.x.y'],
    ['user', 'rename', 'ann', 'ann@example.org'],
    ['user', 'rename', 'ann', 'cleo'],
    ['user', 'import', join(rookery.folder, 'unfit.txt')],
    ['placement', 'explain', 'ann'],
    ['placement', 'explain', 'user.ann', '-f', 'json'],
    ['placement', 'explain', 'nobody'],
    ['placement', 'simulate', '--users', '500'],
    ['placement', 'simulate', '--users', '500', '--mode', 'random', '--seed', '4', '--processes', '3', '-f', 'json'],
    ['placement', 'simulate', '--users', '5', '--zone', 'bonn', '--tag', 'ssd', 'gold'],
    ['placement', 'simulate', '--users', '5', '--processes', '20000'],
    ['usage', 'show'],
    ['usage', 'show', '-f', 'json'],
    ['usage', 'show', 'mail1', '-n', '1', '-f', 'json'],
    ['usage', 'show', 'mail1'],
    ['usage', 'show', 'mail9'],
    ['scaling', 'show'],
    ['scaling', 'show', 'default', '-f', 'json'],
    ['scaling', 'show', 'nosuch'],
    ['queue', 'discard', 'reconcile', '--waiting'],
    ['queue', 'discard', 'reconcile', '--waiting', '--id', '1'],
    ['queue', 'discard', 'placement', '--waiting', '--all', '--dry-run'],
    ['replicate', 'user', 'jdoe'],
    ['replicate', 'user', 'jdoe@example.org', '--server', 'mail1'],
    ['replicate', 'user', 'jdoe', '--server', 'mail1', '--wait', '1'],
    ['replicate', 'user', 'jdoe', '--server', 'mail2'],
    ['replicate', 'user', 'user.j/ö?#'],
    ['replicate', 'user', 'nobody'],
    ['replicate', 'user', 'a b@c'],
    ['replicate', 'server', 'mail1'],
    ['replicate', 'server', 'mail9'],
    ['queue', 'show', 'replication@mail1', '-f', 'json'],
    ['audit', 'list', '--who', 'nobody'],
    ['audit', 'list', '--limit', '0'],
    ['audit', 'list', '--limit', '5', '--what', 'POST /v1/users'],
  ];
  for (const words of commands) {
    const [here, there] = [await fromRedis(...words), await overApi(...words)];
    assert.deepEqual(
      { ...there, out: there.out.map(ageless) },
      { ...here, out: here.out.map(ageless) },
      words.join(' '),
    );
    assert.ok(here.out.length + here.err.length > 0, words.join(' '));
  }
});

test('what is done over the API is done in the name of the token', async () => {
  const claim = await overApi('mailbox', 'claim', 'user.jdoe', '--from', 'mail1', '--to', 'mail2');
  assert.deepEqual([claim.code, claim.err], [0, []]);
  const log = await fromRedis('directory', 'log', 'user.jdoe', '--limit', '1');
  assert.match(log.out[1] ?? '', / claim .* boss +claim-/);
  const shown = async () => {
    const { out } = await overApi('queue', 'show', 'reconcile', '-f', 'json');
    return out.map((line) => JSON.parse(line) as Job);
  };
  const states = async () => (await shown()).map(({ state }) => state);
  // The copy that lost is to be looked for: the workers are rung for at once.
  await until('it is rung for', async () => (await states()).join() === 'waiting,failed');
  const id = (await shown())[1]?.id ?? '';
  const dry = ['queue', 'discard', 'reconcile', '--id', id, '--dry-run'];
  assert.equal((await overApi(...dry)).out.at(-1), '1 job would be discarded');
  assert.deepEqual((await overApi('queue', 'retry', 'reconcile')).out, ['1 job is tried again']);
  assert.deepEqual(await states(), ['waiting'], 'both rings are one');
  const discarded = await overApi('queue', 'discard', 'reconcile', '--all');
  assert.deepEqual([discarded.code, discarded.out], [0, ['0 jobs are discarded']]);
  const waiting = await overApi('queue', 'discard', 'reconcile', '--waiting', '--about', 'user.%');
  assert.deepEqual([waiting.code, waiting.out, await states()], [0, ['1 job is discarded'], []]);
  assert.equal((await overApi('directory', 'trust')).code, 0);
  assert.match((await overApi('directory', 'status')).out.join('\n'), /^trusted +yes, boss vouches for it since/m);
  const hasty = await overApi('directory', 'distrust');
  assert.deepEqual([hasty.code, hasty.out], [75, []]);
  assert.match(hasty.err.join(), /^rookery: epoch \d+ .*would end: .*; --yes says so$/);
  assert.match((await overApi('directory', 'distrust', '--dry-run')).out.join(), /^epoch \d+ .*would end: /);
  assert.match((await overApi('directory', 'distrust', '--yes')).out.join(), /^epoch \d+ has begun: /);
  assert.match((await overApi('directory', 'status')).out.join('\n'), /^began with +a loss of data: .*said by boss$/m);
});

test('an order that no worker takes says what is missing', async () => {
  const { code, err } = await overApi('user', 'create', 'nobodys', '--wait', '1');
  assert.equal(code, 75);
  assert.match(err.join(), /user\.nobodys: ordered, but no worker has taken it within 1 s: .*rookery run worker/);
});

test('what became of a replica is told over the API as without it', async (t) => {
  const workers = workOn(redis.socket, {
    [replicaQueue('mail1')]: ({ tree }) =>
      tree === 'user.bad'
        ? Promise.reject(new JobFailure('refused', 'bad is refused'))
        : Promise.resolve({ is: 'done', note: 'it is up to it' }),
  });
  t.after(() => workers.stop());
  for (const carry of [fromRedis, overApi]) {
    const done = await carry('replicate', 'user', 'good', '--server', 'mail1', '--wait', '20');
    assert.deepEqual(done, { code: 0, out: ['user.good: mail1: it is up to it'], err: [] });
    const refused = await carry('replicate', 'user', 'bad', '--server', 'mail1', '--wait', '20');
    assert.deepEqual(refused, { code: 65, out: [], err: ['user.bad: mail1: refused: bad is refused'] });
  }
});

test('--api and --token-file do as the variables do; --config goes before those', async () => {
  const file = join(rookery.folder, 'token');
  const env = { ROOKERY_API: 'http://127.0.0.1:1', ROOKERY_API_TOKEN: 'some-other-token-1' };
  const args = ['mailbox', 'where', 'user.new', '--api', base, '--token-file', file];
  const asked = await promisify(execFile)(bin, args, { env: { ...env, PATH: process.env['PATH'] } }).catch(
    (error: unknown) => error as { code: number; stderr: string },
  );
  assert.deepEqual(
    [(asked as { code?: number }).code, asked.stderr],
    [75, 'rookery: user.new: reserved (being created)\n'],
  );
  const named = await carriedOut(['queue', 'list', '--config', rookery.configFile], { env, openBacklog });
  assert.deepEqual([named.code, named.err], [0, []]);
  const both = await carriedOut(['queue', 'list', '--config', rookery.configFile, '--api', base], { env });
  assert.equal(both.code, 64);
});

test('an API that refuses, is away, or is something else ends a command with a reason, and no token is told', async (t) => {
  const other = createServer((_request, response) => response.end('<html>'));
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const secret = 'not-to-be-told-0123456789';
  const list = ['queue', 'list'];
  const trust = ['directory', 'trust'];
  const wrong: [words: string[], url: string, token: string | undefined, code: number, text: RegExp][] = [
    [list, base, secret, 77, /answers 401: this takes a token of api\.tokens/],
    [list, base, undefined, 64, /the API takes a token: --token-file FILE, or ROOKERY_API_TOKEN/],
    [list, base, `${secret}\n x`, 64, /the API takes a token/],
    [trust, base, 'reading-0123456789', 77, /has the role read, and this takes admin/],
    [list, 'http://127.0.0.1:1', secret, 69, /the API at http:\/\/127\.0\.0\.1:1 cannot be asked/],
    [list, `http://127.0.0.1:${port}`, secret, 69, /answers in another form/],
    [list, 'http://u:p@127.0.0.1:1', secret, 64, /without a user/],
    [[...list, '--token-file', '/nonexistent'], base, secret, 64, /cannot be read: .*no such file/],
  ];
  for (const [words, url, bearer, code, text] of wrong) {
    const env = { ROOKERY_API: url, ROOKERY_API_TOKEN: bearer };
    const ended = await carriedOut(words, { env });
    assert.deepEqual([ended.code, ended.out, ended.err.length], [code, [], 1], ended.err.join());
    assert.match(ended.err[0] ?? '', text);
    assert.doesNotMatch(ended.err[0] ?? '', /not-to-be-told|\n/);
  }
});

test('an order whose server may have been told is taken back by force, over the API as without it', async () => {
  for (const [carry, name] of [
    [overApi, 'user.forced1'],
    [fromRedis, 'user.forced2'],
  ] as const) {
    const deletion = await carry('user', 'delete', name, '--wait', '0');
    assert.match(deletion.err.join('\n'), /not done yet/);
    const users = await openUsersNow(loadConfig({ env: {}, file: rookery.configFile }));
    const kept = await users.orders.read(name);
    assert.equal(kept?.order.version, 0, 'there was no row');
    await users.orders.replace(kept, { ...kept.order, begun: true, place: { server: 'mail1', partition: '' } });
    users.close();
    assert.match((await carry('user', 'cancel', name)).err.join('\n'), /mail1 may have been told/);
    const forced = await carry('user', 'cancel', name, '--force');
    assert.deepEqual(forced.out, [`${name}: cancelled by boss, though mail1 may have been told`]);
  }
});

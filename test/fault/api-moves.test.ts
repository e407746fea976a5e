// Runs of plans over the API of the real program, and by the commands, on a real Redis; the workers are the test.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RedisDirectory } from '../../services/directory/redis/redis-directory.ts';
import { Conducting } from '../../services/moves/conducting.ts';
import type { MoveState } from '../../services/moves/move.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import type { CheckedValue } from '../../services/operations/move-operations.ts';
import type { MoveValue, RunValue, WholeRunValue } from '../../services/operations/run-value.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { queuesFor } from '../harness/events.ts';
import { operator } from '../harness/operator.ts';
import { holding, planFor, planText } from '../harness/plan.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import type { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let rookery: Rookery;
let base: string;
let directory: RedisDirectory;
let closeDirectory: () => Promise<void>;
let connection: ReturnType<typeof commandConnection>;
let runs: RunStore;
let moves: MoveStore;
let conducting: Conducting;

const imap = { host: '127.0.0.1', port: 1, username: 'cyrus', password: 's3cret' };

const users = Array.from({ length: 12 }, (_, at) => `user.u${at}`);

before(async () => {
  redis = await startRedis();
  const opened = await openScratchDirectory(redis.socket);
  directory = opened.directory;
  closeDirectory = () => opened.directory.close();
  await holding(directory, 'mail1', users);
  rookery = await startApi(redis.socket, ['run', 'api'], {
    ...{ backends: { mail1: { imap }, mail2: { imap } }, moves: { stop_when: { failed: 3 } } },
  });
  base = apiBase(rookery);
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
  runs = new RunStore(connection, 1000);
  moves = new MoveStore(connection, 1000);
  conducting = new Conducting({
    ...{ runs, moves, ring: () => undefined, weather: () => Promise.resolve({}), clock: Date.now, log: quietLog },
  });
});
after(async () => {
  await rookery.stop();
  connection.disconnect();
  await closeDirectory();
  await redis.stop();
});

/** Status and body. */
async function ask<T>(role: Role, method: string, path: string, body?: object): Promise<[number, T]> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[role]}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return [response.status, (await response.json()) as T];
}

async function refused(...asked: Parameters<typeof ask>): Promise<[number, string]> {
  const [status, value] = await ask<ProblemValue>(...asked);
  return [status, value.detail];
}

async function plan(asked: string, names = users): Promise<{ plan: object; text: string }> {
  const text = planText(await planFor(directory, names, 'mail2', asked));
  return { text, plan: JSON.parse(text) as object };
}

async function started(asked: string, more: object = {}, names = users): Promise<string> {
  const [status, run] = await ask<RunValue>('admin', 'POST', '/v1/moves', {
    plan: (await plan(asked, names)).plan,
    ...more,
  });
  assert.equal(status, 202, JSON.stringify(run));
  return run.run;
}

/** As a worker ends moves that are open. */
async function end(most: number, state: Exclude<MoveState, 'open'> = 'done'): Promise<void> {
  for (const name of (await moves.open(1000)).slice(0, most)) {
    const kept = await moves.read(name);
    if (!kept) continue;
    const times = { begun: Date.now() - 5000, held: 1000, released: 1250, ended: Date.now() };
    await moves.replace(kept, { ...kept.move, state, note: `it is ${state}`, octets: 2000, times });
  }
}

async function toTheEnd(run: string): Promise<void> {
  for (let looks = 0; (await conducting.look(run)).is !== 'over'; looks += 1) {
    assert.ok(looks < 100);
    await end(100);
  }
}

function command(...words: string[]) {
  return operator(rookery.configFile, ...words);
}

test('a plan is started once, by whoever may; its conductor is rung for, and it is on record without the plan', async (t) => {
  const { backlog } = await queuesFor(t, redis.socket);
  const body = { plan: (await plan('first')).plan, limits: { total: 3 }, windows: ['mon-sun'] };
  assert.equal((await ask('operate', 'POST', '/v1/moves', body))[0], 403);
  const [status, run] = await ask<RunValue>('admin', 'POST', '/v1/moves', body);
  assert.equal(status, 202);
  assert.deepEqual(
    [run.state, run.moves, run.octets, run.by, run.why],
    ['running', 12, 12_000, 'boss', 'started by boss'],
  );
  assert.deepEqual(run.limits, { total: 3, per_source: 4, per_destination: 4, per_partition: 4, bytes_per_second: 0 });
  assert.deepEqual([run.stop_when.failed, run.windows], [3, ['mon-sun']]);
  await until('it is rung for', async () => (await backlog.counts('plans')).waiting === 1);
  const [conflict, why] = await refused('admin', 'POST', '/v1/moves', body);
  assert.equal(conflict, 409);
  assert.match(why, new RegExp(`^the plan has a run: ${run.run}, running, started by boss`));
  await conducting.look(run.run);
  const [, shown] = await ask<WholeRunValue>('read', 'GET', `/v1/moves/${run.run}`);
  assert.deepEqual([shown.counts['moving'], shown.under_way.map(({ name }) => name)], [3, users.slice(0, 3)]);
  const [, one] = await ask<MoveValue>('read', 'GET', '/v1/moves/of/user.u0');
  assert.deepEqual([one.run, one.state, one.from, one.to], [run.run, 'open', 'mail1!default', 'mail2!default']);
  await toTheEnd(run.run);
  assert.match((await refused('admin', 'POST', '/v1/moves', body))[1], /To start it once more: --again$/);
  const [again] = await ask('admin', 'POST', '/v1/moves', { ...body, again: true });
  assert.equal(again, 202);
  const [, { runs: all }] = await ask<{ runs: RunValue[] }>('read', 'GET', '/v1/moves');
  assert.deepEqual(
    all.map(({ state }) => state),
    ['running', 'done'],
  );
  await toTheEnd(all[0]?.run ?? '');
  const entries = async () =>
    (await ask<{ entries: { what: string; on: string; who: string }[] }>('admin', 'GET', '/v1/audit?limit=500'))[1]
      .entries;
  await until('it is on record', async () => (await entries()).some(({ what }) => what === 'POST /v1/moves'));
  const kept = (await entries()).find(({ what }) => what === 'POST /v1/moves');
  assert.deepEqual([kept?.who, kept?.on], ['boss', '{}']);
});

test('what is no plan, was edited, or has changed too much is refused; single changed trees are skipped', async () => {
  const { plan: fine } = await plan('second');
  for (const [wrong, text] of [
    [{}, /it is no plan:\n {2}rookery_plan is missing/],
    [{ ...fine, asked: 'something else' }, /its hash does not fit/],
  ] as const) {
    const [status, detail] = await refused('admin', 'POST', '/v1/moves', { plan: wrong });
    assert.equal(status, 400);
    assert.match(detail, text);
  }
  for (const [field, value] of [
    ['windows', ['22-06']],
    ['windows', '22:00-06:00'],
    ['limits', { total: 0 }],
    ['limits', { totally: 1 }],
    ['stop_when', { failed: -1 }],
  ] as const)
    assert.equal(
      (await ask('admin', 'POST', '/v1/moves', { plan: fine, [field]: value }))[0],
      400,
      JSON.stringify(value),
    );
  // More than 5 of a hundred: one of twelve.
  await holding(directory, 'mail1', ['user.gone']);
  const { plan: stale } = await plan('fourth', [...users, 'user.gone']);
  const writer = { session: 'x', server: 'mail1', admin: false, push: false };
  await directory.write({ verb: 'DELETE', name: 'user.gone', location: '', acl: '' }, writer);
  await directory.end('x', 'logout');
  const [status, detail] = await refused('admin', 'POST', '/v1/moves', { plan: stale });
  assert.equal(status, 409);
  assert.match(
    detail,
    /^1 tree has changed since the plan was made, 7\.7 % of it; moves\.plan_drift is 5 %.*\n {2}user\.gone: it /,
  );
  const dry = async (asked: object, role: Role = 'operate') =>
    ask<CheckedValue>(role, 'POST', '/v1/moves/check', { plan: asked });
  assert.equal((await dry(stale, 'read'))[0], 403);
  const [, checked] = await dry(stale);
  assert.deepEqual([checked.moves, checked.skipped, checked.skipped_trees[0]?.name], [12, 1, 'user.gone']);
  assert.equal(checked.refused, detail, 'in the words in which it is refused');
  const refusedFile = join(rookery.folder, 'stale.json');
  await writeFile(refusedFile, JSON.stringify(stale));
  const told = await command('move', 'start', refusedFile);
  assert.equal(told.code, 75);
  assert.match(
    told.out,
    /\n7\.7 % of the plan has changed .*plan_drift is 5 %\nskipped: 1 tree; moved: 12 trees\n {2}user\.gone: it /,
  );
  assert.match(told.err, /1 tree has changed since the plan was made, 7\.7 % of it/);
  const many = Array.from({ length: 30 }, (_, at) => `user.m${at}`);
  await holding(directory, 'mail1', many);
  const { plan: late } = await plan('fifth', many);
  await directory.write({ verb: 'DELETE', name: 'user.m7', location: '', acl: '' }, { ...writer, session: 'y' });
  await directory.end('y', 'logout');
  const lateFile = join(rookery.folder, 'late.json');
  await writeFile(lateFile, JSON.stringify(late));
  const before = await command('move', 'start', lateFile);
  assert.match(before.out, /\n3\.3 % of the plan has changed .*\nskipped: 1 tree; moved: 29 trees\n {2}user\.m7: it /);
  assert.match(before.err, /nothing is started: --yes does it/);
  const [, run] = await ask<RunValue>('admin', 'POST', '/v1/moves', { plan: late });
  assert.match((await dry(late))[1].refused ?? '', /^the plan has a run: /);
  assert.deepEqual([run.counts['skipped'], run.counts['waiting']], [1, 29]);
  assert.match(run.why, /1 have changed since they were planned, and are skipped$/);
  const [, { rows }] = await ask<{ rows: { name: string; state: string; note: string }[] }>(
    ...(['read', 'GET', `/v1/moves/${run.run}/report?from=7&limit=1`] as const),
  );
  assert.deepEqual([rows[0]?.name, rows[0]?.state, rows[0]?.note.startsWith('it ')], ['user.m7', 'skipped', true]);
  await toTheEnd(run.run);
});

test('who starts a plan whose run has moved much by now is told of that run, not to plan anew', async () => {
  const names = Array.from({ length: 4 }, (_, at) => `user.twice${at}`);
  await holding(directory, 'mail1', names);
  const body = { plan: (await plan('twice', names)).plan, limits: { total: 2 } };
  const [, run] = await ask<RunValue>('admin', 'POST', '/v1/moves', body);
  // What the run does is no change that a second operator has to hear of.
  const admin = { session: 'twice', admin: true, push: false };
  for (const name of names.slice(0, 2))
    await directory.write({ verb: 'ACTIVATE', name, location: 'mail2!default', acl: '' }, admin);
  await directory.end('twice', 'logout');
  const theRun = new RegExp(`^the plan has a run: ${run.run}, running, started by boss`);
  assert.match((await refused('admin', 'POST', '/v1/moves', body))[1], theRun);
  const [, checked] = await ask<CheckedValue>('operate', 'POST', '/v1/moves/check', body);
  assert.match(checked.refused ?? '', theRun);
  assert.equal(checked.skipped, 2);
  await toTheEnd(run.run);
  assert.match((await refused('admin', 'POST', '/v1/moves', body))[1], /: --again$/);
  assert.match((await refused('admin', 'POST', '/v1/moves', { ...body, again: true }))[1], /^2 trees have changed/);
});

test('a run is paused, resumed, tried again and cancelled by whoever may, and no way that it can not be', async () => {
  const run = await started('turns');
  const turn = (verb: string, role: Role = 'operate') => ask<RunValue>(role, 'POST', `/v1/moves/${run}/${verb}`);
  assert.equal((await turn('pause', 'read'))[0], 403);
  assert.deepEqual(await refused('operate', 'POST', `/v1/moves/${run}/resume`), [
    409,
    `run ${run} is running, and can't be resumed`,
  ]);
  const [, paused] = await turn('pause');
  assert.deepEqual([paused.state, paused.why], ['paused', 'paused by ops']);
  await conducting.look(run);
  assert.equal((await runs.progress({ state: 'paused', id: run } as never)).counts.moving, 0);
  assert.equal((await turn('resume'))[1].state, 'running');
  await conducting.look(run);
  await end(3, 'refused');
  await conducting.look(run);
  const [, stopped] = await ask<WholeRunValue>('read', 'GET', `/v1/moves/${run}`);
  assert.deepEqual([stopped.state, stopped.why], ['stopped', '3 moves have failed; 3 stop it']);
  const [none, why] = await refused('operate', 'POST', `/v1/moves/${run}/retry`, { name: 'user.u11' });
  assert.deepEqual([none, why], [409, `run ${run}: user.u11 has not failed`]);
  assert.equal((await ask('operate', 'POST', `/v1/moves/${run}/retry`, { name: 'user.other' }))[0], 404);
  const one = await ask<{ run: RunValue; again: number }>('operate', 'POST', `/v1/moves/${run}/retry`, {
    name: 'user.u0',
  });
  assert.deepEqual([one[0], one[1].again, one[1].run.state], [200, 1, 'stopped']);
  const said = await command('move', 'retry', run, 'user.u1');
  assert.match(said.out, new RegExp(`^run ${run}: 1 is tried again; it is stopped: \\d+ more wait$`, 'm'));
  await end(100);
  await conducting.look(run);
  const moving = async () => {
    const { under_way, ...rest } = (await ask<WholeRunValue>('read', 'GET', `/v1/moves/${run}`))[1];
    return [rest.state, under_way.map(({ name }) => name).sort()];
  };
  assert.deepEqual(await moving(), ['stopped', ['user.u0', 'user.u1']]);
  await end(1, 'refused');
  await end(1);
  await conducting.look(run);
  assert.deepEqual(await moving(), ['stopped', []]);
  const all = await ask<{ again: number }>('operate', 'POST', `/v1/moves/${run}/retry`, {});
  assert.equal(all[1].again, 2);
  assert.equal((await moving())[0], 'running');
  await conducting.look(run);
  const [, cancelled] = await turn('cancel');
  assert.equal(cancelled.state, 'cancelled');
  await conducting.look(run);
  const [, mine] = await ask<WholeRunValue>('read', 'GET', `/v1/moves/${run}`);
  assert.ok(mine.under_way.length > 0 && mine.under_way.every((move) => move.cancelled));
  await toTheEnd(run);
  assert.match(
    (await refused('operate', 'POST', `/v1/moves/${run}/retry`))[1],
    /was cancelled: plan anew what is left/,
  );
  assert.equal((await turn('pause'))[0], 409);
  assert.equal((await ask('read', 'GET', '/v1/moves/nosuch'))[0], 404);
  assert.equal((await ask('operate', 'POST', '/v1/moves/nosuch/pause'))[0], 404);
});

test('what is wrong with a path, or with the place to resume at, is told as a problem', async () => {
  const run = await started('wrong places');
  const told = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${tokens.read}`, ...headers } });
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, path);
    const { type, status, detail } = (await response.json()) as ProblemValue;
    return [response.status, status, type, detail];
  };
  assert.deepEqual(await told('/v1/moves/of/%FF'), [
    ...[400, 400, 'urn:rookery:problem:request', "'/v1/moves/of/%FF' is not a valid url component"],
  ]);
  for (const id of ['abc', '-1', '1234567890']) {
    const [status, , , detail] = await told(`/v1/moves/${run}/events`, { 'last-event-id': id });
    assert.equal(status, 400, id);
    assert.match(String(detail), /^header\.last-event-id is "[^"]+"; it may be the id of an event/);
  }
  await conducting.look(run);
  await end(2);
  await conducting.look(run);
  const following = stream(`/v1/moves/${run}/events`, 'move', { 'last-event-id': '999' });
  const first = await stream(`/v1/moves/${run}/events`, 'progress', { 'last-event-id': '999' });
  assert.deepEqual(
    first.map(({ event, id }) => [event, id]),
    [['progress', 2]],
  );
  await toTheEnd(run);
  assert.ok((await following).some(({ event, id }) => event === 'move' && id > 2));
});

test('a tree whose name is no text is shown and tried again by its bytes, over the API as without it', async () => {
  const names = ['user.jos\xe9', 'user.jos\xe8'];
  await holding(directory, 'mail1', names);
  const run = await started('no text', {}, names);
  await conducting.look(run);
  await end(2, 'refused');
  await conducting.look(run);
  const [first, second] = names.map((name) => Buffer.from(name, 'latin1').toString('base64url'));
  const shown = await command('move', 'show', '--base64url', first ?? '');
  assert.match(shown.out, /user\.jos\\xe9/);
  const [status, value] = await ask<MoveValue>('read', 'GET', `/v1/moves/of/${second}?encoding=base64url`);
  assert.deepEqual([status, value.name], [200, 'user.jos\\xe8']);
  const [tried] = await ask('operate', 'POST', `/v1/moves/${run}/retry`, { name: { base64url: first } });
  assert.equal(tried, 200);
  assert.match((await command('move', 'retry', run, second ?? '', '--base64url')).out, /: 1 is tried again/);
  await toTheEnd(run);
});

/** The events of a stream, as they come, until one is of this kind. */
async function stream(path: string, last: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${tokens.read}`, ...headers } });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  let text = '';
  const events: { event: string; id: number; data: Record<string, unknown> }[] = [];
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1] ?? '';
      if (field('event') === '') continue;
      events.push({
        event: field('event'),
        id: Number(field('id')),
        data: JSON.parse(field('data')) as Record<string, unknown>,
      });
    }
    if (events.some(({ event }) => event === last)) break;
  }
  return events;
}

test('a run is followed by server-sent events; a reader that comes back goes on where it was', async () => {
  const run = await started('followed');
  const following = stream(`/v1/moves/${run}/events`, 'over');
  await conducting.look(run);
  await end(2);
  await end(1, 'back');
  await conducting.look(run);
  const first = await stream(`/v1/moves/${run}/events`, 'progress');
  assert.deepEqual(
    first.map(({ event, id }) => [event, id]),
    [
      ['move', 1],
      ['move', 2],
      ['move', 3],
      ['progress', 3],
    ],
  );
  assert.deepEqual(
    [first[2]?.data['name'], first[2]?.data['state'], first[2]?.data['held_seconds']],
    [users[2], 'back', 0.25],
  );
  await toTheEnd(run);
  const all = await following;
  const ends = all.filter(({ event }) => event === 'move');
  assert.deepEqual(
    ends.map(({ id }) => id),
    users.map((_, at) => at + 1),
  );
  assert.deepEqual([all.at(-1)?.event, all.at(-1)?.data['state']], ['over', 'done']);
  const rest = await stream(`/v1/moves/${run}/events`, 'over', { 'last-event-id': '10' });
  assert.deepEqual(
    rest.map(({ event, id }) => [event, id]),
    [
      ['move', 11],
      ['move', 12],
      ['over', 12],
    ],
  );
  assert.equal((await ask('read', 'GET', '/v1/moves/nosuch/events'))[0], 404);
});

test('the report is told as JSON by pages, as CSV whole, and by the command', async () => {
  const run = await started('reported');
  await toTheEnd(run);
  const page = await ask<{ rows: { name: string; seconds: number }[]; next?: number }>(
    ...(['read', 'GET', `/v1/moves/${run}/report?limit=5`] as const),
  );
  assert.deepEqual([page[1].rows.length, page[1].next, page[1].rows[0]?.seconds], [5, 5, 5]);
  const response = await fetch(`${base}/v1/moves/${run}/report?format=csv&limit=5`, {
    headers: { authorization: `Bearer ${tokens.read}` },
  });
  const csv = await response.text();
  assert.match(response.headers.get('content-type') ?? '', /^text\/csv/);
  const lines = csv.trimEnd().split('\r\n');
  assert.equal(lines.length, 13);
  assert.equal(lines[0], 'name,from,to,state,octets,messages,ended,seconds,held_seconds,note');
  assert.match(lines[12] ?? '', /^user\.u11,mail1!default,mail2!default,done,2000,3,2\d{3}-.*Z,5,0\.25,it is done$/);
  assert.equal((await command('move', 'report', run, '-f', 'csv')).out.replaceAll('\n', '\r\n'), csv);
  const table = (await command('move', 'report', run)).out.split('\n');
  assert.match(table[0] ?? '', /^NAME +FROM +TO +STATE +SIZE +SECONDS +HELD +NOTE$/);
  assert.equal((await command('move', 'report', run, '-f', 'json')).out.trimEnd().split('\n').length, 12);
  assert.equal((await command('move', 'report', 'nosuch')).code, 65);
});

test('the commands start, show and turn a run; watching ends with its exit code', async () => {
  const file = join(rookery.folder, 'plan.json');
  await writeFile(file, (await plan('by command')).text);
  const unsaid = await command('move', 'start', file);
  assert.equal(unsaid.code, 75);
  assert.match(unsaid.out, /^by command: 12 trees, 12\.0 kB, about 1m 0s, between mail1, mail2\n/);
  assert.match(unsaid.out, /\nnothing of it has changed since it was made\n$/);
  assert.match(unsaid.err, /nothing is started: --yes does it/);
  const wish = ['--limit', 'total=2,bytes=50M', '--window', 'mon-sun', '--stop-when', 'failed=7,percent=9,latency=2.5'];
  const said = await command('move', 'start', file, '--yes', ...wish);
  const run = /^run (\S+): started by/.exec(said.out)?.[1] ?? '';
  assert.notEqual(run, '', said.err);
  assert.equal((await command('move', 'start', file, '--yes')).code, 75);
  assert.equal((await command('move', 'start', file, '--yes', '--limit', 'total=0')).code, 64);
  for (const most of ['total=10000', 'partition=10000', 'bytes=1000000000000']) {
    const said = await command('move', 'start', file, '--yes', '--limit', `${most}1`);
    assert.deepEqual([said.code, said.err.includes(`may be ${most} at most`)], [64, true], said.err);
  }
  for (const [limit, value] of [
    ['total', 10_001],
    ['per_source', 10_001],
    ['bytes_per_second', 1_000_000_000_001],
  ] as const) {
    const body = { plan: (await plan('too much')).plan, limits: { [limit]: value } };
    const [status, why] = await refused('admin', 'POST', '/v1/moves', body);
    assert.equal(status, 400);
    assert.match(
      why,
      new RegExp(`^body\\.limits\\.${limit} is ${value}; it may be a whole number from \\d to ${value - 1}$`),
    );
  }
  assert.equal((await command('move', 'start', file, '--yes', '--window', 'soon')).code, 64);
  for (const bounds of ['failed', 'errors=5', 'failed=1.5', 'percent=101'])
    assert.equal((await command('move', 'start', file, '--yes', '--stop-when', bounds)).code, 64, bounds);
  await writeFile(file, (await plan('by command')).text.replace('mail2!', 'mail9!'));
  const edited = await command('move', 'start', file, '--yes');
  assert.deepEqual([edited.code, edited.err.includes('its hash does not fit')], [65, true]);
  await conducting.look(run);
  assert.match((await command('move', 'list')).out, new RegExp(`^${run} +running +12 +0 +0 +0 +2 `, 'm'));
  const shown = (await command('move', 'show', run)).out;
  const { stop_when: bounds } = JSON.parse((await command('move', 'show', run, '-f', 'json')).out) as RunValue;
  assert.deepEqual(bounds, { failed: 7, failed_percent: 9, deferred: 0, latency: 2.5 });
  assert.match(shown, /^limits +2 at a time, .*; 50\.0 MB\/s$/m);
  assert.match(shown, /^user\.u0 +mail1!default +mail2!default /m);
  assert.match((await command('move', 'show', 'user.u1')).out, /^state +open$/m);
  assert.equal((await command('move', 'show', 'user.nobody')).code, 65);
  assert.match((await command('move', 'pause', run)).out, /: paused: paused by /);
  assert.match((await command('move', 'resume', run)).out, /: running: resumed by /);
  await end(1, 'refused');
  await toTheEnd(run);
  const watched = await command('move', 'watch', run);
  assert.deepEqual([watched.code, watched.out.includes(`${run}: done: 11 of 12 are moved`)], [65, true]);
  assert.match((await command('move', 'retry', run, 'user.u0')).out, /: 1 is tried again; it is running$/m);
  await toTheEnd(run);
  assert.equal((await command('move', 'watch', run)).code, 0);
  assert.equal((await command('move', 'cancel', run)).code, 75);
});

// Plans of moves made by the real directory in Redis, with backends that tell their sizes; by the command and by the API.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DrainedValue } from '../../services/operations/backend-operations.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import type { WholeRunValue } from '../../services/operations/run-value.ts';
import { changedSince } from '../../services/moves/plan.ts';
import { readPlan, rehashed } from '../../services/moves/plan-file.ts';
import { planLines } from '../../services/moves/plan-text.ts';
import { rowsFor } from '../../services/moves/plan-reading.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import { openPlanning } from '../../services/process/open-planning.ts';
import { configSchema } from '../../services/config/schema.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import { fillDirectory, openScratchDirectory, writer } from '../harness/directory.ts';
import { fakeImap } from '../harness/imap-fake.ts';
import type { FakeImap } from '../harness/imap-fake.ts';
import { operator } from '../harness/operator.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { runOf } from '../harness/runs.ts';

let redis: ScratchRedis;
let rookery: Rookery;
let folder: string;
let settings: object;
let imap: FakeImap;
const closing: (() => unknown)[] = [];

/** KiB used, by the names that IMAP has. */
const quotas = new Map([
  ['user/big', 5_000_000],
  ['user/jdoe', 1000],
  ['user/a b', 300],
]);

before(async () => {
  redis = await startRedis();
  const rows = [
    ...['jdoe', 'jdoe.Sent', 'big', 'a b', 'none', 'split', 'doubtful'].map((name) => [
      `user.${name}`,
      'mail1!default',
    ]),
    ...[
      ['user.split.Sent', 'mail2!default'],
      ['user.far', 'mail2!fast'],
      ['news.local', 'mail1!news'],
    ],
    ...[
      ['DELETED.user.jdoe.Old.65F', 'mail1!default'],
      ['DELETED.news.x.65F', 'mail1!default'],
    ],
    ...[
      ['user.alone.Work', 'mail1!default'],
      ['example.org!user.b\xff', 'mail1!default'],
      ['user.lost', 'mail9!default'],
    ],
  ] as [string, string][];
  await fillDirectory(redis.socket, rows, [['user.coming', 'mail1!default']], async (directory) => {
    await directory.suspect('user.doubtful', 'a test', 's2');
    await directory.end(writer.session, 'logout');
  });
  imap = await fakeImap({ after: (close: () => unknown) => closing.push(close) } as never, {
    ...Object.fromEntries(
      ['GETQUOTA', 'LIST'].map((verb) => [verb, (socket) => socket.write(answerTo(verb))] as const),
    ),
  });
  const space = (available: number) => ({ partitions: { default: { available, total: 100_000_000 } } });
  const access = { host: '127.0.0.1', port: imap.port, username: 'cyrus', password: 's3cret' };
  const away = { ...access, port: 1 };
  settings = {
    redis: { url: redis.socket },
    backends: {
      mail1: { imap: access, placement: space(40_000_000) },
      mail2: {
        imap: away,
        placement: { partitions: { ...space(60_000_000).partitions, fast: { available: 1, total: 1000 } } },
      },
      mail3: { imap: away, placement: space(90_000_000) },
      mail4: { imap: away, placement: { ...space(99_000_000), drain: true } },
    },
  };
  rookery = await Rookery.layOut(settings);
  folder = await mkdtemp(join(tmpdir(), 'rookery-plans-'));
});
after(async () => {
  await rookery.stop();
  await redis.stop();
  for (const close of closing) await close();
  await rm(folder, { recursive: true });
});

/** To the line that the server has heard last: quotas as they are told; whoever has none has his mailboxes counted. */
function answerTo(verb: string): string {
  const line = imap.heard.at(-1) ?? '';
  const [tag = ''] = line.split(' ');
  const name = /"([^"]*)"/.exec(verb === 'LIST' ? line.slice(line.indexOf('(')) : line)?.[1] ?? '';
  if (verb === 'GETQUOTA') {
    const KiB = quotas.get(name);
    return KiB === undefined
      ? `${tag} NO Quota root does not exist\r\n`
      : `* QUOTA "${name}" (STORAGE ${KiB} 9000000 MESSAGE 7 100)\r\n${tag} OK Completed\r\n`;
  }
  return `* LIST (\\HasNoChildren) "/" "${name}"\r\n* STATUS "${name}" (MESSAGES 3 SIZE 2048)\r\n${tag} OK Completed\r\n`;
}
const plan = (...words: string[]) => operator(rookery.configFile, 'move', 'plan', ...words);

async function planned(...words: string[]) {
  const { code, out, err } = await plan(...words, '-f', 'json');
  assert.deepEqual([code, err], [0, ''], out);
  return readPlan(out);
}

const mean = Math.round(((5_000_000 + 1000 + 300) * 1024 + 2 * 2048) / 5);

test('a server is evacuated: all that can be moved, with sizes, and what can not with the reason', async () => {
  const made = await planned('--evacuate', 'mail1');
  assert.deepEqual(
    made.moves.map(({ name, octets, messages, sized }) => [name, octets, messages, sized]),
    [
      ['user.big', 5_000_000 * 1024, 7, 'quota'],
      ['user.jdoe', 1000 * 1024, 7, 'quota'],
      ['user.a b', 300 * 1024, 7, 'quota'],
      ...['news.local', 'user.none'].map((name) => [name, 2048, 3, 'counted']),
      ['example.org!user.b\xff', mean, undefined, 'mean'],
    ].sort((one, other) => Number(other[1]) - Number(one[1]) || (String(one[0]) < String(other[0]) ? -1 : 1)),
  );
  assert.deepEqual(made.servers, ['mail1', 'mail3'], 'by placement: the most free space, and not the one that drains');
  const why = new Map(made.leftOut.map((one) => [one.name, one.why]));
  assert.match(why.get('user.split') ?? '', /it is at mail1, and user\.split\.Sent is at mail2/);
  assert.match(why.get('user.doubtful') ?? '', /open case/);
  assert.match(why.get('user.coming') ?? '', /reserved at mail1!default/);
  assert.match(why.get('user.alone') ?? '', /user\.alone\.Work is at mail1, and there is no INBOX/);
  assert.match(why.get('DELETED') ?? '', /deleted.*cyr_expire/);
  assert.equal(why.size, 5);
  assert.match(made.notes.join('\n'), /mail1: 1 tree has no quota[^]*the duration is supposed/);
  assert.deepEqual(made.emptied, ['mail1']);
});

test('named, by file and by pattern; who is nowhere, there already, or at no backend is left out', async () => {
  const file = join(folder, 'users.txt');
  await writeFile(file, '# some\njdoe\n\nuser.a b   # with a space\nnobody\nlost\nfar\n');
  const made = await planned('none', '--file', file, '--pattern', 'news.%', '--to', 'mail2!fast', '--no-sizes');
  assert.deepEqual(
    made.moves.map(({ name, from, to, octets, sized }) => [
      name,
      from.partition,
      `${to.server}!${to.partition}`,
      octets,
      sized,
    ]),
    ['news.local', 'user.a b', 'user.jdoe', 'user.none'].map((name) => [
      ...[name, name.startsWith('news') ? 'news' : 'default', 'mail2!fast', 0, 'not'],
    ]),
  );
  const why = new Map(made.leftOut.map((one) => [one.name, one.why]));
  assert.match(why.get('user.nobody') ?? '', /no such mailbox/);
  assert.match(why.get('user.lost') ?? '', /mail9 is none of the backends/);
  assert.match(why.get('user.far') ?? '', /at mail2!fast already/);
  const within = await planned('far', '--to', 'mail2!default', '--no-sizes');
  assert.deepEqual(
    within.moves.map(({ to }) => to),
    [{ server: 'mail2', partition: 'default' }],
  );
});

test('to one of several, by the room that is left when the others are there', async () => {
  const made = await planned('--pattern', 'user.%', '--to', 'mail2', 'mail3');
  assert.ok(
    made.moves.every(({ to }) => to.server === 'mail3'),
    'nine tenths of it are free',
  );
  const far = made.leftOut.find(({ name }) => name === 'user.far');
  assert.equal(
    far?.why,
    'it is at mail2!fast already, which is one of the destinations',
    'no more is done by the same again',
  );
  const other = await planned('far', '--to', 'mail2!default', 'mail3');
  assert.equal(other.moves[0]?.to.server, 'mail3', 'on another partition than is wanted');
});

test('what a run has still to move is not planned again, and the room that it will take and free counts', async () => {
  const connection = commandConnection({
    place: { socket: redis.socket },
    commandTimeout: 5000,
    onError: () => undefined,
  });
  try {
    await connected(connection, 5000);
    const [runs, at] = [new RunStore(connection, 1000), (server: string) => ({ server, partition: 'default' })];
    // Of 90 million KiB on mail3 it leaves less than mail2 has.
    const rows = [{ name: 'user.big', from: at('mail1'), to: at('mail3'), octets: 80_000_000 * 1024, messages: 1 }];
    const begun = await runs.start(runOf({ state: 'paused' }, rows), rows, false);
    assert.equal(begun.is, 'started');
    const made = await planned('--evacuate', 'mail1', '--no-sizes');
    const { why } = made.leftOut.find(({ name }) => name === 'user.big') ?? {};
    assert.equal(why, `it waits to be moved by run ${begun.run.id}: let that end, or cancel it`);
    assert.deepEqual([...new Set(made.moves.map(({ to }) => to.server))], ['mail2']);
    const kept = await runs.read(begun.run.id);
    assert.ok(kept && (await runs.turn(kept, { ...kept.run, state: 'cancelled', ended: Date.now() })));
    const after = await planned('--evacuate', 'mail1', '--no-sizes');
    assert.ok(after.moves.some(({ name, to }) => name === 'user.big' && to.server === 'mail3'));
  } finally {
    connection.disconnect();
  }
});

test('rebalanced: what is too full gives just so much, what drains is emptied', async () => {
  const made = await planned('--rebalance', '48');
  assert.deepEqual(
    made.moves.map(({ name, to }) => [name, to.server]),
    [['example.org!user.b\xff', 'mail3']],
  );
  assert.deepEqual(made.emptied, ['mail4']);
});

test('the file: written once, valid when read, refused after an edit, valid after --rehash', async () => {
  const file = join(folder, 'mail1.plan');
  const first = await plan('--evacuate', 'mail1', '-o', file);
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, /moves +6, 1 of them guessed\n.*size +5\.[0-9] GiB/);
  assert.match(first.out, /FROM +TO +MOVES +SIZE\nmail1!default +mail3!default/);
  const again = await plan('--evacuate', 'mail1', '-o', file);
  assert.deepEqual([again.code, /is there already: name another file, or --force/.test(again.err)], [65, true]);
  const text = await readFile(file, 'utf8');
  assert.equal(readPlan(text).totals.moves, 6);
  await writeFile(file, text.replace(/\{"name":"user.big".*\n/, ''));
  const edited = await plan('--rehash', file);
  assert.deepEqual([edited.code, edited.out], [0, `${file}: valid, with 5 moves\n`]);
  assert.equal(readPlan(await readFile(file, 'utf8')).totals.moves, 5);
  await writeFile(file, text.replace('"octets":', '"octets":-'));
  const wrong = await plan('--rehash', file);
  assert.deepEqual([wrong.code, /octets is -\d+; it may be a whole number/.test(wrong.err)], [65, true]);
});

for (const [words, code, why] of [
  [['nobody'], 65, /nothing can be moved/],
  [['--pattern', 'zzz*'], 65, /nothing can be moved: no user or shared mailbox fits zzz\*/],
  [['--evacuate', 'mail8'], 65, /there is no backend mail8; it may be one of mail1, mail2/],
  [['jdoe', '--to', 'mail8'], 65, /there is no backend mail8/],
  [['--evacuate', 'mail1', '--to', 'mail1'], 65, /is to be emptied/],
  [['--evacuate', 'mail1', '--rebalance'], 64, /one of these/],
  [[], 64, /one of these/],
  [['--rebalance', '--no-sizes'], 65, /sizes are needed/],
  [['jdoe', '--to', 'mail1!a!b'], 64, /is no place; it may be SERVER or SERVER!PARTITION/],
  [['jdoe', '--limit-total', '10001'], 64, /It must be at most 10000\./],
  [['jdoe', '--limit-bytes', '1000G'], 64, /It must be at most 1000000000000\./],
  [['--rebalance', '700'], 64, /percent above 0/],
  [['--file', '/nowhere/users'], 65, /cannot be read/],
  [['--rehash', '/nowhere/plan'], 65, /cannot be read/],
  [['jdoe', '--rehash', '/nowhere/plan'], 64, /no more may be asked with it/],
] as [string[], number, RegExp][]) {
  test(`refused: ${words.join(' ') || 'nothing'}`, async () => {
    const said = await plan(...words);
    assert.equal(said.code, code, said.err);
    assert.match(said.err, why);
  });
}

test('the API answers with the plan itself, and the command asks it in the same words', async () => {
  const served = await startApi(redis.socket, ['run', 'api'], settings as Record<string, unknown>);
  try {
    const url = `${apiBase(served)}/v1/moves/plans`;
    const ask = (token: string, body: object) =>
      fetch(url, {
        ...{ method: 'POST', body: JSON.stringify(body) },
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
    const answer = await ask(tokens.operate, { evacuate: 'mail1', limits: { total: 2 } });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const made = readPlan(text);
    assert.deepEqual([made.by, made.totals.moves, made.limits.total, made.limits.perSource], ['ops', 6, 2, 4]);
    assert.equal((await ask(tokens.read, { evacuate: 'mail1' })).status, 403);
    const wrong = await ask(tokens.operate, { evacuate: 'mail1', limits: { total: 0 } });
    assert.match(await wrong.text(), /body\.limits\.total is 0; it may be a whole number from 1 to 10000/);
    assert.match(await (await ask(tokens.operate, {})).text(), /one of these/);
    const env = { ROOKERY_API: apiBase(served), ROOKERY_API_TOKEN: tokens.operate };
    const said = await carriedOut(['move', 'plan', 'user.a b', 'user.none', '--to', 'mail2', '-f', 'json'], { env });
    assert.deepEqual([said.code, said.err], [0, []]);
    const names = readPlan(said.out.join('\n')).moves.map(({ name }) => name);
    assert.deepEqual(names, ['user.a b', 'user.none']);
  } finally {
    await served.stop();
  }
});

test('a backend that does not tell sizes costs these and no more; without Redis there is no plan', async () => {
  const away = configSchema.parse({ servername: 'frontend1', ...settings });
  const opened = await openPlanning(away);
  try {
    assert.equal((await opened.means.moves.open()).length, 0);
  } finally {
    await opened.close();
  }
  const made = await planned('far', '--to', 'mail3');
  assert.equal(made.moves[0]?.sized, 'not');
  assert.match(made.notes.join('\n'), /mail2: the sizes of 1 tree could not be asked.*as the mean/);
  const nowhere = await Rookery.layOut({ ...settings, redis: { url: `${folder}/nothing.sock` } });
  try {
    const said = await operator(nowhere.configFile, 'move', 'plan', 'jdoe');
    assert.deepEqual([said.code, /moves cannot be planned: Redis does not answer/.test(said.err)], [69, true]);
  } finally {
    await nowhere.stop();
  }
});

test("nothing is planned from or to a backend without imap, also by an operator's word; of room nobody tells", async () => {
  const { backends } = settings as unknown as { backends: Record<string, { imap?: object }> };
  const { imap: _, ...mute } = backends['mail2'] ?? {};
  const { mail1, mail3 } = backends;
  const demo = { mupdate: false };
  const other = await Rookery.layOut({ ...settings, backends: { mail1, mail2: mute, mail3 } });
  const bare = await Rookery.layOut({ ...settings, backends: { demo1: demo, demo2: demo } });
  try {
    const why = async (...words: string[]) => {
      const { out } = await operator(other.configFile, 'move', 'plan', ...words, '-f', 'json');
      const made = readPlan(out);
      return [made.moves.map(({ to }) => to.server), made.leftOut.map((one) => `${one.name}: ${one.why}`)];
    };
    const has = 'mail2 has no imap in the configuration';
    assert.deepEqual(await why('jdoe', 'far', '--to', 'mail2'), [[], [`user.far: ${has}`, `user.jdoe: ${has}`]]);
    assert.deepEqual(await why('jdoe', 'far', '--to', 'mail3'), [['mail3'], [`user.far: ${has}`]]);
    assert.deepEqual(await why('jdoe', '--to', 'mail2', 'mail3'), [['mail3'], []]);
    assert.deepEqual(await why('--evacuate', 'mail2', '--to', 'mail3'), [
      [],
      ['user.split: it is at mail1, and user.split.Sent is at mail2', `user.far: ${has}`],
    ]);
    const file = join(folder, 'empty.plan');
    const level = await operator(bare.configFile, 'move', 'plan', '--rebalance', '-o', file);
    assert.match(level.out, /Note: nothing is known of the room on demo1, demo2\./);
    for (const words of [[], ['--yes']]) {
      const said = await operator(bare.configFile, 'move', 'start', file, ...words);
      assert.deepEqual([said.code, said.out, /the plan moves nothing/.test(said.err)], [65, '', true]);
    }
  } finally {
    await other.stop();
    await bare.stop();
  }
});

test('what has changed since is found by the rows of the plan, and of the server that it empties', async () => {
  const made = await planned('--evacuate', 'mail1');
  const scratch = await openScratchDirectory(redis.socket);
  try {
    assert.deepEqual(changedSince(made, await rowsFor(made, scratch.directory)), { rows: [], percent: 0 });
    const write = (name: string, location: string) =>
      scratch.directory.write({ verb: 'ACTIVATE', name, location, acl: 'x\tlrs\t' }, { ...writer, session: 's9' });
    await write('user.new', 'mail1!default');
    await write('user.none', 'mail2!default');
    const drift = changedSince(made, await rowsFor(made, scratch.directory));
    assert.deepEqual(drift.rows.map(({ name, kind }) => `${name} ${kind}`).sort(), [
      'user.new came',
      'user.none moved',
    ]);
  } finally {
    await scratch.close();
  }
});

test('what was taken out of a plan by hand, or renamed in it, has not come since; who comes later has', async () => {
  const made = await planned('--evacuate', 'mail1');
  const text = [...planLines(made), ''].join('\n');
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.includes('"from":'));
  const [first = '', second = '', third = ''] = lines;
  const name = made.moves[2]?.name ?? '';
  const content = text
    .replace(`${first}\n`, '')
    .replace(`${second}\n`, '')
    .replace(third, third.replace(`"${name}"`, '"user.misspelt"'));
  const edited = readPlan([...planLines(rehashed(content, { by: 'ops', at: 1_700_000_001_000 })), ''].join('\n'));
  assert.equal(edited.moves.length, made.moves.length - 2);
  const scratch = await openScratchDirectory(redis.socket);
  try {
    const told = async () => {
      const { rows } = changedSince(edited, await rowsFor(edited, scratch.directory));
      return rows.map((row) => `${row.name} ${row.kind}`).sort();
    };
    assert.deepEqual(await told(), ['user.misspelt gone']);
    const asked = { verb: 'ACTIVATE', name: 'user.later', location: 'mail1!default', acl: 'x\tlrs\t' } as const;
    await scratch.directory.write(asked, { ...writer, session: 's10' });
    assert.deepEqual(await told(), ['user.later came', 'user.misspelt gone']);
  } finally {
    await scratch.close();
  }
});

test('drained with --move by the API: one run at a time, for whoever may; it keeps the backend from being retired', async () => {
  const served = await startApi(redis.socket, ['run', 'api'], settings as Record<string, unknown>);
  try {
    const drain = async (token: string, name: string) => {
      const answer = await fetch(`${apiBase(served)}/v1/backends/${name}/drain`, {
        ...{ method: 'POST', body: JSON.stringify({ move: true }) },
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
      return [answer.status, (await answer.json()) as DrainedValue & ProblemValue] as const;
    };
    assert.equal((await drain(tokens.operate, 'mail2'))[0], 403);
    assert.match(
      (await operator(served.configFile, 'backend', 'list')).out,
      /^mail2 +active /m,
      'and it does not drain',
    );
    const [status, { run = '' }] = await drain(tokens.admin, 'mail2');
    assert.equal(status, 200);
    const shown = JSON.parse(
      (await operator(served.configFile, 'move', 'show', run, '-f', 'json')).out,
    ) as WholeRunValue;
    assert.deepEqual([shown.by, shown.state, shown.moves], ['boss', 'running', 1]);
    const [again, problem] = await drain(tokens.admin, 'mail2');
    assert.deepEqual(
      [again, problem.detail.includes(`run ${run} moves trees from mail2, and is not over`)],
      [409, true],
    );
    const { out } = await operator(served.configFile, 'backend', 'show', 'mail2');
    assert.match(out, new RegExp(`^emptying +moving, after 1 run: run ${run} moves 1 tree\\nleft +user`, 'm'));
    const kept = await operator(served.configFile, 'backend', 'retire', 'mail2', '--dry-run');
    assert.match(kept.out, new RegExp(`1 run of moves \\(${run}\\)`));
    assert.match(
      (await operator(served.configFile, 'backend', 'retire', 'mail3', '--dry-run')).out,
      /run of moves/,
      'also where it goes to',
    );
    // What was said is heard by a command that asks no API, too.
    assert.match((await plan('jdoe', '--to', 'mail2!default')).out, /mail2 drains/);
    const [none, nobody] = await drain(tokens.admin, 'mail3');
    assert.deepEqual([none, nobody.run], [200, undefined]);
  } finally {
    await served.stop();
  }
});

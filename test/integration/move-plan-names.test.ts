// Who is named in a plan, by command and by API on a real Redis: users and shared mailboxes, in a file with its faults by line; and
// why each who stays is left out.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Move } from '../../services/moves/move.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { readPlan } from '../../services/moves/plan-file.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { OrderStore } from '../../services/users/order-store.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import { fillDirectory, writer } from '../harness/directory.ts';
import { fakeImap } from '../harness/imap-fake.ts';
import type { FakeImap } from '../harness/imap-fake.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import type { Rookery } from '../harness/rookery.ts';

let redis: ScratchRedis;
let rookery: Rookery;
let folder: string;
let imap: FakeImap;
let connection: ReturnType<typeof commandConnection>;
const closing: (() => unknown)[] = [];

const users = [
  'jdoe',
  'jane^doe',
  'a b',
  'a#b',
  '&AOQ-rger',
  'jos\xe9',
  'both^x',
  'full',
  'busy',
  'ordered',
  'doubtful',
];

before(async () => {
  redis = await startRedis();
  const rows = [
    ...users.map((name) => [`user.${name}`, 'mail1!default']),
    ...['projects', 'projects.x', 'both.x', 'Team News.a b', 'example.org!lists.all', '&AOQ-.x'].map((name) => [
      name,
      'mail1!default',
    ]),
    ...[
      ['user.there', 'mail2!default'],
      ['user.twice', 'mail1!default'],
      ['user.twice.Sent', 'mail2!default'],
    ],
  ] as [string, string][];
  await fillDirectory(redis.socket, rows, [], async (directory) => {
    await directory.suspect('user.doubtful', 'two servers have it', 's2');
    await directory.end(writer.session, 'logout');
  });
  imap = await fakeImap({ after: (close: () => unknown) => closing.push(close) } as never, {
    GETQUOTA: (socket) => {
      const [tag = ''] = (imap.heard.at(-1) ?? '').split(' ');
      const [, name = ''] = /"([^"]*)"/.exec(imap.heard.at(-1) ?? '') ?? [];
      socket.write(
        `* QUOTA "${name}" (STORAGE ${name === 'user/full' ? 2000 : 10} 1000)\r\n${tag} OK Completed\r\n`,
        'latin1',
      );
    },
  });
  const second = await fakeImap({ after: (close: () => unknown) => closing.push(close) } as never, {
    greeting: '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] mail2 Cyrus IMAP 3.6.1 server ready\r\n',
    LOCALDELETE: '% NO Mailbox does not exist\r\n',
    LOCALCREATE: (socket) => {
      const line = second.heard.at(-1) ?? '';
      const [tag = ''] = line.split(' ');
      socket.write(`${tag} ${line.endsWith(' nowhere') ? 'NO Unknown/invalid partition' : 'OK Completed'}\r\n`);
    },
  });
  const access = { host: '127.0.0.1', port: imap.port, username: 'cyrus', password: 's3cret' };
  const space = { partitions: { default: { available: 40_000_000, total: 100_000_000 } } };
  rookery = await startApi(redis.socket, ['run', 'api'], {
    backends: {
      mail1: { imap: access, placement: space },
      mail2: { imap: { ...access, port: second.port } },
      mail3: { imap: { ...access, port: 1 }, placement: space },
    },
  });
  folder = await mkdtemp(join(tmpdir(), 'rookery-names-'));
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
});
after(async () => {
  connection.disconnect();
  await rookery.stop();
  await redis.stop();
  for (const close of closing) await close();
  await rm(folder, { recursive: true });
});

/** By the API, as the program is asked by an operator elsewhere. */
async function plan(...words: string[]) {
  const env = { ROOKERY_API: apiBase(rookery), ROOKERY_API_TOKEN: tokens.operate };
  const { code, out, err } = await carriedOut(['move', 'plan', ...words, '--no-sizes', '-f', 'json'], { env });
  return { code, err: err.join('\n'), out: out.join('\n') };
}

async function planned(...words: string[]) {
  const { code, out, err } = await plan(...words, '--to', 'mail3');
  assert.ok(code === 0 || out !== '', err);
  const made = readPlan(out);
  return { moved: made.moves.map(({ name }) => name).sort(), ...made };
}

test('a word is a user or a shared mailbox, whichever is there; where both are, neither is moved', async () => {
  assert.deepEqual((await planned('projects.x', 'jane.doe', 'Team News.a b', 'example.org!lists.all')).moved, [
    ...['Team News.a b', 'example.org!lists.all', 'projects.x', 'user.jane^doe'],
  ]);
  const unclear = await plan('both.x', 'jdoe');
  assert.equal(unclear.code, 65);
  assert.match(unclear.err, /'both\.x' may be user\.both\^x or \+both\.x, and all of these are there: name one so/);
  assert.deepEqual((await planned('+both.x')).moved, ['both.x']);
  assert.deepEqual((await planned('user.both^x')).moved, ['user.both^x']);
  const none = await planned('no.one');
  assert.deepEqual(none.leftOut, [
    { name: 'user.no^one', why: 'there is no such mailbox in the directory, nor no.one or no^one' },
  ]);
  assert.equal((await plan('no.one')).code, 65);
});

/** As bytes. */
async function fileOf(...lines: string[]): Promise<string> {
  const file = join(folder, 'names.txt');
  await writeFile(file, Buffer.from(lines.join(''), 'latin1'));
  return file;
}

test('a file: a mark at its begin, remarks, blank lines, CR LF, spaces, bytes of any kind; what is named twice counts once', async () => {
  const file = await fileOf(
    ...[
      '\xef\xbb\xbf# who goes\r\n',
      '\r\n',
      '  jdoe  # first\r\n',
      'user.jdoe\n',
      'jdoe@example.com\n',
      'user.a b\t# x\n',
    ],
    ...['a#b\n', 'user.&AOQ-rger\n', 'user.jos\xe9\n', '\xc3\xa4rger\n', '+\xe4.x\n', 'user.jane^doe'],
  );
  const made = await planned('--file', file, 'jane.doe');
  assert.deepEqual(made.moved, [
    '&AOQ-.x',
    'user.&AOQ-rger',
    'user.a b',
    'user.a#b',
    'user.jane^doe',
    'user.jdoe',
    'user.jos\xe9',
  ]);
  assert.deepEqual(made.leftOut, []);
  assert.ok(
    made.notes.includes('named more than once, and counted once: user.jdoe, user.&AOQ-rger, user.jane^doe'),
    made.notes.join(),
  );
});

test('lines that are wrong refuse the file, each with its number, the first of many', async () => {
  const file = await fileOf('jdoe\n', 'jdoe+lists\n', '# x\n', 'a@b@c\r\n', 'user.jdoe.Sent\n', 'x\x01y\n');
  const { code, err, out } = await plan('x@', '--file', file);
  assert.deepEqual([code, out], [65, '']);
  assert.deepEqual(err.split('\n').slice(0, 6), [
    'rookery: nothing is planned:',
    `  'x@', which is no address: the domain has ">" at octet 4`,
    `  ${file}, line 2: 'jdoe+lists', which is a folder of user.jdoe and goes along with it`,
    `  ${file}, line 4: 'a@b@c', which is no address: the path has "@" at octet 5`,
    `  ${file}, line 5: 'user.jdoe.Sent', which is a folder of user.jdoe and goes along with it; in a login a dot is ^`,
    `  ${file}, line 6: 'x\\x01y', which has a control character`,
  ]);
  assert.match(err, /\n {2}A name may be a user \(jdoe, .*\) or a shared mailbox/);
  const many = await plan('--file', await fileOf('jdoe+x\n'.repeat(30)));
  assert.match(many.err, /line 20: .*\n {2}and 10 more\n/);
  const wide = await plan('--file', await fileOf('\xff\xfej\0d\0'));
  assert.match(wide.err, /is UTF-16: it may be UTF-8/);
});

test('whoever stays is named with the reason: nowhere, there already, on two servers, in doubt, under way, ordered', async () => {
  const [moves, orders] = [new MoveStore(connection, 1000), new OrderStore(connection, 1000)];
  const place = (server: string) => ({ server, partition: 'default' });
  const move: Move = {
    ...{ name: 'user.busy', from: place('mail1'), to: place('mail3'), by: 'test', since: 1, run: 'run-7' },
    ...{ state: 'open', cancelled: false, attempts: 0, octets: 1, messages: 0, times: {}, step: '', note: '' },
  };
  await moves.place(move);
  await orders.place({
    ...{ name: 'user.ordered', wish: { is: 'delete' }, by: 'test', since: 1, state: 'open' },
    ...{ begun: false, made: false, passed: [], note: '' },
  });
  const { code, out } = await plan('nobody', 'there', 'twice', 'doubtful', 'busy', 'ordered', '--to', 'mail2');
  assert.equal(code, 65);
  assert.deepEqual(Object.fromEntries(readPlan(out).leftOut.map(({ name, why }) => [name, why])), {
    'user.nobody': 'there is no such mailbox in the directory, nor nobody',
    'user.there': 'it is at mail2!default already',
    'user.twice': 'it is at mail1, and user.twice.Sent is at mail2',
    'user.doubtful': 'it has an open case (rookery directory cases)',
    'user.busy': 'a move of it is open, of run run-7',
    'user.ordered': 'an order of it is open (rookery user show)',
  });
});

test('a partition that is not there is refused; where the server does not say, that is noted', async () => {
  const asked = await plan('jdoe', '--to', 'mail2!nowhere');
  assert.deepEqual(
    [asked.code, /mail2 has no partition nowhere: it says so itself/.test(asked.err)],
    [65, true],
    asked.err,
  );
  const configured = await plan('jdoe', '--to', 'mail3!nowhere');
  assert.match(configured.err, /mail3 has no partition nowhere; it may be one of default/);
  assert.match((await plan('jdoe', '--to', 'mail3!a/b')).err, /is no place/);
  const { notes, moved } = await planned('jdoe', '--to', 'mail3!default');
  assert.deepEqual(moved, ['user.jdoe']);
  assert.match(
    notes.join('\n'),
    /whether mail3 has the partition default is not known, and is asked before each move: /,
  );
});

test('whoever is over quota is told of, for the quota goes along', async () => {
  const env = { ROOKERY_API: apiBase(rookery), ROOKERY_API_TOKEN: tokens.operate };
  const said = await carriedOut(['move', 'plan', 'full', 'jdoe', '--to', 'mail3', '-f', 'json'], { env });
  const { notes, moves } = readPlan(said.out.join('\n'));
  assert.equal(moves.length, 2);
  assert.match(
    notes.join('\n'),
    /1 tree is over its quota, and will be so at the destination, for the quota goes along: user\.full$/m,
  );
});

test('who is being moved is neither deleted nor renamed, which names the run', async () => {
  for (const words of [
    ['delete', 'busy'],
    ['rename', 'busy', 'idle'],
  ]) {
    const env = { ROOKERY_API: apiBase(rookery), ROOKERY_API_TOKEN: tokens.admin };
    const [byApi, byItself] = [await carriedOut(['user', ...words], { env }), await rookery.command('user', ...words)];
    assert.deepEqual([byApi.code, byItself.code], [75, 75]);
    for (const err of [byApi.err.join(), byItself.err])
      assert.match(err, /user\.busy: it is being moved from mail1 to mail3, of run run-7; order it when/);
  }
});

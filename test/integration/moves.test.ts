// Moves on a real Redis: kept one at a time, with their manifests; the lease that a worker keeps, loses and gives back; and a
// worker that dies under a move, which the next one carries to its end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '../../services/backends/registry.ts';
import { LeaseKeeper, LeaseLost } from '../../services/moves/lease-keeper.ts';
import type { FindingKind, KeptFinding } from '../../services/moves/audit.ts';
import type { Manifest } from '../../services/moves/manifest.ts';
import { RedisManifests } from '../../services/moves/manifest-store.ts';
import type { Move } from '../../services/moves/move.ts';
import { MoveStore, UnreadableMove } from '../../services/moves/move-store.ts';
import { Moving, UnfitMove } from '../../services/moves/moving.ts';
import { ringForMoves, ringForUnasked } from '../../services/process/sweeping.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { movesProcessor } from '../../workers/moves.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { queuesFor, quietDesk, workOn } from '../harness/events.ts';
import { Killed, root, World } from '../harness/move-world.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let connection: ReturnType<typeof commandConnection>;
let moves: MoveStore;

before(async () => {
  redis = await startRedis();
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
  moves = new MoveStore(connection, 1000);
});
after(async () => {
  connection.disconnect();
  await redis.stop();
});

const moveOf = (name: string, more: Partial<Move> = {}): Move => ({
  ...{ name, from: { server: 'mail1', partition: 'default' }, to: { server: 'mail2', partition: '' } },
  ...{ by: 'test', since: 1, state: 'open', cancelled: false, attempts: 0, octets: 0, messages: 0 },
  ...{ times: {}, step: '', note: '' },
  ...more,
});

test('one move of a name is open at a time, and only as it was read it is replaced', async () => {
  await moves.begun();
  const name = 'example.org!user.j\xc3\xb6';
  assert.deepEqual(await moves.place(moveOf(name)), { is: 'placed' });
  assert.deepEqual(await moves.place(moveOf(name, { since: 2 })), { is: 'open', move: moveOf(name) });
  const kept = await moves.read(name);
  assert.ok(kept);
  const next = moveOf(name, { attempts: 1, times: { begun: 5 } });
  assert.ok(await moves.replace(kept, next));
  assert.equal(await moves.replace(kept, next), undefined, 'somebody was faster');
  assert.deepEqual((await moves.read(name))?.move, next);
  assert.deepEqual([await moves.open(10), await moves.openCount()], [[name], 1]);
  const again = await moves.read(name);
  assert.ok(again && (await moves.replace(again, { ...next, state: 'stopped' })));
  assert.deepEqual(await moves.open(10), []);
  assert.deepEqual(await moves.place(moveOf(name, { state: 'done' })), { is: 'placed' }, 'tried again');
  await assert.rejects(moves.place(moveOf('user.bad', { octets: -1 })));
  const ttl = await connection.ttl(`rookery:{moves}:move:${Buffer.from(name, 'latin1').toString('base64url')}`);
  assert.ok(ttl > 900 && ttl <= 1000, `what is over is kept for a while, and not for ever: ${ttl}`);
});

test('a run finds its moves, but not those that another has moved since', async () => {
  for (const name of ['user.r1', 'user.r2']) await moves.place(moveOf(name, { run: 'r', state: 'done' }));
  await moves.place(moveOf('user.r3', { run: 'r' }));
  await moves.place(moveOf('user.r2', { run: 's', state: 'done' }));
  const names = async (run: string) => (await moves.ofRun(run)).map(({ name }) => name).sort();
  assert.deepEqual([await names('r'), await names('s'), await names('t')], [['user.r1', 'user.r3'], ['user.r2'], []]);
});

test('what is no move is told once, is open no more, and gives way to a new one', async () => {
  await moves.place(moveOf('user.poison'));
  await connection.set(`rookery:{moves}:move:${Buffer.from('user.poison').toString('base64url')}`, '{"v":2}');
  await assert.rejects(moves.read('user.poison'), UnreadableMove);
  assert.ok(!(await moves.open(100)).includes('user.poison'));
  assert.deepEqual(await moves.place(moveOf('user.poison', { state: 'done' })), { is: 'placed' });
});

const imap = { host: '127.0.0.1', port: 1, username: 'cyrus', password: 's3cret' };
const backends = new Registry([
  ...['mail1', 'mail2'].map((name) => ({ name, lmtp: undefined, imap, mupdate: true })),
  { name: 'demo1', lmtp: undefined, imap: undefined, mupdate: false },
]);

test('what cannot be moved is not ordered; what can is kept, rung for, cancelled and tried again', async (t) => {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const { directory } = scratch;
  const rung: string[] = [];
  const moving = new Moving({ moves, directory, registry: backends, ring: (name) => rung.push(name) });
  const to = { server: 'mail2', partition: '' };
  const at = (server: string, partition = '') => ({ server, partition });
  const unfit: [Parameters<Moving['place']>[0], RegExp][] = [
    [{ name: 'user.a.Sent', to, by: 'x' }, /goes along with him/],
    [{ name: 'DELETED.user.a.5F', to, by: 'x' }, /was deleted/],
    [{ name: '', to, by: 'x' }, /is no mailbox/],
    [{ name: 'user..a', to, by: 'x' }, /is no mailbox/],
    [{ name: 'user.a', from: at('mail9'), to, by: 'x' }, /mail9 is no backend/],
    [{ name: 'user.a', from: at('mail1'), to: at('mail9'), by: 'x' }, /mail9 is no backend/],
    [{ name: 'user.a', from: at('demo1'), to, by: 'x' }, /demo1 has no imap in the configuration/],
    [{ name: 'user.a', from: at('mail1'), to: at('demo1'), by: 'x' }, /demo1 has no imap in the configuration/],
    [{ name: 'user.a', from: at('mail2'), to, by: 'x' }, /name a partition/],
    [{ name: 'user.a', from: at('mail2', 'p'), to: at('mail2', 'p'), by: 'x' }, /on p already/],
    [{ name: 'user.a', from: at('mail1'), to: at('mail2', 'a b'), by: 'x' }, /no name of a partition/],
    [{ name: 'user.nobody', to, by: 'x' }, /does not have user\.nobody/],
  ];
  for (const [wanted, why] of unfit) {
    await assert.rejects(moving.place(wanted), (error: Error) => error instanceof UnfitMove && why.test(error.message));
  }
  assert.deepEqual(rung, []);
  const writer = { session: 'w-1', server: 'mail1', admin: false, push: false };
  await directory.write({ verb: 'ACTIVATE', name: 'user.a', location: 'mail1!p', acl: '' }, writer);
  assert.deepEqual(await moving.place({ name: 'user.a', to, by: 'ann', run: 'x' }), { is: 'placed' });
  assert.deepEqual((await moving.read('user.a'))?.from, { server: 'mail1', partition: 'p' });
  assert.equal((await moving.place({ name: 'user.a', to, by: 'ben' })).is, 'open');
  assert.equal((await moving.cancel('user.a', 'ben')).cancelled, true);
  assert.deepEqual(rung, ['user.a', 'user.a', 'user.a']);
  const kept = await moves.read('user.a');
  assert.ok(kept && (await moves.replace(kept, { ...kept.move, state: 'back' })));
  await assert.rejects(moving.cancel('user.a', 'ben'), /no open move/);
  assert.deepEqual(await moving.again('user.a', 'cat'), { is: 'placed' });
  const { cancelled, run, by } = (await moving.read('user.a')) ?? {};
  assert.deepEqual([cancelled, run, by], [false, 'x', 'cat']);
  await assert.rejects(moving.again('user.none', 'cat'), /no move that could be tried again/);
});

const manifest: Manifest = {
  ...{ at: 1, server: 'mail1', quotas: new Map(), subscriptions: [], sieve: [] },
  mailboxes: [
    {
      ...{ name: 'user.m', uniqueId: 'u1', partition: 'p', uidValidity: 1, lastUid: 0, highestModseq: 1, acl: '' },
      folderModseq: 1,
      messages: [],
    },
  ],
};

test('a manifest is kept beside its move, for that move only', async () => {
  const codec = {
    written: (one: Manifest) => Promise.resolve(Buffer.from(JSON.stringify({ ...one, quotas: [] }))),
    read: (bytes: Buffer) =>
      Promise.resolve({ ...(JSON.parse(bytes.toString()) as Manifest), quotas: new Map() } satisfies Manifest),
  };
  const manifests = new RedisManifests(connection, codec, 500);
  const move = moveOf('user.m');
  assert.deepEqual([await manifests.head(move), await manifests.read(move)], [undefined, undefined]);
  await manifests.keep(move, manifest, 'hold-1');
  const head = { hold: 'hold-1', from: 'mail1', to: 'mail2', uniqueId: 'u1', whole: false };
  assert.deepEqual(await manifests.head(move), head);
  assert.deepEqual(await manifests.read(move), manifest);
  await manifests.compared(move, 'hold-0', true);
  assert.deepEqual(await manifests.head(move), head, 'another one was compared');
  await manifests.compared(move, 'hold-1', true);
  assert.deepEqual(await manifests.head(move), { ...head, whole: true });
  assert.equal(await manifests.head({ ...move, to: { server: 'mail3', partition: '' } }), undefined, 'another move');
  await manifests.keep(move, manifest, 'hold-2');
  assert.equal((await manifests.head(move))?.whole, false);
  await manifests.drop('user.m');
  assert.equal(await manifests.head(move), undefined);
});

test('the lease is renewed while it is kept, is heard of by everybody, and bars a second mover', async (t) => {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const { directory } = scratch;
  const { routing } = directory;
  const keeperOf = (token: string, milliseconds = 400) =>
    new LeaseKeeper({ directory, routing, name: 'user.lease', destination: 'mail2', token, milliseconds });
  const keeper = keeperOf('one');
  assert.equal(await keeper.take(), true);
  assert.equal(await keeperOf('two').take(), false);
  // A reader that is behind is waited for, until it has seen the change, or its lease ends.
  await routing.renew({ reader: 'mx1', seen: [0] }, 60_000);
  await routing.renew({ reader: 'mx2', seen: [0] }, 300);
  let isHeard = false;
  const heard = keeper.everybodyHears(new AbortController().signal).then(() => (isHeard = true));
  await sleep(800);
  assert.deepEqual([isHeard, keeper.heard, keeper.holds], [false, false, true], 'renewed, and not heard of yet');
  const seen = (await directory.head()).map(({ seq }) => seq);
  await routing.renew({ reader: 'mx1', seen }, 60_000);
  await heard;
  assert.equal(keeper.heard, true);
  await keeper.confirm();
  assert.equal(await keeperOf('two').take(), false, 'still held');
  await keeper.giveBack();
  assert.equal(keeper.holds, false);
  const two = keeperOf('two');
  assert.equal(await two.take(), true, 'given back');
  await two.giveBack();
  const waiting = keeperOf('three');
  await waiting.take();
  await routing.renew({ reader: 'mx1', seen: [0] }, 60_000);
  await assert.rejects(waiting.everybodyHears(AbortSignal.timeout(50)), /timeout/i);
  await waiting.giveBack();
  await routing.end('mx1');
});

test('who stood still until his lease was over notices before he does anything, also when he could have it again', async (t) => {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const { directory } = scratch;
  let now = 0;
  const keeper = new LeaseKeeper({
    ...{ directory, routing: directory.routing, name: 'user.frozen', destination: 'mail2', token: 'one' },
    ...{ milliseconds: 60_000, clock: () => now },
  });
  await keeper.take();
  await keeper.everybodyHears(new AbortController().signal);
  now = 60_000;
  assert.equal(keeper.heard, false);
  await assert.rejects(keeper.confirm(), LeaseLost);
  assert.ok(keeper.signal.aborted);
  await keeper.giveBack();
  const other = new LeaseKeeper({
    ...{ directory, routing: directory.routing, name: 'user.frozen', destination: 'mail2', token: 'two' },
    milliseconds: 60_000,
  });
  assert.equal(await other.take(), true);
  await other.giveBack();
});

test('open moves are rung for again', async () => {
  const rung: string[] = [];
  await ringForMoves(
    { moves: { open: () => Promise.resolve(['user.x']) } },
    { log: { error: (_fields, text) => assert.fail(text) } },
    {
      deadLetters: { find: () => Promise.resolve([]) },
      producer: { ring: (queue, payload) => rung.push(`${queue} ${(payload as { name: string }).name}`) },
    },
  );
  assert.deepEqual(rung, ['moves user.x']);
});

test('moves at whose end a server was silent are rung for, once each, some at a time', async () => {
  const finding = (tree: string, kind: FindingKind) => ({
    ...{ kind, tree, server: 'mail1', names: [tree], since: 1, seen: 1 },
  });
  const rungFor = async (all: KeptFinding[]): Promise<string[]> => {
    const rung: string[] = [];
    await ringForUnasked(
      { findings: { all: () => Promise.resolve(all) } },
      { log: { error: (_fields, text) => assert.fail(text) } },
      { producer: { ring: (queue, payload) => rung.push(`${queue} ${(payload as { name: string }).name}`) } },
    );
    return rung;
  };
  const few = [finding('user.x', 'unasked'), { ...finding('user.x', 'unasked'), server: 'mail2' }];
  assert.deepEqual(await rungFor([...few, finding('user.y', 'left-over')]), ['moves user.x']);
  const many = await rungFor(Array.from({ length: 200 }, (_, at) => finding(`user.n${at}`, 'unasked')));
  assert.deepEqual([many.length, new Set(many).size], [50, 50]);
  assert.deepEqual(await rungFor([]), []);
});

test('a move whose worker dies under it goes on in the next job of the queue', async (t) => {
  const { producer, backlog } = await queuesFor(t, redis.socket);
  const world = new World();
  await world.begin();
  await moves.place(moveOf(root, { from: { server: 'mail1', partition: 'default' } }));
  const ended: string[] = [];
  const options = () => ({
    ...world.worker(),
    ...{ moves, clock: Date.now, pauses: { wait: 20, person: 20, failed: 20, short: 0 } },
    settings: { lease: 10_000, cutTimeout: 60_000, observe: 0, attempts: 3, retention: 1_000 },
    ended: (move: Move) => void ended.push(`${move.name} ${move.state}`),
  });
  await world.strike('worker dies');
  const dying = options();
  await world.strike('worker dies');
  await assert.rejects(movesProcessor(dying)({ name: root }, new AbortController().signal, quietDesk), Killed);
  assert.equal((await moves.read(root))?.move.state, 'open');
  const workers = workOn(redis.socket, { moves: movesProcessor(options()) });
  t.after(() => workers.stop());
  producer.ring('moves', { name: root });
  await until('it is moved', async () => (await moves.read(root))?.move.state === 'done');
  assert.deepEqual(ended, [`${root} done`]);
  assert.equal(await world.whole('moved'), 'mail2');
  const { note, times, messages } = (await moves.read(root))?.move ?? moveOf(root);
  assert.equal(note, 'moved; compared, and whole');
  assert.ok(messages >= 3 && times.held && times.cut && times.answered && times.released && times.ended);
  await until('the job is over', async () => (await backlog.counts('moves')).completed === 1);
});

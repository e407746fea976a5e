// Orders of users as they are kept in a real Redis: one at a time, read as they were written, and what is none done away with.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { JobView } from '../../services/events/backlog.ts';
import { ringForOrders } from '../../services/process/sweeping.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import type { Order } from '../../services/users/order.ts';
import { OrderStore, UnreadableOrder } from '../../services/users/order-store.ts';
import { Ordering, UnfitOrder } from '../../services/users/ordering.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

let redis: ScratchRedis;
let connection: ReturnType<typeof commandConnection>;
let orders: OrderStore;
const rung: string[] = [];
let ordering: Ordering;
let directory: MemoryDirectory;

before(async () => {
  redis = await startRedis();
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
  orders = new OrderStore(connection, 1000);
  directory = new MemoryDirectory();
  ordering = new Ordering({ orders, directory, ring: (name) => rung.push(name) });
});
after(async () => {
  connection.disconnect();
  await redis.stop();
});

const orderOf = (name: string, more: Partial<Order> = {}): Order => ({
  ...{ name, wish: { is: 'create' }, by: 'test', since: 1, state: 'open', begun: false, made: false },
  ...{ passed: [], note: '' },
  ...more,
});

test('a quota that Cyrus does not take, or that is no whole number, is not ordered', async () => {
  for (const quota of [-1, 0.5, 2_147_483_648, 2 ** 60, NaN])
    await assert.rejects(ordering.place('user.q', { is: 'create', quota }, 'test'), UnfitOrder, String(quota));
  // Nor is it kept, whoever orders it.
  for (const quota of [-1, 0.5, 2 ** 60, NaN])
    await assert.rejects(orders.place(orderOf('user.q', { wish: { is: 'create', quota } })), String(quota));
  assert.equal(await orders.read('user.q'), undefined);
  assert.deepEqual(rung, []);
  await ordering.place('user.q', { is: 'create', quota: 2_147_483_647 }, 'test');
});

test('what is no order is told once, is open no more, and gives way to a new one', async () => {
  await orders.place(orderOf('user.poison'));
  const poison = Buffer.from('user.poison').toString('base64url');
  const key = (await redisSays(redis.socket, 'KEYS *order:*')).find((one) => one.endsWith(poison)) ?? '';
  await connection.set(key, '{"v":1,"quota":1e300}');
  assert.ok((await orders.open(10)).includes('user.poison'));
  await assert.rejects(orders.read('user.poison'), UnreadableOrder);
  assert.ok(!(await orders.open(10)).includes('user.poison'), 'nobody is rung for it again');
  await assert.rejects(orders.read('user.poison'), /user\.poison cannot be read: order it again/);
  assert.deepEqual(await ordering.place('user.poison', { is: 'delete' }, 'test'), { is: 'placed' });
  assert.equal((await ordering.read('user.poison'))?.wish.is, 'delete');
});

test('a creation that was refused half-way keeps its place when it is ordered again; nothing else does', async () => {
  const place = { server: 'mail1', partition: '' };
  const refused = orderOf('user.half', { state: 'refused', begun: true, place });
  await orders.place(refused);
  await ordering.place('user.half', { is: 'create', quota: 7 }, 'test');
  const { begun, place: kept, wish } = (await ordering.read('user.half')) ?? {};
  assert.deepEqual([begun, kept, wish], [true, place, { is: 'create', quota: 7 }]);
  await orders.place(orderOf('user.other', { state: 'refused', begun: true, place }));
  await ordering.place('user.other', { is: 'delete' }, 'test');
  assert.deepEqual((await ordering.read('user.other'))?.begun, false);
});

test('an open order is taken back before its server was told, or where it says that it has nothing', async () => {
  const lacking = new Set<string>();
  const careful = new Ordering({
    orders,
    ring: () => undefined,
    lacks: (server) => Promise.resolve(lacking.has(server)),
  });
  const place = { server: 'mail1', partition: '' };
  await orders.place(orderOf('user.c', { place }));
  assert.equal((await careful.cancel('user.c', 'ann')).note, 'cancelled by ann');
  assert.deepEqual((await careful.read('user.c'))?.state, 'cancelled');
  assert.ok(!(await orders.open(10)).includes('user.c'));
  await assert.rejects(careful.cancel('user.c', 'ann'), /user\.c has no open order/);
  await orders.place(orderOf('user.c', { place, begun: true }));
  await assert.rejects(careful.cancel('user.c', 'ann'), /mail1 may have been told/);
  lacking.add('mail1');
  await careful.cancel('user.c', 'ann');
  await orders.place(orderOf('user.c', { place, begun: true, wish: { is: 'delete' } }));
  await assert.rejects(careful.cancel('user.c', 'ann'), /mail1 may have been told/);
  const { note, begun, place: left } = await careful.cancel('user.c', 'ann', { force: true });
  assert.deepEqual([note, begun, left], ['cancelled by ann, though mail1 may have been told', false, undefined]);
  assert.deepEqual(await careful.place('user.c', { is: 'create' }, 'test'), { is: 'placed' }, 'the name is free');
});

test('open orders are rung for again, but not those that were given up for good', async () => {
  const given = [
    ['user.away', 'away'],
    ['user.fault', 'fault'],
    ['user.lost', 'lost'],
  ] as const;
  const names = ['user.new', ...given.map(([name]) => name)];
  const again: string[] = [];
  await ringForOrders(
    { orders: { open: () => Promise.resolve(names) } },
    { log: { error: (_fields, text) => assert.fail(text) } },
    {
      deadLetters: { find: () => Promise.resolve(given.map(([subject, kind]) => ({ subject, kind }) as JobView)) },
      producer: { ring: (_queue, payload) => again.push((payload as { name: string }).name) },
    },
  );
  assert.deepEqual(again, ['user.new', 'user.away']);
});

test('a deletion and a rename keep of which row they were ordered; without the directory they are not ordered', async () => {
  const mail1 = { session: 't-1', server: 'mail1', admin: false, push: false };
  await directory.write({ verb: 'ACTIVATE', name: 'user.there', location: 'mail1!default', acl: '' }, mail1);
  const [row] = (await directory.lookup(['user.there'])).entries;
  await ordering.place('user.there', { is: 'delete' }, 'test');
  await ordering.place('user.gone', { is: 'rename', to: 'user.back' }, 'test');
  await ordering.place('user.fresh', { is: 'create' }, 'test');
  const kept = await Promise.all(['user.there', 'user.gone', 'user.fresh'].map((name) => ordering.read(name)));
  assert.deepEqual(
    kept.map((order) => order?.version),
    [row?.version, 0, undefined],
  );
  const lookup = () => Promise.reject(new Error('Redis does not answer'));
  const blind = new Ordering({ orders, ring: () => undefined, directory: { lookup } });
  await assert.rejects(blind.place('user.blind', { is: 'delete' }, 'test'), /Redis does not answer/);
  assert.equal(await blind.read('user.blind'), undefined);
  assert.deepEqual(await blind.place('user.blind', { is: 'create' }, 'test'), { is: 'placed' });
});

test('while a user is being moved he is not ordered to be deleted or renamed; what was ordered before stays', async () => {
  const move = { from: { server: 'mail1', partition: '' }, to: { server: 'mail2', partition: '' }, run: 'run-7' };
  const careful = new Ordering({ orders, directory, ring: () => undefined, moving: () => Promise.resolve(move) });
  const busy = {
    is: 'busy',
    message:
      'user.moved: it is being moved from mail1 to mail2, of run run-7; order it when that is over, or cancel the run (rookery move cancel run-7)',
  };
  await assert.rejects(careful.place('user.moved', { is: 'delete' }, 'test'), busy);
  await assert.rejects(careful.place('user.moved', { is: 'rename', to: 'user.x' }, 'test'), busy);
  assert.equal(await careful.read('user.moved'), undefined);
  await ordering.place('user.moved', { is: 'delete' }, 'test');
  assert.equal((await careful.place('user.moved', { is: 'delete' }, 'test')).is, 'open');
  assert.deepEqual(await careful.place('user.other2', { is: 'create' }, 'test'), { is: 'placed' });
});

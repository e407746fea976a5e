// Orders of users, step by step over servers in memory: what becomes of one when servers fail it in a certain way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../services/events/processor.ts';
import { Registry } from '../../services/backends/registry.ts';
import { Ordering } from '../../services/users/ordering.ts';
import { placementProcessor } from '../../workers/placement.ts';
import type { Servers } from '../../workers/placement.ts';
import { quietDesk } from '../harness/events.ts';
import { names, silent, Town, worker } from '../harness/town.ts';

async function trusted(): Promise<Town> {
  const town = new Town(1);
  for (const name of names) await town.directory.heard(name, ['mail1', 'mail2'], 0);
  return town;
}

/** One attempt of a job. */
function attempt(town: Town, name: string): Promise<Outcome> {
  return placementProcessor(worker(town, 0))({ name }, new AbortController().signal, quietDesk);
}

async function rowOf(town: Town, name: string): Promise<string> {
  const [row] = (await town.directory.lookup([name])).entries;
  return row ? `${row.state} ${row.location}` : 'absent';
}

test('all servers away for a while: the order is done as soon as one answers', async () => {
  const town = await trusted();
  names.forEach((name) => town.down.add(name));
  town.place('user.a', { is: 'create' });
  await assert.rejects(attempt(town, 'user.a'), { kind: 'away' });
  await assert.rejects(attempt(town, 'user.a'), { kind: 'away' });
  town.down.delete('mail2');
  assert.equal((await attempt(town, 'user.a')).note, 'at mail2!default');
  assert.deepEqual(town.holders('user.a'), ['mail2']);
});

test('who has refused it stays out, while who was not reached is asked again', async () => {
  const town = await trusted();
  town.refusing.add('mail1');
  for (const name of ['mail2', silent]) town.down.add(name);
  town.place('user.a', { is: 'create' });
  await assert.rejects(attempt(town, 'user.a'), { kind: 'away' });
  assert.deepEqual(
    town.order('user.a').passed.map(({ server, is }) => [server, is]),
    [['mail1', 'refused']],
  );
});

test('a server that speaks no MUPDATE has the mailbox before the row is written, and no case is left open', async () => {
  const town = await trusted();
  town.down.add(silent);
  town.place('user.a', { is: 'create', server: silent });
  await assert.rejects(attempt(town, 'user.a'), { kind: 'away' });
  assert.equal(await rowOf(town, 'user.a'), 'absent');
  town.down.clear();
  assert.equal((await attempt(town, 'user.a')).note, `at ${silent}!default`);
  assert.deepEqual(town.holders('user.a'), [silent]);
  assert.deepEqual(await town.directory.cases(), []);
  town.place('user.a', { is: 'delete' });
  assert.match((await attempt(town, 'user.a')).note, /^deleted$/);
  assert.deepEqual([town.holders('user.a'), await town.directory.cases()], [[], []]);
});

test('of a server that is in no Murder and nobody administers only the row is written, on a partition, and that is said', async () => {
  const town = await trusted();
  const bare = { name: silent, lmtp: undefined, imap: undefined, mupdate: false };
  const registry = new Registry([{ ...bare, name: 'mail1', mupdate: true }, bare]);
  const options = worker(town, 0);
  const servers = { ...options.servers, create: () => Promise.resolve() };
  const placer = { ...options.placer, choose: () => Promise.resolve({ server: silent, partition: '' }) };
  town.place('user.a', { is: 'create', server: silent });
  const process = placementProcessor({ ...options, registry, servers, placer });
  const { note } = await process({ name: 'user.a' }, new AbortController().signal, quietDesk);
  assert.equal(await rowOf(town, 'user.a'), `active ${silent}!default`);
  assert.match(note, /has no imap in the configuration, and only its row is written; make the mailbox there yourself$/);
});

test('the owner of an INBOX that we write the row of is his login', async () => {
  const town = await trusted();
  town.place('ex.org!user.jane^doe', { is: 'create', server: silent });
  await attempt(town, 'ex.org!user.jane^doe');
  const [row] = (await town.directory.lookup(['ex.org!user.jane^doe'])).entries;
  assert.equal(row?.acl, 'jane.doe@ex.org\tlrswipkxtecdan\t');
});

test('what was ordered before data were lost is not done to whoever has the name by now', async () => {
  const town = await trusted();
  await town.make('mail1', 'user.a');
  town.place('user.a', { is: 'delete' });
  await town.directory.distrust('restored');
  await assert.rejects(attempt(town, 'user.a'), { kind: 'refused', message: /ordered before data were lost/ });
  assert.deepEqual(town.holders('user.a'), ['mail1']);
});

test('what was ordered since waits until the servers have spoken', async () => {
  const town = await trusted();
  await town.make('mail1', 'user.a');
  await town.directory.distrust('restored');
  town.place('user.a', { is: 'delete' }, { since: Date.now() + 1000 });
  const outcome = await attempt(town, 'user.a');
  assert.deepEqual(
    [outcome.is, outcome.note],
    ['later', 'directory not trusted: data were lost (restored), not heard from mail1, mail2'],
  );
  await town.directory.vouch('operator');
  assert.equal((await attempt(town, 'user.a')).note, 'deleted');
});

test('a user whom a server has, and the directory does not know, is told of and not made twice', async () => {
  const town = await trusted();
  town.has.get('mail2')?.add('user.ghost');
  town.place('user.ghost', { is: 'create', server: 'mail1' });
  await assert.rejects(attempt(town, 'user.ghost'), { kind: 'refused', message: /it is at mail2, and not at mail1/ });
  assert.deepEqual(town.holders('user.ghost'), ['mail2']);
  assert.equal(await rowOf(town, 'user.ghost'), 'active mail2!default');
  town.place('user.ghost', { is: 'create' });
  assert.match((await attempt(town, 'user.ghost')).note, /there already, at mail2/);
});

test('a server that is in no Murder, has the user and whose row is not written: to be imported', async () => {
  const town = await trusted();
  town.has.get(silent)?.add('user.ghost');
  town.place('user.ghost', { is: 'create', server: 'mail1' });
  await assert.rejects(attempt(town, 'user.ghost'), { kind: 'refused', message: /mail3 has it, .* import it/ });
});

test('refused behind the INBOX, and ordered again: what is missing is made, at the same server', async () => {
  const town = await trusted();
  for (const name of names) town.refusingMore.add(name);
  town.place('user.half', { is: 'create' });
  await assert.rejects(attempt(town, 'user.half'), { kind: 'refused' });
  const { state, begun, place } = town.order('user.half');
  assert.deepEqual([state, begun, town.holders('user.half')], ['refused', true, [place?.server]]);
  town.refusingMore.clear();
  town.place('user.half', { is: 'create', quota: 7 });
  assert.equal((await attempt(town, 'user.half')).note, `at ${place?.server}!default`);
  assert.ok(town.whole.has(`${place?.server} user.half`));
});

test('refused behind the INBOX, and ordered at another server: refused; deleted first, it is made there', async () => {
  const town = await trusted();
  town.refusingMore.add('mail1');
  town.place('user.half', { is: 'create', server: 'mail1' });
  await assert.rejects(attempt(town, 'user.half'), { kind: 'refused' });
  town.place('user.half', { is: 'create', server: 'mail2' });
  await assert.rejects(attempt(town, 'user.half'), { kind: 'refused', message: /it is at mail1, and not at mail2/ });
  town.place('user.half', { is: 'delete' });
  assert.equal((await attempt(town, 'user.half')).note, 'deleted');
  town.place('user.half', { is: 'create', server: 'mail2' });
  assert.equal((await attempt(town, 'user.half')).note, 'at mail2!default');
});

test('refused by the server that was asked for, which has nothing of him: ordered again, he may go elsewhere', async () => {
  const town = await trusted();
  town.refusing.add('mail1');
  town.place('user.a', { is: 'create', server: 'mail1' });
  await assert.rejects(attempt(town, 'user.a'), { kind: 'refused' });
  town.place('user.a', { is: 'create', server: 'mail2' });
  assert.equal((await attempt(town, 'user.a')).note, 'at mail2!default');
});

test('what was cancelled stays so, whoever is rung for it', async () => {
  const town = await trusted();
  town.place('user.a', { is: 'create' });
  town.orders.set('user.a', JSON.stringify({ ...town.order('user.a'), state: 'cancelled', note: 'cancelled by ann' }));
  assert.deepEqual(await attempt(town, 'user.a'), { is: 'done', note: 'cancelled by ann' });
  assert.deepEqual([town.holders('user.a'), town.order('user.a').state], [[], 'cancelled']);
});

test('an order that comes back with an older copy of its Redis is not done to a new user of the name', async () => {
  for (const wish of [{ is: 'delete' }, { is: 'rename', to: 'user.b' }] as const) {
    const town = await trusted();
    await town.make('mail1', 'user.a');
    const [row] = (await town.directory.lookup(['user.a'])).entries;
    town.place('user.a', wish, { version: row?.version ?? 0 });
    const copy = town.orders.get('user.a') ?? '';
    await attempt(town, 'user.a');
    assert.deepEqual(town.holders('user.a'), []);
    town.orders.delete('user.a');
    if (wish.is === 'rename') await town.remove('mail1', 'user.b');
    await town.make('mail1', 'user.a');
    town.orders.set('user.a', copy);
    const refused = { kind: 'refused', message: /it has changed since this was ordered: order it again/ };
    await assert.rejects(attempt(town, 'user.a'), refused);
    assert.deepEqual([town.holders('user.a'), town.holders('user.b')], [['mail1'], []]);
  }
});

test('a deletion that was ordered while nobody was there is not done to who came since', async () => {
  const town = await trusted();
  town.place('user.a', { is: 'delete' }, { version: 0 });
  await town.make('mail1', 'user.a');
  await assert.rejects(attempt(town, 'user.a'), { kind: 'refused', message: /has changed since/ });
  assert.deepEqual(town.holders('user.a'), ['mail1']);
});

test('nobody is made where an order to remove who bore the name before is open: elsewhere he is', async () => {
  const town = await trusted();
  const options = worker(town, 0);
  const open = { kind: 'removing' as const, tree: 'user.a', server: 'mail1', names: ['user.a'], since: 1, seen: 1 };
  const findings = { of: (name: string) => Promise.resolve(name === 'user.a' ? [open] : []) };
  const carry = placementProcessor({ ...options, findings });
  town.place('user.a', { is: 'create', server: 'mail1' });
  const attempt = () => carry({ name: 'user.a' }, new AbortController().signal, quietDesk);
  await assert.rejects(attempt(), { kind: 'busy', message: /mail1 was told to remove .* --settled REASON$/ });
  assert.deepEqual(town.holders('user.a'), []);
  const free = await trusted();
  free.down.add(silent);
  free.place('user.a', { is: 'create' });
  const other = placementProcessor({ ...worker(free, 0), findings });
  assert.equal((await other({ name: 'user.a' }, new AbortController().signal, quietDesk)).note, 'at mail2!default');
});

test('cancelled while its server makes him: he is there, and the order says so', async () => {
  for (const server of ['mail1', silent]) {
    const town = await trusted();
    const options = worker(town, 0);
    const { read, replace } = options.orders;
    const place = () => Promise.reject(new Error('nothing is ordered here'));
    const lacks = async (at: string, name: string) => (await options.servers.holds(at, name)) === 'lacks';
    const ordering = new Ordering({ orders: { read, replace, place }, lacks, ring: () => undefined });
    const make = options.servers.create.bind(options.servers);
    const servers: Servers = {
      ...options.servers,
      async create(...given) {
        if (town.order('user.a').state === 'open' && !town.has.get(server)?.has('user.a'))
          assert.equal((await ordering.cancel('user.a', 'ann')).state, 'cancelled');
        await make(...given);
      },
    };
    town.place('user.a', { is: 'create', server });
    const carry = placementProcessor({ ...options, servers });
    const { note } = await carry({ name: 'user.a' }, new AbortController().signal, quietDesk);
    assert.deepEqual([note, town.order('user.a').state], [`at ${server}!default`, 'done']);
    assert.deepEqual([town.holders('user.a'), await rowOf(town, 'user.a')], [[server], `active ${server}!default`]);
  }
});

test('cancelled after it had begun: it stays so where its server still has nothing, and is asked as long as it is away', async () => {
  const town = await trusted();
  town.place('user.a', { is: 'create' });
  const place = { server: 'mail1', partition: '' };
  town.orders.set('user.a', JSON.stringify({ ...town.order('user.a'), state: 'cancelled', begun: true, place }));
  town.down.add('mail1');
  await assert.rejects(attempt(town, 'user.a'), { kind: 'away' });
  town.down.clear();
  assert.equal((await attempt(town, 'user.a')).is, 'done');
  const { state, begun } = town.order('user.a');
  assert.deepEqual([state, begun, town.holders('user.a')], ['cancelled', false, []]);
});

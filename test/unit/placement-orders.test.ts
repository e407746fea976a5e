// Orders of users, step by step over servers in memory: what becomes of one when servers fail it in a certain way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../services/events/processor.ts';
import { placementProcessor } from '../../workers/placement.ts';
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

test('the owner of an INBOX that we write the row of is his login', async () => {
  const town = await trusted();
  town.place('ex.org!user.jane^doe', { is: 'create', server: silent });
  await attempt(town, 'ex.org!user.jane^doe');
  const [row] = (await town.directory.lookup(['ex.org!user.jane^doe'])).entries;
  assert.equal(row?.acl, 'jane.doe@ex.org\tlrswipkxtecdan\t');
});

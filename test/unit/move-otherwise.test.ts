// What an owner does between manifest and cut, and what is otherwise afterwards without being a loss: the move is done, and says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MoveDriver } from '../../services/moves/driver.ts';
import { movesProcessor } from '../../workers/moves.ts';
import type { MovesOptions } from '../../workers/move-work.ts';
import { quietDesk } from '../harness/events.ts';
import { World } from '../harness/move-world.ts';

const folder = 'user.ann.Work';

async function looked(options: MovesOptions): Promise<void> {
  await movesProcessor(options)({ name: 'user.ann' }, new AbortController().signal, quietDesk);
}

async function ordered(): Promise<World> {
  const world = new World();
  await world.begin();
  world.place();
  return world;
}

/** A worker before whose cut something is done. */
function before(world: World, act: () => Promise<void>): MovesOptions {
  const options = world.worker();
  const cut: MoveDriver['cut'] = async (...given) => {
    await act();
    return options.driver.cut(...given);
  };
  return { ...options, driver: { ...options.driver, cut } };
}

/** The folder is gone at both servers, without a trace. */
function lost(world: World): void {
  for (const { mailboxes } of [world.source, world.destination]) mailboxes.delete(folder);
  for (const [guid, name] of world.acknowledged) if (name === folder) world.acknowledged.delete(guid);
}

test('a folder that its owner has deleted meanwhile, at a server that keeps nothing of it, is no difference', async () => {
  const world = await ordered();
  const deleted = async () => {
    const writer = { session: 'deletes', server: 'mail1', admin: false, push: false };
    await world.truth.write({ verb: 'DELETE', name: folder, location: '', acl: '' }, writer);
    await world.truth.end('deletes', 'logout');
    lost(world);
  };
  await looked(before(world, deleted));
  world.now += 60_000;
  await looked(world.worker());
  assert.deepEqual([world.move?.state, world.move?.note], ['done', 'moved; compared, and whole']);
});

test('a folder that nobody has deleted, and nobody has, stops the move', async () => {
  const world = await ordered();
  const vanished = () => {
    lost(world);
    return Promise.resolve();
  };
  for (let looks = 0; looks < 3; looks += 1) {
    await looked(before(world, vanished));
    world.now += 60_000;
  }
  assert.equal(world.move?.state, 'stopped');
  assert.match(world.move.note, /^its destination does not have user\.ann\.Work\./);
});

test('what is otherwise and no loss is told by whoever ends the move, be it another worker', async () => {
  const world = await ordered();
  const logged: object[] = [];
  const { log, ...options } = world.worker();
  const remarks = () => ['the subscription to news is not there'];
  await looked({ ...options, remarks, log: { ...log, warn: (fields) => void logged.push(fields) } });
  world.now += 60_000;
  await looked(world.worker());
  assert.deepEqual(
    [world.move?.state, world.move?.note],
    [
      'done',
      'moved; compared, and whole; otherwise than before, which is no loss: the subscription to news is not there',
    ],
  );
  assert.deepEqual(logged, [{ mailbox: 'user.ann', remarks: remarks() }]);
});

test('a move whose messages were numbered anew says so at its end', async () => {
  const world = await ordered();
  const options = world.worker();
  const manifest: MoveDriver['manifest'] = async (server, ...given) => {
    const told = await options.driver.manifest(server, ...given);
    if (!told || server !== 'mail2') return told;
    const mailboxes = told.mailboxes.map((mailbox) => ({
      ...mailbox,
      messages: mailbox.messages.map((message) => ({ ...message, uid: message.uid + 1_000 })),
    }));
    return { ...told, mailboxes };
  };
  await looked({ ...options, driver: { ...options.driver, manifest } });
  world.now += 60_000;
  await looked(world.worker());
  assert.equal(world.move?.state, 'done');
  assert.match(world.move.note, /no loss: messages that have been numbered anew by their server: [1-9]/);
});

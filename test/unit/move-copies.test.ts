// Copies ahead of a move that come to nothing: one of whose user is gone meanwhile, and one that fails again and again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MoveDriver } from '../../services/moves/driver.ts';
import { JobFailure } from '../../services/events/failure.ts';
import { movesProcessor } from '../../workers/moves.ts';
import type { MovesOptions } from '../../workers/move-work.ts';
import { quietDesk } from '../harness/events.ts';
import { root, World } from '../harness/move-world.ts';

/** Later than anything of a deletion is still kept for. */
const later = 600_000;

/** A worker whose driver copies so. */
function copying(world: World, copy: (made: MoveDriver['copy']) => MoveDriver['copy']): MovesOptions {
  const options = world.worker();
  const { driver } = options;
  return { ...options, driver: { ...driver, copy: copy((...given) => driver.copy(...given)) } };
}

async function looked(options: MovesOptions): Promise<void> {
  await movesProcessor(options)({ name: root }, new AbortController().signal, quietDesk);
}

/** As its owner's administrator does at the source, in a session that ends well. */
async function deleted(world: World): Promise<void> {
  const writer = { session: 'deletes', server: 'mail1', admin: false, push: false };
  for (const name of world.source.mailboxes.keys()) {
    await world.truth.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
  }
  await world.truth.end('deletes', 'logout');
  world.source.mailboxes.clear();
  world.acknowledged.clear();
  world.now += later;
}

test('the copy of a user who is deleted meanwhile is known, and does not bring him back', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const options = copying(world, (made) => async (...given) => {
    const isMade = await made(...given);
    await deleted(world);
    return isMade;
  });
  await looked(options);
  assert.equal(world.move?.state, 'stopped', world.move?.note);
  const found = world.findings.map(({ kind, server, names }) => [kind, server, names]);
  assert.deepEqual(found, [['unknown', 'mail2', [root]]]);
  assert.equal(world.truth.copies.of(root)?.destination, 'mail2');
  world.now += options.settings.retention - 1;
  assert.equal(world.truth.copies.of(root)?.destination, 'mail2', 'for as long as what is left over is kept');
  const push = { session: 'pushes', server: 'mail2', admin: false, push: true };
  const said = await world.truth.write({ verb: 'ACTIVATE', name: root, location: 'mail2!default', acl: '' }, push);
  assert.equal(said.ok, false);
});

test('a copy that fails again and again is not made for ever, and the move ends with the reason', async () => {
  const world = new World();
  await world.begin();
  world.place();
  let tries = 0;
  const full = () => () => {
    tries += 1;
    return Promise.reject(new JobFailure('busy', 'NO USER ann (Bad protocol)'));
  };
  for (let looks = 0; looks < 10 && world.move?.state === 'open'; looks += 1) await looked(copying(world, full));
  assert.deepEqual([world.move?.state, tries], ['refused', 3]);
  assert.match(world.move?.note ?? '', /^copy: it was tried 3 times: NO USER ann \(Bad protocol\)$/);
  assert.equal(await world.whole('refused'), 'mail1');
});

test('where an old copy is in the way of a new one, the note names the command that removes it', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const said = '* NO USER ann (Mailbox has changed since last sync)';
  const options = copying(world, () => () => Promise.reject(new JobFailure('busy', said)));
  for (let looks = 0; looks < 10 && world.move?.state === 'open'; looks += 1) await looked(options);
  assert.equal(world.move?.state, 'refused');
  const discard =
    /changed since last sync\): an old copy at mail2 is in the way\. .*rookery move discard user\.ann --server mail2 --now/;
  assert.match(world.move.note, discard);
});

test('nor is that untold where the cut is refused for it', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const options = world.worker();
  const said = 'NO USER ann (Mailbox has been moved to another server)';
  const cut = () => Promise.resolve({ ok: false, said });
  const failing = { ...options, driver: { ...options.driver, cut } };
  for (let looks = 0; looks < 10 && world.move?.state === 'open'; looks += 1) await looked(failing);
  assert.equal(world.move?.state, 'stopped');
  assert.match(
    world.move.note,
    /tried 3 times: NO USER ann .*under a name that it had before, which rookery move leftovers/,
  );
});

test('where nothing has to wait the copy of who is deleted is kept from coming back all the same', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const options = copying(world, (made) => async (...given) => {
    const isMade = await made(...given);
    await deleted(world);
    return isMade;
  });
  await looked({ ...options, settings: { ...options.settings, retention: 0 } });
  world.now += 2_591_999_999;
  assert.equal(world.truth.copies.of(root)?.destination, 'mail2');
});

test('who does not answer while it is copied is waited for, however long', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const away = () => () => Promise.reject(new JobFailure('away', 'mail2 does not answer'));
  for (let looks = 0; looks < 10; looks += 1) await looked(copying(world, away));
  assert.equal(world.move?.state, 'open');
  await looked(world.worker());
  world.now += later;
  await looked(world.worker());
  assert.equal(world.move.state, 'done');
});

test('what stands against a move for now is looked at a few times, and then ends it with the reason', async () => {
  const world = new World();
  await world.begin();
  world.place();
  const options = world.worker();
  const full = { ...options.driver, check: () => Promise.resolve({ is: 'now', why: 'there is no room' } as const) };
  for (let at = 0; at < options.settings.attempts; at += 1) await looked({ ...options, driver: full });
  assert.deepEqual([world.move?.state, world.move?.note], ['refused', 'check: there is no room']);
});

/** What is known to be left, or not asked for, by server. */
function known({ findings }: World): string[] {
  return findings.map(({ kind, server, names }) => `${kind} ${server} ${names.join()}`).sort();
}

/** The move is done, and its source does not answer from the cut on, nor delete what it had. */
async function silentSource(world: World): Promise<void> {
  await world.begin();
  world.place();
  const options = world.worker();
  const cut: MoveDriver['cut'] = async (...given) => {
    const copies = structuredClone([...world.source.mailboxes]);
    const told = await options.driver.cut(...given);
    for (const [name, mailbox] of copies) world.source.mailboxes.set(name, { ...mailbox, moving: false });
    world.source.silent = true;
    return told;
  };
  await looked({ ...options, driver: { ...options.driver, cut } });
  world.now += later;
  await looked(world.worker());
  assert.equal(world.move?.state, 'done', world.move?.note);
}

test('a source that is silent at the end is asked again once it answers, and what it has kept is known', async () => {
  const world = new World();
  await silentSource(world);
  assert.match(
    world.move?.note ?? '',
    /mail1 does not answer: whether it has a copy is not known, and is asked later$/,
  );
  assert.deepEqual(known(world), [`unasked mail1 ${root}`]);
  const [first] = world.findings;
  await looked(world.worker());
  assert.deepEqual(known(world), [`unasked mail1 ${root}`], 'silent still');
  assert.equal(world.findings[0]?.since, first?.since);
  world.source.silent = false;
  await looked(world.worker());
  assert.deepEqual(known(world), [`left-over mail1 ${root},user.ann.Sent,user.ann.Work`]);
  assert.equal(world.move?.state, 'done');
});

test('a source that has kept nothing is asked no more', async () => {
  const world = new World();
  await silentSource(world);
  world.source.mailboxes.clear();
  world.source.silent = false;
  await looked(world.worker());
  assert.deepEqual(known(world), []);
});

test('while its row is on its way nothing is said of who was silent; of a user who is gone since, what is there is unknown', async () => {
  const world = new World();
  await silentSource(world);
  world.source.silent = false;
  const writer = { session: 'hands', server: 'mail2', admin: false, push: false };
  await world.truth.write({ verb: 'DEACTIVATE', name: root, location: 'mail2!default', acl: '' }, writer);
  await looked(world.worker());
  assert.deepEqual(known(world), [`unasked mail1 ${root}`]);
  await world.truth.write({ verb: 'ACTIVATE', name: root, location: 'mail2!default', acl: 'a' }, writer);
  for (const name of world.destination.mailboxes.keys())
    await world.truth.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
  await world.truth.end('hands', 'logout');
  world.destination.mailboxes.clear();
  world.acknowledged.clear();
  world.now += later;
  await looked(world.worker());
  assert.deepEqual(known(world), [`unknown mail1 ${root}`]);
});

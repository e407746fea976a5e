// Orders of users carried out by two workers at once that may be killed at any line, over servers that stop, refuse, or
// answer too late: in the end each user is on exactly one server, or on none, as was ordered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverOf } from '../../services/directory/entry.ts';
import type { Wish } from '../../services/users/order.ts';
import { placementProcessor } from '../../workers/placement.ts';
import { quietDesk } from '../harness/events.ts';
import { Killed, names, silent, Town, worker } from '../harness/town.ts';
import type { Fault } from '../harness/town.ts';

const histories = Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000) / 250;

/** A worker looks at the order again and again, as its queue has it; until it is over, or it dies. */
async function work(town: Town, name: string, permille: number): Promise<string> {
  const options = worker(town, permille);
  for (let look = 0; look < 20; look += 1) {
    try {
      const outcome = await placementProcessor(options)({ name }, new AbortController().signal, quietDesk);
      if (outcome.is === 'done') return outcome.note;
    } catch (error) {
      if (error instanceof Killed) return 'killed';
      if ((error as Fault).kind === 'refused') return 'refused';
      if (!['away', 'busy'].includes((error as Fault).kind)) throw error;
      if (town.dice.permille(500)) town.down.clear();
    }
  }
  return 'open';
}

async function trusted(town: Town): Promise<void> {
  for (const name of names) await town.directory.heard(name, ['mail1', 'mail2'], 0);
}

async function play(seed: number): Promise<void> {
  const town = new Town(seed);
  const { dice } = town;
  await trusted(town);
  const name = 'user.a';
  /** Deletions as they were kept, before the first worker and half-way. */
  const copies: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const holder = town.holders(name)[0];
    const row = (await town.directory.lookup([name])).entries[0];
    const isThere = row?.state === 'active';
    const server = dice.permille(300) ? dice.of(names) : undefined;
    const wish: Wish = isThere ? { is: 'delete' } : { is: 'create', ...(server !== undefined && { server }) };
    for (const one of names) {
      if (dice.permille(200)) town.down.add(one);
      if (one !== holder && dice.permille(150)) town.refusing.add(one);
      if (dice.permille(100)) town.refusingMore.add(one);
    }
    // Made where nobody tells the directory: LOCALCREATE, or a directory that was not there.
    const untold = !isThere && dice.permille(100) ? (dice.of(['mail1', 'mail2']) ?? '') : undefined;
    if (untold !== undefined) town.has.get(untold)?.add(name);
    const isHidden = untold !== undefined && town.down.has(untold);
    town.place(name, wish, isThere ? { version: row.version } : {});
    if (isThere) copies.push(town.orders.get(name) ?? '');
    // Killed workers are followed by others; stalled ones go on beside them.
    const byHand =
      !isThere && untold === undefined && dice.permille(200)
        ? town.make(dice.of(['mail1', 'mail2']) ?? '', name)
        : undefined;
    await Promise.all([work(town, name, 60), work(town, name, 60), byHand?.catch(() => undefined)]);
    await Promise.all([work(town, name, 40), work(town, name, 40)]);
    if (isThere) copies.push(town.orders.get(name) ?? '');
    town.down.clear();
    town.refusing.clear();
    town.refusingMore.clear();
    let end = await work(town, name, 0);
    if (end === 'refused' && wish.is === 'create') {
      // By servers that would not: ordered again, he is made.
      town.place(name, wish);
      end = await work(town, name, 0);
    }
    const story = JSON.stringify({ seed, round, wish, end, order: town.order(name) });
    const left = town.holders(name);
    const [after] = (await town.directory.lookup([name])).entries;
    if (wish.is === 'delete') {
      assert.deepEqual([left, after?.state ?? 'absent'], [[], after ? 'tombstone' : 'absent'], story);
      assert.match(end, /^deleted/, story);
      continue;
    }
    const place = after && serverOf(after.location);
    assert.equal(after?.state, 'active', story);
    // Nobody reserves a name at a server that speaks no MUPDATE: whoever makes the user elsewhere meanwhile does not hear of it.
    const isTwice = byHand && place !== silent && left.includes(silent);
    if (isHidden && left.length > 1) return;
    assert.deepEqual(isTwice ? left.filter((one) => one !== silent) : left, [place], story);
    if (place === silent && !byHand) assert.deepEqual(await town.directory.cases(), [], story);
    if (isTwice) return;
    const isElsewhere = server !== undefined && place !== server;
    // Somebody else has made him, or all of him was made.
    if (!byHand && untold === undefined) assert.ok(town.whole.has(`${place} ${name}`), story);
    if (isElsewhere) assert.ok(byHand ?? untold, story);
    assert.equal(town.order(name).state, isElsewhere ? 'refused' : 'done', story);
    for (const copy of copies) {
      // The Redis of the orders is restored: whoever has the name by now is another one.
      town.orders.set(name, copy);
      await work(town, name, 0);
      assert.deepEqual(town.holders(name), [place], story);
    }
  }
}

test('whoever dies when, a user is on one server', async (t) => {
  const first = Number(process.env['ROOKERY_TEST_SEED'] ?? 1);
  for (let seed = first; seed < first + histories; seed += 1) await play(seed);
  t.diagnostic(`${histories} histories`);
});

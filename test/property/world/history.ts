// How the world begins, and how it ends: every history is played between the two.
import type { Case } from '../../../services/directory/case.ts';
import { livingNames } from './backend.ts';
import { Dice } from './dice.ts';
import { acls } from './tasks.ts';
import type { World } from './world.ts';

/** Every backend has something at the beginning, some of it twice; one after the other they tell it. */
export async function populate(world: World, seed = 0): Promise<void> {
  const dice = new Dice(seed);
  for (const backend of world.backends) {
    for (const name of livingNames) {
      if (!dice.permille(350)) continue;
      backend.mailboxes.set(name, { acl: dice.of(acls) ?? '', partition: 'default', told: false });
    }
  }
  for (const backend of world.backends) {
    if (dice.permille(800)) await world.start(backend);
    await world.pair.pass(10);
  }
}

/**
 * Quiet comes: all sessions end, every backend is started twice, everything that expires does, and reconciliation gets
 * an answer from everybody. Then the directory says what is so, or waits for an operator, who then speaks.
 */
export async function ending(world: World): Promise<void> {
  const { pair, backends, invariants } = world;
  for (const slot of world.slots) {
    world.drop(slot);
    await world.end(slot, 'cut');
  }
  for (const zombie of world.zombies.splice(0)) await pair.end(zombie.id, 'cut');
  await world.reconcileAll();
  await invariants.noPhantoms();
  for (const zombie of world.zombies.splice(0)) await pair.end(zombie.id, 'cut');
  for (const backend of backends) await world.crash(backend);
  for (const zombie of world.zombies.splice(0)) await pair.end(zombie.id, 'cut');
  for (let round = 0; round < 2; round++) {
    for (const backend of backends) {
      await pair.pass(10);
      await world.start(backend);
    }
    for (const backend of backends) if (round === 0) await world.crash(backend);
  }
  await pair.pass(7_200_000);
  await world.reconcileAll();
  await invariants.inTheEnd(true);
  for (const open of await pair.model.cases()) await decide(world, open);
  await world.reconcileAll();
  await invariants.inTheEnd(false);
  await pair.compareAll([...invariants.names]);
}

/** The operator gives the name to one that has it, and removes the other copies with LOCALDELETE. */
async function decide(world: World, { name, rung, rivals }: Case): Promise<void> {
  const [winner, ...others] = world.backends.filter((one) => one.mailboxes.has(name));
  if (!winner) return;
  world.tell(`the operator gives ${name} (${rivals.length} rivals) to ${winner.name}`);
  for (const other of others) other.mailboxes.delete(name);
  const expected = await world.pair.row(name);
  const at = { location: winner.locationOf(name), acl: winner.mailboxes.get(name)?.acl ?? '' };
  await world.pair.resolve({
    ...{ name, expected, rung, action: 'claim', forget: [], at, session: 'operator', by: 'operator' },
  });
}

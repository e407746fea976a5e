// What happens next in the world, by chance: which task a free connection takes up, and what goes wrong.
import { placeOf } from '../../../services/directory/tree.ts';
import { livingNames } from './backend.ts';
import type { Backend } from './backend.ts';
import type { Dice } from './dice.ts';
import { push } from './pushing.ts';
import { claim, reconcile } from './reconciling.ts';
import { acls, create, deleteSilently, expire, rename, setAcl, xfer } from './tasks.ts';
import type { Task } from './asking.ts';
import type { Slot, Stage } from './stage.ts';

/** Gives a free slot something to do; nothing where what chance has chosen can't be done now. */
export function chooseTask(world: Stage, slot: Slot, dice: Dice): void {
  const open = slot.session?.backend;
  const down = world.backends.find((one) => one.running === 'down');
  if (down && (!open || open === down) && dice.permille(300)) {
    if (!slot.session) take(slot, down, [], push(down), true);
    return;
  }
  if (!open && dice.permille(200)) {
    const name = dice.of([...world.invariants.doubtful]);
    if (name === undefined) return;
    const steps = dice.permille(60) ? claim(name, world.backends, dice) : reconcile(name, world.surroundings, dice);
    take(slot, undefined, [], steps, true);
    return;
  }
  const up = world.backends.filter((one) => one.running === 'up');
  const backend = open ?? dice.of(up);
  if (backend?.running === 'up') command(world, slot, backend, dice);
}

function command(world: Stage, slot: Slot, backend: Backend, dice: Dice): void {
  const { session } = slot;
  const isBound = session ? session.server !== undefined : backend.name !== 'mail3' || dice.permille(300);
  const start = (names: readonly string[], steps: Task): void => {
    const locks = [...new Set(names.map((one) => placeOf(one).tree))].map((tree): [Backend, string] => [backend, tree]);
    take(slot, backend, locks, steps, isBound);
  };
  const name = dice.of(livingNames) ?? '';
  const own = dice.of(backend.names());
  const living = dice.of(backend.living());
  const chance = dice.below(100);
  if (chance < 24) {
    if (!backend.mailboxes.has(name)) start([name], create(backend, name, dice));
  } else if (chance < 44) {
    const to = living === undefined ? undefined : backend.deletedNameFor(living);
    if (living !== undefined && to !== undefined) start([living, to], rename(backend, living, to, dice));
  } else if (chance < 60) {
    const to = own !== undefined && !backend.mailboxes.has(name) ? name : undefined;
    if (own !== undefined && to !== undefined) start([own, to], rename(backend, own, to, dice));
  } else if (chance < 68) {
    const deleted = backend.deleted().filter(() => dice.permille(600));
    const unbound = { ...slot, session };
    if (deleted.length > 0 && !unbound.session) {
      const locks = [...new Set(deleted.map((one) => placeOf(one).tree))];
      take(
        slot,
        backend,
        locks.map((tree) => [backend, tree]),
        expire(backend, deleted, dice),
        dice.permille(300),
      );
    }
  } else if (chance < 76) {
    if (living !== undefined) start([living], setAcl(backend, living, dice));
  } else if (chance < 79) {
    if (own !== undefined) start([own], deleteSilently(backend, own));
  } else if (chance < 82) {
    if (own !== undefined && world.backends.some((one) => one !== backend && one.mailboxes.has(own))) {
      start([own], deleteSilently(backend, own));
    }
  } else if (own !== undefined) {
    move(world, slot, backend, placeOf(own).tree, dice);
  }
}

/** An XFER: the names are locked at both ends. */
function move(world: Stage, slot: Slot, source: Backend, tree: string, dice: Dice): void {
  const destination = dice.of(world.backends.filter((one) => one !== source && one.running === 'up'));
  const isBound = slot.session ? slot.session.server !== undefined : source.name !== 'mail3';
  if (!destination || destination.locked.has(tree)) return;
  take(
    slot,
    source,
    [
      [source, tree],
      [destination, tree],
    ],
    xfer(source, destination, tree, dice),
    isBound,
  );
}

function take(
  slot: Slot,
  backend: Backend | undefined,
  locks: [Backend, string][],
  steps: Task,
  isBound: boolean,
): void {
  if (locks.some(([one, tree]) => one.locked.has(tree))) return;
  for (const [one, tree] of locks) one.locked.add(tree);
  slot.task = { steps, reply: { ok: true }, backend, locks, isBound };
}

/** Something that no task has asked for. */
export async function happen(world: Stage, dice: Dice): Promise<void> {
  const { pair } = world;
  const backend = dice.of(world.backends);
  const chance = dice.below(100);
  if (!backend) return;
  if (chance < 25) {
    const zombie = world.zombies.shift();
    if (!zombie) return;
    world.tell(`${zombie.id} is found dead`);
    if (zombie.pending) await pair.end(zombie.id, 'cut');
  } else if (chance < 50) {
    await pair.pass(dice.of([1_000, 61_000, 61_000, 3_700_000]) ?? 0);
    world.tell(`time passes: ${pair.now % 100_000_000}`);
  } else if (chance < 65) {
    if (backend.running !== 'down') await world.crash(backend);
  } else if (chance < 85) {
    const name = dice.of(livingNames) ?? '';
    if (backend.running !== 'up' || backend.mailboxes.has(name) || backend.locked.has(placeOf(name).tree)) return;
    world.tell(`${backend.name}: an old copy of ${name} is restored`);
    backend.mailboxes.set(name, { acl: dice.of(acls) ?? '', partition: 'default', told: false });
  } else if (chance < 92) {
    await restart(world);
  } else {
    // A connection breaks between two commands.
    const slot = dice.of(world.slots.filter((one) => one.session && !one.session.push));
    if (!slot) return;
    slot.cut = slot.task !== undefined;
    await world.end(slot, 'cut');
  }
  await world.invariants.check();
}

/** The node of the directory that has all the sessions dies; the next one finds them gone. */
async function restart(world: Stage): Promise<void> {
  world.tell('the directory node restarts');
  const gone = [...world.slots.flatMap((slot) => slot.session ?? []), ...world.zombies].map(({ id }) => id).sort();
  for (const slot of world.slots) {
    if (slot.session && slot.task) slot.cut = true;
    slot.session = undefined;
  }
  world.zombies = [];
  // One after the other, for whoever compares two directories: all at once they come in any order.
  for (const id of gone) await world.pair.sweep('node', (session) => session !== id);
}

// What the directory says of an order's user now: the facts that its next step is decided by.
import type { Bytes } from '../services/address/bytes.ts';
import { isUntold } from '../services/backends/registry.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory, Lookup } from '../services/directory/directory.ts';
import { isGrave } from '../services/directory/entry.ts';
import { distrust, finding } from '../services/directory/freshness.ts';
import { placeOf } from '../services/directory/tree.ts';
import { movingText, openMoveOf } from '../services/moves/open-move.ts';
import type { MoveStore } from '../services/moves/move-store.ts';
import type { Facts, Order, Seen } from '../services/users/order.ts';

interface Looking {
  directory: Directory;
  registry: Registry;
  /** Left out: nobody is moved. */
  moves?: Pick<MoveStore, 'read'>;
}

/** An epoch is named by when it began, in microseconds since 1970; here to milliseconds. */
const microseconds = 1000;

/** All of it read now. */
export async function look(order: Order, options: Looking): Promise<Facts> {
  const { directory, registry, moves } = options;
  const { standing, ...user } = await see(order.name, options);
  const { tree } = placeOf(order.name);
  const rows = order.wish.is === 'create' ? [] : await directory.tree(order.name);
  const folders = rows.filter(
    ({ name, state }) => name !== order.name && name.startsWith(`${tree}.`) && state !== 'tombstone',
  );
  const lost = standing.lost === undefined ? undefined : standing.epoch / microseconds;
  const isDoubtful = lost !== undefined || standing.doubt !== undefined;
  const move = order.wish.is === 'create' || !moves ? undefined : await openMoveOf(order.name, moves);
  const why = isDoubtful ? distrust(standing, registry.witnesses()) : undefined;
  return {
    user,
    ...(order.wish.is === 'rename' && { target: await see(order.wish.to, options) }),
    folders: folders.length,
    ...(lost !== undefined && { lost }),
    ...(move && { moving: movingText(move) }),
    ...(why !== undefined && { distrust: why }),
    isSilent: (server) => registry.find(server)?.mupdate === false,
    isUntold: (server) => isUntold(registry.find(server)),
  };
}

async function see(name: Bytes, { directory, registry }: Looking): Promise<Seen & Pick<Lookup, 'standing'>> {
  const asked = Date.now();
  const read = await directory.lookup([name]);
  // What is deleted, and is but not told to MTAs yet, may be made anew.
  const row = read.entries.find((entry) => entry !== undefined && !isGrave(entry));
  const lookup = { ...read, entries: [row] };
  const facts = { names: [name], lookup, witnesses: registry.witnesses(), asked, now: Date.now() };
  const found = finding({ ...facts, autocreate: false });
  return { row, doubt: found.found || found.proven ? undefined : found.reason, standing: read.standing };
}

// What a move leaves somewhere when it ends: noted for audits as soon as it is over, and kept from doing harm there.
import { readable } from '../services/address/bytes.ts';
import { isGrave, serverOf } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { isDeletedName } from '../services/directory/settling.ts';
import { kindOf } from '../services/events/failure.ts';
import type { Finding } from '../services/moves/audit.ts';
import type { Move } from '../services/moves/move.ts';
import { goesAlong, isWithinServer } from '../services/moves/standing.ts';
import type { Work } from './move-work.ts';

/**
 * How long the copy is known as one, in milliseconds: until it is discarded, which ends this, too. What may be discarded first
 * after the retention is still there a while later.
 */
function keptFor({ retention }: Work['settings']): number {
  return 52 * retention;
}

/**
 * Before the move is over, so that a worker that dies leaves it to the next. Nothing is noted of a server that is silent.
 * Rejects when Redis, or the directory, does not answer.
 */
export async function noteLeftOvers(move: Move, work: Work): Promise<void> {
  if (isWithinServer(move)) return;
  const { directory, settings } = work;
  const all = await directory.tree(move.name);
  if (!all.some((row) => row.name === move.name && !isGrave(row))) {
    await noteNobodys(move, work);
    return;
  }
  const rows = all.filter((row) => isOurs(move, row));
  for (const { server } of [move.from, move.to]) {
    const found = await leftAt(server, move, rows, work);
    if (!found) continue;
    await noted(move.name, server, found, work);
    const isCopy = server === move.to.server && found.length > 0;
    // What is absent by then under a name that only the old copy has is not to become the copy's.
    if (isCopy) await directory.copies.keep(move.name, server, keptFor(settings));
  }
}

/**
 * Its user was deleted or renamed while a copy of him was made ahead. Nobody knows the copy; and where its server starts anew it
 * would push what is no more, and have it. What was cut may be the only copy: that is not kept from coming back.
 */
async function noteNobodys(move: Move, work: Work): Promise<void> {
  const { directory, settings } = work;
  const { name, to, attempts, times } = move;
  const found = await unknownAt(to.server, name, work);
  if (!found) return;
  await noted(name, to.server, found, work);
  const isOurCopy = attempts === 0 && times.copied !== undefined;
  if (isOurCopy && found.length > 0) await directory.copies.keep(name, to.server, keptFor(settings));
}

/** What it has of a tree that the directory does not have; undefined where it cannot be asked. */
async function unknownAt(server: Bytes, tree: Bytes, { driver }: Work): Promise<Finding[] | undefined> {
  try {
    return (await driver.holds(server, tree)) === 'lacks' ? [] : [{ kind: 'unknown', tree, server, names: [tree] }];
  } catch (error) {
    if (kindOf(error) === 'fault') throw error;
    return undefined;
  }
}

function isOurs(move: Move, row: Entry): boolean {
  return goesAlong(move.name, row.name) && row.state === 'active' && !isGrave(row) && !isDeletedName(row.name);
}

/** What it has of what is active at another server; undefined where it cannot be asked. */
async function leftAt(
  server: Bytes,
  move: Move,
  rows: readonly Entry[],
  { driver }: Work,
): Promise<Finding[] | undefined> {
  const elsewhere = rows.filter(({ location }) => serverOf(location) !== server);
  const at = elsewhere.find(({ name }) => name === move.name);
  try {
    // A cut deletes the root last.
    if (!at || (await driver.holds(server, move.name)) === 'lacks') return [];
    const names: Bytes[] = [];
    for (const { name } of elsewhere) if ((await driver.holds(server, name)) !== 'lacks') names.push(name);
    return [{ kind: 'left-over', tree: move.name, server, at: serverOf(at.location), names: names.sort() }];
  } catch (error) {
    if (kindOf(error) === 'fault') throw error;
    return undefined;
  }
}

/** Whatever else audits have found there stays. */
async function noted(
  tree: Bytes,
  server: Bytes,
  found: readonly Finding[],
  { findings, clock, log }: Work,
): Promise<void> {
  const there = (await findings.of(tree)).filter((one) => one.server === server);
  const others = there.filter(({ kind }) => kind !== 'left-over' && !found.some((one) => one.kind === kind));
  if (found.length === 0 && others.length === there.length) return;
  await findings.looked(tree, [...others, ...found], new Set([server]), clock());
  if (found.length > 0) log.info({ mailbox: readable(tree), server }, 'move: a copy is left there');
}

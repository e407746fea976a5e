// What a move leaves somewhere when it ends: noted for audits as soon as it is over, and kept from doing harm there.
import { readable } from '../services/address/bytes.ts';
import { isGrave, serverOf } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { isDeletedName } from '../services/directory/settling.ts';
import { kindOf } from '../services/events/failure.ts';
import type { Outcome } from '../services/events/processor.ts';
import type { Finding } from '../services/moves/audit.ts';
import type { Move } from '../services/moves/move.ts';
import { goesAlong, isWithinServer } from '../services/moves/standing.ts';
import type { Work } from './move-work.ts';

/**
 * How long the copy is known as one, in milliseconds: until it is discarded, which ends this, too. What may be discarded first
 * after the retention is still there a while later, also where nothing has to wait.
 */
function keptFor({ retention }: Work['settings']): number {
  return Math.max(52 * retention, thirtyDays);
}

const thirtyDays = 2_592_000_000;

/**
 * Before the move is over, so that a worker that dies leaves it to the next. Of a server that is silent it is noted that it
 * was not asked. Rejects when Redis, or the directory, does not answer.
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
    await noted(move.name, server, found, work);
    const isCopy = server === move.to.server && found?.some(({ kind }) => kind === 'left-over') === true;
    // What is absent by then under a name that only the old copy has is not to become the copy's.
    if (isCopy) await directory.copies.keep(move.name, server, keptFor(settings));
  }
}

/**
 * Its user was deleted or renamed, while a copy of him was made ahead, say. Nobody knows the copy; and where its server starts
 * anew it would push what is no more, and have it. What was cut may be the only copy: that is not kept from coming back.
 */
async function noteNobodys(move: Move, work: Work): Promise<void> {
  const { directory, settings } = work;
  const { name, from, to, attempts, times } = move;
  for (const { server } of [from, to]) {
    const found = await unknownAt(server, name, work);
    await noted(name, server, found, work);
    const isOurCopy = server === to.server && attempts === 0 && times.copied !== undefined;
    if (isOurCopy && found !== undefined && found.length > 0)
      await directory.copies.keep(name, server, keptFor(settings));
  }
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

/** What a look settles; whatever else audits have found there stays. */
const settled: readonly Finding['kind'][] = ['left-over', 'unasked'];

/** `found` is undefined where the server was silent: then what was known stays, too. */
async function noted(
  tree: Bytes,
  server: Bytes,
  found: readonly Finding[] | undefined,
  { findings, clock, log }: Work,
): Promise<void> {
  const there = (await findings.of(tree)).filter((one) => one.server === server);
  const fresh = found ?? [{ kind: 'unasked' as const, tree, server, names: [tree] }];
  const stays = found ? there.filter(({ kind }) => !settled.includes(kind)) : there;
  const others = stays.filter(({ kind }) => !fresh.some((one) => one.kind === kind));
  if (fresh.length === 0 && others.length === there.length) return;
  await findings.looked(tree, [...others, ...fresh], new Set([server]), clock());
  const fields = { mailbox: readable(tree), server };
  if (!found) log.warn(fields, 'move: the server is silent, and is asked later whether it has kept anything');
  else if (found.length > 0) log.info(fields, 'move: a copy is left there');
}

/**
 * Servers that were silent when the move ended are asked now, if they answer by now: another move of the tree would have
 * asked them, too. What the directory is not sure of waits. Undefined where none is to be asked any more.
 */
export async function askAgain(move: Move, work: Work): Promise<Outcome | undefined> {
  if (!(await hasUnasked(move, work))) return undefined;
  const [entry] = (await work.directory.lookup([move.name])).entries;
  if (entry && !isGrave(entry) && entry.state !== 'active') return { is: 'open', note: `it is ${entry.state}` };
  await noteLeftOvers(move, work);
  if (await hasUnasked(move, work)) return { is: 'open', note: 'a server is silent still' };
  return { is: 'done', note: 'what it has left is known now' };
}

async function hasUnasked({ name }: Move, { findings }: Work): Promise<boolean> {
  return (await findings.of(name)).some(({ kind }) => kind === 'unasked');
}

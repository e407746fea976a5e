// What the directory and the two servers show of a move's tree now: the facts that its next step is decided by.
import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory, Lookup } from '../services/directory/directory.ts';
import { isGrave } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { finding } from '../services/directory/freshness.ts';
import { isDeletedName } from '../services/directory/settling.ts';
import { JobFailure, kindOf } from '../services/events/failure.ts';
import { isRemoving } from '../services/moves/audit.ts';
import type { MoveDriver } from '../services/moves/driver.ts';
import type { FindingStore } from '../services/moves/finding-store.ts';
import type { LeaseKeeper } from '../services/moves/lease-keeper.ts';
import type { Difference } from '../services/moves/manifest-comparison.ts';
import type { ManifestHead, ManifestStore } from '../services/moves/manifest-store.ts';
import type { Move } from '../services/moves/move.ts';
import { isWithinServer, standingOf } from '../services/moves/standing.ts';
import type { Standing } from '../services/moves/standing.ts';
import type { Facts, Said } from '../services/moves/step.ts';

export interface Looking {
  directory: Pick<Directory, 'lookup' | 'tree'>;
  registry: Registry;
  manifests: Pick<ManifestStore, 'head'>;
  driver: Pick<MoveDriver, 'holds' | 'uniqueId'>;
  findings: Pick<FindingStore, 'of'>;
  settings: { attempts: number; observe: number };
  /** Milliseconds since 1970. */
  clock: () => number;
}

/** What a worker has seen and done itself since it took the move up. */
export interface Memory {
  keeper: LeaseKeeper | undefined;
  checked: boolean;
  copied: boolean;
  /** With the manifest of a hold; with the source itself, under a hold. */
  compared: {
    hold?: string;
    under?: string | undefined;
    manifest?: readonly Difference[];
    source?: readonly Difference[];
    spare?: readonly Difference[];
    misplaced?: readonly Bytes[];
    lacks?: readonly Bytes[];
  };
  /** The partitions of the destination's mailboxes, as it showed them last. */
  partitions?: ReadonlyMap<Bytes, Bytes> | undefined;
}

/** Rows that change under every look are somebody's work. */
const mostLooks = 5;

/** All of it read now. Rejects when the directory, or Redis, does not answer, or with kind `busy` where no look holds. */
export async function look(move: Move, memory: Memory, options: Looking): Promise<Facts> {
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const before = await options.directory.tree(move.name);
    const servers = await askServers(move, standingOf(move, before), options);
    const asked = options.clock();
    const [rows, lookup] = await Promise.all([
      options.directory.tree(move.name),
      options.directory.lookup([move.name]),
    ]);
    // What a server says is worth nothing beside rows that it was not said of.
    if (isDeepStrictEqual(before, rows)) return factsOf(move, memory, { ...servers, rows, lookup, asked }, options);
  }
  throw new JobFailure('busy', 'its rows change under every look');
}

type Servers = Pick<Facts, 'source' | 'destination' | 'twin' | 'removing' | 'lacked'> & {
  head: ManifestHead | undefined;
};

async function askServers(move: Move, rows: Standing, looking: Looking): Promise<Servers> {
  const { driver, manifests, findings } = looking;
  const { name, from, to } = move;
  const [source, there, head, found] = await Promise.all([
    said(driver, from.server, name),
    isWithinServer(move) ? undefined : said(driver, to.server, name),
    manifests.head(move),
    findings.of(name),
  ]);
  const destination = there ?? source;
  const twin = await isTwin(move, { source, destination, head }, driver);
  const asked = source === 'silent' || isWithinServer(move) ? [] : doubtful(move, rows, looking);
  const held = await Promise.all(asked.map((folder) => said(driver, from.server, folder)));
  return {
    ...{ destination, head, twin, removing: found.some((one) => isRemoving(one, to.server)) },
    ...{ lacked: asked.filter((_, at) => held[at] === 'lacks') },
    source: held.includes('silent') ? 'silent' : source,
  };
}

/** Folders of which the directory does not prove that the source has them. */
function doubtful(move: Move, { root, handed, atSource }: Standing, { registry }: Looking): Bytes[] {
  const isWritten = registry.find(move.from.server)?.mupdate === false;
  const active = root === 'destination' || isWritten ? atSource : [];
  return [...handed, ...active].filter((name) => name !== move.name && !isDeletedName(name));
}

type Read = Servers & { rows: readonly Entry[]; lookup: Lookup; asked: number };

function factsOf(move: Move, memory: Memory, read: Read, { registry, settings, clock }: Looking): Facts {
  const { source, destination, twin, removing, lacked, head, rows, lookup } = read;
  const { released } = move.times;
  const doubt = doubtOf(read, { name: move.name, registry, now: clock() });
  const keeper = memory.keeper?.holds === true ? memory.keeper : undefined;
  const isWrittenByUs = (server: Bytes) => registry.find(server)?.mupdate === false;
  return {
    ...{ rows: standingOf(move, rows), source, destination, twin, removing, lacked },
    lease: keeper ? 'ours' : lookup.concerns[0]?.kind === 'lease' ? 'another' : 'none',
    heard: keeper?.heard === true,
    manifest: head === undefined ? 'none' : head.hold === keeper?.token ? 'held' : 'older',
    compared: comparedTo(head, memory, keeper),
    ours: { source: isWrittenByUs(move.from.server), destination: isWrittenByUs(move.to.server) },
    ...(doubt !== undefined && { doubt }),
    ready: { checked: memory.checked, copied: memory.copied },
    observed: released !== undefined && clock() >= released + settings.observe,
    attempts: settings.attempts,
  };
}

/** Whoever does not answer clearly is silent. */
async function said(driver: Looking['driver'], server: Bytes, name: Bytes): Promise<Said> {
  try {
    return await driver.holds(server, name);
  } catch (error) {
    if (kindOf(error) === 'fault') throw error;
    return 'silent';
  }
}

/** Whether the destination has another mailbox of the name; where nobody can tell, it is taken for the same. */
async function isTwin(
  { name, from, to }: Move,
  { source, destination, head }: Pick<Servers, 'source' | 'destination' | 'head'>,
  driver: Looking['driver'],
): Promise<boolean> {
  if (from.server === to.server || destination !== 'has' || !driver.uniqueId) return false;
  const id = async (server: Bytes) => driver.uniqueId?.(server, name).catch(() => undefined);
  const ours = source === 'has' ? await id(from.server) : head?.uniqueId;
  const theirs = ours === undefined ? undefined : await id(to.server);
  return theirs !== undefined && theirs !== ours;
}

/** That all is there is known to the next worker, too; what is missing only to the one who has found it missing. */
function comparedTo(head: ManifestHead | undefined, { compared }: Memory, keeper?: LeaseKeeper): Facts['compared'] {
  if (head === undefined) return {};
  const { hold, under, source, ...found } = compared;
  // The source may have got more since another hold.
  const isNow = source !== undefined && under !== undefined && under === keeper?.token;
  if (hold === head.hold) return { ...found, ...(isNow && { source }) };
  return head.whole ? { manifest: [] } : {};
}

/** Why a name that the directory does not have may be there all the same. */
export function doubtOf(
  { lookup, asked }: Pick<Read, 'lookup' | 'asked'>,
  { name, registry, now }: { name: Bytes; registry: Registry; now: number },
): string | undefined {
  const entries = lookup.entries.map((row) => (row && isGrave(row) ? undefined : row));
  // A lease is no doubt: it is ours, or the move waits for it.
  const concerns = lookup.concerns.map((one) => (one?.kind === 'lease' ? undefined : one));
  const facts = { names: [name], witnesses: registry.witnesses(), asked, now, autocreate: false };
  const found = finding({ ...facts, lookup: { ...lookup, entries, concerns } });
  return found.found || found.proven ? undefined : found.reason;
}

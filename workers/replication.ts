// The queues `replication@BACKEND`: on the backend's host, brings its replica up to what the backend has of one user.
import { readable } from '../services/address/bytes.ts';
import type { Directory } from '../services/directory/directory.ts';
import { isGrave, serverOf } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { distrust } from '../services/directory/freshness.ts';
import type { Witnesses } from '../services/directory/freshness.ts';
import { placeOf } from '../services/directory/tree.ts';
import { JobFailure } from '../services/events/failure.ts';
import type { Desk, Outcome } from '../services/events/processor.ts';
import type { SyncClient, SyncRun } from '../services/replication/sync-client.ts';
import { logLine, userIdOf } from '../services/replication/user-id.ts';
import type { ReplicaGate } from './replica-gate.ts';

export interface ReplicationOptions {
  backend: Bytes;
  sync: Pick<SyncClient, 'user' | 'replay' | 'reaches'>;
  gate: Pick<ReplicaGate, 'open' | 'shut' | 'well'>;
  directory: Pick<Directory, 'tree' | 'standing' | 'case'>;
  witnesses: Witnesses;
  /** Whether the backends use `/` between folders: then a `^` in a name is a dot. */
  unixhierarchysep: boolean;
}

/** When so many users in a row are refused it is the replica that is ill, not the users: they are tried again as if it were away. */
const mostRefused = 5;

/**
 * So often a user's run may find the replica away though it answers each look in between. Then it may be his run alone that it
 * is away for: he makes way for the others, and is tried again as the retries of what is away have it.
 */
const mostAways = 2;

/** How long it is waited for a directory that proves no absence now, in milliseconds. */
const doubtPause = 60_000;

/** A user under work. */
interface Work extends ReplicationOptions {
  tree: Bytes;
  user: string;
  signal: AbortSignal;
  desk: Desk;
  /** Users who were refused since one went well. */
  refused: Set<Bytes>;
}

export function replicationProcessor(options: ReplicationOptions) {
  const refused = new Set<Bytes>();
  return async ({ tree }: { tree: Bytes }, signal: AbortSignal, desk: Desk): Promise<Outcome> => {
    const user = userIdOf(tree, options.unixhierarchysep);
    if (user === undefined) {
      throw new JobFailure('refused', `${readable(tree)} is no user's tree, or has octets that no user of Cyrus has`);
    }
    const work: Work = { ...options, tree, user, signal, desk, refused };
    for (let aways = 0; ;) {
      await options.gate.open(signal);
      const outcome = await brought(work);
      if (!('away' in outcome)) {
        refused.clear();
        options.gate.well();
        return outcome;
      }
      options.gate.shut(outcome.away);
      aways += 1;
      if (aways === mostAways) throw new JobFailure('away', `${user}: ${outcome.away}`);
    }
  };
}

/** Away: the replica has not been reached, and why. */
type Brought = Outcome | { away: string };

async function brought(work: Work): Promise<Brought> {
  const { sync, user, signal, desk } = work;
  const run = await sync.user(user, signal);
  if (run.is === 'well') return run.words.absent ? gone(work) : { is: 'done', note: 'the replica is up to it' };
  const away = await awayBy(run, work);
  if (away !== undefined) return { away };
  desk.log(run.note);
  if (run.is === 'late') throw new JobFailure('fault', run.note);
  // What was renamed is in the way of a run for one user. A replay of his mailboxes renames them at the replica.
  const rows = await rowsHere(work);
  return replayed(work, [...rows.map(({ name }) => logLine('MAILBOX', name)), logLine('USER', user)], 'by a replay');
}

/**
 * The backend does not have the user, so neither should its replica: what is kept of him as deleted is renamed there, the
 * rest removed. It may be the replica's copy that is the last one: it goes only where the directory, too, says that nobody
 * is to have it at this backend.
 */
async function gone(work: Work): Promise<Brought> {
  const { backend, directory, tree, user } = work;
  const rows = await rowsHere(work);
  const [claimed] = rows.filter(({ name }) => !isDeleted(name));
  if (claimed) {
    const where = `the directory has ${readable(claimed.name)} there (${claimed.state})`;
    throw new JobFailure('busy', `${readable(backend)} does not have ${user}, but ${where}: his replica is kept`);
  }
  const doubt =
    distrust(await directory.standing(), work.witnesses) ??
    ((await directory.case(tree)) === undefined ? undefined : 'it has a case open about him');
  if (doubt !== undefined) {
    const note = `${user} is gone, and his replica is kept while the directory is in doubt: ${doubt}`;
    return { is: 'later', note, pause: doubtPause };
  }
  return replayed(
    work,
    [...rows.map(({ name }) => logLine('MAILBOX', name)), logLine('UNUSER', user)],
    'he is gone, and so is his replica',
  );
}

async function replayed(work: Work, lines: readonly (string | undefined)[], note: string): Promise<Brought> {
  const { sync, signal, desk, user, tree, refused } = work;
  const run = await sync.replay(
    lines.filter((line) => line !== undefined),
    signal,
  );
  if (run.is === 'well') return { is: 'done', note };
  const away = await awayBy(run, work);
  if (away !== undefined) return { away };
  desk.log(run.note);
  if (run.is === 'late') throw new JobFailure('fault', run.note);
  if (run.words.busy) throw new JobFailure('busy', run.note);
  refused.add(tree);
  const all = refused.size > mostRefused;
  const whom = all ? `the replica refuses ${refused.size} users in a row, ${user} among them` : `${user} is refused`;
  throw new JobFailure(all ? 'away' : 'refused', `${whom}: ${run.note}`);
}

/** Why the replica is away, if it is: what broke off tells nothing of its own, so the replica is asked. */
async function awayBy(run: SyncRun, { sync, signal }: Work): Promise<string | undefined> {
  if (run.is === 'silent') return run.note;
  const look = await sync.reaches(signal);
  return look.is === 'well' ? undefined : look.note;
}

/** What the directory has of the tree at this backend. */
async function rowsHere({ directory, tree, backend }: Work): Promise<Entry[]> {
  const rows = await directory.tree(tree);
  return rows.filter((row) => serverOf(row.location) === backend && !isGrave(row));
}

/** Kept for a while under `DELETED`. */
function isDeleted(name: Bytes): boolean {
  return placeOf(name).field.startsWith('.');
}

// The steps of a move, each taken once: what the servers, the lease and the directory are told.
import { isDeepStrictEqual } from 'node:util';
import { readable } from '../services/address/bytes.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory, Writer } from '../services/directory/directory.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import type { RoutingLeases } from '../services/directory/routing-lease.ts';
import { JobFailure, kindOf } from '../services/events/failure.ts';
import type { Desk, Outcome } from '../services/events/processor.ts';
import type { MoveDriver } from '../services/moves/driver.ts';
import { LeaseKeeper } from '../services/moves/lease-keeper.ts';
import type { Manifest } from '../services/moves/manifest.ts';
import type { Difference } from '../services/moves/manifest-comparison.ts';
import type { ManifestStore } from '../services/moves/manifest-store.ts';
import type { Move } from '../services/moves/move.ts';
import type { Kept, MoveStore } from '../services/moves/move-store.ts';
import type { CopyAbove } from '../services/moves/worth-copying.ts';
import { standingOf } from '../services/moves/standing.ts';
import type { Step } from '../services/moves/step.ts';
import type { Memory } from './move-facts.ts';

/** In milliseconds, but for the attempts. */
export interface MoveSettings {
  /** How long a lease lasts that is not renewed. */
  lease: number;
  /** How long the answer to a cut is waited for; the cut itself goes on. */
  cutTimeout: number;
  observe: number;
  /** How often a cut may be tried. */
  attempts: number;
  /** What is copied ahead of its cut; left out: all. */
  copyAbove?: CopyAbove;
}

/** Until a move is looked at again, in milliseconds: what waits, waits for a person, has failed; `short` within one job. */
export interface MovePauses {
  wait: number;
  person: number;
  failed: number;
  short?: number;
}

export const defaultPauses: MovePauses = { wait: 2_000, person: 60_000, failed: 5_000 };

export interface MovesOptions {
  directory: Pick<Directory, 'lookup' | 'tree' | 'lease' | 'release' | 'head' | 'write' | 'end'>;
  routing: Pick<RoutingLeases, 'held'>;
  registry: Registry;
  moves: Pick<MoveStore, 'read' | 'replace'>;
  manifests: ManifestStore;
  driver: MoveDriver;
  /** What `found` lacks of a manifest, which more may have been done to since. */
  differences: (manifest: Manifest, found: Manifest) => readonly Difference[];
  settings: MoveSettings;
  pauses: MovePauses;
  /** Milliseconds since 1970. */
  clock: () => number;
  /** Of leases, in milliseconds from whenever; it goes on while the process stands still. Left out: the process's. */
  leaseClock?: () => number;
  /** Told of each move that is over. */
  ended?: (move: Move) => void;
  log: Record<'info' | 'warn' | 'error', (fields: object, text: string) => void>;
}

/** One job's work on a move. */
export interface Work extends MovesOptions {
  name: Bytes;
  signal: AbortSignal;
  desk: Desk;
  memory: Memory;
  /** What the last cut of this job said, where it did not go well. */
  failed: string | undefined;
  /** Whom this job has told of what already, to push. */
  told: string | undefined;
  /** The step at hand. */
  step?: string;
}

/** Where nothing is done with servers, lease or directory. */
type Told = Extract<Step, { do: 'wait' | 'observe' | 'finish' | 'refuse' | 'stop' }>;
type Taken = Exclude<Step, Told>;

const told: readonly Step['do'][] = ['wait', 'observe', 'finish', 'refuse', 'stop'] satisfies Told['do'][];

/** Whether it is one of those that are taken here. */
export function isTaken(step: Step): step is Taken {
  return !told.includes(step.do);
}

/** Takes one step; an outcome where another look is of no use now. */
export async function take(step: Taken, kept: Kept, work: Work): Promise<Outcome | undefined> {
  // Whoever was told and did not do it is not told again at once; mail goes on meanwhile, where it can.
  if (work.failed !== undefined && ['check', 'copy', 'manifest', 'cut'].includes(step.do)) {
    return { is: 'later', note: work.failed, pause: work.pauses.failed };
  }
  switch (step.do) {
    case 'check':
      return check(kept, work);
    case 'copy':
      return copy(kept, work);
    case 'hold':
      return hold(kept, work);
    case 'release':
      return release(kept, work);
    case 'manifest':
      return takeManifest(kept, work);
    case 'cut':
      return cut(kept, work);
    case 'verify':
      return verify(step.source, kept, work);
    case 'push':
      return push(step, kept, work);
    case 'write':
      return write(step.names, kept, work);
  }
}

/** What is done now, for people; false where somebody else has changed the move meanwhile. */
async function shown(kept: Kept, more: Partial<Move>, { moves, desk }: Work): Promise<Kept | undefined> {
  if (more.step !== undefined) desk.log(more.step);
  return moves.replace(kept, { ...kept.move, ...more });
}

async function check(kept: Kept, work: Work): Promise<Outcome | undefined> {
  const at = await shown(kept, { step: 'check' }, work);
  if (!at) return undefined;
  const objection = await work.driver.check(at.move);
  if (objection?.is === 'never') throw new JobFailure('refused', objection.why);
  if (!objection) {
    work.memory.checked = true;
    return undefined;
  }
  await shown(at, { note: objection.why }, work);
  return { is: 'later', note: objection.why, pause: work.pauses.failed };
}

async function copy(kept: Kept, work: Work): Promise<undefined> {
  const at = await shown(kept, { step: 'copy', note: 'copied ahead, while mail goes on' }, work);
  if (!at) return;
  const isCopied = await work.driver.copy(at.move, work.signal);
  work.memory.copied = true;
  if (isCopied) await shown(at, { times: { ...at.move.times, copied: work.clock() } }, work);
}

let holds = 0;

async function hold(kept: Kept, work: Work): Promise<undefined> {
  const { directory, routing, settings, clock, leaseClock, memory, signal } = work;
  const { released, ...times } = kept.move.times;
  const at = await shown(kept, { step: 'hold', times: { ...times, held: clock() } }, work);
  if (!at) return;
  await memory.keeper?.giveBack();
  const keeper = new LeaseKeeper({
    ...{ directory, routing, name: work.name, destination: kept.move.to.server, milliseconds: settings.lease },
    token: `move-${process.pid}-${clock()}-${++holds}-${Math.random().toString(36).slice(2)}`,
    ...(leaseClock && { clock: leaseClock }),
  });
  // Another's is seen by the next look.
  if (!(await keeper.take())) return;
  memory.keeper = keeper;
  await keeper.everybodyHears(signal);
}

async function release(kept: Kept, work: Work): Promise<undefined> {
  await work.memory.keeper?.giveBack();
  work.memory.keeper = undefined;
  await shown(kept, { step: 'release', times: { ...kept.move.times, released: work.clock() } }, work);
}

/** Aborts with the job, with the lease, or after so many milliseconds. */
function limits({ signal, memory, settings }: Work): AbortSignal {
  const lease = memory.keeper ? [memory.keeper.signal] : [];
  return AbortSignal.any([signal, AbortSignal.timeout(settings.cutTimeout), ...lease]);
}

/** Kept only where the rows are as they were: a source that hands over meanwhile shows less than it had. */
async function takeManifest(kept: Kept, work: Work): Promise<undefined> {
  const { directory, driver, manifests, memory, name } = work;
  const { keeper } = memory;
  const at = await shown(kept, { step: 'manifest' }, work);
  if (!at || !keeper) return;
  const before = await directory.tree(name);
  const manifest = await driver.manifest(at.move.from.server, name, limits(work));
  if (!manifest || !isDeepStrictEqual(before, await directory.tree(name))) return;
  const missing = unlisted(at.move, manifest, before);
  // A cut would have the destination lose what the source does not have.
  if (missing.length > 0)
    throw new JobFailure('refused', `${readable(at.move.from.server)} lacks ${missing.join(', ')}`);
  await keeper.confirm();
  memory.compared = {};
  await manifests.keep(at.move, manifest, keeper.token);
  const messages = manifest.mailboxes.flatMap((one) => one.messages.filter(({ expunged }) => !expunged));
  const octets = messages.reduce((sum, { size }) => sum + size, 0);
  await shown(at, { messages: messages.length, octets }, work);
}

/** Folders that the directory has at the source, and the source does not show. */
function unlisted(move: Move, { mailboxes }: Manifest, rows: readonly Entry[]): string[] {
  const shown = new Set(mailboxes.map(({ name }) => name));
  const { atSource } = standingOf(move, rows);
  return atSource.filter((name) => !shown.has(name)).map(readable);
}

/** Counted before it is told, for a worker may end at any line. What comes of it the next look tells. */
async function cut(kept: Kept, work: Work): Promise<undefined> {
  const { driver, manifests, memory, clock, log } = work;
  const { move } = kept;
  const { answered, ...times } = move.times;
  const attempts = move.attempts + 1;
  const note = `cut, attempt ${attempts}`;
  await memory.keeper?.confirm();
  const at = await shown(kept, { step: 'cut', attempts, times: { ...times, cut: clock() }, note }, work);
  if (!at || !memory.keeper) return;
  memory.compared = {};
  await manifests.compared(at.move, memory.keeper.token, false);
  await memory.keeper.confirm();
  const { ok, said } = await driver.cut(at.move, limits(work)).catch((error: unknown) => failedCut(error, work));
  const fields = { mailbox: readable(move.name), from: move.from.server, to: move.to.server, attempts, ok, said };
  log.info(fields, 'move: cut answered');
  if (!ok) work.failed = said;
  const now = await work.moves.read(work.name);
  if (now?.move.state !== 'open') return;
  await shown(now, { times: { ...now.move.times, answered: clock() }, ...(!ok && { note: said }) }, work);
}

/** Whoever gives up waiting has not stopped the cut: the next look tells. */
function failedCut(error: unknown, { signal }: Work): { ok: false; said: string } {
  const isGivenUp = error instanceof Error && error.name === 'TimeoutError';
  if (signal.aborted || (kindOf(error) === 'fault' && !isGivenUp)) throw error;
  return { ok: false, said: error instanceof Error ? error.message : String(error) };
}

async function verify(withSource: boolean, kept: Kept, work: Work): Promise<undefined> {
  const { driver, manifests, memory, name, differences } = work;
  const { from, to } = kept.move;
  const at = await shown(kept, { step: 'verify' }, work);
  const head = await manifests.head(kept.move);
  const manifest = await manifests.read(kept.move);
  if (!at || !head || !manifest) return;
  const found = await driver.manifest(to.server, name, limits(work));
  if (!found) return;
  const source = withSource ? await sourceLacking(found, from.server, work) : undefined;
  const lacking = [...differences(manifest, found), ...misplaced(at.move, found)];
  memory.compared = { hold: head.hold, under: memory.keeper?.token, manifest: lacking, ...(source && { source }) };
  await manifests.compared(at.move, head.hold, lacking.length === 0);
}

/** What the source shows now, and `found` lacks. */
async function sourceLacking(found: Manifest, server: Bytes, work: Work): Promise<readonly Difference[]> {
  const source = await work.driver.manifest(server, work.name, limits(work));
  return source ? work.differences(source, found) : [`${readable(server)} shows nothing of it`];
}

/** Which of its mailboxes are not on the partition that the move names. */
function misplaced({ to }: Move, { mailboxes }: Manifest): Difference[] {
  const others = mailboxes.filter(({ partition }) => to.partition !== '' && partition !== to.partition);
  return others.map(({ name, partition }) => `${readable(name)} is on the partition ${readable(partition)}`);
}

async function push({ server, names }: Step & { do: 'push' }, kept: Kept, work: Work): Promise<Outcome | undefined> {
  const key = JSON.stringify([server, names]);
  if (work.told === key) {
    const note = `${readable(server)} was told to push it, and the directory does not show it there`;
    await shown(kept, { note }, work);
    return { is: 'later', note, pause: work.pauses.failed };
  }
  if (!(await shown(kept, { step: 'push' }, work))) return undefined;
  await work.memory.keeper?.confirm();
  await work.driver.push(server, names);
  work.told = key;
  return undefined;
}

/** The rows of a server that speaks no MUPDATE are ours to write, under the lease, in a session that ends well. */
async function write(names: readonly Bytes[], kept: Kept, work: Work): Promise<undefined> {
  const { directory, memory, name } = work;
  if (!(await shown(kept, { step: 'write' }, work))) return;
  const { to, by } = kept.move;
  const rows = await directory.tree(name);
  const writer: Writer = { session: sessionId(), server: to.server, admin: false, push: false, by };
  try {
    for (const one of names) {
      await memory.keeper?.confirm();
      const acl = rows.find((row) => row.name === one)?.acl ?? '';
      const location = `${to.server}!${to.partition}`;
      const { ok, text } = await directory.write({ verb: 'ACTIVATE', name: one, location, acl }, writer);
      // Somebody else has it, or is about to: the next look tells.
      if (!ok) throw new JobFailure('busy', text);
    }
  } finally {
    await directory.end(writer.session, 'logout');
  }
}

let sessions = 0;

/** Never used twice, also by no other process. */
function sessionId(): string {
  return `moves-${process.pid}-${Date.now()}-${++sessions}`;
}

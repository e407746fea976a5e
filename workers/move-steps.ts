// The steps of a move, each taken once: what the servers, the lease and the directory are told.
import { readable } from '../services/address/bytes.ts';
import type { Writer } from '../services/directory/directory.ts';
import type { Bytes } from '../services/directory/entry.ts';
import { JobFailure, kindOf } from '../services/events/failure.ts';
import type { Outcome } from '../services/events/processor.ts';
import { withCure } from '../services/moves/cure.ts';
import { LeaseKeeper } from '../services/moves/lease-keeper.ts';
import type { Kept } from '../services/moves/move-store.ts';
import type { Step } from '../services/moves/step.ts';
import { partitionsOf, takeManifest, verify } from './move-manifests.ts';
import { limits, shown } from './move-work.ts';
import type { Work } from './move-work.ts';

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
  if (work.failed !== undefined && ['check', 'copy', 'manifest', 'cut', 'lay'].includes(step.do)) {
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
    case 'lay':
      return cut(step.do, kept, work);
    case 'verify':
      return verify(step.source, kept, work);
    case 'push':
      return push(step, kept, work);
    case 'write':
      return write(step.names, kept, work);
  }
}

async function check(kept: Kept, work: Work): Promise<Outcome | undefined> {
  const at = await shown(kept, { step: 'check' }, work);
  if (!at) return undefined;
  const objection = await work.driver.check(at.move);
  // Once a cut was told it may have gone on since the look, whoever told it: the next look tells.
  if (objection?.is === 'never' && at.move.attempts === 0) throw new JobFailure('refused', objection.why);
  if (!objection) {
    work.memory.checked = true;
    return undefined;
  }
  // It has a place among those that are under way: others could be moved meanwhile.
  const tries = (at.move.tries ?? 0) + 1;
  await shown(at, { tries, note: objection.why }, work);
  if (tries >= work.settings.attempts) throw new JobFailure('refused', objection.why);
  return { is: 'later', note: objection.why, pause: work.pauses.failed };
}

async function copy(kept: Kept, work: Work): Promise<undefined> {
  const at = await shown(kept, { step: 'copy', note: 'copied ahead, while mail goes on' }, work);
  if (!at) return;
  const isCopied = await work.driver
    .copy(at.move, work.signal)
    .catch((error: unknown) => copiedInVain(error, at, work));
  work.memory.copied = true;
  if (isCopied) await shown(at, { times: { ...at.move.times, copied: work.clock() } }, work);
}

/**
 * Mail waits at Cyrus while it copies: what is copied in vain again and again, for the disk there is full, say, is not tried
 * for ever. Whoever does not answer is waited for, and not counted. Always throws.
 */
async function copiedInVain(error: unknown, at: Kept, work: Work): Promise<never> {
  if (kindOf(error) !== 'busy') throw error;
  const tries = (at.move.tries ?? 0) + 1;
  await shown(at, { tries }, work);
  if (tries < work.settings.attempts) throw error;
  const said = withCure(error instanceof Error ? error.message : String(error), at.move);
  throw new JobFailure('refused', `it was tried ${tries} times: ${said}`);
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

/**
 * Counted before it is told, for a worker may end at any line. What comes of it the next look tells. What is laid into its
 * partition is a cut within the destination.
 */
async function cut(step: 'cut' | 'lay', kept: Kept, work: Work): Promise<undefined> {
  const { driver, manifests, memory, clock, log } = work;
  const { move } = kept;
  const { answered, ...times } = move.times;
  const attempts = move.attempts + 1;
  const note = `${step}, attempt ${attempts}`;
  await memory.keeper?.confirm();
  const at = await shown(kept, { step, attempts, times: { ...times, cut: clock() }, note }, work);
  if (!at || !memory.keeper) return;
  memory.compared = {};
  memory.partitions = undefined;
  await manifests.compared(at.move, memory.keeper.token, false);
  await memory.keeper.confirm();
  const from = step === 'cut' ? move.from : { server: move.to.server, partition: '' };
  const { ok, said } = await driver
    .cut({ ...at.move, from }, limits(work))
    .catch((error: unknown) => failedCut(error, work));
  const fields = { mailbox: readable(move.name), from: move.from.server, to: move.to.server, attempts, ok, said };
  log.info(fields, 'move: cut answered');
  const why = ok ? undefined : withCure(said, at.move);
  work.failed = why ?? work.failed;
  const now = await work.moves.read(work.name);
  if (now?.move.state !== 'open') return;
  await shown(now, { times: { ...now.move.times, answered: clock() }, ...(why !== undefined && { note: why }) }, work);
}

/** Whoever gives up waiting has not stopped the cut: the next look tells. */
function failedCut(error: unknown, { signal }: Work): { ok: false; said: string } {
  const isGivenUp = error instanceof Error && error.name === 'TimeoutError';
  if (signal.aborted || (kindOf(error) === 'fault' && !isGivenUp)) throw error;
  return { ok: false, said: error instanceof Error ? error.message : String(error) };
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

/**
 * The rows of a server that speaks no MUPDATE are ours to write, under the lease, in a session that ends well. They name the
 * partitions that it shows, whatever was wanted.
 */
async function write(names: readonly Bytes[], kept: Kept, work: Work): Promise<undefined> {
  const { directory, driver, memory, name } = work;
  if (!(await shown(kept, { step: 'write' }, work))) return;
  const { to, by } = kept.move;
  const found = memory.partitions ? undefined : await driver.manifest(to.server, name, limits(work));
  memory.partitions ??= found && partitionsOf(found);
  const { partitions = new Map<Bytes, Bytes>() } = memory;
  // What is written is the tree itself.
  await directory.copies.end(name);
  const rows = await directory.tree(name);
  const writer: Writer = { session: sessionId(), server: to.server, admin: false, push: false, by };
  try {
    for (const one of names) {
      await memory.keeper?.confirm();
      const acl = rows.find((row) => row.name === one)?.acl ?? '';
      // A copy that lacks it is served all the same: it is the only one.
      const partition = partitions.get(one) ?? partitions.get(name) ?? to.partition;
      const location = `${to.server}!${partition}`;
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

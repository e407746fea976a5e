// The queue `reconcile`: looks into a name with an open case, asks the backends, and puts right what is certain.
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../services/address/bytes.ts';
import type { ImapAdmins } from '../services/backends/imap-admins.ts';
import type { Registry } from '../services/backends/registry.ts';
import { isOwn } from '../services/directory/case.ts';
import type { Case } from '../services/directory/case.ts';
import type { Directory } from '../services/directory/directory.ts';
import { isGrave, serverOf } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { verdictOn } from '../services/directory/reconciliation.ts';
import type { Holding, Verdict } from '../services/directory/reconciliation.ts';
import type { Times } from '../services/directory/rules.ts';
import type { Outcome, Processor } from '../services/events/processor.ts';
import { rootOf, settles } from '../services/moves/moved-case.ts';
import type { MoveStore } from '../services/moves/move-store.ts';

export interface ReconcileOptions {
  directory: Directory;
  registry: Registry;
  admins: Pick<ImapAdmins, 'ask'>;
  times: Times;
  /** What is being moved is left to its move. */
  moves: Pick<MoveStore, 'read'>;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** Between two looks at what is to be taken away, in milliseconds: a RENAME has no mailbox for a moment. Default 2000. */
  secondLook?: number;
}

/** As the change log names it. */
const by = 'reconcile';

/** A row that changes under every look is somebody's work: it is rung again later. */
const mostLooks = 5;

export function reconcileProcessor(options: ReconcileOptions): Processor<'reconcile'> {
  const session = `reconcile-${process.pid}`;
  return async ({ name }, signal) => {
    for (let look = 1; look <= mostLooks; look += 1) {
      signal.throwIfAborted();
      const outcome = await lookInto(name, { ...options, session, signal });
      if (outcome) return outcome;
    }
    return { is: 'open', note: 'its row changes under every look' };
  };
}

interface Look extends ReconcileOptions {
  session: string;
  signal: AbortSignal;
}

/** One look; undefined when another one is due. */
async function lookInto(name: Bytes, look: Look): Promise<Outcome | undefined> {
  const { directory, log } = look;
  const open = await directory.case(name);
  if (!open) return { is: 'done', note: 'settled' };
  const row = await rowOf(name, directory);
  const move = (await look.moves.read(rootOf(name)))?.move;
  if (move && settles(move, row, open)) {
    const why = `it is being moved from ${readable(move.from.server)} to ${readable(move.to.server)}`;
    await directory.note(name, why);
    return { is: 'open', note: why };
  }
  const verdict = await judged(name, row, open, look);
  const fields = { mailbox: readable(name), reason: open.reason, state: row?.state ?? 'absent' };
  if (verdict.is === 'wait') {
    // What is known not to hold it is forgotten all the same; the rest stays open.
    if (verdict.forget.length > 0) await carryOut(row, open, { action: 'close', forget: verdict.forget }, look);
    await directory.note(name, verdict.why);
    log.warn({ ...fields, waiting: verdict.why }, 'reconciliation waits');
    return { is: 'open', note: verdict.why };
  }
  if (!(await confirmed(name, row, open, verdict, look))) return undefined;
  if (verdict.is === 'push') return push(row, open, verdict, look);
  if (!(await carryOut(row, open, verdict, look))) return undefined;
  log.info({ ...fields, action: verdict.action }, 'reconciled');
  if (verdict.again) return undefined;
  const stands = verdict.action === 'close' && row;
  return { is: 'done', note: stands ? `${row.state} at ${readable(serverOf(row.location))}` : verdict.action };
}

/** The row itself: what is kept of a name that was deleted a moment ago is none. */
async function rowOf(name: Bytes, directory: Directory): Promise<Entry | undefined> {
  const [entry] = (await directory.lookup([name])).entries;
  return entry && isGrave(entry) ? undefined : entry;
}

async function judged(name: Bytes, row: Entry | undefined, open: Case, look: Look): Promise<Verdict> {
  const { registry, times } = look;
  const concerned = open.rivals.map(({ server }) => server);
  if (row) concerned.push(serverOf(row.location));
  const servers = [...new Set([...registry.pushing(), ...concerned])];
  const asked = await Promise.all(
    servers.map(async (server) => {
      const isTold = row !== undefined && serverOf(row.location) === server && registry.find(server)?.mupdate === false;
      // The row of a server that speaks no MUPDATE was written by us or imported, and is the truth about it.
      return [server, isTold ? 'has' : await ask(server, name, look)] as const;
    }),
  );
  return verdictOn({ row, open, holdings: new Map(asked), times, now: Date.now() });
}

async function ask(server: Bytes, name: Bytes, { admins, log }: Look): Promise<Holding> {
  try {
    return await admins.ask(server, (admin) => admin.holds(name));
  } catch (error) {
    log.warn({ server, mailbox: readable(name), err: error }, 'reconciliation: a backend could not be asked');
    return 'unknown';
  }
}

/** What would take something away is looked at twice; so is what its server may be in the midst of. */
async function confirmed(
  name: Bytes,
  row: Entry | undefined,
  open: Case,
  first: Verdict,
  look: Look,
): Promise<boolean> {
  const isTwice =
    first.is === 'push' ? row?.state === 'handed' : first.is === 'resolve' && takesTwo(first.action, open);
  if (!isTwice) return true;
  await pause(look.secondLook ?? 2000, undefined, { signal: look.signal });
  const second = await judged(name, row, open, look);
  if (first.is === 'push') return second.is === 'push' && second.server === first.server;
  return first.is === 'resolve' && second.is === 'resolve' && second.action === first.action;
}

function takesTwo(action: 'close' | 'restore' | 'remove' | 'hand', open: Case): boolean {
  return action === 'remove' || action === 'hand' || (action === 'close' && isOwn(open));
}

/** Has the one server that holds the mailbox activate it: it knows its own partition and ACL. The next look sees what came of it. */
async function push(
  row: Entry | undefined,
  open: Case,
  verdict: Verdict & { is: 'push' },
  look: Look,
): Promise<Outcome | undefined> {
  const { directory, admins, log } = look;
  const { name } = open;
  const { server, forget } = verdict;
  if (verdict.hand && !(await carryOut(row, open, { action: 'hand', forget }, look))) return undefined;
  try {
    await admins.ask(server, (admin) => admin.push(name));
  } catch (error) {
    const why = `${readable(server)} did not push it: ${(error as Error).message}`;
    await directory.note(name, why);
    throw error;
  }
  const [entry] = (await directory.lookup([name])).entries;
  if (entry?.state !== 'active' || serverOf(entry.location) !== server) {
    const why = `${readable(server)} was told to push it, and the directory does not show it there`;
    await directory.note(name, why);
    return { is: 'open', note: why };
  }
  log.info({ mailbox: readable(name), server }, 'reconciled: pushed by the server that holds it');
  return undefined;
}

function carryOut(
  expected: Entry | undefined,
  { name, rung }: Case,
  { action, forget }: { action: 'close' | 'restore' | 'remove' | 'hand'; forget: readonly Bytes[] },
  { directory, session }: Look,
): Promise<boolean> {
  return directory.resolve({ name, expected, rung, action, forget, session, by });
}

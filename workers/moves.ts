// The queue `moves`: takes a tree from one location to another, step by step, each derived from what is seen then.
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../services/address/bytes.ts';
import { kindOf } from '../services/events/failure.ts';
import type { Outcome, Processor } from '../services/events/processor.ts';
import type { Move, MoveState } from '../services/moves/move.ts';
import type { Kept } from '../services/moves/move-store.ts';
import { nextStep } from '../services/moves/saga.ts';
import type { Step } from '../services/moves/step.ts';
import { look } from './move-facts.ts';
import { askAgain, noteLeftOvers } from './move-left-overs.ts';
import { isTaken, take } from './move-steps.ts';
import type { MovesOptions, Work } from './move-work.ts';

/** A wait is looked at again so often, and so long in milliseconds, before the job makes way for others. */
const shortWaits = 5;
const shortWait = 50;

/** More steps than any move has: one that goes in circles is a fault. */
const mostSteps = 60;

export function movesProcessor(options: MovesOptions): Processor<'moves'> {
  return async ({ name }, signal, desk) => {
    const memory = { keeper: undefined, checked: false, copied: false, compared: {} };
    const work: Work = { ...options, name, signal, desk, memory, failed: undefined, told: undefined };
    try {
      return await carry(work);
    } catch (error) {
      return await told(error, work);
    } finally {
      // Whatever waits, mail does not wait for it.
      await work.memory.keeper?.giveBack();
    }
  };
}

/** Step after step; the outcome where nothing is to be done now, or ever. */
async function carry(work: Work): Promise<Outcome> {
  let waits = 0;
  for (let steps = 0; steps < mostSteps; steps += 1) {
    work.signal.throwIfAborted();
    const kept = await begun(work);
    if (!kept) return { is: 'done', note: 'no move is ordered' };
    if (kept.move.state !== 'open') return (await askAgain(kept.move, work)) ?? { is: 'done', note: kept.move.note };
    const step = nextStep(kept.move, await look(kept.move, work.memory, work));
    work.step = step.do;
    if (step.do === 'wait' && step.person !== true && waits < shortWaits) {
      waits += 1;
      await pause(work.pauses.short ?? shortWait, undefined, { signal: work.signal });
      continue;
    }
    const outcome = await acted(step, kept, work);
    if (outcome) return outcome;
  }
  throw new Error(`the move of ${readable(work.name)} has taken ${mostSteps} steps and is not done`);
}

/** The move as it is kept, with when it was looked at first. */
async function begun({ moves, name, clock }: Work): Promise<Kept | undefined> {
  const kept = await moves.read(name);
  if (kept?.move.state !== 'open' || kept.move.times.begun !== undefined) return kept;
  const { move } = kept;
  return (await moves.replace(kept, { ...move, times: { ...move.times, begun: clock() } })) ?? moves.read(name);
}

async function acted(step: Step, kept: Kept, work: Work): Promise<Outcome | undefined> {
  if (isTaken(step)) return take(step, kept, work);
  switch (step.do) {
    case 'wait':
      await noted(kept, { step: 'wait', note: step.why }, work);
      return { is: 'later', note: step.why, pause: step.person ? work.pauses.person : work.pauses.wait };
    case 'observe':
      return observed(kept, work);
    case 'finish':
      return over(kept, step.as, step.note, work);
    case 'refuse':
      return over(kept, 'refused', step.why, work);
    case 'stop':
      return over(kept, 'stopped', step.why, work);
  }
}

async function noted(kept: Kept, more: Pick<Move, 'step' | 'note'>, { moves, desk }: Work): Promise<void> {
  if (kept.move.note === more.note && kept.move.step === more.step) return;
  desk.log(`${more.step}: ${more.note}`);
  await moves.replace(kept, { ...kept.move, ...more });
}

/** Mail goes on by now; what the last step was, and since when, stands in the move. */
async function observed(kept: Kept, { moves, clock, settings }: Work): Promise<Outcome | undefined> {
  const { move } = kept;
  const { released = clock() } = move.times;
  const times = { ...move.times, released };
  const note = `moved, and watched for ${settings.observe / 1000} s`;
  if (!(await moves.replace(kept, { ...move, times, step: 'observe', note }))) return undefined;
  const left = released + settings.observe - clock();
  return left > 0 ? { is: 'later', note, pause: left } : undefined;
}

/** The end of a move, which may be tried again; undefined where somebody else was faster. */
async function over(
  kept: Kept,
  state: Exclude<MoveState, 'open'>,
  note: string,
  work: Work,
): Promise<Outcome | undefined> {
  const { moves, manifests, clock, log } = work;
  const { move } = kept;
  await noteLeftOvers(move, work);
  const ended: Move = { ...move, state, note, step: state, times: { ...move.times, ended: clock() } };
  if (!(await moves.replace(kept, ended))) return undefined;
  const fields = { mailbox: readable(move.name), from: move.from.server, to: move.to.server, state, note };
  if (state === 'stopped') log.error(fields, 'move: stopped, and somebody has to look at it');
  else log.info(fields, `move: ${state}`);
  work.ended?.(ended);
  // What a stopped one is to be compared with is kept.
  if (state !== 'stopped') await manifests.drop(move.name).catch(() => undefined);
  return { is: 'done', note };
}

/**
 * What went wrong stands in the move, too. Who is away or busy may not be soon; a no stays one, and ends the move. What is
 * neither is a fault of ours, and is told as such.
 */
async function told(error: unknown, work: Work): Promise<Outcome> {
  const { signal, moves, name, step = 'look', log, pauses } = work;
  if (signal.aborted) throw error;
  const kind = kindOf(error);
  const note = error instanceof Error ? error.message : String(error);
  const kept = await moves.read(name);
  if (kept?.move.state !== 'open') throw error;
  log.warn({ mailbox: readable(name), step, err: error }, 'move: a step went wrong');
  if (kind === 'refused') {
    const isUntouched = kept.move.attempts === 0 && ['check', 'copy', 'manifest'].includes(step);
    const outcome = await over(kept, isUntouched ? 'refused' : 'stopped', `${step}: ${note}`, work);
    return outcome ?? { is: 'later', note, pause: pauses.wait };
  }
  await noted(kept, { step, note }, work);
  if (kind === 'fault') throw error;
  return { is: 'later', note, pause: pauses.failed };
}

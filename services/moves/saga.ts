// The saga of a move: the next step, from what the directory and the two servers show now. Every step may be taken twice.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Difference } from './manifest-comparison.ts';
import type { Move } from './move.ts';
import { removingText } from './audit.ts';
import { isWithinServer } from './standing.ts';
import {
  back,
  differing,
  forPerson,
  isBegun,
  leftOver,
  push,
  remarked,
  restart,
  silence,
  stop,
  twin,
  wait,
} from './step.ts';
import type { Facts, Step } from './step.ts';

/** Mail is put off for none of these: rows that are handed put it off by themselves. */
const unheld: readonly Step['do'][] = ['check', 'copy', 'wait', 'observe', 'finish', 'refuse', 'stop'];

export function nextStep(move: Move, facts: Facts): Step {
  const step = stepAt(move, facts);
  return facts.lease === 'ours' && unheld.includes(step.do) ? { do: 'release' } : step;
}

function stepAt(move: Move, facts: Facts): Step {
  const { rows } = facts;
  if (rows.running !== undefined) return wait(`a cut of it goes on, in the session ${rows.running}`);
  switch (rows.root) {
    case 'source':
      return atSource(move, facts);
    case 'handed':
      return handed(move, facts);
    case 'destination':
      return atDestination(move, facts);
    case 'elsewhere':
      return unexpected(move, `it is ${rows.text}`, facts);
    case 'absent':
      return absent(move, facts);
    case 'tombstone':
      return wait('it is being deleted or renamed');
    case 'created':
    case 'contested':
      // What is not begun can wait until others have settled it.
      return isBegun(move) ? stop(move, facts, `it is ${rows.text}`) : wait(`it is ${rows.text}`);
  }
}

/** The root is active where it was. */
function atSource(move: Move, facts: Facts): Step {
  const { rows, source } = facts;
  const astray = [...rows.strange, ...rows.atDestination.map((name) => `${readable(name)} is at the destination`)];
  if (astray.length > 0 && !isWithinServer(move)) return unexpected(move, astray.join(', '), facts);
  switch (source) {
    case 'silent':
      if (move.cancelled && !isBegun(move) && rows.handed.length === 0) return back(move);
      return wait(silence(move.from.server));
    case 'moving':
      return restart(move);
    case 'lacks':
      return goneAtSource(move, facts);
    case 'has':
      return wholeAtSource(move, facts);
  }
}

/** The source has all of it, be its folders handed or not. */
function wholeAtSource(move: Move, facts: Facts): Step {
  const { rows, destination, ready, manifest } = facts;
  const { from, to } = move;
  const isHanded = rows.handed.length > 0;
  if (facts.lacked.length > 0) return partlyGone(move, facts);
  // While something is handed its mail is put off: nothing is waited for in this state.
  const orReturn = (step: Step): Step => (isHanded ? held(facts, push(from.server, rows.handed)) : step);
  if (move.cancelled) return orReturn(back(move));
  if (facts.twin) return orReturn(twin(move, facts));
  if (facts.removing)
    return orReturn(
      isBegun(move)
        ? forPerson(removingText(move.name, to.server))
        : { do: 'refuse', why: removingText(move.name, to.server) },
    );
  if (destination === 'silent') return orReturn(wait(silence(to.server)));
  if (destination === 'moving')
    return orReturn(forPerson(`${readable(to.server)} has it marked as moving: restart it`));
  if (isProvenCopy(facts)) return held(facts, { do: 'write', names: leftNames(move, facts) });
  if (move.attempts >= facts.attempts)
    return orReturn(stop(move, facts, `its cut was tried ${move.attempts} times: ${move.note}`));
  // A copy ahead needs no lease of its own; but whoever has one may be about to remove what is at the destination.
  if (!isHanded && facts.lease === 'another') return wait('another has the lease on it');
  if (!isHanded && !ready.checked) return { do: 'check' };
  if (!isHanded && !ready.copied) return { do: 'copy' };
  if (manifest !== 'held') return held(facts, { do: 'manifest' });
  const isUntold = facts.ours.destination && destination === 'has' && facts.compared.manifest === undefined;
  return held(facts, isUntold ? { do: 'verify', source: false } : { do: 'cut' });
}

/**
 * The source has the root, and not all of its folders: a cut died while it deleted. Copied or cut once more, the destination
 * would lose what only it has. Where its copy is behind, each part is served where it is whole, and a person has to join them.
 */
function partlyGone(move: Move, facts: Facts): Step {
  const { destination, manifest, compared, lacked } = facts;
  if (destination === 'silent')
    return wait(`${silence(move.to.server)}, and it alone has ${lacked.map(readable).join(', ')}`);
  if (destination !== 'has' || facts.twin)
    return stop(move, facts, `its source lacks ${lacked.map(readable).join(', ')}`);
  const isComparable = manifest !== 'none';
  if (isComparable && (compared.manifest === undefined || compared.source === undefined))
    return held(facts, { do: 'verify', source: true });
  const isWhole = isComparable && compared.manifest?.length === 0 && compared.source?.length === 0;
  return held(facts, telling(move, facts, isWhole ? leftNames(move, facts) : lacked));
}

/** Under this very hold the destination has all of it; nobody but us tells the directory of that. */
function isProvenCopy({ ours, destination, manifest, compared }: Facts): boolean {
  const isWhole = compared.manifest?.length === 0 && (compared.misplaced ?? []).length === 0;
  return ours.destination && destination === 'has' && manifest === 'held' && isWhole;
}

/** The root is active at a server that does not have it: the source speaks no MUPDATE, or the directory is an older one. */
function goneAtSource(move: Move, facts: Facts): Step {
  const { destination, manifest, compared } = facts;
  if (destination === 'silent') return wait(`${silence(move.to.server)}, and the source does not have it`);
  if (destination !== 'has' || facts.twin || manifest === 'none' || isWithinServer(move) || kept(facts).length > 0)
    return stop(move, facts, 'its source does not have it');
  if (compared.manifest === undefined) return held(facts, { do: 'verify', source: false });
  if (compared.manifest.length > 0) return stop(move, facts, differing(compared.manifest));
  return held(facts, telling(move, facts, leftNames(move, facts)));
}

/** The root was handed over, in a session that has ended. */
function handed(move: Move, facts: Facts): Step {
  const { rows, source, destination } = facts;
  const { from, to } = move;
  switch (source) {
    case 'silent':
      return wait(`${silence(from.server)}, and it was handed over: mail for it is put off until it answers`);
    case 'has':
      // Nothing is handed within a server: somebody else's cut broke off.
      if (isWithinServer(move)) return held(facts, push(from.server, rows.handed));
      return wholeAtSource(move, facts);
    case 'moving':
      return handedAndMoving(move, facts);
    case 'lacks':
      break;
  }
  if (destination === 'silent') return wait(`${silence(to.server)}, and it has the only copy`);
  if (destination !== 'has' || facts.twin || isWithinServer(move))
    return stop(move, facts, 'its source does not have it any more');
  const isUncompared = facts.manifest !== 'none' && facts.compared.manifest === undefined;
  if (isUncompared) return held(facts, { do: 'verify', source: false });
  // Also a copy that lacks something: it is the only one, and it is served rather than its mail refused.
  return held(facts, telling(move, facts, rows.handed));
}

/** The source's process has died in the midst: it refuses what it has marked, and only its restart unmarks it. */
function handedAndMoving(move: Move, facts: Facts): Step {
  const { rows, destination, compared, manifest } = facts;
  if (destination === 'silent') return wait(silence(move.to.server));
  if (destination !== 'has' || facts.twin || manifest === 'none' || isWithinServer(move)) return restart(move);
  const { manifest: lacking, source: behind } = compared;
  if (lacking === undefined || behind === undefined) return held(facts, { do: 'verify', source: true });
  const missing = [...lacking, ...behind];
  if (missing.length > 0) return restart(move, `the copy is not whole (${missing[0] ?? ''}): `);
  return held(facts, telling(move, facts, rows.handed));
}

/** The root is active at its destination. */
function atDestination(move: Move, facts: Facts): Step {
  const { destination, manifest, compared, rows } = facts;
  if (destination === 'silent') return wait(silence(move.to.server));
  if (destination === 'lacks') return stop(move, facts, 'its destination does not have it');
  if (destination === 'moving') return wait('its destination is moving it on');
  if (facts.twin) return twin(move, facts);
  const isCut = isBegun(move) || manifest !== 'none';
  if (manifest !== 'none' && compared.manifest === undefined) return { do: 'verify', source: false };
  const left = [...rows.handed, ...rows.atSource];
  if (left.length > 0) return mixed(move, facts, left);
  if (rows.strange.length > 0) return stop(move, facts, rows.strange.join(', '));
  const { manifest: lacking = [] } = compared;
  if (lacking.length > 0) return notWhole(move, facts, lacking);
  const misplaced = compared.misplaced ?? rows.misplaced;
  if (misplaced.length > 0) return onOtherPartition(move, facts, misplaced);
  // It lies where it is to, and the directory has not heard of that.
  if (rows.misplaced.length > 0) return held(facts, telling(move, facts, rows.misplaced));
  if (!isCut) return { do: 'finish', as: 'done', note: `it is there already${leftOver(move, facts)}` };
  if (!facts.observed) return { do: 'observe' };
  const proof = manifest === 'none' ? 'not compared, for its manifest is lost' : 'compared, and whole';
  return { do: 'finish', as: 'done', note: `moved; ${proof}${remarked(move)}${leftOver(move, facts)}` };
}

/**
 * The only copy that is served is not what was written down. Whoever tries it again after it was stopped so takes it as it
 * is, where the source's old copy has all of that: nothing is lost then, and the old copy is not deleted before a person sees to it.
 */
function notWhole(move: Move, facts: Facts, lacking: readonly Difference[]): Step {
  const why = differing(lacking);
  const [from, to] = [readable(move.from.server), readable(move.to.server)];
  if (facts.source !== 'has' || isWithinServer(move))
    return stop(move, facts, `${why}. Bring back at ${to} what is missing, and try it again: it is compared anew`);
  if (isBegun(move))
    return stop(move, facts, `${why}. Tried again, it is taken as it is if ${from} still has all of it`);
  const { spare } = facts.compared;
  if (spare === undefined) return { do: 'verify', source: true };
  if (spare.length > 0) return stop(move, facts, `${why}, nor is that of ${from}: ${spare[0] ?? ''}`);
  return {
    do: 'finish',
    as: 'done',
    note: `it is there, and ${why}; ${from} still has all of it, and that is left there`,
  };
}

/**
 * A driver may hand a tree over before it lays it into its partition: that broke off. The destination does the rest alone,
 * for what the source may still have must not be cut over what has come to the destination since.
 */
function onOtherPartition(move: Move, facts: Facts, names: readonly Bytes[]): Step {
  const what = `${names.map(readable).slice(0, 3).join(', ')} is not on the partition ${readable(move.to.partition)}`;
  if (!isBegun(move) && facts.manifest === 'none') return unexpected(move, `${what}: it is ${facts.rows.text}`, facts);
  if (move.attempts >= facts.attempts)
    return stop(move, facts, `${what}, and that was tried ${move.attempts} times: ${move.note}`);
  return held(facts, { do: 'lay' });
}

/** The root is there, and some of what goes along is not yet. */
function mixed(move: Move, facts: Facts, left: readonly Bytes[]): Step {
  if (isWithinServer(move)) {
    if (facts.rows.handed.length > 0) return held(facts, push(move.to.server, facts.rows.handed));
    if (move.attempts >= facts.attempts) return stop(move, facts, `its cut was tried ${move.attempts} times`);
    if (facts.manifest !== 'held') return held(facts, { do: 'manifest' });
    return held(facts, { do: 'cut' });
  }
  const staying = kept(facts);
  if (staying.length === 0) return held(facts, telling(move, facts, left));
  if (facts.source === 'silent') return wait(silence(move.from.server));
  const why = `${staying.map(readable).join(', ')} stayed at its source`;
  // Whoever has died while he wrote the rows has left some; mail may have come there since.
  if (!facts.ours.destination) return stop(move, facts, why);
  if (facts.compared.source === undefined) return held(facts, { do: 'verify', source: true });
  if (facts.compared.source.length > 0) return stop(move, facts, `${why}, and ${differing(facts.compared.source)}`);
  return held(facts, telling(move, facts, left));
}

/** Folders that nobody has handed over, and that the source still has, or may have: not ours to take. */
function kept({ rows, lacked }: Facts): Bytes[] {
  return rows.atSource.filter((name) => !lacked.includes(name));
}

/** The directory does not have it. */
function absent(move: Move, facts: Facts): Step {
  const { source, destination, compared, doubt } = facts;
  if (doubt !== undefined) return wait(doubt);
  const isSomewhere = [source, destination].some((said) => said === 'has' || said === 'moving');
  if (isSomewhere) return stop(move, facts, 'the directory does not have it');
  if (!isBegun(move)) return { do: 'refuse', why: 'there is no such mailbox' };
  if (source === 'silent') return wait(silence(move.from.server));
  if (destination === 'silent') return wait(silence(move.to.server));
  if (compared.manifest?.length === 0) return { do: 'finish', as: 'done', note: 'moved, and deleted since' };
  return stop(move, facts, 'nobody has it');
}

/** The step, once mail for the tree is put off, and everybody knows. */
function held(facts: Facts, step: Step): Step {
  // A person is called whoever has the lease.
  if (step.do === 'stop') return step;
  if (facts.lease === 'another') return wait('another has the lease on it');
  return facts.lease === 'ours' && facts.heard ? step : { do: 'hold' };
}

/** The directory is told that the destination has it: by itself, which can tell of nothing that it lacks, or by us. */
function telling(move: Move, facts: Facts, names: readonly Bytes[]): Step {
  const { ours, compared } = facts;
  if (ours.destination) return { do: 'write', names };
  const there = names.filter((name) => compared.lacks?.includes(name) !== true);
  if (there.length > 0) return push(move.to.server, there);
  return stop(move, facts, `its destination does not have ${names.map(readable).join(', ')}`);
}

/** All of the tree that the directory does not have at its destination; the root first. */
function leftNames({ name }: Move, { rows }: Facts): Bytes[] {
  return [...new Set([name, ...rows.handed, ...rows.atSource])];
}

/** A state that no step of a move leads to: before anything was done it is no move of ours, after that a riddle. */
function unexpected(move: Move, why: string, facts: Facts): Step {
  return isBegun(move) ? stop(move, facts, why) : { do: 'refuse', why };
}

// What a move's step is decided by, the steps there are, and the sentences that people read of them. Pure.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Held } from './driver.ts';
import type { Difference } from './manifest-comparison.ts';
import type { Move } from './move.ts';
import { isWithinServer } from './standing.ts';
import type { Standing } from './standing.ts';

/** What a server says of the root; `silent`: it could not be asked, which is never `lacks`. */
export type Said = Held | 'silent';

/** All that a step is decided by. */
export interface Facts {
  rows: Standing;
  source: Said;
  destination: Said;
  /**
   * Folders that the source does not have, of those that are handed, or whose rows nobody but us writes, or that are not where
   * their root is: a cut that died while it deleted has left these at the destination alone.
   */
  lacked: readonly Bytes[];
  /** The lease on the tree: held by this worker for this move, by somebody else, or by nobody. */
  lease: 'ours' | 'another' | 'none';
  /** With our lease: everybody who routes mail by what he remembers has heard of it. */
  heard: boolean;
  /** The source's manifest for this move: none is kept, one of an earlier hold, or one of this hold. */
  manifest: 'none' | 'older' | 'held';
  /**
   * What the destination's copy lacks: of the manifest, and of what the source shows now. Undefined where it has not been
   * compared since the last cut. `spare`: what the source's copy lacks of the manifest. `misplaced`: what the destination
   * has on another partition than the one that is wanted. `lacks`: mailboxes of the directory that it does not have.
   */
  compared: {
    manifest?: readonly Difference[];
    source?: readonly Difference[];
    spare?: readonly Difference[];
    misplaced?: readonly Bytes[];
    lacks?: readonly Bytes[];
  };
  /** Whether the destination has another mailbox of that name, and no copy of this one. */
  twin: boolean;
  /** Whether the destination was told to remove what it has of the tree, and has not answered: it may do so at any time. */
  removing: boolean;
  /** Whether the rows of that server are written by us, for it speaks no MUPDATE. */
  ours: { source: boolean; destination: boolean };
  /** Why a missing row proves no absence; undefined where it does. */
  doubt?: string;
  /** Since this worker has taken it up: nothing stands in its way, and what can be copied ahead is. */
  ready: { checked: boolean; copied: boolean };
  /** Whether it was at its destination for as long as it is to be watched there. */
  observed: boolean;
  /** How often a cut may be tried. */
  attempts: number;
}

/**
 * `hold`: take the lease, and have everybody hear of it. `verify`: compare the destination's copy with the manifest, and
 * where `source` is set with what the source shows now, too. `lay`: the destination puts it on the wanted partition. `push`: the server is to tell the directory of these; `write`:
 * we do that for it. `wait` with `person`: it goes on by itself once somebody has done what `why` says.
 */
export type Step =
  | { do: 'check' | 'copy' | 'hold' | 'manifest' | 'cut' | 'lay' | 'release' }
  | { do: 'observe' }
  | { do: 'verify'; source: boolean }
  | { do: 'push'; server: Bytes; names: readonly Bytes[] }
  | { do: 'write'; names: readonly Bytes[] }
  | { do: 'wait'; why: string; person?: true }
  | { do: 'finish'; as: 'done' | 'back'; note: string }
  | { do: 'refuse' | 'stop'; why: string };

export function isBegun({ attempts }: Move): boolean {
  return attempts > 0;
}

export function push(server: Bytes, names: readonly Bytes[]): Step {
  return { do: 'push', server, names };
}

export function wait(why: string): Step {
  return { do: 'wait', why };
}

export function forPerson(why: string): Step {
  return { do: 'wait', why, person: true };
}

export function silence(server: Bytes): string {
  return `${readable(server)} does not answer`;
}

/** Only `ctl_mboxlist -m` at the source, which its start does, takes the mark away; it refuses to push what bears it. */
export function restart({ from }: Move, because = ''): Step {
  const server = readable(from.server);
  return forPerson(`${because}${server} has it marked as moving, by a cut that broke off: restart Cyrus on ${server}`);
}

export function back({ from }: Move): Step {
  return { do: 'finish', as: 'back', note: `cancelled: it is at ${readable(from.server)} as before` };
}

export function twin(move: Move, facts: Facts): Step {
  return stop(move, facts, 'its destination has another mailbox of that name, with another unique id');
}

/** Both copies are kept, and a person is told all that is known. */
export function stop(move: Move, { rows, source, destination }: Facts, why: string): Step {
  const { from, to } = move;
  const said = `${readable(from.server)} ${words[source]}, ${readable(to.server)} ${words[destination]}`;
  return { do: 'stop', why: `${why}. Directory: ${rows.text}; ${said}` };
}

const words: Record<Said, string> = {
  has: 'has it',
  lacks: 'does not have it',
  moving: 'has it marked as moving',
  silent: 'does not answer',
};

export function differing(differences: readonly Difference[]): string {
  const more = differences.length > 3 ? `, and ${differences.length - 3} more` : '';
  return `its copy is not whole: ${differences.slice(0, 3).join('; ')}${more}`;
}

/** What is left at the source is never deleted by the move. */
export function leftOver(move: Move, { source }: Facts): string {
  if (isWithinServer(move) || source === 'lacks') return '';
  const server = readable(move.from.server);
  if (source === 'silent') return `; ${server} does not answer: whether it has a copy is not known, and is asked later`;
  return `; ${server} still has a copy, which is left there`;
}

/** What is otherwise than it was, without being a loss. */
export function remarked({ remarks = [] }: Move): string {
  if (remarks.length === 0) return '';
  const more = remarks.length > 3 ? `, and ${remarks.length - 3} more` : '';
  return `; otherwise than before, which is no loss: ${remarks.slice(0, 3).join('; ')}${more}`;
}

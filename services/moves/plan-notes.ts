// What whoever reads a plan should know before it is started.
import { textFromBytes } from '../directory/entry.ts';
import type { Policy } from '../placement/policy.ts';
import type { PlannedMove } from './plan.ts';
import type { Rate } from './plan-rate.ts';
import type { Room } from './room.ts';

interface Noted {
  moves: readonly PlannedMove[];
  /** As it is when all of it is done. */
  room: Room;
  rate: Rate;
  /** Whether sizes were asked for. */
  sizes: boolean;
  policy: Policy;
}

/** Sentences. */
export function notesOf({ moves, room, rate, sizes, policy }: Noted): string[] {
  if (moves.length === 0) return [];
  const destinations = [...new Set(moves.map(({ to }) => textFromBytes(to.server)))].sort();
  return [
    ...(sizes ? [] : ['sizes were not asked for: nothing is known of the space that is taken, and little of the time']),
    ...(rate.measured === 0 ? ['the duration is supposed: no moves are over yet that it could be learnt from'] : []),
    ...destinations.flatMap((name) => noteOn(name, room, policy)),
  ];
}

function noteOn(name: string, room: Room, policy: Policy): string[] {
  const space = room.spaceOf(name);
  return [
    ...(policy.backends.get(name)?.drain ? [`${name} drains, and is a destination by your word`] : []),
    ...(space === undefined ? [`nothing is known of the room on ${name}`] : []),
    ...(space && space.freeKiB < 0 ? [`${name} would have ${Math.round(-space.freeKiB)} KiB too little room`] : []),
  ];
}

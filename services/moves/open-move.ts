// The move of a tree that is open: who is to know of it before he does anything else to the tree.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Move } from './move.ts';
import { UnreadableMove } from './move-store.ts';
import type { MoveStore } from './move-store.ts';

/** Undefined where none is open. Rejects when Redis does not answer. */
export async function openMoveOf(name: Bytes, moves: Pick<MoveStore, 'read'>): Promise<Move | undefined> {
  try {
    const kept = await moves.read(name);
    return kept?.move.state === 'open' ? kept.move : undefined;
  } catch (error) {
    // A new one would take its place.
    if (error instanceof UnreadableMove) return undefined;
    throw error;
  }
}

/** `it is being moved from mail1 to mail2, of run 20261127-171408-3f9a`. */
export function movingText({ from, to, run }: Pick<Move, 'from' | 'to' | 'run'>): string {
  const isWithin = from.server === to.server;
  const way = isWithin
    ? `at ${readable(from.server)} from ${readable(from.partition)} to ${readable(to.partition)}`
    : `from ${readable(from.server)} to ${readable(to.server)}`;
  return `it is being moved ${way}${run === undefined ? '' : `, of run ${run}`}`;
}

// What a worker has in hand while it carries out a move, and what every step of it goes by.
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { Bytes } from '../services/directory/entry.ts';
import type { RoutingLeases } from '../services/directory/routing-lease.ts';
import type { Desk } from '../services/events/processor.ts';
import type { MoveDriver } from '../services/moves/driver.ts';
import type { FindingStore } from '../services/moves/finding-store.ts';
import type { Manifest } from '../services/moves/manifest.ts';
import type { Difference, Remark } from '../services/moves/manifest-comparison.ts';
import type { ManifestStore } from '../services/moves/manifest-store.ts';
import type { Move } from '../services/moves/move.ts';
import type { CopyAbove } from '../services/moves/worth-copying.ts';
import type { Kept, MoveStore } from '../services/moves/move-store.ts';
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
  /** How long what is left somewhere is kept at the least. */
  retention: number;
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
  directory: Pick<Directory, 'lookup' | 'tree' | 'lease' | 'release' | 'head' | 'write' | 'end'> & {
    copies: Pick<Directory['copies'], 'keep' | 'end'>;
  };
  routing: Pick<RoutingLeases, 'held'>;
  registry: Registry;
  moves: Pick<MoveStore, 'read' | 'replace'>;
  manifests: ManifestStore;
  /** What moves have left somewhere, for audits. */
  findings: Pick<FindingStore, 'of' | 'looked'>;
  driver: MoveDriver;
  /** What `found` lacks of a manifest, which more may have been done to since. */
  differences: (manifest: Manifest, found: Manifest) => readonly Difference[];
  /** What is set otherwise there, which is no loss. */
  remarks: (manifest: Manifest, found: Manifest) => readonly Remark[];
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

/** What is done now, for people; false where somebody else has changed the move meanwhile. */
export async function shown(kept: Kept, more: Partial<Move>, { moves, desk }: Work): Promise<Kept | undefined> {
  if (more.step !== undefined) desk.log(more.step);
  return moves.replace(kept, { ...kept.move, ...more });
}

/** Aborts with the job, with the lease, or after so many milliseconds. */
export function limits({ signal, memory, settings }: Work): AbortSignal {
  const lease = memory.keeper ? [memory.keeper.signal] : [];
  return AbortSignal.any([signal, AbortSignal.timeout(settings.cutTimeout), ...lease]);
}

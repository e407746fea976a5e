// What of the world those need to know who decide what happens next in it.
import type { Backend } from './backend.ts';
import type { Pair } from './paired.ts';
import type { Surroundings } from './reconciling.ts';
import type { Session } from './session.ts';
import type { Reply, Task } from './asking.ts';

/** A task under way, and the session that it talks in. */
export interface Slot {
  number: number;
  task?: { steps: Task; reply: Reply; backend: Backend | undefined; locks: [Backend, string][]; isBound: boolean };
  session?: Session | undefined;
  /** Its connection broke while it waited: the next thing that it asks gets no answer. */
  cut?: boolean;
}

export interface Stage {
  readonly pair: Pair;
  readonly backends: readonly Backend[];
  readonly slots: readonly Slot[];
  /** Sessions whose backend is gone, which the directory has not noticed yet. */
  zombies: Session[];
  readonly invariants: { readonly doubtful: readonly string[]; check(): Promise<void> };
  readonly surroundings: Surroundings;
  tell(text: string): void;
  crash(backend: Backend): Promise<void>;
  /** Ends the session of a slot. */
  end(slot: Slot, how: 'logout' | 'cut'): Promise<void>;
}

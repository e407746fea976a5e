// Taking the order of a move: whether it can be one, kept before it is rung for, so that a ring that is lost loses nothing.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { maxMailboxName } from '../address/mailbox-name.ts';
import { isUser } from '../address/user-name.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { isGrave, partitionOf, serverOf } from '../directory/entry.ts';
import { isDeletedName } from '../directory/settling.ts';
import { unaskable } from './move.ts';
import type { Move, Place } from './move.ts';
import type { MoveStore, Placed } from './move-store.ts';

/** A move that cannot be one; the message says why. */
export class UnfitMove extends Error {
  override readonly name = 'UnfitMove';
}

export interface Wanted {
  name: Bytes;
  /** Left out: where the directory has it. */
  from?: Place;
  to: Place;
  by: Bytes;
  run?: string;
  /** As planned; left out: not known. */
  octets?: number;
  messages?: number;
}

export interface MovingOptions {
  moves: Pick<MoveStore, 'place' | 'read' | 'replace'>;
  directory: Pick<Directory, 'lookup'>;
  registry: Registry;
  /** Has a worker look at the move of a name. */
  ring: (name: Bytes) => void;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

export class Moving {
  readonly #options: Required<MovingOptions>;

  constructor(options: MovingOptions) {
    this.#options = { clock: Date.now, ...options };
  }

  /**
   * Keeps the move and rings for it. Rejects with UnfitMove, or when Redis, or the directory, does not answer. One that is
   * over may be ordered again.
   */
  async place(wanted: Wanted): Promise<Placed> {
    const { name, to, by, run, octets = 0, messages = 0 } = wanted;
    const unfit = unfitMove(wanted);
    if (unfit !== undefined) throw new UnfitMove(unfit);
    const from = wanted.from ?? (await this.#placeOf(name));
    const misplaced = unfitPlaces(from, to, this.#options.registry);
    if (misplaced !== undefined) throw new UnfitMove(`${readable(name)}: ${misplaced}`);
    const placed = await this.#options.moves.place({
      ...{ name, from, to, by, since: this.#options.clock(), ...(run !== undefined && { run }) },
      ...{ state: 'open', cancelled: false, attempts: 0, octets, messages, times: {} },
      ...{ step: 'ordered', note: 'ordered' },
    });
    // Also for what was ordered before: its ring may have been lost.
    this.#options.ring(name);
    return placed;
  }

  /** Orders once more what is over, and was not done. Rejects with UnfitMove where there is none, as `place` does else. */
  async again(name: Bytes, by: Bytes): Promise<Placed> {
    const before = await this.read(name);
    if (!before || before.state === 'done')
      throw new UnfitMove(`${readable(name)} has no move that could be tried again`);
    const { from, to, run, octets, messages } = before;
    return this.place({ name, from, to, by, octets, messages, ...(run !== undefined && { run }) });
  }

  /** Wants an open move undone; what is cut by then goes on to its end. Rejects with UnfitMove where none is open. */
  async cancel(name: Bytes, by: Bytes): Promise<Move> {
    for (;;) {
      const kept = await this.#options.moves.read(name);
      if (kept?.move.state !== 'open') throw new UnfitMove(`${readable(name)} has no open move`);
      const cancelled = { ...kept.move, cancelled: true, note: `cancelled by ${readable(by)}` };
      if (!(await this.#options.moves.replace(kept, cancelled))) continue;
      this.#options.ring(name);
      return cancelled;
    }
  }

  /** What became of the move of a name; undefined where none is known (any more). */
  async read(name: Bytes): Promise<Move | undefined> {
    return (await this.#options.moves.read(name))?.move;
  }

  async #placeOf(name: Bytes): Promise<Place> {
    const [row] = (await this.#options.directory.lookup([name])).entries;
    if (!row || isGrave(row)) throw new UnfitMove(`the directory does not have ${readable(name)}`);
    return { server: serverOf(row.location), partition: partitionOf(row.location) };
  }
}

/** Why nothing of that name can be moved; a sentence, undefined where it can. */
export function unfitMove({ name }: Pick<Wanted, 'name'>): string | undefined {
  const shown = readable(name);
  if (name === '' || name.length > maxMailboxName || /[\x00-\x1f\x7f]/.test(name)) return `${shown} is no mailbox`;
  if (isDeletedName(name)) return `${shown} was deleted: it goes along with its user`;
  const local = name.slice(name.indexOf('!') + 1);
  if (local.split('.').includes('')) return `${shown} is no mailbox`;
  if (local.startsWith('user.') && !isUser(name)) return `${shown} is a folder of a user: it goes along with him`;
  return undefined;
}

/** Why nothing goes from there to there; a phrase, undefined where it can. */
export function unfitPlaces(from: Place, to: Place, registry: Registry): string | undefined {
  for (const { server, partition } of [from, to]) {
    const backend = registry.find(server);
    if (!backend) return `${readable(server)} is no backend`;
    if (!backend.imap) return `${readable(server)} ${unaskable}`;
    if (/[^A-Za-z0-9_.-]/.test(partition)) return `${readable(partition)} is no name of a partition`;
  }
  if (from.server !== to.server) return undefined;
  if (to.partition === '') return `it is at ${readable(to.server)} already: name a partition of it`;
  return from.partition === to.partition ? `it is at ${readable(to.server)} on ${to.partition} already` : undefined;
}

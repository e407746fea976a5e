// Active rows as they were looked up, a bounded number of them: those that nobody asks for are the first to be forgotten.
import type { Bytes, Entry } from './entry.ts';
import { placeOf } from './tree.ts';

interface Generation {
  rows: Map<Bytes, Entry>;
  /** The names in `rows` by their tree, but for those that are their tree's root. */
  folders: Map<Bytes, Set<Bytes>>;
}

/**
 * Two generations: when the young one has its share it becomes the old one, and the old one is forgotten. What is asked for
 * in the old one becomes young again. So each costs a map's look, and no list has to be kept in order.
 */
export class RowMemory {
  readonly #share: number;
  #young = generation();
  #old = generation();

  /** `most` is the greatest number of rows; with 0 nothing is kept. */
  constructor(most: number) {
    this.#share = Math.ceil(most / 2);
  }

  get size(): number {
    return this.#young.rows.size + this.#old.rows.size;
  }

  get(name: Bytes): Entry | undefined {
    const young = this.#young.rows.get(name);
    if (young !== undefined) return young;
    const old = this.#old.rows.get(name);
    if (old === undefined) return undefined;
    remove(this.#old, name);
    this.keep(old);
    return old;
  }

  keep(entry: Entry): void {
    if (this.#share === 0) return;
    const { name } = entry;
    remove(this.#old, name);
    const { rows, folders } = this.#young;
    rows.set(name, entry);
    const { tree } = placeOf(name);
    if (tree !== name) {
      const names = folders.get(tree);
      if (names) names.add(name);
      else folders.set(tree, new Set([name]));
    }
    if (rows.size < this.#share) return;
    this.#old = this.#young;
    this.#young = generation();
  }

  forget(name: Bytes): void {
    remove(this.#young, name);
    remove(this.#old, name);
  }

  /** The root of the tree, and all that is known below. */
  forgetTree(tree: Bytes): void {
    for (const one of [this.#young, this.#old]) {
      for (const name of [tree, ...(one.folders.get(tree) ?? [])]) remove(one, name);
    }
  }

  clear(): void {
    this.#young = generation();
    this.#old = generation();
  }
}

function generation(): Generation {
  return { rows: new Map(), folders: new Map() };
}

function remove({ rows, folders }: Generation, name: Bytes): void {
  if (!rows.delete(name)) return;
  const { tree } = placeOf(name);
  if (tree === name) return;
  const names = folders.get(tree);
  names?.delete(name);
  if (names?.size === 0) folders.delete(tree);
}

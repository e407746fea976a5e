// Which tree a mailbox name belongs to, and what it is called inside it.
import type { Bytes, Entry } from './entry.ts';

/**
 * The rule of trees, as it is written into the directory's meta: a directory made under another rule is refused, not
 * misread.
 */
export const treeRule = 1;

export interface Place {
  /** The root mailbox's name: `user.jdoe`, `example.org!user.jdoe`, `news`. */
  tree: Bytes;
  /** The rest of the name: empty for the root, `Sent`, `a.b`; with a leading dot for what was deleted. */
  field: Bytes;
  /** A user's tree is one hash, however large; a shared one is split into buckets as it grows. */
  shared: boolean;
}

/**
 * Where a name belongs: a user and all folders below are one tree; `DELETED.user.x.HEX` belongs to its user, so that a
 * delayed delete (a RENAME in Cyrus) stays inside one hash; anything else belongs to its first component. No two names
 * share tree and field: a name with an empty component, which no Cyrus makes, is a tree of its own.
 */
export function placeOf(name: Bytes): Place {
  const mark = name.indexOf('!');
  const domain = name.slice(0, mark + 1);
  const local = name.slice(mark + 1);
  const parts = local.split('.');
  if (parts.includes('')) return { tree: name, field: '', shared: true };
  if (parts[0] === 'user' && parts.length > 1) {
    return { tree: domain + parts.slice(0, 2).join('.'), field: parts.slice(2).join('.'), shared: false };
  }
  if (parts[0] === 'DELETED' && parts[1] === 'user' && parts.length > 2) {
    return { tree: domain + parts.slice(1, 3).join('.'), field: '.' + parts.slice(3).join('.'), shared: false };
  }
  return { tree: domain + (parts[0] ?? ''), field: parts.slice(1).join('.'), shared: true };
}

/** Whether a name is in a tree of the domain (`example.org!`, or nothing) that no user owns and whose name is near. */
export function isNearTo(name: Bytes, domain: Bytes, isNear: (component: Bytes) => boolean): boolean {
  const { tree } = placeOf(name);
  if (!tree.startsWith(domain) || (domain === '' && tree.includes('!'))) return false;
  const root = tree.slice(domain.length);
  return !root.startsWith('user.') && isNear(root);
}

/** The name of a field of a tree: the way back from `placeOf`. */
export function nameIn(tree: Bytes, field: Bytes): Bytes {
  if (field === '') return tree;
  if (!field.startsWith('.')) return `${tree}.${field}`;
  const local = tree.indexOf('!') + 1;
  const deleted = `${tree.slice(0, local)}DELETED.${tree.slice(local)}`;
  return field === '.' ? deleted : deleted + field;
}

/** A bucket of a shared tree that outgrows this many rows makes the tree one bucket larger. */
export const bucketRows = 512;

export interface WalkedTree {
  /** Its root: `user.jdoe`, `news`. */
  tree: Bytes;
  /** All its rows, wherever they are, those of what was deleted and is kept among them; in no order. */
  rows: readonly Entry[];
}

/** Rows sorted out by the tree that they belong to. */
export function byTree(entries: readonly Entry[]): WalkedTree[] {
  const trees = new Map<Bytes, Entry[]>();
  for (const entry of entries) {
    const { tree } = placeOf(entry.name);
    const rows = trees.get(tree);
    if (rows) rows.push(entry);
    else trees.set(tree, [entry]);
  }
  return Array.from(trees, ([tree, rows]) => ({ tree, rows }));
}

// Cyrus' order of mailbox names, in which backends and slaves walk our lists beside their own.
import type { Bytes } from './entry.ts';

/**
 * The key by which Cyrus 3.6 and later sort names: bytes, with the `!` after a domain as 0x1D, the `.` between
 * components as 0x1F, and `^` as the dot it stands for; a domain keeps its dots. Right order is a courtesy to
 * `ctl_mboxlist -m` (it stops at a list in another order), never what safety rests on.
 */
export function sortKey(name: Bytes): Bytes {
  const mark = name.indexOf('!');
  const local = name
    .slice(mark + 1)
    .replaceAll('.', '\x1f')
    .replaceAll('^', '.');
  return mark < 0 ? local : `${name.slice(0, mark)}\x1d${local}`;
}

/** Sorts in place by Cyrus' order; each key is made once. */
export function sortByName<T extends { name: Bytes }>(rows: T[]): T[] {
  const keyed = rows.map((row) => ({ key: sortKey(row.name), row }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  keyed.forEach(({ row }, index) => (rows[index] = row));
  return rows;
}

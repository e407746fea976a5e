// A row as it is kept in Redis: one short string, the same in Lua and here.
import type { Bytes, Entry, Row, State } from '../entry.ts';

export const stateLetters: Record<State | 'absent', string> = {
  active: 'A',
  created: 'C',
  handed: 'H',
  contested: 'D',
  tombstone: 'T',
  absent: 'X',
};

const statesByLetter = new Map(Object.entries(stateLetters).map(([state, letter]) => [letter, state as State]));

/** The state of a letter; undefined for one that no version of ours has written. */
export function stateOf(letter: string): State | 'absent' | undefined {
  return statesByLetter.get(letter);
}

/**
 * `A17 13 mail1!defaultjdoe...`: state letter, version, [`,since,session[,ended[,flags]]`], length of the location,
 * location, ACL. Rows that are not active remember since when, and by which session. Flags: `R` released, `U` unbound.
 */
export function packRow(row: Row, version: number): Bytes {
  return `${stateLetters[row.state]}${version}${markOf(row)} ${row.location.length} ${row.location}${row.acl}`;
}

function markOf({ state, since, session, ended, released, unbound }: Row): string {
  if (state === 'active') return '';
  const flags = `${released ? 'R' : ''}${unbound ? 'U' : ''}`;
  const end = ended === undefined && flags === '' ? '' : `,${ended ?? ''}`;
  return `,${since ?? 0},${session ?? ''}${end}${flags === '' ? '' : `,${flags}`}`;
}

/** The way back. Throws on what `packRow` never made: a key of ours that something else has written. */
export function unpackRow(name: Bytes, packed: Bytes): Entry {
  const match = /^([ACHDT])(\d+)(?:,(\d+),([^ ,]*)(?:,(\d*)(?:,([RU]+))?)?)? (\d+) /.exec(packed);
  const state = match?.[1] === undefined ? undefined : stateOf(match[1]);
  if (!match || state === undefined || state === 'absent') {
    throw new Error(
      `row of ${JSON.stringify(name)} is not a row of the directory: ${JSON.stringify(packed.slice(0, 80))}`,
    );
  }
  const [head, , version, since, session, ended = '', flags = '', length] = match;
  const end = head.length + Number(length);
  const row: Entry = {
    name,
    state,
    location: packed.slice(head.length, end),
    acl: packed.slice(end),
    version: Number(version),
  };
  if (since === undefined || session === undefined) return row;
  return {
    ...{ ...row, since: Number(since), session },
    ...(ended === '' ? {} : { ended: Number(ended) }),
    ...(flags.includes('R') ? { released: true } : {}),
    ...(flags.includes('U') ? { unbound: true } : {}),
  };
}

// Entries of the directory as they are shown.
import { readable } from '../address/bytes.ts';
import { bytesFromText, partitionOf, serverOf, textFromBytes } from '../directory/entry.ts';
import type { Bytes, Entry, State } from '../directory/entry.ts';
import { ageText, timeText } from './case-view.ts';
import type { Table } from './render.ts';

/** What a state means to whoever looks for the mailbox. */
const stateWords: Record<State, string> = {
  active: 'active',
  created: 'reserved (being created)',
  handed: 'reserved (handed over)',
  contested: 'contested (several servers say they hold it)',
  tombstone: 'deleted a moment ago',
};

export function stateText(entry: Entry): string {
  return stateWords[entry.state];
}

/** An ACL's pairs of identifier and rights: `anyone lrs, jdoe lrswipkxtecdan`. */
function aclText(acl: Bytes): string {
  const words = acl.split('\t').filter((word) => word !== '');
  const pairs = Array.from({ length: Math.ceil(words.length / 2) }, (_, at) =>
    words.slice(2 * at, 2 * at + 2).join(' '),
  );
  return readable(pairs.join(', '));
}

export function entriesTable(entries: readonly Entry[]): Table {
  const rows = entries.map((entry) => [
    readable(entry.name),
    readable(serverOf(entry.location)),
    readable(partitionOf(entry.location)),
    stateText(entry),
  ]);
  return { columns: ['name', 'server', 'partition', 'state'], rows };
}

/** All that is known of an entry, by name. */
export function entryPairs(entry: Entry, now: number): [string, string][] {
  const pairs: [string, string][] = [
    ['name', readable(entry.name)],
    ['server', readable(serverOf(entry.location))],
    ['partition', readable(partitionOf(entry.location))],
    ['state', stateText(entry)],
    ['acl', aclText(entry.acl)],
    ['version', String(entry.version)],
  ];
  if (entry.session !== undefined) pairs.push(['session', entry.session]);
  if (entry.since !== undefined) pairs.push(['since', `${timeText(entry.since)} (${ageText(now - entry.since)})`]);
  if (entry.ended !== undefined) pairs.push(['session ended', timeText(entry.ended)]);
  if (entry.released === true) pairs.push(['released', 'its holder says that it does not have it any more']);
  if (entry.unbound === true) pairs.push(['unbound', 'deleted by a session that spoke for no server']);
  return pairs;
}

/** An entry as JSON. A name that is not UTF-8 stands beside it in base64, so that nothing is lost. */
export function entryJson(entry: Entry): Record<string, unknown> {
  const name = textFromBytes(entry.name);
  return {
    name,
    ...(bytesFromText(name) !== entry.name && { name_base64: Buffer.from(entry.name, 'latin1').toString('base64') }),
    state: entry.state,
    server: textFromBytes(serverOf(entry.location)),
    partition: textFromBytes(partitionOf(entry.location)),
    acl: textFromBytes(entry.acl),
    version: entry.version,
    ...(entry.session !== undefined && { session: entry.session }),
    ...(entry.since !== undefined && { since: timeText(entry.since) }),
    ...(entry.ended !== undefined && { session_ended: timeText(entry.ended) }),
    ...(entry.released === true && { released: true }),
    ...(entry.unbound === true && { unbound: true }),
  };
}

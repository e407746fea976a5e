// Entries of the directory as they are shown.
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import { nameBytes } from '../operations/entry-value.ts';
import type { EntryValue } from '../operations/entry-value.ts';
import { stateText } from '../operations/state-text.ts';
import { sinceText } from './case-view.ts';
import type { Table } from './render.ts';

/** Text from the directory, its control characters made visible. */
function shown(text: string): string {
  return readable(bytesFromText(text));
}

/** An ACL's pairs of identifier and rights: `anyone lrs, jdoe lrswipkxtecdan`. */
function aclText(acl: string): string {
  const words = acl.split('\t').filter((word) => word !== '');
  const pairs = Array.from({ length: Math.ceil(words.length / 2) }, (_, at) =>
    words.slice(2 * at, 2 * at + 2).join(' '),
  );
  return shown(pairs.join(', '));
}

export function entriesTable(entries: readonly EntryValue[]): Table {
  const rows = entries.map((entry) => [
    ...[readable(nameBytes(entry)), shown(entry.server), shown(entry.partition), stateText(entry)],
  ]);
  return { columns: ['name', 'server', 'partition', 'state'], rows };
}

/** All that is known of an entry, by name. */
export function entryPairs(entry: EntryValue, now: number): [string, string][] {
  const pairs: [string, string][] = [
    ['name', readable(nameBytes(entry))],
    ['server', shown(entry.server)],
    ['partition', shown(entry.partition)],
    ['state', stateText(entry)],
    ['acl', aclText(entry.acl)],
    ['version', String(entry.version)],
  ];
  if (entry.session !== undefined) pairs.push(['session', entry.session]);
  if (entry.since !== undefined) pairs.push(['since', `${entry.since} (${sinceText(entry.since, now)})`]);
  if (entry.session_ended !== undefined) pairs.push(['session ended', entry.session_ended]);
  if (entry.released === true) pairs.push(['released', 'its holder says that it does not have it any more']);
  if (entry.unbound === true) pairs.push(['unbound', 'deleted by a session that spoke for no server']);
  return pairs;
}

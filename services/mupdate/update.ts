// UPDATE (RFC 3656 section 4.11): all rows, OK, then what changes; or nothing at all where that would not be the truth.
import type { Change } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { losable, Resend } from './resend.ts';
import { answer, changed, row } from './responses.ts';
import { sendRows } from './rows.ts';
import type { Service } from './service.ts';
import { Stream } from './stream.ts';
import type { Wire } from './wire.ts';

/** A slave that was away may have names yet that are gone: they are sought among so many of the last changes. */
const goneSought = 10_000;

export interface UpdateAsked {
  tag: Bytes;
  /** The servers whose rows are wanted; none: all. */
  hosts: readonly Bytes[];
  lost: (reason: string) => void;
}

/**
 * Sends the list and begins the stream, which is missing where the client has gone meanwhile. Undefined, with nothing
 * sent, where the directory is not to be trusted; rejects where it could not be asked.
 */
export async function startUpdate(
  { directory, trusted, settings }: Service,
  wire: Wire,
  { tag, hosts, lost }: UpdateAsked,
): Promise<{ rows: number; stream: Stream | undefined } | undefined> {
  if (!(await trusted())) return undefined;
  const { entries: all, at: from } = await directory.snapshot();
  const changes = await directory.history(undefined, goneSought);
  // A loss while the rows were read would leave some of them out.
  if (!(await trusted())) return undefined;
  const wanted = (location: Bytes) => hosts.length === 0 || hosts.includes(serverOf(location));
  const entries = all.filter((entry) => wanted(entry.location));
  const text = (entry: Entry) => row(tag, entry);
  await sendRows(wire, entries, text);
  wire.write(answer(tag, 'OK', 'streaming starts'));
  // Once more as changes: Cyrus' frontend, merging the list into its own, loses some.
  const rate = settings.resend_rate;
  const { now, later } = parted(entries, changes, rate);
  await sendRows(wire, now, text);
  const rows = entries.length;
  if (!(await wire.room())) return { rows, stream: undefined };
  const line = (change: Change) => (wanted(change.location) || wanted(change.from) ? changed(tag, change) : '');
  const resend = new Resend({ wire, rows: later, text, rate });
  return { rows, stream: new Stream({ directory, from, wire, line, resend, lost }) };
}

/** What is sent once more at once: what may have been lost; a short list whole. */
function parted(entries: readonly Entry[], changes: readonly Change[], rate: number): { now: Entry[]; later: Entry[] } {
  if (entries.length <= rate) return { now: [...entries], later: [] };
  const lost = losable([...entries, ...changes].map(({ name }) => name));
  const isLost = ({ name }: Entry) => lost.has(name);
  return { now: entries.filter(isLost), later: entries.filter((entry) => !isLost(entry)) };
}

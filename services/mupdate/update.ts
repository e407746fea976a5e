// UPDATE (RFC 3656 section 4.11): all rows, OK, then what changes; or nothing at all where that would not be the truth.
import type { Change } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import type { Listing } from './listings.ts';
import { Resend } from './resend.ts';
import { answer, changed, row } from './responses.ts';
import { sendRows } from './rows.ts';
import type { Service } from './service.ts';
import { Stream } from './stream.ts';
import type { Wire } from './wire.ts';

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
  service: Service,
  wire: Wire,
  asked: UpdateAsked,
): Promise<{ rows: number; stream: Stream | undefined } | undefined> {
  const { directory, listings, settings } = service;
  const { tag, hosts, lost } = asked;
  const wanted = (location: Bytes) => hosts.length === 0 || hosts.includes(serverOf(location));
  const text = (entry: Entry) => row(tag, entry);
  const sent = await listings.inTurn(() => sendList(service, wire, { tag, wanted, text }));
  if (!sent) return undefined;
  const { rows, later, at: from } = sent;
  if (!(await wire.room())) return { rows, stream: undefined };
  // A lease changes no row.
  const concerns = ({ cause, location, from }: Change) => cause !== 'lease' && (wanted(location) || wanted(from));
  const line = (change: Change) => (concerns(change) ? changed(tag, change) : '');
  const resend = new Resend({ wire, rows: later, text, rate: settings.resend_rate });
  return { rows, stream: new Stream({ directory, from, wire, line, resend, lost }) };
}

interface Sending {
  tag: Bytes;
  wanted: (location: Bytes) => boolean;
  text: (entry: Entry) => Bytes;
}

/** The list, the OK, and what is to be sent once more at once; what of that may wait is given back. */
async function sendList(
  { listings, trusted, settings }: Service,
  wire: Wire,
  { tag, wanted, text }: Sending,
): Promise<{ rows: number; later: readonly Entry[]; at: Listing['at'] } | undefined> {
  if (!(await trusted())) return undefined;
  const listing = await listings.read();
  // A loss while the rows were read would leave some of them out.
  if (!(await trusted())) return undefined;
  const of = (entries: readonly Entry[]) => {
    const some = entries.filter(({ location }) => wanted(location));
    return some.length === entries.length ? entries : some;
  };
  const entries = of(listing.entries);
  await sendRows(wire, entries, text);
  wire.write(answer(tag, 'OK', 'streaming starts'));
  // Once more as changes: Cyrus' frontend, merging the list into its own, loses some. A short list goes whole.
  const isShort = entries.length <= settings.resend_rate;
  await sendRows(wire, isShort ? entries : of(listing.lost), text);
  return { rows: entries.length, later: isShort ? [] : of(listing.kept), at: listing.at };
}

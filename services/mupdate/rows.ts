// Rows on their way to a client: in pieces, as fast as it reads.
import type { Bytes, Entry } from '../directory/entry.ts';
import type { Wire } from './wire.ts';

/** Rows are made into text and sent so many at a time. */
const rowsAtOnce = 256;

/** Resolves when all are sent, or the connection is over. */
export async function sendRows(wire: Wire, entries: readonly Entry[], text: (entry: Entry) => Bytes): Promise<void> {
  for (let at = 0; at < entries.length && (await wire.room()); at += rowsAtOnce) {
    wire.write(
      entries
        .slice(at, at + rowsAtOnce)
        .map(text)
        .join(''),
    );
  }
}

// What a backend says against the directory, at a delivery: the name becomes a case, and the worker looks into it.
import { readable } from '../address/bytes.ts';
import { reasons } from '../directory/case.ts';
import type { Bytes } from '../directory/entry.ts';
import type { RoleStart } from './role.ts';

/** A name is not rung for again within so many milliseconds: each message to it would. */
const quiet = 60_000;
/** The most names that are kept in mind for it. */
const mostNames = 10_000;

/** To be told of each; returns at once, and never throws: the delivery goes on. */
export function contradictionsOf(
  start: Pick<RoleStart, 'directory' | 'events' | 'log' | 'metrics' | 'node'>,
): (mailbox: Bytes, server: Bytes) => void {
  const rung = new Map<Bytes, number>();
  return (mailbox, server) => {
    start.metrics.count('rookery_lmtp_contradictions_total', server);
    const now = performance.now();
    if (now - (rung.get(mailbox) ?? -Infinity) < quiet) return;
    if (rung.size >= mostNames) rung.clear();
    rung.set(mailbox, now);
    void ring(mailbox, server, start);
  };
}

async function ring(
  name: Bytes,
  server: Bytes,
  { directory, events, log, node }: Parameters<typeof contradictionsOf>[0],
): Promise<void> {
  const fields = { mailbox: readable(name), server: readable(server) };
  log.warn(fields, 'a backend does not know a mailbox that the directory places there: reconciliation is due');
  try {
    await directory.suspect(name, reasons.unknownThere, `${node}-lmtp`);
    (await events()).producer.ring('reconcile', { name });
  } catch (error) {
    log.error({ ...fields, err: error }, 'reconciliation could not be rung for');
  }
}

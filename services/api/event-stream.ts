// Server-sent events (the WHATWG's text/event-stream): an answer that goes on, with ids from which a reader resumes.
import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { InvalidRequest } from './validation.ts';

export interface StreamedEvent {
  event: string;
  /** By which a reader that comes back says where it was. */
  id?: number;
  data: object;
}

/** A comment goes out when nothing else has for so long, in milliseconds: proxies close what is silent. */
const heartbeat = 15_000;

/** Where a reader was, by its header `Last-Event-ID`; undefined where it has none. Throws InvalidRequest where that is no number. */
export function lastEventId({ headers }: FastifyRequest): number | undefined {
  const said = headers['last-event-id'];
  if (said === undefined || said === '') return undefined;
  if (typeof said === 'string' && /^\d{1,9}$/.test(said)) return Number(said);
  const expected = 'the id of an event, a whole number from 0 to 999999999';
  throw new InvalidRequest([{ field: 'header.last-event-id', value: JSON.stringify(said), expected }]);
}

/**
 * Answers with events until there are no more, or the reader has gone; `signal` tells the source of the latter. A reader who
 * takes nothing is not written to ahead.
 */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  source: (signal: AbortSignal) => AsyncIterable<StreamedEvent>,
): Promise<void> {
  const { raw } = reply;
  reply.hijack();
  const gone = new AbortController();
  raw.once('close', () => {
    gone.abort();
  });
  raw.on('error', () => {
    gone.abort();
  });
  raw.writeHead(200, {
    ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    connection: 'close',
  });
  raw.flushHeaders();
  const beat = setInterval(() => raw.write(': still there\n\n'), heartbeat);
  try {
    for await (const event of source(gone.signal)) {
      if (gone.signal.aborted) break;
      beat.refresh();
      if (!raw.write(eventText(event))) await once(raw, 'drain', { signal: gone.signal });
    }
  } catch (error) {
    // A reader that has gone is no failure; who stays is told, and comes back by himself.
    if (!gone.signal.aborted) request.log.error({ err: error }, 'a stream of events broke off');
  } finally {
    clearInterval(beat);
    raw.end();
  }
}

function eventText({ event, id, data }: StreamedEvent): string {
  const lines = [`event: ${event}`, ...(id === undefined ? [] : [`id: ${id}`]), `data: ${JSON.stringify(data)}`];
  return `${lines.join('\n')}\n\n`;
}

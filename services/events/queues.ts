// The queues: their names, and what a job of each says.
import { z } from 'zod';

/** What a job says: what to look at, never what to do. Names are byte strings, one character (0 to 255) a byte. */
export interface Payloads {
  /** A user's mailbox that is to be made, renamed or deleted: what has been ordered is looked up by its name. */
  placement: { name: string };
  /** A tree's root mailbox under a move: how far that is says its saga. */
  moves: { name: string };
  /** A tree whose replica may be behind. */
  replication: { tree: string };
  /** A mailbox whose row in the directory may not tell the truth. */
  reconcile: { name: string };
  /** A backend that is to be asked how full it is. */
  usage: { server: string };
  /** A tree whose events are to be counted (services/changes); a bell, its events are in the tree's list. */
  counts: { tree: string };
}

export type QueueName = keyof Payloads;
export type Payload<Q extends QueueName> = Payloads[Q];

/** The queues whose jobs can be bells of trees (tree-events.ts). */
export type TreeQueue = { [Q in QueueName]: Payload<Q> extends { tree: string } ? Q : never }[QueueName];

export const treeQueueNames: readonly TreeQueue[] = ['counts'];

export function isTreeQueue(name: QueueName): name is TreeQueue {
  return (treeQueueNames as readonly QueueName[]).includes(name);
}

/** How the jobs of a queue are written down, and for how long they may wait. */
export interface QueueForm<P> {
  /** Raised with each change of the payload that an older program would misread. */
  version: number;
  /** Each field is described by what it may be. */
  payload: z.ZodType<P> & { shape: Readonly<Record<string, z.ZodType>> };
  /** What a job is about, as bytes: two jobs about the same are one. */
  subject: (payload: P) => string;
  /** The longest pause before another attempt, in milliseconds, where the queue wants it shorter than the settings do. */
  longestPause?: number;
}

/** Bytes in JSON: it holds text only, and a name need not be any. */
export function written(name: string): string {
  return Buffer.from(name, 'latin1').toString('base64url');
}

/** A name as bytes, of `least` bytes or more; `what` stands after "it may be". */
function named(what: string, least = 1) {
  const text = z.string().regex(/^[\x00-\xff]*$/);
  return z
    .codec(z.base64url(), text.min(least), {
      decode: (encoded) => Buffer.from(encoded, 'base64url').toString('latin1'),
      encode: written,
    })
    .describe(`${what} in base64url`);
}

/** Bytes in the body of an event. */
export const bytes = named('bytes', 0);

const forms: { readonly [Q in QueueName]: QueueForm<Payload<Q>> } = {
  placement: {
    version: 1,
    payload: z.strictObject({ name: named("the name of a user's mailbox") }),
    subject: ({ name }) => name,
  },
  moves: {
    version: 1,
    payload: z.strictObject({ name: named("the name of a tree's root mailbox") }),
    subject: ({ name }) => name,
  },
  replication: {
    version: 1,
    payload: z.strictObject({ tree: named('the name of a tree') }),
    subject: ({ tree }) => tree,
  },
  reconcile: {
    version: 1,
    payload: z.strictObject({ name: named('the name of a mailbox', 0) }),
    subject: ({ name }) => name,
    // The directory rings once a minute for each open case; a longer pause would only keep that ring from being heard.
    longestPause: 60_000,
  },
  usage: {
    version: 1,
    payload: z.strictObject({ server: named('the name of a backend') }),
    subject: ({ server }) => server,
  },
  counts: {
    version: 1,
    payload: z.strictObject({ tree: named('the name of a tree') }),
    subject: ({ tree }) => tree,
  },
};

export const queueNames = Object.keys(forms) as QueueName[];

/** Those that this version has workers for (workers/serve.ts): the others wait for a later one. */
export const workedQueueNames: readonly QueueName[] = ['placement', 'reconcile', 'usage', 'counts'];

export function isQueueName(name: string): name is QueueName {
  return Object.hasOwn(forms, name);
}

export function formOf<Q extends QueueName>(queue: Q): QueueForm<Payload<Q>> {
  return forms[queue];
}

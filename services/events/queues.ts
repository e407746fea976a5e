// The queues, and what a job of each says.
import { z } from 'zod';
import type { CommonQueue, QueueName } from '../config/queue-names.ts';

export { isQueueName, queueName, queueNames, queueWords, replicaQueue } from '../config/queue-names.ts';
export type { QueueName } from '../config/queue-names.ts';

/** What a job says: what to look at, never what to do. Names are byte strings, one character (0 to 255) a byte. */
interface Payloads extends Record<CommonQueue, object> {
  /** A user's mailbox that is to be made, renamed or deleted: what has been ordered is looked up by its name. */
  placement: { name: string };
  /** A tree's root mailbox under a move: how far that is says its saga. */
  moves: { name: string };
  /** A run of a plan of moves: what may begin of it now. */
  plans: { run: string };
  /** A tree whose servers' replicas may be behind; a bell, its events are in the tree's list. */
  replication: { tree: string };
  /** A mailbox whose row in the directory may not tell the truth. */
  reconcile: { name: string };
  /** A backend that is to be asked how full it is. */
  usage: { server: string };
  /** A tree whose events are to be counted (services/changes); a bell, its events are in the tree's list. */
  counts: { tree: string };
}

export type Payload<Q extends QueueName> = Q extends CommonQueue ? Payloads[Q] : { tree: string };

/** The queues whose jobs are bells of trees (tree-events.ts). */
export type TreeQueue = 'counts' | 'replication';

export const treeQueueNames: readonly TreeQueue[] = ['counts', 'replication'];

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

const tree: QueueForm<{ tree: string }> = {
  version: 1,
  payload: z.strictObject({ tree: named('the name of a tree') }),
  subject: ({ tree }) => tree,
};

const forms: { readonly [Q in CommonQueue]: QueueForm<Payloads[Q]> } = {
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
  plans: {
    version: 1,
    payload: z.strictObject({ run: named('the id of a run') }),
    subject: ({ run }) => run,
  },
  replication: tree,
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
  counts: tree,
};

/** Those that this version has workers for (workers/serve.ts): the others wait for a later one. */
export const workedQueueNames: readonly QueueName[] = [
  ...(['placement', 'moves', 'plans', 'replication', 'reconcile', 'usage', 'counts'] as const),
];

export function formOf<Q extends QueueName>(queue: Q): QueueForm<Payload<Q>> {
  const form = (forms as Readonly<Partial<Record<QueueName, unknown>>>)[queue] ?? tree;
  return form as QueueForm<Payload<Q>>;
}

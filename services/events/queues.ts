// The queues: their names, what a job of each says, how that is written, and how long it is tried and kept.
import { z } from 'zod';

/** What a job says: what to look at, never what to do. Names are byte strings, one character (0 to 255) a byte. */
export interface Payloads {
  /** A mailbox whose row in the directory may not tell the truth. */
  reconcile: { name: string };
  /** A tree whose events are to be counted (services/changes); a bell, its events are in the tree's list. */
  counts: { tree: string };
}

export type QueueName = keyof Payloads;
export type Payload<Q extends QueueName> = Payloads[Q];

/** The queues whose jobs can be bells of trees (tree-events.ts). */
export type TreeQueue = { [Q in QueueName]: Payload<Q> extends { tree: string } ? Q : never }[QueueName];

export const treeQueueNames: readonly TreeQueue[] = ['counts'];

export interface JobSettings {
  /** How often a job is tried in all when it throws, before it counts as failed. */
  attempts: number;
  /** The pause before the second attempt, in milliseconds; doubled for each one after it. */
  pause: number;
  /** Finished jobs are kept for whoever wonders what has happened: at most so many, and so long (in seconds). */
  completed: { count: number; age: number };
  failed: { count: number; age: number };
}

interface QueueForm<P> {
  /** Raised with each change of the payload that an older program would misread. */
  version: number;
  payload: z.ZodType<P>;
  /** What a job is about, as bytes: two jobs about the same are one. */
  subject: (payload: P) => string;
  settings: JobSettings;
}

/** Bytes in JSON: it holds text only, and a name need not be any. */
export const bytes = z.codec(z.base64url(), z.string().regex(/^[\x00-\xff]*$/), {
  decode: (text) => Buffer.from(text, 'base64url').toString('latin1'),
  encode: (text) => Buffer.from(text, 'latin1').toString('base64url'),
});

const forms: { readonly [Q in QueueName]: QueueForm<Payload<Q>> } = {
  reconcile: {
    version: 1,
    payload: z.strictObject({ name: bytes }),
    subject: ({ name }) => name,
    settings: {
      // Over in about two and a half minutes: a backend that restarts is back by then. What fails all the same is rung
      // again by the directory each minute as long as its case is open, so giving up loses nothing.
      attempts: 6,
      pause: 5_000,
      // An hour answers "has anybody looked?", a week "what went wrong at the weekend?". The counts bound the memory at
      // about 1 MB, however many names a wrong backend brings up.
      completed: { count: 1_000, age: 3_600 },
      failed: { count: 1_000, age: 7 * 86_400 },
    },
  },
  counts: {
    version: 1,
    payload: z.strictObject({ tree: bytes }),
    subject: ({ tree }) => tree,
    settings: {
      // Only Redis itself can fail it: what can't be applied waits in the list, and the sweep rings again.
      attempts: 6,
      pause: 5_000,
      // Bells say little once they are over.
      completed: { count: 100, age: 3_600 },
      failed: { count: 1_000, age: 7 * 86_400 },
    },
  },
};

export const queueNames = Object.keys(forms) as QueueName[];

export function isQueueName(name: string): name is QueueName {
  return Object.hasOwn(forms, name);
}

function formOf<Q extends QueueName>(queue: Q): QueueForm<Payload<Q>> {
  return forms[queue];
}

export function jobSettings(queue: QueueName): JobSettings {
  return forms[queue].settings;
}

/** A job as it lies in Redis: JSON, and an id that jobs about the same share. */
export interface WrittenJob {
  data: object;
  /** No `:` is in it, which BullMQ's keys are made with. */
  subject: string;
}

/** Writes a job down; throws where the payload is none for this queue. */
export function writeJob<Q extends QueueName>(queue: Q, payload: Payload<Q>): WrittenJob {
  const form: QueueForm<Payload<Q>> = forms[queue];
  const data = z.encode(form.payload, payload) as object;
  return { data: { v: form.version, ...data }, subject: bytes.encode(form.subject(payload)) };
}

/** A job that this program can't read, now or at the next attempt. */
export class UnfitJob extends Error {
  override readonly name = 'UnfitJob';
}

const versioned = z.looseObject({ v: z.int() });

/** Reads a job that was written by any version of this program, or by a stranger. Throws UnfitJob. */
export function readJob<Q extends QueueName>(queue: Q, data: unknown): Payload<Q> {
  const form: QueueForm<Payload<Q>> = forms[queue];
  const found = versioned.safeParse(data);
  if (!found.success) throw new UnfitJob(`not a job of ${queue}: it has no version`);
  const { v, ...payload } = found.data;
  if (v !== form.version) {
    throw new UnfitJob(`a job of ${queue} in version ${v}: this program knows version ${form.version}`);
  }
  const read = form.payload.safeParse(payload);
  if (read.success) return read.data;
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.') || 'payload'}: ${message}`);
  throw new UnfitJob(`not a job of ${queue}: ${faults.join('; ')}`);
}

/** What a job is about, as bytes; undefined for one that can't be read. */
export function subjectOf(queue: QueueName, data: unknown): string | undefined {
  try {
    return formOf(queue).subject(readJob(queue, data));
  } catch {
    return undefined;
  }
}

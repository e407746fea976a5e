// A job as it lies in Redis: the payload, its version, the trace that led to it, and what has gone wrong so far.
import { z } from 'zod';
import { failuresSchema } from './failure.ts';
import type { Failures } from './failure.ts';
import { formOf, written } from './queues.ts';
import type { Payload, QueueName } from './queues.ts';
import { traceparentSchema } from './trace.ts';

/** A job as it lies in Redis: JSON, and an id that jobs about the same share. */
export interface WrittenJob {
  data: object;
  /** No `:` is in it, which BullMQ's keys are made with. */
  subject: string;
}

/** Writes a job down; throws where the payload is none for this queue. */
export function writeJob<Q extends QueueName>(queue: Q, payload: Payload<Q>, traceparent?: string): WrittenJob {
  const form = formOf(queue);
  const data = z.encode(form.payload, payload) as object;
  const trace = traceparentSchema.safeParse(traceparent).data;
  return {
    data: { v: form.version, ...data, ...(trace !== undefined && { traceparent: trace }) },
    subject: written(form.subject(payload)),
  };
}

/** A job that this program can't read, now or at the next attempt. */
export class UnfitJob extends Error {
  override readonly name: string = 'UnfitJob';
}

/** A job of a version that only a newer program can read. */
export class NewerJob extends UnfitJob {
  override readonly name = 'NewerJob';
}

/** What is wrong in a job's surroundings is left out: it is no reason not to do the job. */
const envelopeSchema = z.looseObject({
  traceparent: traceparentSchema.optional().catch(undefined),
  failures: failuresSchema.optional().catch(undefined),
});

export interface Envelope {
  traceparent: string | undefined;
  failures: Failures | undefined;
}

/** What surrounds the payload of a job, whoever has written it. */
export function envelopeOf(data: unknown): Envelope {
  const { traceparent, failures } = envelopeSchema.safeParse(data).data ?? {};
  return { traceparent, failures };
}

/** The same job with other failures, or with none. Nothing else of it changes, whatever its version. */
export function withFailures(data: unknown, failures: Failures | undefined): object {
  const { failures: _, ...rest } = (isObject(data) ? data : {}) as { failures?: unknown };
  return failures ? { ...rest, failures } : rest;
}

export function isObject(data: unknown): data is object {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** Reads a job that was written by any version of this program, or by a stranger. Throws UnfitJob, or NewerJob. */
export function readJob<Q extends QueueName>(queue: Q, data: unknown): Payload<Q> {
  const { version, payload: schema } = formOf(queue);
  if (!isObject(data)) throw unfit(queue, `it is ${shortened(data)}: it may be an object`);
  const { v, traceparent: _, failures: __, ...payload } = data as Record<string, unknown>;
  if (!Number.isSafeInteger(v)) throw unfit(queue, `v is ${shortened(v)}: it may be ${version}`);
  if (v !== version) {
    const reason = `a job of ${queue} in version ${String(v)}: this program knows version ${version}`;
    throw Number(v) > version ? new NewerJob(reason) : new UnfitJob(reason);
  }
  const read = schema.safeParse(payload);
  if (read.success) return read.data;
  throw unfit(queue, read.error.issues.flatMap((issue) => faultsOf(queue, payload, issue)).join('; '));
}

function unfit(queue: QueueName, reason: string): UnfitJob {
  return new UnfitJob(`not a job of ${queue}: ${reason}`);
}

/** A field that is wrong: what it is, and what it may be. */
function faultsOf(queue: QueueName, payload: Record<string, unknown>, issue: z.core.$ZodIssue): string[] {
  const fields = formOf(queue).payload.shape;
  if (issue.code === 'unrecognized_keys') {
    const known = ['v', ...Object.keys(fields)].join(', ');
    return issue.keys.map((key) => `${shortened(key)} is ${shortened(payload[key])}: the fields are ${known}`);
  }
  const field = String(issue.path[0]);
  return [`${field} is ${shortened(payload[field])}: it may be ${fields[field]?.description ?? issue.message}`];
}

/** The most characters of a value that a reason repeats. */
const mostShown = 60;

/** A value for a sentence: all on one line, the beginning of what is long. */
function shortened(value: unknown): string {
  // JSON has nothing to say of undefined, though its type says text.
  const text = (JSON.stringify(value) as string | undefined) ?? 'missing';
  return text.length > mostShown ? `${text.slice(0, mostShown)}... (${text.length} characters)` : text;
}

/** What a job is about, as bytes; undefined for one that can't be read. */
export function subjectOf(queue: QueueName, data: unknown): string | undefined {
  try {
    return formOf(queue).subject(readJob(queue, data));
  } catch {
    return undefined;
  }
}

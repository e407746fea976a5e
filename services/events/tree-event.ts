// An event of a tree, and one that was set aside, as it is kept.
import { z } from 'zod';

export interface TreeEvent {
  /** Grows with each event of a queue: a second time the same id is the same event once more. */
  id: number;
  /** When it was appended, in milliseconds since 1970. */
  at: number;
  body: string;
}

/** An event that was set aside: it failed too often, or nobody can read it. */
export interface AsideEvent extends TreeEvent {
  tree: string;
  attempts: number;
  /** When it was set aside, in milliseconds since 1970. */
  since: number;
  /** Why it failed last. */
  reason: string;
}

const number = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
/** Tree, at, body, since, attempts, reason. */
const keptSchema = z.tuple([z.string(), number, z.string(), number, number, z.string()]);

/** As tree.lua writes it down: JSON around bytes. What is none of ours is an event, too, so that it is seen and discarded. */
export function asideIn(id: number, packed: string): AsideEvent {
  const kept = keptSchema.safeParse(jsonIn(packed));
  if (!kept.success) {
    const reason = 'what is kept under this number is no event that was set aside';
    return { id, at: 0, since: 0, attempts: 0, tree: '', body: textOf(packed), reason };
  }
  const [tree, at, body, since, attempts, reason] = kept.data;
  return { id, at, since, attempts, tree, body: textOf(body), reason: textOf(reason) };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Text as the bytes of its UTF-8, one character each; and back. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

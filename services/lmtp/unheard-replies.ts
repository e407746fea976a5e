// Replies that an MTA may not have heard: what a backend has taken is not delivered once more when the MTA comes again.
import type { Bytes } from '../directory/entry.ts';
import { parseReply, wireText, type Reply } from './reply.ts';

/**
 * Where they are kept, for all proxies together. Nothing is asked or written for a message that goes well. While the
 * store is away nothing is remembered, and a message may be delivered twice: never is one lost.
 */
export interface UnheardStore {
  /** What messages are digested with, 16 bytes; undefined while the store has not been reached yet. */
  readonly key: Buffer | undefined;
  /** Whether something may be kept for a sender and a recipient: from memory, at once. */
  mayHave(sender: Bytes, recipient: Bytes): boolean;
  /** Keeps one reply more; in the background, and without a word when it can't. */
  keep(sender: Bytes, recipient: Bytes, digest: string, text: Bytes): void;
  /** Takes one out; undefined when there is none, or the store is away. Never rejects. */
  take(sender: Bytes, recipient: Bytes, digest: string): Promise<Bytes | undefined>;
}

/** Of a proxy that remembers nothing. */
export const forgetful: UnheardStore = {
  key: undefined,
  mayHave: () => false,
  keep: () => undefined,
  take: () => Promise.resolve(undefined),
};

export function replyText(reply: Reply): Bytes {
  return wireText(reply).trimEnd().replaceAll('\r\n', '\n');
}

/** Undefined for what is no positive reply: then the message is delivered, for all we know. */
export function replyFrom(text: Bytes): Reply | undefined {
  const reply = parseReply(text);
  return reply !== undefined && reply.code >= 200 && reply.code < 300 ? reply : undefined;
}

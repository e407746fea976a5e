// What a proxy remembers of replies that were not heard, over a scratch Redis.
import { commandConnection } from '../../services/redis/connection.ts';
import { UnheardReplies } from '../../services/redis/unheard-replies.ts';

/** What was counted. */
export interface Events {
  kept: number;
  taken: number;
  failed: number;
}

export function openUnheard(socket: string): { replies: UnheardReplies; events: Events; close: () => Promise<void> } {
  const redis = commandConnection({ place: { socket }, commandTimeout: 2000, onError: () => undefined });
  const events: Events = { kept: 0, taken: 0, failed: 0 };
  const replies = new UnheardReplies({ redis, keepFor: 3600, count: (what) => (events[what] += 1) });
  const close = async () => {
    await replies.close();
    redis.disconnect();
  };
  return { replies, events, close };
}

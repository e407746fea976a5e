// Opens what is remembered of replies that MTAs may not have heard: in the Redis of the events, whether or not it answers.
import { once } from 'node:events';
import { commandConnection } from '../redis/connection.ts';
import { UnheardReplies } from '../redis/unheard-replies.ts';
import { eventsPlace } from './redis-access.ts';
import type { RoleStart } from './role.ts';

/** How long Redis may take to answer, in milliseconds: a message waits for it that may have been delivered already. */
const patience = 2000;

/** What other proxies have kept, or this one before it ended, is known when it resolves; where Redis is away, as soon as it is back. */
export async function openUnheard({
  config,
  metrics,
  outages,
}: Pick<RoleStart, 'config' | 'metrics' | 'outages'>): Promise<{ replies: UnheardReplies; close(): Promise<void> }> {
  const hearer = outages.of('events');
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const count = (event: string) => {
    metrics.count('rookery_lmtp_unheard_replies_total', event);
  };
  const replies = new UnheardReplies({ redis, keepFor: config.lmtp.remember_for, count });
  // The connection is not given up where that takes longer.
  await once(redis, 'ready', { signal: AbortSignal.timeout(patience) }).then(
    () => replies.refresh(),
    () => undefined,
  );
  const close = async () => {
    await replies.close();
    redis.disconnect();
  };
  return { replies, close };
}

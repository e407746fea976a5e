// Opens what is remembered of replies that MTAs may not have heard: in the Redis of the events, whether or not it answers.
import { commandConnection } from '../redis/connection.ts';
import { UnheardReplies } from '../redis/unheard-replies.ts';
import { eventsPlace } from './redis-access.ts';
import type { RoleStart } from './role.ts';

/** How long Redis may take to answer, in milliseconds: a message waits for it that may have been delivered already. */
const patience = 2000;

export function openUnheard({ config, metrics, outages }: RoleStart): { replies: UnheardReplies; close(): void } {
  const hearer = outages.of('events');
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const count = (event: string) => {
    metrics.count('rookery_lmtp_unheard_replies_total', event);
  };
  const replies = new UnheardReplies({ redis, keepFor: config.lmtp.remember_for, count });
  const close = () => {
    replies.close();
    redis.disconnect();
  };
  return { replies, close };
}

// Opens what is kept of the audit, for one command of an operator.
import { RedisTrail } from '../api/audit-trail.ts';
import type { Config } from '../config/schema.ts';
import type { KeptAudit } from '../operations/audit-operations.ts';
import { eventsPlace, redisName } from './redis-access.ts';

/** Rejects, naming the place, when Redis does not answer. */
export async function openAudit(config: Config): Promise<KeptAudit & { close(): void }> {
  const place = eventsPlace(config);
  const trail = new RedisTrail(place, config.api.audit_length);
  try {
    await trail.begun();
  } catch (error) {
    trail.close();
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new Error(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  return trail;
}

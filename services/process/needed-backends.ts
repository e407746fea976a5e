// What workers of users, cases and figures cannot do without: the backends that they are to ask.
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/schema.ts';
import type { QueueName } from '../events/queues.ts';
import { redisFolder } from '../redis/redis-folder.ts';
import { redisPlace } from './redis-access.ts';
import { workedHere } from './replicas.ts';

const asking: ReadonlySet<QueueName> = new Set<QueueName>(['placement', 'reconcile', 'usage']);

/**
 * Throws a ConfigError where workers of these queues (by default all that are worked off here) would have to ask backends,
 * and the configuration names none: every backend would be a stranger to them, and what they do of no use. Where Redis
 * is the embedded one, the directory is of the same configuration, which has none either.
 */
export function needBackends(config: Config, queues: readonly QueueName[] = workedHere(config)): void {
  const needy = queues.filter((queue) => asking.has(queue));
  if (hasOwnDirectory(config) || needy.length === 0 || Object.keys(config.backends).length > 0) return;
  const expected = `the same as in the configuration of the directory, each with imap: ${needy.join(', ')} ask them`;
  throw new ConfigError('the configuration of a worker', [{ key: 'backends', value: 'empty', expected }]);
}

/** Whether Redis is the embedded one of this configuration; worker processes of this machine are told of its socket. */
function hasOwnDirectory(config: Config): boolean {
  const place = redisPlace(config);
  return 'socket' in place && place.socket === redisFolder(config.data).socket;
}

// What workers of users, cases and figures cannot do without: the backends that they are to ask.
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/schema.ts';
import type { QueueName } from '../events/queues.ts';
import { workedHere } from './replicas.ts';

const asking: ReadonlySet<QueueName> = new Set<QueueName>(['placement', 'reconcile', 'usage']);

/**
 * Throws a ConfigError where workers of these queues (by default all that are worked off here) would have to ask backends,
 * and the configuration names none: every backend would be a stranger to them, and what they do of no use. Without redis.url
 * the directory is one of the same configuration, which has none either.
 */
export function needBackends(config: Config, queues: readonly QueueName[] = workedHere(config)): void {
  const needy = queues.filter((queue) => asking.has(queue));
  if (!config.redis || needy.length === 0 || Object.keys(config.backends).length > 0) return;
  const expected = `the same as in the configuration of the directory, each with imap: ${needy.join(', ')} ask them`;
  throw new ConfigError('the configuration of a worker', [{ key: 'backends', value: 'empty', expected }]);
}

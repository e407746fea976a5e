// A process hears what operators say of backends, and tells it: to whoever asks its registry, in metrics and by /readyz.
import { LifecycleFollower } from '../backends/lifecycle-follower.ts';
import { LifecycleStore } from '../backends/lifecycle-store.ts';
import { stages } from '../backends/lifecycle.ts';
import type { Word } from '../backends/lifecycle.ts';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import { redisPlace } from './redis-access.ts';
import type { RoleStart } from './role.ts';

type Start = Pick<RoleStart, 'config' | 'registry' | 'log' | 'outages' | 'watch' | 'notes'>;

/** So long without a word of Redis, in milliseconds, and what is obeyed may not be the last word. */
const stale = 5_000;

/** Follows until the function that it resolves to is called. Rejects when Redis does not tell. */
export async function followLifecycle(start: Start): Promise<() => Promise<void>> {
  const { config, registry, log, outages } = start;
  const commandTimeout = config.directory.redis_timeout * 1000;
  const redis = commandConnection({ place: redisPlace(config), commandTimeout, ...outages.of('directory') });
  const follower = new LifecycleFollower({ store: new LifecycleStore(redis), registry, log });
  try {
    await connected(redis, commandTimeout);
    await follower.begin();
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  tell(start, follower);
  return async () => {
    await follower.close();
    redis.disconnect();
  };
}

function tell({ registry, watch, notes }: Start, follower: Pick<LifecycleFollower, 'heardAt'>): void {
  const silence = () => Math.max(0, Date.now() - follower.heardAt);
  watch('rookery_backend_state', () =>
    registry.all().flatMap(({ name }) => {
      const { stage } = registry.standing(name);
      return stages.map((one) => [one === stage ? 1 : 0, name, one] as const);
    }),
  );
  watch('rookery_backend_words_age_seconds', () => [[silence() / 1000]]);
  notes['lifecycle'] = () => {
    const old = silence() > stale ? [`not heard for ${Math.round(silence() / 1000)} s: the last word holds`] : [];
    const said = [...unusual(registry), ...old];
    return said.length === 0 ? undefined : said.join('; ');
  };
}

/** The backends that are not simply active. */
function unusual(registry: Registry): string[] {
  return registry.all().flatMap(({ name }) => {
    const { stage, fenced } = registry.standing(name);
    const said = [...(stage === 'active' ? [] : [stage]), ...(fenced && stage !== 'retired' ? ['fenced'] : [])];
    return said.length === 0 ? [] : `${name} ${said.join(', ')}`;
  });
}

/** What operators have said, for one command. Rejects when Redis does not tell. */
export async function wordsOf(config: Config): Promise<ReadonlyMap<string, Word>> {
  const commandTimeout = config.directory.redis_timeout * 1000;
  const redis = commandConnection({ place: redisPlace(config), commandTimeout, ...unheard });
  try {
    await connected(redis, commandTimeout);
    return (await new LifecycleStore(redis).all()).words;
  } finally {
    redis.disconnect();
  }
}

// What a process remembers of the directory, for the roles that route mail: opened as configured, and watched.
import type { Config } from '../config/schema.ts';
import { NearCache } from '../directory/near-cache.ts';
import type { NearCacheState } from '../directory/near-cache.ts';
import type { RedisDirectory } from '../directory/redis/redis-directory.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Log } from './log.ts';
import type { RoleStart } from './role.ts';
import { nearCacheSettings } from './settings.ts';

export interface OpenNearCache {
  config: Config;
  directory: RedisDirectory;
  /** This process. */
  reader: string;
  log: Log;
  metrics: Metrics;
  watch: RoleStart['watch'];
}

/** Begun, if the directory answers; if not, it begins by itself when it does. */
export async function openNearCache(options: OpenNearCache): Promise<NearCache> {
  const { config, directory, reader, log, metrics, watch } = options;
  const cache = new NearCache({
    ...nearCacheSettings(config),
    ...{ directory, leases: directory.routing, reader },
    mayMove: (server) => hostsOf(server, config) > 1,
    onState: (state) => {
      tell(state, log);
    },
    onAnswer: (source) => {
      metrics.count('rookery_near_cache_answers_total', source);
    },
  });
  watch('rookery_near_cache_rows', () => [[cache.rows]]);
  watch('rookery_routing_lease_held', () => [[cache.state.is === 'following' ? 1 : 0]]);
  await cache.begin();
  return cache;
}

/** At how many hosts a server may be found. */
function hostsOf(server: string, { backends }: Config): number {
  const { hosts = [], lmtp } = backends[server] ?? {};
  return Math.max(hosts.length, lmtp?.addresses.length ?? 0);
}

function tell(state: NearCacheState, log: Log): void {
  if (state.is === 'away') {
    const { reason, left } = state;
    log.warn({ reason }, `directory: away; known recipients are delivered for ${inSeconds(left)}, others put off`);
  } else log.info({}, 'directory: back');
}

/** For /readyz: what is still done while the directory is away; undefined when that is nothing. */
export function stillDone(state: NearCacheState): string | undefined {
  if (state.is !== 'away' || state.left === 0) return undefined;
  return `away for ${inSeconds(state.since)}: known recipients are delivered for ${inSeconds(state.left)}, others put off`;
}

function inSeconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}

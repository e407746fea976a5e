// The role `autoscaler`: worker processes on this machine, as many as the queues need.
import type { Config } from '../config/schema.ts';
import type { Pool } from '../events/scaling.ts';
import { redisFolder } from '../redis/redis-folder.ts';
import { poolsOf } from './scaling-pools.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startAutoscalerRole(start: RoleStart): Promise<StartedRole> {
  const { config, log, workers } = start;
  const pools = poolsOf(config).filter(({ queues }) => queues.length > 0);
  const { demand } = await start.events();
  const scaling = await workers.scale({
    ...{ pools, demand, log },
    every: config.scaling.interval * 1000,
    grace: config.workers.shutdown_grace * 1000,
    args: (pool) => workerArgs(pool, workers.configFile),
    env: workerEnvironment(config),
  });
  start.watch('rookery_scaler_desired_replicas', () => scaling.pools().map(({ pool, desired }) => [desired, pool]));
  start.watch('rookery_scaler_workers', () =>
    scaling
      .pools()
      .flatMap(({ pool, current, leaving }) => [
        [current, pool, 'current'] as const,
        [leaving, pool, 'leaving'] as const,
      ]),
  );
  const words = pools.map(
    ({ name, queues, limits }) => `${name} (${queues.join(', ')}): ${limits.min} to ${limits.max}`,
  );
  return { name: 'Scaling', addresses: [], works: `${words.join('; ')} worker processes`, stop: () => scaling.stop() };
}

/** The command line by which a worker of the pool is started. */
function workerArgs({ queues, limits }: Pool, configFile: string | undefined): string[] {
  return [
    ...['run', 'worker', '--queues', queues.join(','), '--concurrency', String(limits.concurrency)],
    ...(configFile === undefined ? [] : ['--config', configFile]),
  ];
}

/** Ours, and where our embedded Redis is: a worker must not start one of its own. */
function workerEnvironment(config: Config): Record<string, string | undefined> {
  return { ...process.env, ...(!config.redis && { ROOKERY_REDIS__URL: redisFolder(config.data).socket }) };
}

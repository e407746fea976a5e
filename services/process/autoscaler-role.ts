// The role `autoscaler`: as many workers as the queues need, as processes of this machine or by KEDA's hand.
import { addressText } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Pool } from '../events/scaling.ts';
import { redisFolder } from '../redis/redis-folder.ts';
import { poolsOf } from './scaling-pools.ts';
import { scalingStates } from './scaling-state.ts';
import type { RoleStart, StartedRole } from './role.ts';

/** A hand that has been started. */
interface Hand {
  works: string;
  stop(): Promise<void>;
}

/** Throws where the configuration gives it nothing to do. */
export async function startAutoscalerRole(start: RoleStart): Promise<StartedRole> {
  const { local, keda } = start.config.scaling;
  if (!local && !keda) throw new Error('autoscaler: it has no hand to work with: set scaling.local or scaling.keda');
  const hands: Hand[] = [];
  const stop = async () => {
    await Promise.all(hands.map((hand) => hand.stop()));
  };
  try {
    if (keda) hands.push(await kedaHand(start, keda));
    if (local) hands.push(await localHand(start));
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'Scaling', addresses: [], works: hands.map(({ works }) => works).join('; '), stop };
}

async function kedaHand(start: RoleStart, listen: NonNullable<Config['scaling']['keda']>): Promise<Hand> {
  const { demand } = await start.events();
  const read = scalingStates(poolsOf(start.config), demand);
  const every = start.config.scaling.interval * 1000;
  const running = await start.workers.scaling.keda({ listen, read, every });
  return { works: `KEDA at ${addressText(running.address)}`, stop: () => running.stop() };
}

async function localHand(start: RoleStart): Promise<Hand> {
  const { config, log, workers } = start;
  const pools = poolsOf(config).filter(({ queues }) => queues.length > 0);
  const { demand } = await start.events();
  const scaling = await workers.scaling.local({
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
  return { works: `${words.join(', ')} worker processes`, stop: () => scaling.stop() };
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

// The role `lmtp`: the proxy that MTAs deliver to.
import { join } from 'node:path';
import type { Address } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Config } from '../config/schema.ts';
import type { NearCache } from '../directory/near-cache.ts';
import { OutcomeQueue } from '../logging/outcome-queue.ts';
import type { Outcome } from '../logging/outcome.ts';
import { BackendPools } from '../lmtp/backend-pool.ts';
import { LmtpListener } from '../lmtp/listener.ts';
import { MemoryLimit } from '../lmtp/memory-limit.ts';
import { Router } from '../lmtp/router.ts';
import { Spool } from '../lmtp/spool.ts';
import { Proxy } from '../lmtp/transaction.ts';
import type { ProxyOptions } from '../lmtp/transaction.ts';
import type { MinuteFigures } from '../metrics/minute-figures.ts';
import type { Replicas } from '../replication/replicas.ts';
import { Autocreate } from '../users/autocreate.ts';
import { Ordering } from '../users/ordering.ts';
import { contradictionsOf } from './contradictions.ts';
import { countedRoute, madeByFirstMessage } from './first-look.ts';
import { certificatesOf, entrancesOf } from './lmtp-doors.ts';
import { openFigures } from './open-figures.ts';
import { openUnheard } from './open-unheard.ts';
import { openUsers } from './open-users.ts';
import { backendSettings, lmtpSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startLmtpRole(start: RoleStart): Promise<StartedRole> {
  const { registry, log } = start;
  let { config } = start;
  const settings = backendSettings(config);
  const pools = new BackendPools(registry, settings, config.servername);
  const memory = new MemoryLimit(settings.memory_limit);
  const spool = await openSpool(config.lmtp.spool ?? join(config.data, 'spool'), settings.spool_limit);
  const unheard = await openUnheard(start);
  const users = await autocreateOf(start);
  const opened = openFigures(config, start.outages.of('events'));
  const replicas = await replicasTold(start);
  const outcomes = outcomesOf(start, opened.figures);
  const backing = {
    report: (outcome: Outcome) => {
      outcomes.add(outcome);
    },
    ...{ pools, memory, spool, unheard: unheard.replies, contradicted: contradictionsOf(start) },
    delivered: replicas && replicas.delivered.bind(replicas),
  };
  const handler = handlerOf(start, await start.nearCache(), backing, users?.autocreate);
  const listener = new LmtpListener({
    ...{ servername: config.servername, settings: lmtpSettings(config), handler: handler(config), log },
  });
  const stop = async () => {
    const grace = config.lmtp.shutdown_grace * 1000;
    const end = performance.now() + grace;
    await listener.close(grace);
    await pools.close(Math.max(0, end - performance.now()));
    // What backends have taken and no MTA was told is known now, and must not be forgotten.
    await listener.answered();
    await unheard.close();
    outcomes.close();
    users?.close();
    await opened.close();
  };
  const addresses: Address[] = [];
  try {
    for (const { address, door } of entrancesOf(config))
      addresses.push(await listener.listen(address, door, { shared: start.lmtpPart }));
  } catch (error) {
    await stop();
    throw error;
  }
  start.watch('rookery_lmtp_sessions', () => [[listener.sessions]]);
  start.watch('rookery_lmtp_memory_bytes', () => [[memory.held]]);
  start.watch('rookery_lmtp_spool_bytes', () => [[spool.used]]);
  watchBackends(pools, start);
  const prepare = (next: Config): Promise<() => void> => {
    const changed = { settings: lmtpSettings(next), handler: handler(next) };
    const certificates = certificatesOf(next);
    return Promise.resolve(() => {
      config = next;
      listener.reload(changed, certificates);
    });
  };
  return { name: 'LMTP', addresses, prepare: async (next) => prepare(next), stop };
}

async function openSpool(folder: string, limit: number): Promise<Spool> {
  try {
    return await Spool.open(folder, limit);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`lmtp.spool: ${folder} must be a folder that this user may write to: ${reason}`, { cause: error });
  }
}

function watchBackends(pools: BackendPools, { watch, notes }: RoleStart): void {
  watch('rookery_backend_connections', () =>
    pools
      .connections()
      .flatMap(({ backend, ...counts }) =>
        (['busy', 'idle', 'waiting', 'late'] as const).map((state) => [counts[state], backend, state] as const),
      ),
  );
  watch('rookery_backend_breaker', () =>
    pools
      .states()
      .flatMap(({ backend, breaker }) =>
        (['closed', 'open', 'half-open'] as const).map((state) => [state === breaker ? 1 : 0, backend, state] as const),
      ),
  );
  watch('rookery_backend_fenced', () =>
    pools.states().map(({ backend, fenced }) => [fenced ? 1 : 0, backend] as const),
  );
  notes['backends'] = () => pools.troubles();
}

/** The mail log and the counters; also a process that fails tells what it knows. */
function outcomesOf(
  { mailLog, metrics }: RoleStart,
  figures: Pick<MinuteFigures, 'deferred'>,
): { add(outcome: Outcome): void; close(): void } {
  const queue = new OutcomeQueue((outcome) => {
    mailLog.recipient(outcome);
    metrics.observeOutcome(outcome);
    if (outcome.reason === 'lease') figures.deferred();
  });
  // Before the log's own last write.
  process.prependListener('exit', queue.flush);
  const close = () => {
    process.off('exit', queue.flush);
    queue.flush();
  };
  return { add: queue.add.bind(queue), close };
}

/** What stands behind the listener, by a configuration. */
function handlerOf(
  { registry, metrics }: RoleStart,
  directory: NearCache,
  backing: Pick<ProxyOptions, 'pools' | 'memory' | 'spool' | 'unheard' | 'contradicted' | 'delivered' | 'report'>,
  autocreate: Autocreate | undefined,
) {
  return (config: Config): Proxy => {
    const router = new Router(directory, registry, config.lmtp, autocreate);
    return new Proxy({
      ...{ servername: config.servername, settings: backendSettings(config), ...backing },
      router: {
        route: (path, options) => countedRoute(router.route(path, options), metrics),
        stands: (route) => router.stands(route),
      },
    });
  };
}

/** Who is told of what was delivered; undefined where no backend has a replica. */
async function replicasTold({ config, events }: RoleStart): Promise<Replicas | undefined> {
  if (!Object.values(config.backends).some(({ replica }) => replica)) return undefined;
  return (await events()).replicas;
}

/** Who makes users at their first message; undefined where nobody is to be made so. */
async function autocreateOf({
  config,
  log,
  events,
  outages,
}: RoleStart): Promise<{ autocreate: Autocreate; close(): void } | undefined> {
  const { rate, hold } = config.users.autocreate;
  const wants = madeByFirstMessage(config);
  if (!wants) return undefined;
  const { producer } = await events();
  const users = openUsers(config, outages.of('events'));
  const ring = (name: Bytes) => {
    producer.ring('placement', { name });
  };
  const autocreate = new Autocreate({
    ordering: new Ordering({ orders: users.orders, ring }),
    ...{ wants, rate, hold: hold * 1000, log },
  });
  return {
    autocreate,
    close: () => {
      users.close();
    },
  };
}

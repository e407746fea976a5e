// The role `lmtp`: the proxy that MTAs deliver to.
import type { Address } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Config } from '../config/schema.ts';
import { BackendPools } from '../lmtp/backend-pool.ts';
import { LmtpListener } from '../lmtp/listener.ts';
import { Router } from '../lmtp/router.ts';
import { Proxy } from '../lmtp/transaction.ts';
import type { Replicas } from '../replication/replicas.ts';
import { Autocreate } from '../users/autocreate.ts';
import { Ordering } from '../users/ordering.ts';
import { countedRoute, madeByFirstMessage } from './first-look.ts';
import { certificatesOf, entrancesOf } from './lmtp-doors.ts';
import { openUsers } from './open-users.ts';
import { backendSettings, lmtpSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startLmtpRole(start: RoleStart): Promise<StartedRole> {
  const { registry, log } = start;
  let { config } = start;
  const pools = new BackendPools(registry, backendSettings(config), config.servername);
  const users = await autocreateOf(start);
  const handler = await handlerOf(start, pools, users?.autocreate);
  const listener = new LmtpListener({
    ...{ servername: config.servername, settings: lmtpSettings(config), handler: handler(config), log },
  });
  const stop = async () => {
    const grace = config.lmtp.shutdown_grace * 1000;
    await listener.close(grace);
    await pools.close(grace);
    users?.close();
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
  start.watch('rookery_backend_connections', () =>
    pools
      .connections()
      .flatMap(({ backend, busy, idle, waiting }) => [
        [busy, backend, 'busy'] as const,
        [idle, backend, 'idle'] as const,
        [waiting, backend, 'waiting'] as const,
      ]),
  );
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

/** What stands behind the listener, by a configuration. */
async function handlerOf(start: RoleStart, pools: BackendPools, autocreate: Autocreate | undefined) {
  const { registry, metrics, mailLog } = start;
  const [nearCache, replicas] = [await start.nearCache(), await replicasTold(start)];
  return (config: Config): Proxy => {
    const router = new Router(nearCache, registry, config.lmtp, autocreate);
    return new Proxy({
      ...{ servername: config.servername, settings: backendSettings(config), pools },
      router: { route: (path, hold) => countedRoute(router.route(path, hold), metrics) },
      delivered: replicas && replicas.delivered.bind(replicas),
      report: (outcome) => {
        mailLog.recipient(outcome);
        metrics.observeOutcome(outcome);
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

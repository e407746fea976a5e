// The role `lmtp`: the proxy that MTAs deliver to.
import type { Address } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendPools } from '../lmtp/backend-pool.ts';
import { LmtpListener } from '../lmtp/listener.ts';
import { Router } from '../lmtp/router.ts';
import { Proxy } from '../lmtp/transaction.ts';
import type { Replicas } from '../replication/replicas.ts';
import { Autocreate } from '../users/autocreate.ts';
import { Ordering } from '../users/ordering.ts';
import { countedRoute, madeByFirstMessage } from './first-look.ts';
import { openUsers } from './open-users.ts';
import { backendSettings, lmtpSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startLmtpRole(start: RoleStart): Promise<StartedRole> {
  const { config, registry, log, mailLog, metrics } = start;
  const pools = new BackendPools(registry, backendSettings(config), config.servername);
  const users = await autocreateOf(start);
  const router = new Router(await start.nearCache(), registry, config.lmtp, users?.autocreate);
  const replicas = await replicasTold(start);
  const proxy = new Proxy({
    ...{ servername: config.servername, settings: backendSettings(config), pools },
    router: { route: (path, options) => countedRoute(router.route(path, options), metrics) },
    delivered: replicas && replicas.delivered.bind(replicas),
    report: (outcome) => {
      mailLog.recipient(outcome);
      metrics.observeOutcome(outcome);
    },
  });
  const listener = new LmtpListener({
    ...{ servername: config.servername, settings: lmtpSettings(config), handler: proxy, log },
  });
  const stop = async () => {
    await listener.close(start.grace);
    await pools.close(start.grace);
    users?.close();
  };
  const addresses: Address[] = [];
  try {
    for (const address of config.lmtp.listen) addresses.push(await listener.listen(address));
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
  return { name: 'LMTP', addresses, stop };
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

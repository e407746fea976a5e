// The role `lmtp`: the proxy that MTAs deliver to.
import type { Address } from '../backends/registry.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendPools } from '../lmtp/backend-pool.ts';
import { LmtpListener } from '../lmtp/listener.ts';
import { Router } from '../lmtp/router.ts';
import type { Route } from '../lmtp/router.ts';
import { Proxy } from '../lmtp/transaction.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { Autocreate } from '../users/autocreate.ts';
import { isUser, Ordering } from '../users/ordering.ts';
import { openUsers } from './open-users.ts';
import { backendSettings, directoryPatience, lmtpSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startLmtpRole(start: RoleStart): Promise<StartedRole> {
  const { config, registry, log, mailLog, metrics } = start;
  const pools = new BackendPools(registry, backendSettings(config), config.servername);
  const users = await autocreateOf(start);
  const router = new Router(start.directory, registry, config.lmtp, directoryPatience(config), users?.autocreate);
  const proxy = new Proxy({
    ...{ servername: config.servername, settings: backendSettings(config), pools },
    router: { route: (path, hold, failure) => counted(router.route(path, hold, failure), metrics, failure) },
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

/** Who makes users at their first message; undefined where nobody is to be made so. */
async function autocreateOf({
  config,
  log,
  events,
}: RoleStart): Promise<{ autocreate: Autocreate; close(): void } | undefined> {
  const { names, rate, hold } = config.users.autocreate;
  if (names.length === 0) return undefined;
  const patterns = names.map((pattern) => mailboxPattern(bytesFromText(pattern)));
  const { producer } = await events();
  const users = openUsers(config, (error) => {
    log.error({ err: error }, 'users');
  });
  const ring = (name: Bytes) => {
    producer.ring('placement', { name });
  };
  const autocreate = new Autocreate({
    ordering: new Ordering({ orders: users.orders, ring }),
    wants: (mailbox) => isUser(mailbox) && patterns.some((fits) => fits(mailbox)),
    ...{ rate, hold: hold * 1000, log },
  });
  return {
    autocreate,
    close: () => {
      users.close();
    },
  };
}

/** A route, its lookup counted by what it found; without one (`failure` of a recipient before it) nothing is counted. */
async function counted(routing: Promise<Route>, metrics: Metrics, failure: string | undefined): Promise<Route> {
  const route = await routing;
  const { finding } = route;
  if (finding) metrics.countLookup(finding.found ? 'found' : finding.proven ? 'absent' : 'unproven');
  else if (route.failure !== undefined && failure === undefined) metrics.countLookup('failed');
  return route;
}

// The role `lmtp`: the proxy that MTAs deliver to.
import type { Address } from '../backends/registry.ts';
import type { Directory, Lookup } from '../directory/directory.ts';
import { finding } from '../directory/freshness.ts';
import { BackendPools } from '../lmtp/backend-pool.ts';
import { LmtpListener } from '../lmtp/listener.ts';
import { Router } from '../lmtp/router.ts';
import { Proxy } from '../lmtp/transaction.ts';
import { backendSettings, directoryPatience, lmtpSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startLmtpRole(start: RoleStart): Promise<StartedRole> {
  const { config, registry, log, mailLog, metrics } = start;
  const pools = new BackendPools(registry, backendSettings(config), config.servername);
  const directory = { lookup: (names: Parameters<Directory['lookup']>[0]) => counted(start, names) };
  const router = new Router(directory, registry, config.lmtp, directoryPatience(config));
  const proxy = new Proxy({
    ...{ servername: config.servername, settings: backendSettings(config), router, pools },
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

/** A lookup, counted by what it found. */
async function counted(
  { directory, registry, metrics }: RoleStart,
  names: Parameters<Directory['lookup']>[0],
): Promise<Lookup> {
  try {
    const lookup = await directory.lookup(names);
    const found = finding(lookup, registry.pushing());
    metrics.countLookup(found.found ? 'found' : found.proven ? 'absent' : 'unproven');
    return lookup;
  } catch (error) {
    metrics.countLookup('failed');
    throw error;
  }
}

// The role `directory`: the MUPDATE server on its addresses.
import { readable } from '../address/bytes.ts';
import type { Address } from '../backends/registry.ts';
import { MupdateServer } from '../mupdate/server.ts';
import { hostsOf, mupdateSettings, usersOf } from './settings.ts';
import { sessionIds } from './session-ids.ts';
import type { RoleStart, StartedRole } from './role.ts';
import { startFeeding } from './feeding.ts';
import { startSweeping } from './sweeping.ts';

export async function startDirectoryRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, log } = start;
  const events = await start.events();
  const server = new MupdateServer({
    servername: config.servername,
    users: usersOf(config),
    hosts: hostsOf(config),
    settings: mupdateSettings(config),
    trusted: start.trusted,
    nextSession: sessionIds(start.node),
    witnesses: start.registry.witnesses(),
    onRing: ({ reason, name }) => {
      log.warn({ reason, mailbox: readable(name) }, 'reconciliation is due');
      events.producer.ring('reconcile', { name });
    },
    ...{ directory, log },
  });
  const sweeping = await startSweeping(start, server, events);
  const feeding = startFeeding(start, events);
  const stop = async () => {
    await feeding.stop();
    await server.close(start.grace);
    // Settles what could not be settled while sessions ended.
    await sweeping.stop();
  };
  const addresses: Address[] = [];
  try {
    for (const address of config.directory.listen) addresses.push(await server.listen(address));
  } catch (error) {
    await stop();
    throw error;
  }
  start.watch('rookery_mupdate_sessions', () => Object.entries(server.sessions).map(([role, count]) => [count, role]));
  return { name: 'MUPDATE', addresses, stop };
}

// The role `directory`: the MUPDATE server on its addresses.
import type { Address } from '../backends/registry.ts';
import { MupdateServer } from '../mupdate/server.ts';
import { mupdateSettings, usersOf } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startDirectoryRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, log } = start;
  const server = new MupdateServer({
    servername: config.servername,
    users: usersOf(config),
    settings: mupdateSettings(config),
    trusted: start.trusted,
    nextSession: start.nextSession,
    onRing: ({ reason, write, writer }) => {
      log.warn({ reason, verb: write.verb, mailbox: write.name, server: writer.server }, 'reconciliation is due');
    },
    ...{ directory, log },
  });
  const stop = () => server.close(start.grace);
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

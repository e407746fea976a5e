// The role `directory`: the MUPDATE server on its addresses.
import type { Address } from '../backends/registry.ts';
import { MupdateServer } from '../mupdate/server.ts';
import { mupdateSettings, usersOf } from './settings.ts';
import { sessionIds } from './session-ids.ts';
import type { RoleStart, StartedRole } from './role.ts';

/** How often a node shows itself and settles what others left, in milliseconds. */
const sweepEvery = 10_000;

export async function startDirectoryRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, log } = start;
  const { producer } = await start.events();
  const server = new MupdateServer({
    servername: config.servername,
    users: usersOf(config),
    settings: mupdateSettings(config),
    trusted: start.trusted,
    nextSession: sessionIds(start.node),
    onRing: ({ reason, write, writer }) => {
      log.warn({ reason, verb: write.verb, mailbox: write.name, server: writer.server }, 'reconciliation is due');
      producer.ring('reconcile', { name: write.name });
    },
    ...{ directory, log },
  });
  const sweep = () => sweepNow(start, server);
  const sweeping = setInterval(() => void sweep(), sweepEvery);
  const stop = async () => {
    clearInterval(sweeping);
    await server.close(start.grace);
    // What could not be settled while sessions ended.
    await sweep();
  };
  const addresses: Address[] = [];
  await sweep();
  try {
    for (const address of config.directory.listen) addresses.push(await server.listen(address));
  } catch (error) {
    await stop();
    throw error;
  }
  start.watch('rookery_mupdate_sessions', () => Object.entries(server.sessions).map(([role, count]) => [count, role]));
  return { name: 'MUPDATE', addresses, stop };
}

/** Puts back what sessions deleted that nobody ends any more: of a node that died, or while Redis was away. */
async function sweepNow({ directory, node, log }: RoleStart, server: MupdateServer): Promise<void> {
  try {
    const restored = await directory.sweep(node, (session) => server.has(session));
    if (restored.length > 0) log.warn({ mailboxes: restored }, 'directory: deletions of lost sessions are put back');
  } catch (error) {
    log.error({ err: error }, 'directory: sweep');
  }
}

// One question to a backend, for an operator who decides something by its answer.
import type { Bytes } from '../address/bytes.ts';
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Config } from '../config/schema.ts';
import { registryOf } from './settings.ts';

/** Whether the backend says that it has no such mailbox; false where it does not answer. */
export function lackAsked(config: Config): (server: Bytes, name: Bytes) => Promise<boolean> {
  return async (server, name) => {
    const admins = new ImapAdmins(registryOf(config), config.workers.imap_timeout * 1000);
    try {
      return (await admins.ask(server, (admin) => admin.holds(name))) === 'lacks';
    } catch {
      return false;
    } finally {
      await admins.close();
    }
  };
}

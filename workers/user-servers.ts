// What servers are told of users, over IMAP, as their administrator.
import type { ImapAdmin } from '../services/backends/imap-admin.ts';
import type { ImapAdmins } from '../services/backends/imap-admins.ts';
import { isUntold as untold } from '../services/backends/registry.ts';
import type { Registry } from '../services/backends/registry.ts';
import { textFromBytes } from '../services/directory/entry.ts';
import { makeUser } from '../services/placement/make-user.ts';
import { newUser } from '../services/placement/new-user.ts';
import type { UserForm } from '../services/placement/new-user.ts';
import type { Servers } from './placement.ts';

export interface UserServersOptions {
  registry: Registry;
  admins: ImapAdmins;
  /** What a new user gets. */
  form: UserForm;
}

export function userServers({ registry, admins, form }: UserServersOptions): Servers {
  const mupdate = (server: string) => registry.find(server)?.mupdate !== false;
  const isUntold = (server: string) => untold(registry.find(server));
  const tell = async (server: string, what: (admin: ImapAdmin) => Promise<unknown>) => {
    if (!isUntold(server)) await admins.ask(server, what);
  };
  return {
    async holds(server, name) {
      if (isUntold(server)) return 'unknown';
      const ask = () => admins.ask(server, (admin) => admin.holds(name));
      // A connection that was kept may have been closed since: the second question is asked on a new one.
      return ask().catch(ask);
    },
    create({ server, partition }, inbox, { quota }) {
      const wish = {
        inbox,
        ...(partition !== '' && { partition: textFromBytes(partition) }),
        ...(quota !== undefined && { quota: { storageKiB: quota } }),
      };
      return tell(server, (admin) => makeUser(newUser(form, wish), admin, { mupdate: mupdate(server) }));
    },
    remove: (server, name) => tell(server, (admin) => admin.deleteMailbox(name)),
    rename: (server, from, to) => tell(server, (admin) => admin.renameMailbox(from, to)),
    push: (server, name) => tell(server, (admin) => admin.push(name)),
  };
}

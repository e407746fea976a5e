// What servers are told of users, over IMAP, as their administrator.
import type { ImapAdmins } from '../services/backends/imap-admins.ts';
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
  return {
    async reach(server, name) {
      const ask = () => admins.ask(server, (admin) => admin.holds(name));
      // A connection that was kept may have been closed since: the second question is asked on a new one.
      await ask().catch(ask);
    },
    async create({ server, partition }, inbox, { quota }) {
      const wish = {
        inbox,
        ...(partition !== '' && { partition: textFromBytes(partition) }),
        ...(quota !== undefined && { quota: { storageKiB: quota } }),
      };
      await admins.ask(server, (admin) => makeUser(newUser(form, wish), admin, { mupdate: mupdate(server) }));
    },
    async remove(server, name) {
      await admins.ask(server, (admin) => admin.deleteMailbox(name));
    },
    async rename(server, from, to) {
      await admins.ask(server, (admin) => admin.renameMailbox(from, to));
    },
    push: (server, name) => admins.ask(server, (admin) => admin.push(name)),
    lacks: (server, name) => admins.ask(server, async (admin) => (await admin.holds(name)) === 'lacks'),
  };
}

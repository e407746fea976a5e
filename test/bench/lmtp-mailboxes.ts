// The mailboxes of a benchmark of delivery, and who sends to which of them.
import { openScratchDirectory } from '../harness/directory.ts';

/** So many recipients has a set, and so many messages at most a run: `smtp-source -N` numbers them from 1 in each run. */
export const setSize = 10_000;
/** So many writes are under way at a time. */
const atOnce = 500;

/** Recipients of a set, as smtp-source is told: it puts the number before. */
export function recipientOf(set: number): string {
  return `u${set}@example.org`;
}

/** `smtp-source -r 2` makes 2two@ and two@ of it, which are on two backends. */
export const twoRecipients = 'two@example.org';

/** Makes user.1u0 ... user.10000u0, user.1u1 ... at the first backend, and user.two, user.2two at one each. */
export async function loadMailboxes(socket: string, count: number, backends: readonly string[]): Promise<void> {
  const scratch = await openScratchDirectory(socket);
  const write = async (user: string, server = '') => {
    const writer = { session: 'bench', server, admin: false, push: true };
    const row = { name: `user.${user}`, location: `${server}!default`, acl: `${user}\tlrswipkxtecdan\t` };
    await scratch.directory.write({ verb: 'ACTIVATE', ...row }, writer);
  };
  try {
    for (let from = 0; from < count; from += atOnce) {
      const some = Array.from({ length: Math.min(atOnce, count - from) }, (_, index) => from + index);
      const users = some.map((index) => `${(index % setSize) + 1}u${Math.floor(index / setSize)}`);
      await Promise.all(users.map((user) => write(user, backends[0])));
    }
    await Promise.all(backends.map((server, index) => write(['two', '2two'][index] ?? '', server)));
  } finally {
    await scratch.close();
  }
}

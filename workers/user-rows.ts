// The rows of users at servers that speak no MUPDATE: written by us.
import { loginOf } from '../services/address/user-name.ts';
import { isUntold } from '../services/backends/registry.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory, Writer } from '../services/directory/directory.ts';
import type { Bytes } from '../services/directory/entry.ts';
import { JobFailure } from '../services/events/failure.ts';
import type { Order, Place } from '../services/users/order.ts';

interface RowsAt {
  directory: Directory;
  registry: Registry;
}

/** The rows of a server that speaks no MUPDATE are ours to write, in a session that ends well. */
export async function writeRows(
  { server, partition }: Place,
  order: Order,
  { directory, registry }: RowsAt,
): Promise<void> {
  const { name, wish, by } = order;
  // Nobody has chosen a partition of a server that is told nothing: what Cyrus calls the first one.
  const on = partition === '' && isUntold(registry.find(server)) ? 'default' : partition;
  const writer: Writer = { session: sessionId(), server, admin: false, push: false, by };
  try {
    if (wish.is === 'create') await activate(name, `${server}!${on}`, writer, directory);
    else await deleteRows(name, writer, directory);
  } finally {
    await directory.end(writer.session, 'logout');
  }
}

async function activate(name: Bytes, location: Bytes, writer: Writer, directory: Directory): Promise<void> {
  // What Cyrus gives the owner of a new INBOX.
  const acl = `${loginOf(name)}\tlrswipkxtecdan\t`;
  const { ok, text } = await directory.write({ verb: 'ACTIVATE', name, location, acl }, writer);
  // Somebody else has it, or is about to: the next look tells.
  if (!ok) throw new JobFailure('busy', text);
}

async function deleteRows(name: Bytes, writer: Writer, directory: Directory): Promise<void> {
  for (const row of await directory.tree(name)) {
    if (row.name !== name && !row.name.startsWith(`${name}.`)) continue;
    await directory.write({ verb: 'DELETE', name: row.name, location: '', acl: '' }, writer);
  }
}

let sessions = 0;

/** Never used twice, also by no other process. */
function sessionId(): string {
  return `placement-${process.pid}-${Date.now()}-${++sessions}`;
}

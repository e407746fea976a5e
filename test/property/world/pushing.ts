// `ctl_mboxlist -m` at a backend's start, as Cyrus 3.6 does it.
import { sortByName } from '../../../services/directory/order.ts';
import { logout, write } from './asking.ts';
import type { Task } from './asking.ts';
import type { Backend } from './backend.ts';

/** Ends with the backend running; where the connection is lost it gives up, and the backend stays down. */
export function* push(backend: Backend): Task {
  backend.running = 'starting';
  const listed = yield { do: 'list' };
  if (!listed.ok) return;
  const rows = new Map((listed.rows ?? []).map((row) => [row.name, row]));
  for (const name of rows.keys()) {
    if (backend.mailboxes.has(name)) continue;
    const answer = yield write('DELETE', name);
    // Exit 1: a NO here stops the node.
    if (!answer.ok) return;
  }
  const moving: string[] = [];
  for (const { name } of sortByName(backend.names().map((one) => ({ name: one })))) {
    const mailbox = backend.mailboxes.get(name);
    const row = rows.get(name);
    if (!mailbox) continue;
    if (row && mailbox.moving === undefined) {
      const same = row.location === backend.locationOf(name) && row.acl === mailbox.acl && row.state === 'active';
      if (same) continue;
    }
    if (!row) {
      const found = yield { do: 'find', name };
      // An OK with a row would have it remove its own mailbox; the directory never gives one here.
      if (found.lost === true) return;
    }
    if (mailbox.moving !== undefined) {
      moving.push(name);
      continue;
    }
    const answer = yield write('ACTIVATE', name, backend.locationOf(name), mailbox.acl);
    if (answer.lost === true) return;
  }
  for (const name of moving) {
    const mailbox = backend.mailboxes.get(name);
    if (!mailbox) continue;
    delete mailbox.moving;
    const answer = yield write('ACTIVATE', name, backend.locationOf(name), mailbox.acl);
    if (answer.lost === true) return;
  }
  yield logout;
  backend.running = 'up';
}

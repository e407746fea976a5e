// What clients and administrators have a Cyrus backend do, as it does it: in which order it changes its own list and
// asks the directory, and what it takes back when it hears NO or nothing.
import { logout, pause, write } from './asking.ts';
import type { Task } from './asking.ts';
import type { Backend, Mailbox } from './backend.ts';
import type { Dice } from './dice.ts';

export const acls = ['a\tlrs\t', 'a\tlrswipkxtecda\t'];

function fresh(dice: Dice): Mailbox {
  return { acl: dice.of(acls) ?? '', partition: dice.of(['default', 'default', 'u2']) ?? '', told: false };
}

export function* create(backend: Backend, name: string, dice: Dice): Task {
  const mailbox = fresh(dice);
  backend.mailboxes.set(name, mailbox);
  yield pause;
  const reserved = yield write('RESERVE', name, backend.locationOf(name));
  const activated = reserved.ok ? yield write('ACTIVATE', name, backend.locationOf(name), mailbox.acl) : reserved;
  if (activated.ok) return;
  backend.mailboxes.delete(name);
  // What it has reserved it may give back, where there still is a connection.
  if (reserved.ok && activated.lost !== true && dice.permille(500)) yield write('DELETE', name);
}

/** Also the delayed DELETE, which is a RENAME to a name below DELETED. */
export function* rename(backend: Backend, from: string, to: string, dice: Dice): Task {
  const mailbox = backend.mailboxes.get(from);
  if (!mailbox) return;
  const move = (): void => {
    backend.mailboxes.delete(from);
    backend.mailboxes.set(to, { ...mailbox, told: false });
  };
  const moveBack = (): void => {
    backend.mailboxes.delete(to);
    backend.mailboxes.set(from, mailbox);
  };
  const localFirst = dice.permille(500);
  if (localFirst) {
    move();
    backend.untold.add(from);
  }
  try {
    if (localFirst) for (const name of [from, to]) backend.inFlight.add(name);
    yield pause;
    const place = `${backend.name}!`;
    let answer = yield write('DELETE', from);
    if (answer.ok) answer = yield write('RESERVE', to, place);
    if (answer.ok) answer = yield write('ACTIVATE', to, place, mailbox.acl);
    if (answer.ok && !localFirst) {
      move();
      const moved = backend.mailboxes.get(to);
      if (moved) moved.told = true;
    }
    if (!answer.ok && localFirst) moveBack();
  } finally {
    for (const name of [from, to]) backend.inFlight.delete(name);
  }
}

/** `delete_mode: immediate` tells the directory nothing; nor does LOCALDELETE. */
export function* deleteSilently(backend: Backend, name: string): Task {
  backend.mailboxes.delete(name);
  backend.untold.add(name);
  yield pause;
}

/** cyr_expire removes what was deleted long ago; it names no server, so that its session may speak for none. */
export function* expire(backend: Backend, names: readonly string[], dice: Dice): Task {
  for (const name of names) {
    const localFirst = dice.permille(500);
    if (localFirst) {
      backend.mailboxes.delete(name);
      backend.untold.add(name);
    }
    yield pause;
    backend.inFlight.add(name);
    try {
      const answer = yield write('DELETE', name);
      if (!answer.ok) return;
      backend.mailboxes.delete(name);
    } finally {
      backend.inFlight.delete(name);
    }
  }
}

/** Answered NO it has changed the ACL all the same. */
export function* setAcl(backend: Backend, name: string, dice: Dice): Task {
  const mailbox = backend.mailboxes.get(name);
  if (!mailbox) return;
  mailbox.acl = dice.of(acls) ?? '';
  yield pause;
  yield write('ACTIVATE', name, backend.locationOf(name), mailbox.acl);
}

/** Moves a tree. Each step may be the last: the source may crash, the destination may, the master may. */
export function* xfer(source: Backend, destination: Backend, tree: string, dice: Dice): Task {
  const names = source.namesIn(tree);
  const { lives } = destination;
  const reachable = (): boolean => destination.running === 'up' && destination.lives === lives && !dice.permille(30);
  const copy = (name: string): void => {
    const mailbox = source.mailboxes.get(name);
    if (!mailbox) return;
    const told = destination.mailboxes.get(name)?.told ?? false;
    destination.mailboxes.set(name, { acl: mailbox.acl, partition: 'default', told });
  };
  for (const name of names) copy(name);
  yield pause;

  const handed: string[] = [];
  for (const name of names) {
    const answer = yield write('DEACTIVATE', name, source.locationOf(name));
    if (!answer.ok) return yield* recover(source, handed, answer.lost === true);
    handed.push(name);
  }
  for (const name of names) {
    const mailbox = source.mailboxes.get(name);
    if (!reachable()) return yield* recover(source, handed, false);
    if (mailbox) mailbox.moving = destination.name;
    copy(name);
    yield pause;
  }
  for (const name of names) {
    // What was in the directory by the source's copy is now by this one.
    const [left, arrived] = [source.mailboxes.get(name), destination.mailboxes.get(name)];
    if (left && arrived) arrived.told ||= left.told;
    source.mailboxes.delete(name);
    yield pause;
  }
  for (const name of names) {
    const arrived = destination.mailboxes.get(name);
    if (!reachable() || !arrived) continue;
    const location = destination.locationOf(name);
    yield { do: 'elsewhere', backend: destination, verb: 'ACTIVATE', name, location, acl: arrived.acl };
  }
  yield logout;
}

/** The copies at the destination stay. Without a connection the rows stay handed, too. */
function* recover(source: Backend, handed: readonly string[], lost: boolean): Task {
  for (const name of source.names()) {
    const mailbox = source.mailboxes.get(name);
    if (mailbox && handed.includes(name)) delete mailbox.moving;
  }
  if (lost) return;
  for (const name of handed) {
    const mailbox = source.mailboxes.get(name);
    if (!mailbox) continue;
    const answer = yield write('ACTIVATE', name, source.locationOf(name), mailbox.acl);
    if (!answer.ok) return;
  }
}

// How many mailboxes and users of one tree are on which server: kept from its events, each counted once; pure.
import { z } from 'zod';
import type { Change, Head } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import { bytes } from '../events/queues.ts';

/** Rows of the directory in any state, and those of them that are a user's root mailbox. */
export interface Figures {
  mailboxes: number;
  users: number;
}

export interface Tally {
  /** The last change that is counted. */
  seq: number;
  servers: ReadonlyMap<Bytes, Figures>;
}

const amount = z.int().nonnegative();

/** `moved`: a row went from a server, to one, or both. `whole`: how the tree is, whatever was counted before. */
const eventSchema = z.discriminatedUnion('is', [
  z.strictObject({
    ...{ is: z.literal('moved'), v: z.literal(1), seq: amount, user: z.boolean() },
    ...{ from: bytes.optional(), to: bytes.optional() },
  }),
  z.strictObject({
    ...{ is: z.literal('whole'), v: z.literal(1), seq: amount },
    servers: z.array(z.strictObject({ server: bytes, mailboxes: amount, users: amount })),
  }),
]);
/** Waits for a program that can read it. */
const newerSchema = z.looseObject({ v: z.int().min(2) });

type TallyEvent = z.output<typeof eventSchema>;

export function writeEvent(event: TallyEvent): string {
  return JSON.stringify(z.encode(eventSchema, event));
}

/** Throws on what can't be read, and on what another version of this program wrote. */
export function readEvent(body: string): TallyEvent {
  return eventSchema.parse(JSON.parse(body));
}

/** Why no version of this program will read it; undefined where this one can, or a newer one has written it. */
export function unreadable(body: string): string | undefined {
  try {
    const said: unknown = JSON.parse(body);
    if (newerSchema.safeParse(said).success) return undefined;
    const read = eventSchema.safeParse(said);
    return read.success ? undefined : `it can't be read: ${z.prettifyError(read.error)}`;
  } catch (error) {
    return `it can't be read: ${String(error)}`;
  }
}

export function movedBy(change: Change): TallyEvent {
  const { seq, name, state, location, from } = change;
  return {
    ...{ is: 'moved', v: 1, seq, user: isUser(name) },
    ...(from !== '' && { from: serverOf(from) }),
    ...(state !== 'absent' && { to: serverOf(location) }),
  };
}

export function wholeOf(entries: readonly Entry[], { seq }: Head): TallyEvent {
  const servers = new Map<Bytes, Figures>();
  for (const { name, location } of entries) add(servers, serverOf(location), 1, isUser(name));
  return { is: 'whole', v: 1, seq, servers: Array.from(servers, ([server, figures]) => ({ server, ...figures })) };
}

/** The tally after some events. What it has counted already is left out; none falls below nothing. */
export function tallied(before: Tally, events: readonly TallyEvent[]): Tally {
  let { seq } = before;
  let servers = new Map(before.servers);
  for (const event of events) {
    if (event.is === 'whole') {
      servers = new Map(event.servers.map(({ server, mailboxes, users }) => [server, { mailboxes, users }]));
    } else if (event.seq <= seq) continue;
    else {
      if (event.from !== undefined) add(servers, event.from, -1, event.user);
      if (event.to !== undefined) add(servers, event.to, 1, event.user);
    }
    ({ seq } = event);
  }
  return { seq, servers };
}

/** Whether the tree's user may be on a server since then where he was not before. */
export function bringsUser(event: TallyEvent): boolean {
  return event.is === 'whole' ? event.servers.some(({ users }) => users > 0) : event.user && event.to !== undefined;
}

/** What is to be added to the sums of all trees. */
export function difference(before: Tally, after: Tally): (Figures & { server: Bytes })[] {
  const none = { mailboxes: 0, users: 0 };
  return [...new Set([...before.servers.keys(), ...after.servers.keys()])].map((server) => {
    const [was, is] = [before.servers.get(server) ?? none, after.servers.get(server) ?? none];
    return { server, mailboxes: is.mailboxes - was.mailboxes, users: is.users - was.users };
  });
}

function add(servers: Map<Bytes, Figures>, server: Bytes, by: 1 | -1, user: boolean): void {
  const { mailboxes, users } = servers.get(server) ?? { mailboxes: 0, users: 0 };
  const next = { mailboxes: Math.max(0, mailboxes + by), users: Math.max(0, users + (user ? by : 0)) };
  if (next.mailboxes === 0) servers.delete(server);
  else servers.set(server, next);
}

function isUser(name: Bytes): boolean {
  const { shared, field } = placeOf(name);
  return !shared && field === '';
}

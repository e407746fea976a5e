// What becomes of a recipient, from what was found: deliver, put off, or refuse. The rule: no refusal without proof.
import type { Access } from '../directory/access.ts';
import { serverOf, type Bytes, type Entry } from '../directory/entry.ts';
import type { Concern } from '../directory/directory.ts';
import { firstMessage, type Finding } from '../directory/freshness.ts';
import {
  beingMade,
  beingMoved,
  contested,
  directoryAway,
  directoryNotTrusted,
  fenced,
  justDeleted,
  permissionDenied,
  reserved,
  unknownServer,
  unknownUser,
} from './reply-codes.ts';
import type { Reply } from './reply.ts';

export type Decision =
  | { action: 'deliver'; server: Bytes; location: Bytes }
  | { action: 'defer'; reply: Reply; reason: string }
  | { action: 'reject'; reply: Reply; reason: string };

/**
 * The decision on one name. `entry` is its row, `finding` what its absence is worth, `concern` what stands beside it,
 * `reachable` tells whether mail can be delivered from here to a server, `isFenced` whether it may be for now.
 */
export function decide(
  entry: Entry | undefined,
  finding: Finding,
  concern: Concern | undefined,
  reachable: (server: Bytes) => boolean,
  isFenced: (server: Bytes) => boolean = () => false,
): Decision {
  if (concern?.kind === 'lease') return { action: 'defer', reply: beingMoved, reason: 'lease' };
  if (entry === undefined) return decideAbsent(finding);
  switch (entry.state) {
    case 'active': {
      const server = serverOf(entry.location);
      if (isFenced(server)) return { action: 'defer', reply: fenced(server), reason: 'fence' };
      if (reachable(server)) return { action: 'deliver', server, location: entry.location };
      return { action: 'defer', reply: unknownServer(server), reason: 'server' };
    }
    case 'created':
    case 'handed':
      return { action: 'defer', reply: reserved, reason: 'reserved' };
    case 'contested':
      return { action: 'defer', reply: contested, reason: 'contested' };
    case 'tombstone':
      return { action: 'defer', reply: justDeleted, reason: 'deleted' };
  }
}

function decideAbsent(finding: Finding): Decision {
  if (!finding.found && finding.proven) return unknown;
  if (!finding.found && finding.reason === firstMessage) return firstMail;
  return unproven;
}

/** A name that nobody can have, or whose absence is proven. */
export const unknown: Decision = { action: 'reject', reply: unknownUser, reason: 'unknown' };

/** There is surely no such mailbox, and it is one that a first message makes. */
export const firstMail: Decision = { action: 'defer', reply: beingMade, reason: 'autocreate' };

/** A refusal would need a proof that there is not. */
export const unproven: Decision = { action: 'defer', reply: directoryNotTrusted, reason: 'unproven' };

/** A shared folder to which the poster may not post; whoever may not even see it is told that it is not there. */
export function mayNotPost(access: Access): Decision {
  const sees = !access.may && access.sees;
  return { action: 'reject', reply: sees ? permissionDenied : unknownUser, reason: 'permission' };
}

/** Whether it may well be otherwise in a moment: a move, a reservation or a RENAME comes to its end. */
export function isPassing(decision: Decision): boolean {
  return decision.action === 'defer' && ['lease', 'reserved', 'deleted'].includes(decision.reason);
}

/** The directory could not be asked. */
export const unasked: Decision = { action: 'defer', reply: directoryAway, reason: 'directory' };

// All that operators may ask, by what is asked about: carried out here (process/operations.ts), or by the API of another.
import type { AuditOperations } from './audit-operations.ts';
import type { BackendOperations } from './backend-operations.ts';
import type { DirectoryOperations } from './directory-operations.ts';
import type { LeftOverOperations } from './left-over-operations.ts';
import type { MailboxOperations } from './mailbox-operations.ts';
import type { MovePlanning } from './move-planning.ts';
import type { MoveOperations } from './move-operations.ts';
import type { PlacementOperations } from './placement-operations.ts';
import type { QueueOperations } from './queue-operations.ts';
import type { ReplicationOperations } from './replication-operations.ts';
import type { RouteOperations } from './route-operations.ts';
import type { ScalingOperations } from './scaling-operations.ts';
import type { UsageOperations } from './usage-operations.ts';
import type { UserOperations } from './user-operations.ts';

/** What is asked of the directory. */
export interface OnDirectory {
  directory: DirectoryOperations;
  mailboxes: MailboxOperations;
  route: RouteOperations;
}

/** What is asked of users and where they go. */
export interface OnUsers {
  users: UserOperations;
  placement: PlacementOperations;
}

export interface Operations extends OnDirectory, OnUsers {
  backends: BackendOperations;
  leftOvers: LeftOverOperations;
  queues: QueueOperations;
  moves: MoveOperations;
  replication: ReplicationOperations;
  scaling: ScalingOperations;
  usage: UsageOperations;
  audit: AuditOperations;
  planning: MovePlanning;
}

// What operators may ask of this process, put together by its configuration, for the API and for the commands.
import type { Bytes } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { directoryOperations } from '../operations/directory-operations.ts';
import { mailboxOperations } from '../operations/mailbox-operations.ts';
import type { OnDirectory, OnUsers } from '../operations/operations.ts';
import { placementOperations } from '../operations/placement-operations.ts';
import { queueOperations } from '../operations/queue-operations.ts';
import type { OperatorsQueues, QueueOperations } from '../operations/queue-operations.ts';
import { asked } from '../operations/refusal.ts';
import { routeOperations } from '../operations/route-operations.ts';
import { scalingOperations } from '../operations/scaling-operations.ts';
import type { ScalingOperations } from '../operations/scaling-operations.ts';
import { userOperations } from '../operations/user-operations.ts';
import { Ordering } from '../users/ordering.ts';
import { lackAsked } from './asking-backends.ts';
import type { Users } from './open-users.ts';
import type { Events } from './role.ts';
import { poolsOf } from './scaling-pools.ts';
import { scalingStates } from './scaling-state.ts';
import { directoryPatience, registryOf } from './settings.ts';

export function onDirectory(directory: Directory, config: Config): OnDirectory {
  const whom = 'the directory';
  const registry = registryOf(config);
  const imapTimeout = config.workers.imap_timeout * 1000;
  const routing = { addresses: config.lmtp, patience: directoryPatience(config) };
  return {
    directory: asked(whom, directoryOperations(directory, registry)),
    mailboxes: asked(whom, mailboxOperations(directory, registry, imapTimeout)),
    route: asked(whom, routeOperations(directory, registry, routing)),
  };
}

export function onQueues(queues: OperatorsQueues): QueueOperations {
  return asked('the queues', queueOperations(queues));
}

export function onUsers(
  { orders, decisions }: Pick<Users, 'orders' | 'decisions'>,
  { producer }: Pick<Events, 'producer'>,
  config: Config,
): OnUsers {
  const ring = (name: Bytes) => {
    producer.ring('placement', { name });
  };
  return {
    users: asked('the orders', userOperations(new Ordering({ orders, ring, lacks: lackAsked(config) }))),
    placement: asked('the decisions', placementOperations(decisions)),
  };
}

export function onPools(config: Config, { demand }: Pick<Events, 'demand'>): ScalingOperations {
  const pools = poolsOf(config);
  const names = pools.map(({ name }) => name);
  return asked('the queues', scalingOperations(scalingStates(pools, demand), names));
}

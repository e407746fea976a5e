// What operators may ask of this process, put together by its configuration, for the API and for the commands.
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { directoryOperations } from '../operations/directory-operations.ts';
import { mailboxOperations } from '../operations/mailbox-operations.ts';
import type { OnDirectory } from '../operations/operations.ts';
import { queueOperations } from '../operations/queue-operations.ts';
import type { OperatorsQueues, QueueOperations } from '../operations/queue-operations.ts';
import { asked } from '../operations/refusal.ts';
import { routeOperations } from '../operations/route-operations.ts';
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

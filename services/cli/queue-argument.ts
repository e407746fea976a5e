// The argument of all commands about one queue: its name.
import { Argument } from 'commander';
import { queueNames } from '../events/queues.ts';

export function queueArgument(): Argument {
  return new Argument('<queue>', 'the queue').choices(queueNames);
}

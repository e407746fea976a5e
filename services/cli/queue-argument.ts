// The argument of all commands about one queue: its name.
import { Argument, InvalidArgumentError } from 'commander';
import { isQueueName, queueWords } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';

export function queueArgument(): Argument {
  return new Argument('<queue>', `the queue: ${queueWords}`).argParser((name): QueueName => {
    if (isQueueName(name)) return name;
    throw new InvalidArgumentError(`Allowed choices are ${queueWords}.`);
  });
}

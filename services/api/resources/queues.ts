// /v1/queues: what waits in the queues of events, what was given up, and trying that again, or letting it go.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { jobStates } from '../../events/backlog.ts';
import { failureKinds } from '../../events/failure.ts';
import { wholeJobValue } from '../../operations/job-value.ts';
import { jobsAnswer, queuesAnswer } from '../../operations/queue-operations.ts';
import type { JobChoice } from '../../operations/queue-operations.ts';
import { jobField, limitField, nameField, queueField, timeField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const aQueue = z.strictObject({ queue: queueField });
const aJob = z.strictObject({ queue: queueField, id: jobField });
const stateField = field(z.enum(jobStates).optional(), 'Only jobs in this state.', `one of ${jobStates.join(', ')}`);

const choice = z.strictObject({
  id: jobField.optional(),
  kind: field(
    z.enum(failureKinds).optional(),
    'Only those given up for this kind of failure; of those that wait, that failed so last.',
    `one of ${failureKinds.join(', ')}`,
  ),
  about: nameField(
    'Only those about such names.',
    'a pattern: * stands for anything, % for anything up to the next dot',
  ).optional(),
  before: timeField('Only those given up before this; of those that wait, come in before this.'),
  dry_run: field(z.boolean().default(false), 'Nothing is done.', 'true or false'),
});
const discarding = choice.extend({
  all: field(z.boolean().default(false), 'Whichever they are.', 'true or false'),
  waiting: field(
    z.boolean().default(false),
    'Not those that were given up, but those that wait, in line or put off.',
    'true or false',
  ),
});

function choiceOf({ id, kind, about, before, dry_run: dryRun }: z.output<typeof choice>): JobChoice {
  return {
    ...{ id, kind, dryRun },
    about: about === undefined ? undefined : bytesFromText(about),
    before: before === undefined ? undefined : Date.parse(before),
  };
}

export const queues: Resource = (server, { operations: { queues } }) => {
  server.get(
    '/v1/queues',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listQueues', summary: 'How many jobs each queue has in which state', tags: ['queues'] },
        response: { 200: queuesAnswer },
      },
    },
    async () => ({ queues: await queues.list() }),
  );
  server.get(
    '/v1/queues/:queue/jobs',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listJobs', summary: 'The jobs of a queue, the newest first', tags: ['queues'] },
        params: aQueue,
        querystring: z.strictObject({ state: stateField, limit: limitField(1000, 50) }),
        response: { 200: jobsAnswer },
      },
    },
    async ({ params, query }) => ({ jobs: await queues.jobs(params.queue, query) }),
  );
  server.get(
    '/v1/queues/:queue/jobs/:id',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showJob', summary: 'All that is known of a job', tags: ['queues'] },
        ...{ params: aJob, response: { 200: wholeJobValue } },
      },
    },
    ({ params }) => queues.job(params.queue, params.id),
  );
  server.post(
    '/v1/queues/:queue/retry',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'retryFailed',
        summary: 'Has failed jobs of a queue tried again, with all their attempts',
        description:
          'Those for which all holds that the body says, else all; events of trees that were set aside (event:N) come behind what waits in their trees. Answers them as they were.',
        ...{ tags: ['queues'], params: aQueue, body: choice, response: { 200: jobsAnswer } },
      },
    },
    async ({ params, body }) => ({ jobs: await queues.retry(params.queue, choiceOf(body)) }),
  );
  server.post(
    '/v1/queues/:queue/discard',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'discardFailed',
        summary: 'Removes failed jobs of a queue, or with `waiting` those that wait: nobody tries them any more',
        description:
          'Those for which all holds that the body says; `all` where it says nothing. Answers them. What is being worked on stays: to name it by its id is refused (409). What is still open is rung for again: an order, a case, events of a tree.',
        ...{ tags: ['queues'], params: aQueue, body: discarding, response: { 200: jobsAnswer } },
      },
    },
    async ({ params, body }) => ({
      jobs: await queues.discard(params.queue, { ...choiceOf(body), all: body.all, waiting: body.waiting }),
    }),
  );
};

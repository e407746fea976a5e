// /v1/queues: what waits in the queues of events, what went wrong there, and trying that again, or letting it go.
import { z } from 'zod';
import { jobStates } from '../../events/backlog.ts';
import { jobValue, jobsAnswer, queuesAnswer, retriedAnswer } from '../../operations/queue-operations.ts';
import { jobField, limitField, queueField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const aQueue = z.strictObject({ queue: queueField });
const aJob = z.strictObject({ queue: queueField, id: jobField });
const stateField = field(z.enum(jobStates).optional(), 'Only jobs in this state.', `one of ${jobStates.join(', ')}`);

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
  server.post(
    '/v1/queues/:queue/retry',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'retryFailed', summary: 'Has all failed jobs of a queue tried again', tags: ['queues'] },
        params: aQueue,
        response: { 200: retriedAnswer },
      },
    },
    async ({ params }) => ({ retried: await queues.retry(params.queue) }),
  );
  server.get(
    '/v1/queues/:queue/jobs/:id',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showJob', summary: 'One job', tags: ['queues'] },
        ...{ params: aJob, response: { 200: jobValue } },
      },
    },
    ({ params }) => queues.job(params.queue, params.id),
  );
  server.post(
    '/v1/queues/:queue/jobs/:id',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'retryJob', summary: 'Has a failed job tried again', tags: ['queues'] },
        ...{ params: aJob, response: { 200: retriedAnswer } },
      },
    },
    async ({ params }) => ({ retried: await queues.retry(params.queue, params.id) }),
  );
  server.delete(
    '/v1/queues/:queue/jobs/:id',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'discardJob', summary: 'Takes a job away that nobody works on', tags: ['queues'] },
        ...{ params: aJob, response: { 200: jobValue } },
      },
    },
    ({ params }) => queues.discard(params.queue, params.id),
  );
};

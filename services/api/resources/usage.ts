// /v1/usage: how full the backends said they were.
import { z } from 'zod';
import { figuresAnswer, usageAnswer } from '../../operations/usage-operations.ts';
import { limitField, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';

const serverField = nameField('The server.', 'the name of a backend');

export const usage: Resource = (server, { operations: { usage } }) => {
  server.get(
    '/v1/usage',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listUsage', summary: 'How full each backend was by its last answer', tags: ['usage'] },
        response: { 200: usageAnswer },
      },
    },
    async () => ({ servers: await usage.latest() }),
  );
  server.get(
    '/v1/usage/:server',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showUsage', summary: 'The figures of a backend, the newest first', tags: ['usage'] },
        params: z.strictObject({ server: serverField }),
        querystring: z.strictObject({ limit: limitField(10_000, 50) }),
        response: { 200: figuresAnswer },
      },
    },
    async ({ params, query }) => ({ figures: await usage.history(params.server, query.limit) }),
  );
};

// /v1/scaling: how many workers a pool should have, for KEDA and whoever else starts them.
import { z } from 'zod';
import { poolsAnswer, scalingValue } from '../../operations/scaling-operations.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const poolField = field(
  z.string().regex(/^[A-Za-z0-9-]{1,32}$/),
  'The pool.',
  'the name of a pool of scaling.pools: 1 to 32 letters, digits and -',
);

export const scaling: Resource = (server, { operations: { scaling } }) => {
  server.get(
    '/v1/scaling',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listScaling', summary: 'How many workers each pool should have', tags: ['scaling'] },
        response: { 200: poolsAnswer },
      },
    },
    async () => ({ pools: await scaling.list() }),
  );
  server.get(
    '/v1/scaling/:pool',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showScaling', summary: 'How many workers a pool should have, and why', tags: ['scaling'] },
        ...{ params: z.strictObject({ pool: poolField }), response: { 200: scalingValue } },
      },
    },
    ({ params }) => scaling.show(params.pool),
  );
};

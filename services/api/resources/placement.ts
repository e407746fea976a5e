// /v1/placement: why a user went where he is.
import { z } from 'zod';
import { decisionValue } from '../../operations/placement-operations.ts';
import { bytesOf, encodingField, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';

export const placement: Resource = (server, { operations: { placement } }) => {
  server.get(
    '/v1/placement/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'explainPlacement', summary: 'The last decision on where a user goes', tags: ['placement'] },
        params: z.strictObject({ name: nameField("The user's INBOX.") }),
        querystring: z.strictObject({ encoding: encodingField }),
        response: { 200: decisionValue },
      },
    },
    ({ params, query }) => placement.explain(bytesOf(params.name, query.encoding)),
  );
};

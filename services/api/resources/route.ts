// /v1/route: what would become of a message to a recipient, without sending one.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { routeValue } from '../../operations/route-operations.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const recipientField = field(
  z.string().min(1).max(2048),
  'The recipient.',
  'an address as an MTA would give it in RCPT TO, with or without angle brackets',
);

const authField = field(
  z.string().min(1).max(500),
  'Who sends: the user that the MTA would name by AUTH=.',
  'a user, or left out for nobody in particular',
);

export const route: Resource = (server, { operations: { route } }) => {
  server.get(
    '/v1/route',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'explainRoute', summary: 'Each step from an address to the reply', tags: ['route'] },
        querystring: z.strictObject({ recipient: recipientField, auth: authField.optional() }),
        response: { 200: routeValue },
      },
    },
    ({ query: { recipient, auth } }) =>
      route.explain(bytesFromText(recipient), auth === undefined ? undefined : bytesFromText(auth)),
  );
};

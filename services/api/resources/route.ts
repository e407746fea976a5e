// /v1/route: what would become of a message to a recipient, without sending one.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import type { Bytes } from '../../directory/entry.ts';
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

const fromField = field(
  z.string().max(2048),
  'The sender.',
  'an address as an MTA would give it in MAIL FROM, with or without angle brackets; empty for the null sender',
);

const sizeField = field(
  z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  'The size of the message in octets; the backend is then asked for its own limit.',
  'a whole number, 0 or more',
);

export const route: Resource = (server, { operations: { route } }) => {
  server.get(
    '/v1/route',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'explainRoute', summary: 'Each step from an address to the reply', tags: ['route'] },
        querystring: z.strictObject({
          ...{ recipient: recipientField, auth: authField.optional() },
          ...{ from: fromField.optional(), size: sizeField.optional() },
        }),
        response: { 200: routeValue },
      },
    },
    ({ query: { recipient, auth, from, size } }) =>
      route.explain(bytesFromText(recipient), { poster: optional(auth), sender: optional(from), size }),
  );
};

function optional(text: string | undefined): Bytes | undefined {
  return text === undefined ? undefined : bytesFromText(text);
}

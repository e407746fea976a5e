// /v1/directory: how the directory stands, what is open, what was changed; and the words of trust and distrust.
import { z } from 'zod';
import { casesAnswer } from '../../operations/case-value.ts';
import { changesAnswer } from '../../operations/change-value.ts';
import { statusValue } from '../../operations/directory-operations.ts';
import { bytesOf, encodingField, limitField, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { callerName } from '../access.ts';
import { field } from '../validation.ts';

const blindField = field(
  z.boolean().default(false),
  'Also where data were lost, or nothing was ever written.',
  'true or false',
);

const logQuery = z.strictObject({
  name: nameField('Only changes of this mailbox.').optional(),
  encoding: encodingField,
  limit: limitField(10_000, 50),
});

export const directory: Resource = (server, { operations: { directory } }) => {
  server.get(
    '/v1/directory/status',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'directoryStatus', summary: 'Whether the directory is trusted', tags: ['directory'] },
        response: { 200: statusValue },
      },
    },
    () => directory.status(),
  );
  server.get(
    '/v1/directory/cases',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listCases', summary: 'Open cases of reconciliation, the oldest first', tags: ['directory'] },
        response: { 200: casesAnswer },
      },
    },
    async () => ({ cases: await directory.cases() }),
  );
  server.get(
    '/v1/directory/log',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'directoryLog', summary: 'The newest changes, the newest first', tags: ['directory'] },
        ...{ querystring: logQuery, response: { 200: changesAnswer } },
      },
    },
    async ({ query: { name, encoding, limit } }) => ({
      changes: await directory.log({ name: name === undefined ? undefined : bytesOf(name, encoding), limit }),
    }),
  );
  server.post(
    '/v1/directory/trust',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'trustDirectory',
        summary: 'Vouches for the directory as it is: names it does not have are then refused',
        description: 'Answers how it stood before.',
        tags: ['directory'],
        body: z.strictObject({ blind: blindField }),
        response: { 200: statusValue },
      },
    },
    (request) => directory.trust({ blind: request.body.blind, by: callerName(request) }),
  );
  server.post(
    '/v1/directory/distrust',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'distrustDirectory',
        summary:
          'Begins a new epoch, as after a loss of data: no name is refused before the backends have pushed again',
        description: 'Answers how it stands then.',
        ...{ tags: ['directory'], response: { 200: statusValue } },
      },
    },
    (request) => directory.distrust(callerName(request)),
  );
};

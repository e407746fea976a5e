// /v1/audit: who has changed what through the API, or tried to.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { auditAnswer, auditOutcomes } from '../../operations/audit-operations.ts';
import { limitField, nameField, timeField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const auditQuery = z.strictObject({
  who: nameField('Only what this token has done.', 'the name of a token').optional(),
  what: nameField('Only such requests.', 'method and path, as POST /v1/users; * stands for anything').optional(),
  outcome: field(z.enum(auditOutcomes).optional(), 'Only those that ended so.', `one of ${auditOutcomes.join(', ')}`),
  since: timeField('Only from this time on.'),
  before: timeField('Only before this time.'),
  limit: limitField(10_000, 50),
});

export const audit: Resource = (server, { operations: { audit } }) => {
  server.get(
    '/v1/audit',
    {
      config: { role: 'admin' },
      schema: {
        ...{ operationId: 'listAudit', summary: 'Who changed what, or tried to, the newest first', tags: ['audit'] },
        ...{ querystring: auditQuery, response: { 200: auditAnswer } },
      },
    },
    async ({ query: { what, since, before, ...query } }) => ({
      entries: await audit.list({
        ...query,
        what: what === undefined ? undefined : bytesFromText(what),
        since: since === undefined ? undefined : Date.parse(since),
        before: before === undefined ? undefined : Date.parse(before),
      }),
    }),
  );
};

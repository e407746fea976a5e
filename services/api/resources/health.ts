// /v1/health and /v1/audit: how this process is, and what was done through its API.
import { z } from 'zod';
import { asked } from '../../operations/refusal.ts';
import { auditAnswer } from '../audit.ts';
import { limitField } from '../fields.ts';
import { readinessValue } from '../health.ts';
import type { Resource } from '../resource.ts';

export const health: Resource = (server, { readiness, trail }) => {
  const audit = asked('the audit', { newest: (limit: number) => trail.newest(limit) });
  server.get(
    '/v1/health',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'health', summary: 'Whether this process is ready, as /readyz says it', tags: ['process'] },
        response: { 200: readinessValue },
      },
    },
    () => readiness(),
  );
  server.get(
    '/v1/audit',
    {
      config: { role: 'admin' },
      schema: {
        ...{ operationId: 'listAudit', summary: 'Who changed what, the newest first', tags: ['process'] },
        querystring: z.strictObject({ limit: limitField(1_000, 50) }),
        response: { 200: auditAnswer },
      },
    },
    async ({ query }) => ({ entries: await audit.newest(query.limit) }),
  );
};

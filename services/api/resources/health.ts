// /v1/health: how this process is.
import { readinessValue } from '../health.ts';
import type { Resource } from '../resource.ts';

export const health: Resource = (server, { readiness }) => {
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
};

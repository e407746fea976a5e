// The API proper, under /v1, and the board beside it: everything that takes a token.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { guard, limitRate } from './access.ts';
import { audit } from './audit.ts';
import type { AuditLog, AuditTrail } from './audit.ts';
import { boardPages } from './board.ts';
import type { BoardOptions } from './board.ts';
import { describeRoutes } from './openapi.ts';
import type { Resource, ResourceContext, ResourceServer } from './resource.ts';
import { audit as auditRoutes } from './resources/audit.ts';
import { backends } from './resources/backends.ts';
import { directory } from './resources/directory.ts';
import { mailboxes } from './resources/mailboxes.ts';
import { health } from './resources/health.ts';
import { movePlans } from './resources/move-plans.ts';
import { moves } from './resources/moves.ts';
import { moveAudit } from './resources/move-audit.ts';
import { placement } from './resources/placement.ts';
import { queues } from './resources/queues.ts';
import { replication } from './resources/replication.ts';
import { route } from './resources/route.ts';
import { scaling } from './resources/scaling.ts';
import { usage } from './resources/usage.ts';
import { userImport } from './resources/user-import.ts';
import { users } from './resources/users.ts';
import type { ApiRole, Tokens } from './tokens.ts';
import { requestValidator } from './validation.ts';

/** One file each. */
const resources: readonly Resource[] = [
  ...[
    queues,
    backends,
    moves,
    moveAudit,
    directory,
    mailboxes,
    route,
    users,
    userImport,
    placement,
    movePlans,
    replication,
    usage,
    scaling,
    auditRoutes,
    health,
  ],
];

/** What became of a request, for counting. */
export type RequestOutcome = 'ok' | 'refused' | 'unauthorized' | 'forbidden' | 'limited' | 'failed';

export interface V1Options extends ResourceContext {
  tokens: Tokens;
  trail: AuditTrail;
  /** How many requests a token has a minute. */
  ratePerMinute: number;
  board: BoardOptions;
  log: AuditLog;
  /** Told of each request: the path with its parameters unfilled, and the caller's role, `none` for strangers. */
  count: (route: string, role: ApiRole | 'none', outcome: RequestOutcome) => void;
}

export async function v1(server: FastifyInstance, options: V1Options): Promise<void> {
  const { tokens, ratePerMinute, board, trail, log, count } = options;
  await describeRoutes(server);
  await limitRate(server, ratePerMinute);
  audit(server, trail, log);
  server.addHook('onResponse', ({ routeOptions, caller }, { statusCode }, done) => {
    count(routeOptions.url ?? '', caller?.role ?? 'none', outcomeOf(statusCode));
    done();
  });
  await server.register((scope: ResourceServer, _options, done) => {
    scope.setValidatorCompiler(requestValidator);
    scope.setSerializerCompiler(serializerCompiler);
    guard(scope, { tokens, browsers: false, needed: roleOf });
    scope.addHook('onRoute', ({ schema }) => {
      if (schema) schema.querystring ??= noQuery;
    });
    for (const resource of resources) resource(scope, options);
    scope.get('/v1/openapi.json', { config: { role: 'read' }, schema: { hide: true } }, () => server.swagger());
    done();
  });
  await boardPages(server, tokens, board);
}

/** What is asked of a route that takes no query is refused, and not passed over. */
const noQuery = z.strictObject({});

/** A route that does not say who may use it is for administrators. */
function roleOf({ routeOptions }: FastifyRequest): ApiRole {
  return routeOptions.config.role ?? 'admin';
}

const refusals: Readonly<Record<number, RequestOutcome>> = { 401: 'unauthorized', 403: 'forbidden', 429: 'limited' };

function outcomeOf(status: number): RequestOutcome {
  if (status < 400) return 'ok';
  return status >= 500 ? 'failed' : (refusals[status] ?? 'refused');
}

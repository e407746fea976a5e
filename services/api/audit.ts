// The audit: who has changed what, or tried to, with which outcome; as lines of the log, and the newest kept in Redis.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditValue } from '../operations/audit-operations.ts';
import { timeText } from '../operations/time-text.ts';

/** Where entries are kept: the newest ones, in bounds. Rejects when it cannot be reached. */
export interface AuditTrail {
  keep(entry: AuditValue): Promise<void>;
}

export interface AuditLog {
  info(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** How much of what a request names is kept, in characters: a pattern or a name is shorter. */
const longest = 1024;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It changes nothing, though it asks by POST, for it names many. */
    asks?: true;
    /** Its body is too large to be kept, or to be written down only to be cut. */
    large?: true;
  }
}

/** Whether a request is of those that the audit is about: changes, and what a token was not allowed. */
function concerns({ method, routeOptions }: FastifyRequest, status: number): boolean {
  if (routeOptions.url === undefined) return false;
  const changes = !['GET', 'HEAD'].includes(method) && routeOptions.config.asks !== true;
  return changes || status === 401 || status === 403;
}

function entryOf(request: FastifyRequest, status: number): AuditValue {
  const { caller, method, routeOptions, url, params, body } = request;
  // Of a Unix socket there is none, whatever fastify's types say.
  const from = (request.ip as string | undefined) ?? '';
  const isKept = routeOptions.config.large !== true;
  const query = Object.fromEntries(new URLSearchParams(url.split('?')[1]));
  const named = { ...query, ...(params as object), ...(typeof body === 'object' && isKept ? body : {}) };
  return {
    time: timeText(Date.now()),
    ...{ who: caller?.name ?? '', role: caller?.role ?? '', from },
    what: `${method} ${routeOptions.url ?? ''}`,
    on: JSON.stringify(named).slice(0, longest),
    ...{ outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed', status },
  };
}

/**
 * Audits the requests of a server. Of strangers there is only the line in the log: else they could push out of the trail
 * what callers have done.
 */
export function audit(server: FastifyInstance, trail: AuditTrail, log: AuditLog): void {
  server.addHook('onResponse', (request, { statusCode }, done) => {
    done();
    if (!concerns(request, statusCode)) return;
    const entry = entryOf(request, statusCode);
    log.info({ event: 'audit', ...entry }, 'api');
    if (!request.caller) return;
    trail.keep(entry).catch((error: unknown) => {
      log.error({ err: error }, 'the audit is kept in the log only: Redis does not take it');
    });
  });
}

// Who asks, how often, and whether he may: before anything of a request is read or done.
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblem, sendProblem } from './problem.ts';
import { mayDo } from './tokens.ts';
import type { ApiRole, Caller, Tokens } from './tokens.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token the request bears; undefined for none, and for one that is nobody's. */
    caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    /** What a caller must be to use the route. */
    role?: ApiRole;
  }
}

/** Over how long requests are counted, in milliseconds. */
const window = 60_000;

/** Counts the requests of a minute: a token's by its name, others by the address they come from. */
export async function limitRate(server: FastifyInstance, perMinute: number): Promise<void> {
  await server.register(rateLimit, {
    ...{ max: perMinute, timeWindow: window },
    keyGenerator: ({ caller, ip }) => (caller ? `token ${caller.name}` : `address ${ip}`),
    errorResponseBuilder: (_request, { max, after }) =>
      new ApiProblem('rate', `more than ${max} requests a minute (api.rate_limit); again in ${after}`),
  });
}

export interface Guard {
  tokens: Tokens;
  /** A browser can send a token only as the password of Basic (RFC 7617); it does so for requests of other sites, too. */
  browsers: boolean;
  /** What a caller must be, or why nobody may. */
  needed: (request: FastifyRequest) => ApiRole | ApiProblem;
}

/**
 * Lets requests through whose caller is what is needed, and answers all others. He is known before the request is
 * counted, and judged after it, so that who guesses tokens is slowed down; the body is not read yet.
 */
export function guard(server: FastifyInstance, { tokens, browsers, needed }: Guard): void {
  server.decorateRequest('caller', undefined);
  server.addHook('onRequest', (request, _reply, done) => {
    const token = bearer(request) ?? (browsers ? password(request) : undefined);
    request.caller = token === undefined ? undefined : tokens.callerOf(token);
    done();
  });
  server.addHook('preParsing', async (request, reply): Promise<FastifyReply | undefined> => {
    const obstacle = obstacleOf(request.caller, tokens, needed(request));
    if (!obstacle) return undefined;
    const challenge = `${browsers ? 'Basic' : 'Bearer'} realm="rookery"`;
    if (obstacle.statusCode === 401) void reply.header('www-authenticate', challenge);
    return sendProblem(reply, obstacle.value);
  });
}

function bearer({ headers: { authorization = '' } }: FastifyRequest): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}

function password({ headers: { authorization = '' } }: FastifyRequest): string | undefined {
  const [, credentials = ''] = /^basic +(\S+) *$/i.exec(authorization) ?? [];
  return /^[^:]*:(.+)$/s.exec(Buffer.from(credentials, 'base64').toString('utf8'))?.[1];
}

function obstacleOf(caller: Caller | undefined, tokens: Tokens, needed: ApiRole | ApiProblem): ApiProblem | undefined {
  if (tokens.empty) {
    return new ApiProblem('forbidden', 'nobody has access: the configuration has no tokens (api.tokens)');
  }
  if (!caller) {
    return new ApiProblem('unauthorized', 'this takes a token of api.tokens, sent as Authorization: Bearer TOKEN');
  }
  if (needed instanceof ApiProblem) return needed;
  return mayDo(caller.role, needed) ? undefined : missing(caller, needed);
}

function missing({ name, role }: Caller, needed: ApiRole): ApiProblem {
  return new ApiProblem('forbidden', `the token ${name} has the role ${role}, and this takes ${needed}`);
}

/** For a request that asks for more than its route does: throws an ApiProblem where its caller may not. */
export function demand({ caller = { name: '', role: 'read' } }: FastifyRequest, needed: ApiRole): void {
  if (!mayDo(caller.role, needed)) throw missing(caller, needed);
}

/** For records of what a caller does. */
export function callerName({ caller }: FastifyRequest): string {
  return caller?.name ?? '';
}

// What a resource of the API is: routes with their schemas and roles, given what they answer from.
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Operations } from '../operations/operations.ts';
import type { Readiness } from './health.ts';

export interface ResourceContext {
  operations: Operations;
  readiness: () => Promise<Readiness>;
}

export type ResourceServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/**
 * Adds the routes of one resource, by full path. Each says in `config.role` who may use it, and in its schema what it
 * takes, what it answers, and its `operationId`. What a handler throws is told as a problem: see problem.ts.
 */
export type Resource = (server: ResourceServer, context: ResourceContext) => void;

// Problems, as answers of the API (RFC 9457).
import type { FastifyReply } from 'fastify';
import type { ProblemKind, ProblemValue } from '../operations/problem-value.ts';
import { problemType } from '../operations/problem-value.ts';
import { Refusal } from '../operations/refusal.ts';
import { InvalidRequest } from './validation.ts';

const kinds: Record<ProblemKind, [status: number, title: string]> = {
  request: [400, 'The request is wrong'],
  usage: [400, 'This cannot be asked for'],
  data: [400, 'What was given is wrong'],
  unauthorized: [401, 'A token is needed'],
  forbidden: [403, 'Not permitted'],
  route: [404, 'There is no such path'],
  missing: [404, 'There is no such thing'],
  unsafe: [409, 'Not as it stands now'],
  size: [413, 'The request is too large'],
  rate: [429, 'Too many requests'],
  internal: [500, 'A fault of this program'],
  unavailable: [503, 'Something needed does not answer'],
};

export function problem(kind: ProblemKind, detail: string, errors?: ProblemValue['errors']): ProblemValue {
  const [status, title] = kinds[kind];
  return { type: `${problemType}${kind}`, title, status, detail, ...(errors && { errors }) };
}

/** An error that stands for a problem which is known in full. */
export class ApiProblem extends Error {
  readonly value: ProblemValue;
  /** For whoever handles errors without knowing this class. */
  readonly statusCode: number;

  constructor(kind: ProblemKind, detail: string) {
    super(detail);
    this.value = problem(kind, detail);
    this.statusCode = this.value.status;
  }
}

/** The problem that an error means. What nobody foresaw is told without its reasons: the log has them. */
export function problemOf(error: unknown): ProblemValue {
  if (error instanceof ApiProblem) return error.value;
  if (error instanceof Refusal) {
    const { kind, message, fields } = error;
    return problem(kind, message, fields.length > 0 ? [...fields] : undefined);
  }
  if (error instanceof InvalidRequest) return problem('request', error.message, error.faults);
  const { statusCode = 500, message } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) return problem('size', message ?? '');
  if (statusCode >= 400 && statusCode < 500) {
    return { ...problem('request', message ?? ''), status: statusCode };
  }
  return problem('internal', 'The log of this process says more.');
}

export function sendProblem(reply: FastifyReply, value: ProblemValue): FastifyReply {
  return reply.code(value.status).type('application/problem+json').send(JSON.stringify(value));
}

// Bull-board under /queues/: the pages that show the queues to a browser, and change them where that is allowed.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { guard } from './access.ts';
import { ApiProblem, problemOf } from './problem.ts';
import type { ApiRole, Tokens } from './tokens.ts';

type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

export interface BoardOptions {
  /** `read`: nobody changes anything. `operate`: whoever has that role may. */
  level: 'read' | 'operate';
  queues: readonly BoardQueue[];
  /** Whether Redis answers: without it bull-board would wait for it. */
  answers: () => boolean;
  /** What a job is about, for people; undefined for one that cannot be read. */
  about: (queue: string, data: unknown) => string | undefined;
}

const path = '/queues';

/** Nothing from elsewhere is loaded or told: bull-board's page asks for fonts of a third party. Its styles are inline. */
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

export async function boardPages(server: FastifyInstance, tokens: Tokens, board: BoardOptions): Promise<void> {
  const pages = new FastifyAdapter().setBasePath(path);
  const queues = board.queues.map((queue) => adapterOf(queue, board));
  createBullBoard({ queues, serverAdapter: pages, options: { uiConfig: { boardTitle: 'Rookery' } } });
  pages.setErrorHandler((error) => {
    const value = problemOf(error);
    return { status: value.status as 500, body: value as never };
  });
  await server.register(async (scope) => {
    guard(scope, { tokens, browsers: true, needed: (request) => neededFor(request, board) });
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      void reply.header('content-security-policy', policy);
      done();
    });
    await scope.register(pages.registerPlugin(), { prefix: path });
  });
}

function adapterOf(queue: BoardQueue, { level, about }: BoardOptions): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { readOnlyMode: level === 'read' });
  adapter.setFormatter('name', ({ data }) => about(queue.name, data) ?? '?');
  return adapter;
}

/** Not left to bull-board, some of whose changes do not ask whether it is read-only. */
function neededFor(request: FastifyRequest, { level, answers }: BoardOptions): ApiRole | ApiProblem {
  const { method, headers } = request;
  const change = !['GET', 'HEAD'].includes(method);
  if (change && level === 'read') {
    return new ApiProblem('forbidden', 'the board only shows: api.board: operate has it change queues, too');
  }
  // Browsers say where a request comes from; with Basic they would send the token along for any site.
  const origin = headers['sec-fetch-site'] ?? 'same-origin';
  if (change && origin !== 'same-origin') return new ApiProblem('forbidden', 'this request comes from another site');
  if (request.url.startsWith(`${path}/api/`) && !answers()) {
    return new ApiProblem('unavailable', 'the queues could not be asked: Redis does not answer');
  }
  return change ? 'operate' : 'read';
}

// Health and metrics by HTTP, for probes and Prometheus: /livez, /readyz, /metrics, open to everybody.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** Looks at one thing: undefined when all is well, else what is wrong, in a few words. A throw is wrong, too. */
export type Check = () => string | undefined | Promise<string | undefined>;

export interface HealthOptions {
  /** What must be well for /readyz to say 200, by name. Looked at anew for each request. */
  checks: Readonly<Record<string, Check>>;
  /** What is told with /readyz and decides nothing: a frontend that puts off what it can't prove is of more use than none. */
  notes?: Readonly<Record<string, Check>>;
  metrics: { exposition(): Promise<{ contentType: string; text: string }> };
  /** How long one check may take, in milliseconds, before it counts as failed. Default 1000: probes give up soon. */
  checkTimeout?: number;
}

export const readinessValue = z
  .object({
    ready: z.boolean(),
    checks: z.record(z.string(), z.string()).meta({ description: 'What must be well: ok, or what is wrong.' }),
    notes: z.record(z.string(), z.string()).meta({ description: 'What is told besides, and decides nothing.' }),
  })
  .meta({ id: 'Health' });

export type Readiness = z.output<typeof readinessValue>;

export const healthPaths = ['/livez', '/readyz', '/metrics'];

export function healthRoutes(server: FastifyInstance, options: HealthOptions): void {
  server.get('/livez', () => ({ alive: true }));
  server.get('/readyz', async (_request, reply) => {
    const found = await readiness(options);
    return reply.code(found.ready ? 200 : 503).send(found);
  });
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await options.metrics.exposition();
    return reply.type(contentType).send(text);
  });
}

/** Looks at everything. Never rejects. */
export async function readiness({ checks, notes = {}, checkTimeout = 1000 }: HealthOptions): Promise<Readiness> {
  const [results, told] = await Promise.all([lookAt(checks, checkTimeout), lookAt(notes, checkTimeout)]);
  const ready = Object.values(results).every((result) => result === 'ok');
  return { ready, checks: results, notes: told };
}

async function lookAt(checks: Readonly<Record<string, Check>>, limit: number): Promise<Record<string, string>> {
  const looked = Object.entries(checks).map(async ([name, check]) => [name, await look(check, limit)] as const);
  return Object.fromEntries(await Promise.all(looked));
}

async function look(check: Check, limit: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, limit, `no answer within ${limit} ms`);
  });
  try {
    return (await Promise.race([Promise.resolve().then(check), late])) ?? 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

// Health and metrics by HTTP: /livez, /readyz, /metrics.
import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { clearStaleSocket } from '../listening/stale-socket.ts';

/** Looks at one thing: undefined when all is well, else what is wrong, in a few words. A throw is wrong, too. */
export type Check = () => string | undefined | Promise<string | undefined>;

export interface ApiOptions {
  /** What must be well for /readyz to say 200, by name. Looked at anew for each request. */
  checks: Readonly<Record<string, Check>>;
  /** What is told with /readyz and decides nothing: a frontend that puts off what it can't prove is of more use than none. */
  notes?: Readonly<Record<string, Check>>;
  metrics: { exposition(): Promise<{ contentType: string; text: string }> };
  log: { error(fields: object, text: string): void };
  /** How long one check may take, in milliseconds, before it counts as failed. Default 1000: probes give up soon. */
  checkTimeout?: number;
}

/** Where to listen; the port that was taken stands in the result of `listen`. */
export type ApiAddress = { host: string; port: number } | { path: string };

export class ApiServer {
  readonly #options: ApiOptions;
  readonly #server: FastifyInstance;

  constructor(options: ApiOptions) {
    this.#options = options;
    // Nobody sends us a body; whoever sends half a request is not waited for.
    this.#server = Fastify({ bodyLimit: 1024, requestTimeout: 10_000, forceCloseConnections: true });
    this.#server.get('/livez', () => ({ alive: true }));
    this.#server.get('/readyz', (_request, reply) => this.#ready(reply));
    this.#server.get('/metrics', (_request, reply) => this.#metrics(reply));
    this.#server.setNotFoundHandler((_request, reply) =>
      reply.code(404).send({ error: 'not found', paths: ['/livez', '/readyz', '/metrics'] }),
    );
    this.#server.setErrorHandler((error, request, reply) => {
      const code = (error as { statusCode?: number }).statusCode ?? 500;
      if (code >= 500) options.log.error({ error, url: request.url }, 'a request to the API failed');
      return reply.code(code).send({ error: code >= 500 ? 'internal error' : (error as Error).message });
    });
  }

  /** Starts to listen; rejects when the address is taken. A Unix socket that nobody listens at any more is replaced. */
  async listen(address: ApiAddress): Promise<ApiAddress> {
    if ('path' in address) await clearStaleSocket(address.path);
    await this.#server.listen(address);
    const bound = this.#server.server.address();
    return bound !== null && typeof bound === 'object' && 'host' in address
      ? { host: address.host, port: bound.port }
      : address;
  }

  /** Stops listening and closes all connections. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  async #ready(reply: FastifyReply): Promise<FastifyReply> {
    const { checks, notes = {} } = this.#options;
    const [results, told] = await Promise.all([this.#lookAt(checks), this.#lookAt(notes)]);
    const ready = Object.values(results).every((result) => result === 'ok');
    return reply.code(ready ? 200 : 503).send({ ready, checks: results, notes: told });
  }

  async #lookAt(checks: Readonly<Record<string, Check>>): Promise<Record<string, string>> {
    const looked = Object.entries(checks).map(async ([name, check]) => [name, await this.#look(check)] as const);
    return Object.fromEntries(await Promise.all(looked));
  }

  async #look(check: Check): Promise<string> {
    const limit = this.#options.checkTimeout ?? 1000;
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

  async #metrics(reply: FastifyReply): Promise<FastifyReply> {
    const { contentType, text } = await this.#options.metrics.exposition();
    return reply.type(contentType).send(text);
  }
}

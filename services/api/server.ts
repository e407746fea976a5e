// The HTTP server of the API: health for everybody, the rest for those with a token.
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { clearStaleSocket } from '../listening/stale-socket.ts';
import { healthPaths, healthRoutes, readiness } from './health.ts';
import type { HealthOptions } from './health.ts';
import { problem, problemOf, sendProblem } from './problem.ts';
import { v1 } from './v1.ts';
import type { V1Options } from './v1.ts';

export interface ApiOptions extends HealthOptions {
  log: { error(fields: object, text: string): void };
  /** Left out, there are health and metrics alone. */
  v1?: Omit<V1Options, 'readiness'>;
}

/** Where to listen; the port that was taken stands in the result of `listen`. */
export type ApiAddress = { host: string; port: number } | { path: string };

/** The largest body that is taken, in bytes: an order names a few things. */
const largestBody = 65_536;

/** The longest part of a path, in characters: any mailbox name, each byte of it written as three. */
const longestParameter = 4096;

export class ApiServer {
  readonly #options: ApiOptions;
  readonly #server: FastifyInstance;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#server = Fastify({
      bodyLimit: largestBody,
      // Whoever sends half a request is not waited for.
      requestTimeout: 10_000,
      forceCloseConnections: true,
      routerOptions: { maxParamLength: longestParameter },
      // What is wrong before there is a route: a path with %FF, which is no text.
      frameworkErrors: (error, _request, reply) => {
        sendProblem(reply, problemOf(error));
      },
    });
    this.#tellProblems();
    healthRoutes(this.#server, options);
    if (options.v1) {
      const more: V1Options = { ...options.v1, readiness: () => readiness(options) };
      // Awaited by whatever is asked of the server first.
      void this.#server.register((server) => v1(server, more));
    }
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

  #tellProblems(): void {
    this.#server.setNotFoundHandler((_request, reply) =>
      sendProblem(reply, problem('route', `there are ${healthPaths.join(', ')}, /v1/openapi.json, /queues/`)),
    );
    this.#server.setErrorHandler((error, request, reply) => {
      const told = problemOf(error);
      // The path as it is written in the code: that of the request may hold anything.
      const about = { err: error, method: request.method, route: request.routeOptions.url };
      if (told.status >= 500) this.#options.log.error(about, 'a request to the API failed');
      return sendProblem(reply, told);
    });
  }
}

// The API of a running process, as the commands ask it: one request, its answer checked, its problems told.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { z } from 'zod';
import { apiUrl } from '../config/environment.ts';
import { problemType, problemValue } from '../operations/problem-value.ts';
import { Refusal } from '../operations/refusal.ts';
import type { RefusalKind } from '../operations/refusal.ts';
import type { ConfigOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';

export interface ApiOptions extends ConfigOption {
  api?: string;
  tokenFile?: string;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the API's URL, `/v1/...`. */
  path: string;
  /** What is undefined is left out; a list is said once for each. */
  query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  body?: object;
  /** One of many: where there are too many a minute it is asked again when that is over. */
  patient?: boolean;
}

/** The API that a command is to ask; undefined where it is to work by the configuration. */
export function apiOf(options: ApiOptions, { env }: Surroundings): ApiClient | undefined {
  // Whoever names a configuration means it, whatever stands in his environment.
  const url = options.api ?? (options.config === undefined ? apiUrl(env) : undefined);
  if (url === undefined) return undefined;
  return new ApiClient(baseOf(url), tokenOf(options, env['ROOKERY_API_TOKEN']));
}

function baseOf(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base && /^https?:$/.test(base.protocol) && base.username === '' && base.password === '') return base;
  throw new CommandError(
    exit.usage,
    `the API is at '${url}'; it may be http://HOST:PORT or https://HOST, without a user`,
  );
}

function tokenOf({ tokenFile }: ApiOptions, token: string | undefined): string {
  const found = tokenFile === undefined ? token : contentOf(tokenFile);
  // What is no token must not come into a header; what it is is not told.
  if (found !== undefined && /^[\x21-\x7e]+$/.test(found)) return found;
  throw new CommandError(exit.usage, 'the API takes a token: --token-file FILE, or ROOKERY_API_TOKEN');
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exit.usage, `the token cannot be read: ${reason}`, { cause: error });
  }
}

/** How a problem ends a command that is no refusal of an operation. */
const endings: Readonly<Record<number, number>> = {
  400: exit.usage,
  401: exit.noPermission,
  403: exit.noPermission,
  429: exit.temporary,
};

const refusals: Readonly<Record<RefusalKind, true>> = {
  ...{ usage: true, data: true, missing: true, unsafe: true, unavailable: true },
};

export class ApiClient {
  readonly #base: URL;
  readonly #token: string;

  constructor(base: URL, token: string) {
    this.#base = base;
    this.#token = token;
  }

  /** The answer to a request. Throws a Refusal where the operation was refused, else a CommandError. */
  async ask<T extends z.ZodType>(request: ApiRequest, answer: T): Promise<z.output<T>> {
    const response = await this.#answered(request);
    const text = await response.text().catch(() => '');
    const value = parsed(text);
    if (!response.ok) throw this.#problem(response.status, value);
    const read = answer.safeParse(value);
    if (read.success) return read.data;
    throw new CommandError(exit.unavailable, `${this.#where} answers in another form: it may be of another version`);
  }

  get #where(): string {
    return `the API at ${this.#base.origin}`;
  }

  async #answered(request: ApiRequest): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#send(request);
      if (response.status !== 429 || request.patient !== true || attempt === mostAttempts) return response;
      await response.body?.cancel();
      await pause(retryAfter(response));
    }
  }

  async #send({ method, path, query = {}, body }: ApiRequest): Promise<Response> {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    for (const [name, value] of Object.entries(query)) {
      const values = typeof value === 'object' ? value : value === undefined ? [] : [String(value)];
      for (const one of values) url.searchParams.append(name, one);
    }
    const headers = { authorization: `Bearer ${this.#token}`, ...(body && { 'content-type': 'application/json' }) };
    try {
      // Elsewhere the token is nobody's business.
      return await fetch(url, { method, headers, redirect: 'error', ...(body && { body: JSON.stringify(body) }) });
    } catch (error) {
      const { cause, message } = error as Error;
      const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
      throw new CommandError(exit.unavailable, `${this.#where} cannot be asked: ${reason}`, { cause: error });
    }
  }

  #problem(status: number, value: unknown): Error {
    const told = problemValue.safeParse(value).data;
    if (!told) return new CommandError(exit.unavailable, `${this.#where} answers ${status}, and does not say why`);
    const kind = told.type.slice(problemType.length);
    if (Object.hasOwn(refusals, kind))
      return new Refusal(kind as RefusalKind, told.detail, { fields: told.errors ?? [] });
    return new CommandError(endings[status] ?? exit.unavailable, `${this.#where} answers ${status}: ${told.detail}`);
  }
}

/** The API counts by the minute: after so many of them nothing was left for this command. */
const mostAttempts = 5;

/** How long the API wants nothing, in milliseconds: a minute at most, and a second where it does not say. */
function retryAfter({ headers }: Response): number {
  const seconds = Number(headers.get('retry-after') ?? 1);
  return 1000 * Math.min(60, Number.isFinite(seconds) ? Math.max(1, seconds) : 1);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

// Another configuration while running: what of it can be had without a restart, and what can't. Pure but for Reloading.
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/schema.ts';
import { pathText } from '../config/walk.ts';
import type { Path } from '../config/walk.ts';
import type { Log } from './log.ts';

/** Of `lmtp` what sockets and pools were made with; everything else of it counts from the next session or transaction on. */
const fixed = new RegExp(
  '^lmtp\\.(listen|workers|socket_mode|connect_timeout|wait_timeout|envelope_timeout|stall_timeout|reply_timeout|' +
    'idle_timeout|buffer|memory_limit|spool|spool_limit|remember_for|check_after|breaker_failures|breaker_pause|' +
    'failback_after)\\b',
);
/** Of a backend that was known before: read from the registry at each decision. */
const ofBackend = /^backends\..+\.(fence|placement\.drain|lmtp|lmtp\..+)$/;
/** Another file of a listener's certificate; the first one, or none any more, would change what the listener speaks. */
const certificate = /^lmtp\.(listen\[\d+\]\.)?tls_(server_cert|server_key|client_ca_file)$/;

type Tree = Record<string | number, unknown>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

/** The keys at which two configurations differ; a list is one value, but for the listeners. */
function* differences(old: unknown, next: unknown, path: Path = []): Generator<Path> {
  const lists = Array.isArray(old) || Array.isArray(next);
  const alike = isTree(old) && isTree(next) && (!lists || (isListeners(path) && length(old) === length(next)));
  if (!alike) {
    if (!isDeepStrictEqual(old, next)) yield path;
    return;
  }
  const names = lists ? Object.keys(old).map(Number) : new Set([...Object.keys(old), ...Object.keys(next)]);
  for (const name of names) yield* differences(old[name], next[name], [...path, name]);
}

function isListeners(path: Path): boolean {
  return pathText(path) === 'lmtp.listen';
}

function length(value: Tree): unknown {
  return value['length'];
}

function at(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, step) => (isTree(here) ? here[step] : undefined), tree);
}

export interface Change {
  /** What is to be in force: the old configuration with all of the new one that can be had. */
  config: Config;
  /** The keys of which it has the new value. */
  changed: string[];
  /** Those that need a restart. */
  restart: string[];
}

/** What of `next` can be had by a process that runs with `old`. */
export function changeOf(old: Config, next: Config): Change {
  const config = structuredClone(old);
  const [changed, restart]: [string[], string[]] = [[], []];
  for (const path of differences(old, next)) {
    const key = pathText(path);
    const value = at(next, path);
    if (!isLive(key, at(old, path), value)) {
      restart.push(key);
      continue;
    }
    changed.push(key);
    const holder = at(config, path.slice(0, -1)) as Tree;
    const name = path.at(-1) ?? '';
    if (value === undefined) Reflect.deleteProperty(holder, name);
    else holder[name] = value;
  }
  return { config, changed, restart };
}

function isLive(key: string, old: unknown, next: unknown): boolean {
  if (key === 'log.level') return true;
  if (certificate.test(key)) return old !== undefined && next !== undefined;
  if (ofBackend.test(key)) return true;
  return key.startsWith('lmtp.') && !fixed.test(key);
}

/** Puts another configuration into force, whole or not at all: what can fail has been done when it resolves. */
export type Prepare = (config: Config) => Promise<() => void>;

export class Reloading {
  readonly #log: Log;
  readonly #prepare: Prepare;
  #config: Config;
  #last: Promise<void> = Promise.resolve();

  constructor(config: Config, log: Log, prepare: Prepare) {
    this.#config = config;
    this.#log = log;
    this.#prepare = prepare;
  }

  /** One at a time. Never rejects: what is wrong is told to the log, and nothing has changed then. */
  reload(read: () => Config): Promise<void> {
    this.#last = this.#last.then(() => this.#once(read));
    return this.#last;
  }

  async #once(read: () => Config): Promise<void> {
    try {
      const { config, changed, restart } = changeOf(this.#config, read());
      const commit = await this.#prepare(config);
      commit();
      this.#config = config;
      this.#log.info({ event: 'reload', changed }, 'configuration and certificates reloaded');
      if (restart.length > 0) this.#log.warn({ event: 'reload', restart }, 'these keys need a restart to change');
    } catch (error) {
      const why = error instanceof ConfigError ? { problems: error.problems } : { err: error };
      this.#log.error({ event: 'reload', ...why }, 'configuration refused: nothing has changed');
    }
  }
}

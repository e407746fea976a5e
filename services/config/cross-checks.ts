// What keys must agree on with each other, where each is right by itself.
import type { Address } from '../listening/address.ts';
import { nearest } from './nearest.ts';
import { canBeReplicated } from './queue-names.ts';
import type { Config } from './schema.ts';
import { shownValue } from './shown-value.ts';
import type { Fault } from './structure.ts';
import { pathText } from './walk.ts';
import type { Path } from './walk.ts';

/** A disagreement, and the other keys it rests on: no disagreement is told where one of those is wrong itself. */
export interface Disagreement extends Fault {
  restsOn: readonly Path[];
}

function disagreement(path: Path, value: unknown, expected: string, restsOn: readonly Path[]): Disagreement {
  return { path, key: pathText(path), value: shownValue(value, path), expected, restsOn };
}

const everywhere = new Set(['0.0.0.0', '::', '[::]', '*']);

function collide(a: Address, b: Address): boolean {
  if ('path' in a || 'path' in b) return 'path' in a && 'path' in b && a.path === b.path;
  return a.port !== 0 && a.port === b.port && (a.host === b.host || everywhere.has(a.host) || everywhere.has(b.host));
}

function* listeners(config: Config): Generator<[Path, Address]> {
  for (const [index, address] of config.directory.listen.entries()) yield [['directory', 'listen', index], address];
  for (const [index, address] of config.lmtp.listen.entries()) yield [['lmtp', 'listen', index], address];
  for (const [index, address] of (config.lookup.listen ?? []).entries()) yield [['lookup', 'listen', index], address];
  yield [['api', 'listen'], config.api.listen];
  if (config.scaling.keda) yield [['scaling', 'keda'], config.scaling.keda];
}

function* sharedListeners(config: Config): Generator<Disagreement> {
  const all = Array.from(listeners(config));
  for (const [index, [path, address]] of all.entries()) {
    const taken = all.slice(0, index).find(([, other]) => collide(address, other));
    if (taken)
      yield disagreement(path, address, `an address of its own: ${pathText(taken[0])} has this one`, [taken[0]]);
  }
}

const secretKeys = (path: Path): Path[] => ['username', 'password', 'password_file'].map((name) => [...path, name]);

function* users(config: Config): Generator<Disagreement> {
  const backends = Object.keys(config.backends);
  for (const [name, user] of Object.entries(config.directory.users)) {
    const path = ['directory', 'users', name];
    if (user.password === undefined && user.password_file === undefined) {
      const expected = 'text of 1 to 1024 characters on one line (or give password_file)';
      yield disagreement([...path, 'password'], undefined, expected, secretKeys(path));
    }
    yield* userHost(config, [...path, 'host'], user);
    if (user.server === undefined || Object.hasOwn(config.backends, user.server)) continue;
    const hint = nearest(user.server, backends);
    const expected = `the name of one of the backends${hint === undefined ? '' : `; did you mean ${hint}?`}`;
    yield disagreement([...path, 'server'], user.server, expected, [['backends']]);
  }
}

/** Whoever may submit by AUTH PLAIN has a password. */
function* submitters({ lmtp }: Config): Generator<Disagreement> {
  for (const [name, user] of Object.entries(lmtp.users)) {
    if (user.password !== undefined || user.password_file !== undefined) continue;
    const path = ['lmtp', 'users', name];
    const expected = 'text of 1 to 1024 characters on one line (or give password_file)';
    yield disagreement([...path, 'password'], undefined, expected, secretKeys(path));
  }
}

/** A user's host must be one of those of his server. */
function* userHost(config: Config, path: Path, user: { server?: string; host?: string }): Generator<Disagreement> {
  const { server, host } = user;
  if (host === undefined) return;
  const restsOn = [[...path.slice(0, -1), 'server'], ['backends']];
  const backend = server === undefined ? undefined : config.backends[server];
  if (server === undefined) yield disagreement(path, host, 'left out where the user has no server', restsOn);
  else if (backend && !backend.hosts)
    yield disagreement(path, host, `left out: backends.${server} has no hosts`, restsOn);
  else if (backend?.hosts?.includes(host) === false) {
    yield disagreement(path, host, `one of the hosts of ${server}: ${backend.hosts.join(', ')}`, restsOn);
  }
}

/** The active host must be known; and an address, which may stand for its backend, must belong to one only. */
function* hosts(config: Config): Generator<Disagreement> {
  const taken = new Map<string, Path>();
  for (const [name, { hosts: all = [], active }] of Object.entries(config.backends)) {
    const path = ['backends', name, 'hosts'];
    for (const [index, address] of all.entries()) {
      const here = [...path, index];
      const other = taken.get(address);
      if (!other) taken.set(address, here);
      else yield disagreement(here, address, `an address of its own: ${pathText(other)} has this one`, [other]);
    }
    const known = active === undefined ? all.length < 2 : all.includes(active);
    if (known) continue;
    const expected = all.length === 0 ? 'left out where there are no hosts' : `one of its hosts: ${all.join(', ')}`;
    yield disagreement(['backends', name, 'active'], active, expected, [path]);
  }
}

interface Credentials {
  username?: string;
  password?: string;
  password_file?: string;
}

function* credentials(path: Path, access: Credentials, needed: boolean): Generator<Disagreement> {
  const secret = access.password ?? access.password_file;
  if (secret === undefined && (access.username !== undefined || needed)) {
    yield disagreement(
      [...path, 'password'],
      undefined,
      'the password of the username (or give password_file)',
      secretKeys(path),
    );
  }
  if (access.username === undefined && (secret !== undefined || needed)) {
    yield disagreement(
      [...path, 'username'],
      undefined,
      'the user name that the password belongs to',
      secretKeys(path),
    );
  }
}

function* backends(config: Config): Generator<Disagreement> {
  for (const [name, { lmtp, imap }] of Object.entries(config.backends)) {
    if (lmtp) yield* credentials(['backends', name, 'lmtp'], lmtp, false);
    if (imap) yield* credentials(['backends', name, 'imap'], imap, true);
  }
}

function* tokens({ api }: Config): Generator<Disagreement> {
  for (const [name, { token, token_file }] of Object.entries(api.tokens)) {
    if (token !== undefined || token_file !== undefined) continue;
    const path = ['api', 'tokens', name];
    const restsOn = ['token', 'token_file'].map((key) => [...path, key]);
    yield disagreement([...path, 'token'], undefined, 'a token (or give token_file)', restsOn);
  }
}

function* redis({ redis }: Config): Generator<Disagreement> {
  if (!redis) return;
  const has = (place?: { url?: string; url_file?: string }) => (place?.url ?? place?.url_file) !== undefined;
  const restsOn = [['redis']];
  if (has(redis)) {
    for (const part of ['directory', 'events'] as const) {
      if (redis[part])
        yield disagreement(['redis', part], {}, 'left out where redis.url or redis.url_file is given', restsOn);
    }
    return;
  }
  const expected = 'redis://HOST:PORT or the path of a Unix socket (or leave the section out for an embedded Redis)';
  if (!redis.directory && !redis.events) yield disagreement(['redis', 'url'], undefined, expected, restsOn);
  else {
    if (!has(redis.directory)) yield disagreement(['redis', 'directory', 'url'], undefined, expected, restsOn);
    if (!has(redis.events)) yield disagreement(['redis', 'events', 'url'], undefined, expected, restsOn);
  }
}

function* serverlist(config: Config): Generator<Disagreement> {
  const backends = Object.keys(config.backends);
  const { serverlist: listed = [] } = config.placement;
  for (const name of listed) {
    if (Object.hasOwn(config.backends, name)) continue;
    const hint = nearest(name, backends);
    const expected = `names of backends; there is no ${name}${hint === undefined ? '' : `, did you mean ${hint}?`}`;
    yield disagreement(['placement', 'serverlist'], listed, expected, [['backends']]);
  }
}

/** Where a replica is brought up to its backend must be known to have one; and a queue must be able to have its name. */
function* replicas(config: Config): Generator<Disagreement> {
  const there = Object.keys(config.backends).filter((name) => config.backends[name]?.replica);
  for (const name of there) {
    if (canBeReplicated(name)) continue;
    const expected =
      'left out: a backend with a replica may have letters, digits, dots, hyphens and underscores in its name';
    yield disagreement(['backends', name, 'replica'], {}, expected, []);
  }
  const here = config.workers.backends;
  for (const name of here) {
    if (there.includes(name)) continue;
    const expected = `names of backends that have a replica: ${there.join(', ') || 'there are none'}`;
    yield disagreement(['workers', 'backends'], here, expected, [['backends']]);
  }
}

/** Whom a first message makes, role lmtp makes: a map that names only backends would leave his mail waiting for ever. */
function* firstMessages({ lookup, users }: Config): Generator<Disagreement> {
  const { domains, first_message } = lookup.transport;
  if (domains.length === 0 || users.autocreate.names.length === 0 || first_message) return;
  const path = ['lookup', 'transport', 'first_message'];
  const expected = '{ host, port } or { path } of a listener of role lmtp, where users.autocreate has names';
  yield disagreement(path, undefined, expected, [
    ['lookup', 'transport', 'domains'],
    ['users', 'autocreate', 'names'],
  ]);
}

/** A pool must be able to be what it should; and no queue may be counted in two. */
function* pools({ scaling }: Config): Generator<Disagreement> {
  const taken = new Map<string, Path>();
  for (const [name, { queues, min, max, concurrency, backend_limit }] of Object.entries(scaling.pools)) {
    const path = ['scaling', 'pools', name];
    if (min > max) yield disagreement([...path, 'min'], min, `at most max, which is ${max}`, [[...path, 'max']]);
    if (backend_limit !== undefined && backend_limit < concurrency) {
      const expected = `at least concurrency, which is ${concurrency}: one worker has so many`;
      yield disagreement([...path, 'backend_limit'], backend_limit, expected, [[...path, 'concurrency']]);
    }
    for (const queue of queues ?? ['']) {
      const here = [...path, 'queues'];
      const other = taken.get(queue);
      if (!other) taken.set(queue, here);
      else if (queue === '') yield disagreement(here, undefined, `given: ${pathText(other)} leaves it out already`, []);
      else yield disagreement(here, queues, `queues of its own: ${pathText(other)} has ${queue}`, [other]);
    }
  }
}

export function* disagreements(config: Config): Generator<Disagreement> {
  yield* redis(config);
  yield* users(config);
  yield* submitters(config);
  yield* backends(config);
  yield* hosts(config);
  yield* tokens(config);
  yield* serverlist(config);
  yield* sharedListeners(config);
  yield* replicas(config);
  yield* firstMessages(config);
  yield* pools(config);
}

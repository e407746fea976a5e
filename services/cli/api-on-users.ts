// Users, their places, the room there is for them, and who has ordered what: asked of the API of a running process.
import { textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { auditAnswer } from '../operations/audit-operations.ts';
import type { AuditOperations } from '../operations/audit-operations.ts';
import type { OnUsers } from '../operations/operations.ts';
import { orderValue } from '../operations/order-value.ts';
import type { OrderValue } from '../operations/order-value.ts';
import { decisionValue } from '../operations/placement-operations.ts';
import type { PlacementOperations } from '../operations/placement-operations.ts';
import { simulationValue } from '../operations/placement-simulation.ts';
import { serverReplicationValue, userReplicationValue } from '../operations/replication-operations.ts';
import type { ReplicationOperations, UserReplicationValue } from '../operations/replication-operations.ts';
import { poolsAnswer, scalingValue } from '../operations/scaling-operations.ts';
import type { ScalingOperations } from '../operations/scaling-operations.ts';
import { timeText } from '../operations/time-text.ts';
import { figuresAnswer, usageAnswer } from '../operations/usage-operations.ts';
import type { UsageOperations } from '../operations/usage-operations.ts';
import { orderedAnswer, userStatesAnswer } from '../operations/user-operations.ts';
import type { UserOperations } from '../operations/user-operations.ts';
import type { Wish } from '../users/order.ts';
import type { ApiClient, ApiRequest } from './api-client.ts';

export function apiOnUsers(api: ApiClient): OnUsers {
  return { users: usersOf(api), placement: placementOf(api) };
}

/** A name in a path; one that is not UTF-8 in base64url, as no command line has it. */
function inPath(name: Bytes): string {
  return encodeURIComponent(textFromBytes(name));
}

/** How long one request has the API wait for the end of an order, in milliseconds, at most. */
const longestWait = 30_000;

function usersOf(api: ApiClient): UserOperations {
  const at = (user: Bytes) => `/v1/users/${inPath(user)}`;
  return {
    order: (user, wish) => api.ask(orderOf(at(user), user, wish), orderValue),
    cancel(user, _by, force) {
      const query = { force: force ? 'true' : undefined };
      return api.ask({ method: 'DELETE', path: `${at(user)}/order`, query }, orderValue);
    },
    async orderAll(users) {
      const body = { users: users.map(({ user, wish }) => newUser(user, wish)) };
      const asked = { method: 'POST', path: '/v1/users/import', body, patient: true } as const;
      return (await api.ask(asked, orderedAnswer)).users;
    },
    async show(user, within = 0) {
      const until = Date.now() + within;
      const look = (wait: number): Promise<OrderValue> =>
        api.ask({ method: 'GET', path: at(user), query: { wait } }, orderValue);
      for (;;) {
        const left = Math.max(0, Math.min(longestWait, until - Date.now()));
        const order = await look(Math.ceil(left / 1000));
        if (order.state !== 'open' || Date.now() >= until) return order;
      }
    },
    async states(users) {
      const body = { users: users.map(textFromBytes) };
      const asked = { method: 'POST', path: '/v1/users/states', body, patient: true } as const;
      return (await api.ask(asked, userStatesAnswer)).users;
    },
  };
}

function orderOf(path: string, user: Bytes, wish: Wish): ApiRequest {
  switch (wish.is) {
    case 'create':
      return { method: 'POST', path: '/v1/users', body: newUser(user, wish) };
    case 'delete':
      return { method: 'DELETE', path };
    case 'rename':
      return { method: 'POST', path: `${path}/rename`, body: { to: textFromBytes(wish.to) } };
  }
}

function newUser(user: Bytes, { server, partition, zone, quota }: Wish & { is: 'create' }): object {
  const text = (bytes: Bytes | undefined) => (bytes === undefined ? undefined : textFromBytes(bytes));
  return { name: textFromBytes(user), server: text(server), partition: text(partition), zone, quota };
}

function placementOf(api: ApiClient): PlacementOperations {
  return {
    // Plain values, written as they are read: the schema has them looser than the code.
    explain: (user) =>
      api.ask({ method: 'GET', path: `/v1/placement/${inPath(user)}` }, decisionValue) as ReturnType<
        PlacementOperations['explain']
      >,
    simulate: ({ tags, ...query }) =>
      api.ask({ method: 'GET', path: '/v1/placement', query: { ...query, tag: tags } }, simulationValue),
  };
}

export function apiOnReplication(api: ApiClient): ReplicationOperations {
  const at = (user: Bytes) => `/v1/replication/users/${inPath(user)}`;
  const secondsTo = (until: number) => Math.ceil(Math.max(0, Math.min(longestWait, until - Date.now())) / 1000);
  const follow: ReplicationOperations['follow'] = async (user, { server, within }) => {
    const until = Date.now() + within;
    for (;;) {
      const query = { wait: secondsTo(until), server };
      const found = await api.ask({ method: 'GET', path: at(user), query }, userReplicationValue);
      if (!isGoingOn(found) || Date.now() >= until) return found;
    }
  };
  return {
    follow,
    async user(user, { server, within }) {
      const until = Date.now() + within;
      const query = { wait: secondsTo(until) };
      const rung = await api.ask({ method: 'POST', path: at(user), query, body: { server } }, userReplicationValue);
      const left = until - Date.now();
      return left > 0 && isGoingOn(rung) ? follow(user, { server, within: left }) : rung;
    },
    server: (name) =>
      api.ask({ method: 'POST', path: `/v1/replication/servers/${encodeURIComponent(name)}` }, serverReplicationValue),
  };
}

function isGoingOn({ replicas }: UserReplicationValue): boolean {
  return replicas.some(({ job }) => job && job.state !== 'completed' && job.state !== 'failed');
}

export function apiOnUsage(api: ApiClient): UsageOperations {
  return {
    latest: async () => (await api.ask({ method: 'GET', path: '/v1/usage' }, usageAnswer)).servers,
    async history(server, limit) {
      const path = `/v1/usage/${encodeURIComponent(server)}`;
      return (await api.ask({ method: 'GET', path, query: { limit } }, figuresAnswer)).figures;
    },
  };
}

export function apiOnPools(api: ApiClient): ScalingOperations {
  return {
    list: async () => (await api.ask({ method: 'GET', path: '/v1/scaling' }, poolsAnswer)).pools,
    show: (pool) => api.ask({ method: 'GET', path: `/v1/scaling/${encodeURIComponent(pool)}` }, scalingValue),
  };
}

export function apiOnAudit(api: ApiClient): AuditOperations {
  const text = (at: number | undefined) => (at === undefined ? undefined : timeText(at));
  return {
    async list({ who, what, outcome, since, before, limit }) {
      const whatText = what === undefined ? undefined : textFromBytes(what);
      const query = { who, what: whatText, outcome, since: text(since), before: text(before), limit };
      return (await api.ask({ method: 'GET', path: '/v1/audit', query }, auditAnswer)).entries;
    },
  };
}

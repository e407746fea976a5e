// Backends, asked and told of by the API of a running process.
import { timeText } from '../operations/time-text.ts';
import { addedValue, backendsAnswer, drainedValue, retiredValue } from '../operations/backend-operations.ts';
import type { BackendOperations, PlainWish } from '../operations/backend-operations.ts';
import { backendValue } from '../operations/backend-value.ts';
import type { ApiClient } from './api-client.ts';

export function apiOnBackends(api: ApiClient): BackendOperations {
  const at = (name: string) => `/v1/backends/${encodeURIComponent(name)}`;
  const post = (name: string, what: string, body: object = {}) =>
    ({ method: 'POST', path: `${at(name)}/${what}`, body }) as const;
  // Who says so is who bears the token.
  return {
    list: async () => (await api.ask({ method: 'GET', path: '/v1/backends' }, backendsAnswer)).backends,
    show: (name) => api.ask({ method: 'GET', path: at(name) }, backendValue),
    add: (name, { stage, share }) => api.ask(post(name, 'add', { state: stage, share }), addedValue),
    say: (name, wish) => api.ask(post(name, wish.is, bodyOf(wish)), backendValue),
    drain: (name, { move }) => api.ask(post(name, 'drain', { move }), drainedValue),
    retire: (name, { dryRun }) => api.ask(post(name, 'retire', { dry_run: dryRun }), retiredValue),
  };
}

function bodyOf(wish: PlainWish): object {
  if (wish.is === 'canary') return { share: wish.share };
  if (wish.is !== 'fence') return {};
  return { reason: wish.reason, until: wish.until === undefined ? undefined : timeText(wish.until) };
}

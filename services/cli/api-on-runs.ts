// Runs of plans and moves: asked of the API of a running process.
import type { RunWish } from '../moves/starting.ts';
import { checkedValue, endsAnswer, reportAnswer, retryAnswer, runsAnswer } from '../operations/move-operations.ts';
import type { MoveOperations } from '../operations/move-operations.ts';
import { Refusal } from '../operations/refusal.ts';
import { moveValue, runValue, wholeRunValue } from '../operations/run-value.ts';
import type { ApiClient } from './api-client.ts';
import { nameValue } from './api-on-moves.ts';

export function apiOnMoves(api: ApiClient): MoveOperations {
  const at = (run: string) => `/v1/moves/${encodeURIComponent(run)}`;
  const turn = (verb: string) => (run: string) => api.ask({ method: 'POST', path: `${at(run)}/${verb}` }, runValue);
  return {
    // Who says so is who bears the token.
    start: (plan, wish) => api.ask({ method: 'POST', path: '/v1/moves', body: bodyOf(plan, wish) }, runValue),
    check: (plan, wish) => api.ask({ method: 'POST', path: '/v1/moves/check', body: bodyOf(plan, wish) }, checkedValue),
    async list(limit) {
      return (await api.ask({ method: 'GET', path: '/v1/moves', query: { limit } }, runsAnswer)).runs;
    },
    show: (run) => api.ask({ method: 'GET', path: at(run), patient: true }, wholeRunValue),
    of(name) {
      const value = nameValue(name);
      const [word, query] = typeof value === 'string' ? [value, {}] : [value.base64url, { encoding: 'base64url' }];
      return api.ask({ method: 'GET', path: `/v1/moves/of/${encodeURIComponent(word)}`, query }, moveValue);
    },
    ...{ pause: turn('pause'), resume: turn('resume'), cancel: turn('cancel') },
    retry(run, name) {
      const body = name === undefined ? {} : { name: nameValue(name) };
      return api.ask({ method: 'POST', path: `${at(run)}/retry`, body }, retryAnswer);
    },
    report: (run, from, limit) =>
      api.ask({ method: 'GET', path: `${at(run)}/report`, query: { from, limit }, patient: true }, reportAnswer),
    async ends(run, after, limit) {
      const query = { after, limit };
      return (await api.ask({ method: 'GET', path: `${at(run)}/ends`, query, patient: true }, endsAnswer)).ends;
    },
  };
}

function bodyOf(plan: string, { limits, windows, stopWhen, again }: RunWish): object {
  return {
    plan: planIn(plan),
    ...(limits && {
      limits: {
        ...{ total: limits.total, per_source: limits.perSource, per_destination: limits.perDestination },
        ...{ per_partition: limits.perPartition, bytes_per_second: limits.bytesPerSecond },
      },
    }),
    ...(windows && { windows }),
    ...(stopWhen && {
      stop_when: {
        ...{ failed: stopWhen.failed, failed_percent: stopWhen.failedPercent },
        ...{ deferred: stopWhen.deferred, latency: stopWhen.latency },
      },
    }),
    ...(again !== undefined && { again }),
  };
}

function planIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Refusal('data', `it is no plan of rookery move plan: ${(error as Error).message}`, { cause: error });
  }
}

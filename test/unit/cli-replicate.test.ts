// rookery replicate: what is said of a replica whose backend's host has no worker.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { JobView } from '../../services/events/backlog.ts';
import type { ApiClient, ApiRequest } from '../../services/cli/api-client.ts';
import { apiOnReplication } from '../../services/cli/api-on-users.ts';
import { rookery } from '../harness/cli.ts';

test('a job that nobody takes is told as that, and one that failed before with its reason', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-replicate-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'rookery.yaml');
  writeFileSync(file, 'backends:\n  mail1: { replica: {} }\n');
  const fresh: JobView = {
    ...{ id: '1', state: 'waiting', subject: 'user.jdoe', attempts: 0, since: 0, finished: undefined },
    ...{ kind: undefined, reason: undefined, worker: undefined },
  };
  const ask = (job: Partial<JobView>) =>
    rookery(['replicate', 'user', 'jdoe', '--server', 'mail1', '--wait', '1'], {
      env: { ROOKERY_CONFIG: file },
      openReplicas: () =>
        Promise.resolve({
          ring: () => Promise.resolve(),
          followed: () => Promise.resolve({ ...fresh, ...job }),
          close: () => Promise.resolve(),
        }),
    });
  const untaken = await ask({ state: 'waiting' });
  assert.equal(untaken.code, 75);
  const text = untaken.err.join('\n');
  assert.match(text, /user\.jdoe: mail1: not done yet: no worker has taken it; is one running on its host\?/);
  assert.match(text, /rookery queue show replication@mail1$/);
  const failing = await ask({ state: 'waiting', reason: 'away' });
  assert.deepEqual([failing.code, failing.err], [75, ['user.jdoe: mail1: not done yet: away']]);
});

test('over the API the end is waited for with one ring, however long it takes', async () => {
  const asked: string[] = [];
  const answers = ['waiting', 'active', 'completed'];
  const ask = ({ method, path, query }: ApiRequest) => {
    asked.push(`${method} ${path} ${String(query?.['server'])}`);
    const job = { id: '1', state: answers[asked.length - 1] };
    return Promise.resolve({ user: 'user.jdoe', replicas: [{ server: 'mail1', job }] });
  };
  const api = apiOnReplication({ ask } as unknown as ApiClient);
  const { replicas } = await api.user('jdoe', { server: 'mail1', within: 60_000 });
  assert.equal(replicas[0]?.job?.state, 'completed');
  const look = 'GET /v1/replication/users/jdoe mail1';
  assert.deepEqual(asked, ['POST /v1/replication/users/jdoe undefined', look, look]);
});

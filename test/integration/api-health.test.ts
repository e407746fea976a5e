// The health server as probes and Prometheus see it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ApiServer } from '../../services/api/server.ts';
import type { Check } from '../../services/api/health.ts';
import { watch } from '../../services/metrics/gauges.ts';
import { Metrics } from '../../services/metrics/metrics.ts';
import { withoutPromtool } from '../harness/peers.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-api-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const log = { error: () => undefined };

async function serve(
  t: TestContext,
  checks: Record<string, Check>,
  metrics: { exposition: Metrics['exposition'] } = new Metrics('1.2.3'),
) {
  const server = new ApiServer({ checks, metrics, log, checkTimeout: 200 });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok('port' in address && address.port > 0);
  t.after(() => server.close());
  return { get: (path: string) => fetch(`http://127.0.0.1:${address.port}${path}`) };
}

test('livez looks at nothing; readyz at everything, each time', async (t) => {
  let wrong: string | undefined = 'not connected';
  let asked = 0;
  const server = await serve(t, {
    redis: () => {
      asked += 1;
      return wrong;
    },
    lmtp: () => Promise.resolve(undefined),
  });
  assert.equal((await server.get('/livez')).status, 200);
  assert.equal(asked, 0);
  const bad = await server.get('/readyz');
  assert.equal(bad.status, 503);
  assert.deepEqual(await bad.json(), {
    ...{ ready: false, checks: { redis: 'not connected', lmtp: 'ok' }, notes: {} },
  });
  wrong = undefined;
  const good = await server.get('/readyz');
  assert.equal(good.status, 200);
  assert.deepEqual(await good.json(), { ready: true, checks: { redis: 'ok', lmtp: 'ok' }, notes: {} });
});

test('a check that throws, or never answers, is a failed check', async (t) => {
  const server = await serve(t, {
    throws: () => {
      throw new Error('no idea');
    },
    never: () => new Promise(() => undefined),
  });
  const response = await server.get('/readyz');
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), {
    ready: false,
    checks: { throws: 'no idea', never: 'no answer within 200 ms' },
    notes: {},
  });
});

test('other paths are told which there are; a failure is told without its reasons', async (t) => {
  const server = await serve(t, {}, { exposition: () => Promise.reject(new Error('geheim')) });
  const missing = await server.get('/');
  assert.equal(missing.status, 404);
  assert.match(await missing.text(), /\/readyz/);
  const failed = await server.get('/metrics');
  assert.equal(failed.status, 500);
  assert.doesNotMatch(await failed.text(), /geheim/);
});

test('a Unix socket, also one that a dead process left behind', async () => {
  const path = join(folder, 'api.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  const server = new ApiServer({ checks: {}, metrics: new Metrics('1'), log });
  await server.listen({ path });
  const status = await new Promise((resolve, reject) => {
    request({ socketPath: path, path: '/livez' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 200);
  const second = new ApiServer({ checks: {}, metrics: new Metrics('1'), log });
  await assert.rejects(second.listen({ path }), /EADDRINUSE/);
  await second.close();
  await server.close();
});

test('a taken port is an error, not a wait', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const server = new ApiServer({ checks: {}, metrics: new Metrics('1'), log });
  await assert.rejects(server.listen({ host: '127.0.0.1', port }), /EADDRINUSE/);
  await server.close();
  other.close();
});

test('what is measured is served in a form that Prometheus takes', { skip: withoutPromtool() }, async (t) => {
  const metrics = new Metrics('1.2.3');
  const recipient = {
    session: 's',
    transaction: 't',
    from: '<>',
    to: 'jdoe@example.org',
    delay_ms: 1,
    tls: false,
  } as const;
  metrics.observeOutcome({ ...recipient, code: 250, dsn: '2.1.5', text: '', outcome: 'delivered', backend: 'mail1' });
  metrics.observeOutcome({ ...recipient, code: 550, dsn: '5.1.1', text: '', outcome: 'rejected', reason: 'unknown' });
  metrics.countLookup('found');
  metrics.observeJob('placement', 'given back', 0.25);
  metrics.countDeadLetter('moves', 'refused');
  watch(metrics, 'rookery_lmtp_sessions', () => [[3]]);
  watch(metrics, 'rookery_backend_connections', () => Promise.resolve([[2, 'mail1', 'busy']]));
  watch(metrics, 'rookery_mupdate_sessions', () => [[1, 'reader']]);
  watch(metrics, 'rookery_queue_jobs', () => [[4, 'reconcile', 'failed']]);
  watch(metrics, 'rookery_queue_oldest_job_age_seconds', () => [[1.5, 'reconcile']]);
  watch(metrics, 'rookery_directory_trusted', () => {
    throw new Error('away');
  });
  const server = await serve(t, {}, metrics);
  const response = await server.get('/metrics');
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const line of [
    'rookery_lmtp_recipients_total{outcome="delivered",reason="",backend="mail1"} 1',
    'rookery_lmtp_recipients_total{outcome="rejected",reason="unknown",backend=""} 1',
    'rookery_lmtp_recipient_seconds_count{outcome="delivered"} 1',
    'rookery_lmtp_recipient_seconds_sum{outcome="rejected"} 0.001',
    'rookery_directory_lookups_total{result="found"} 1',
    'rookery_job_seconds_sum{queue="placement",outcome="given back"} 0.25',
    'rookery_dead_letters_total{queue="moves",kind="refused"} 1',
    'rookery_lmtp_sessions 3',
    'rookery_backend_connections{backend="mail1",state="busy"} 2',
    'rookery_mupdate_sessions{role="reader"} 1',
    'rookery_queue_jobs{queue="reconcile",state="failed"} 4',
    'rookery_queue_oldest_job_age_seconds{queue="reconcile"} 1.5',
    `rookery_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  assert.doesNotMatch(text, /jdoe/);
  assert.match(text, /^rookery_nodejs_eventloop_lag_seconds /m);
  const strangers = text.split('\n').filter((line) => !/^(?:# (?:HELP|TYPE) rookery_|rookery_|$)/.test(line));
  assert.deepEqual(strangers, [], 'one prefix');
  assert.doesNotMatch(text, /^rookery_directory_trusted /m);
  const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([check.status, check.stdout, check.stderr], [0, '', '']);
});

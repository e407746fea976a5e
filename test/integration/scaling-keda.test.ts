// KEDA's external scaler, asked by a client that plays KEDA with KEDA's own description of the calls.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { Client, ClientReadableStream, ServiceClientConstructor, ServiceError } from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import type { ReadScaling } from '../../services/events/scaling.ts';
import { serveKeda } from '../../workers/autoscaler/keda.ts';
import { until } from '../harness/until.ts';

const proto = join(import.meta.dirname, '../schemas/externalscaler.proto');
const reference = (pool?: string) => ({
  ...{ name: 'rookery-worker', namespace: 'default', scalerMetadata: pool === undefined ? {} : { pool } },
});

type Call = (request: object, done: (error: ServiceError | null, answer: object) => void) => void;
type Stream = (request: object) => ClientReadableStream<object>;

async function keda(t: TestContext, read: ReadScaling) {
  const running = await serveKeda({ listen: { host: '127.0.0.1', port: 0 }, every: 20, read });
  t.after(() => running.stop());
  assert.ok('port' in running.address);
  const loaded = loadPackageDefinition(await load(proto, { longs: Number }));
  const { ExternalScaler } = loaded['externalscaler'] as unknown as { ExternalScaler: ServiceClientConstructor };
  const client: Client = new ExternalScaler(`127.0.0.1:${running.address.port}`, credentials.createInsecure());
  t.after(() => {
    client.close();
  });
  const method = (name: string) => (client as unknown as Record<string, unknown>)[name];
  const ask = (name: string, request: object) =>
    new Promise<object>((resolve, reject) => {
      (method(name) as Call).call(client, request, (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      });
    });
  const listen = (name: string, request: object) => {
    const heard: object[] = [];
    const stream = (method(name) as Stream).call(client, request);
    const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve as (error: Error) => void));
    stream.on('data', (one: object) => heard.push(one));
    return { heard, stream, ended };
  };
  return { ask, listen };
}

const state = { depth: 7, active: 1, oldestAgeSeconds: 2, paused: false, reason: 'x' };
const reader =
  (desired: () => number): ReadScaling =>
  (pool) =>
    Promise.resolve(pool === 'default' ? { ...state, desired: desired() } : undefined);

test('every call is answered in the shape that KEDA reads', async (t) => {
  let desired = 4;
  const { ask } = await keda(
    t,
    reader(() => desired),
  );
  assert.deepEqual(await ask('IsActive', reference('default')), { result: true });
  assert.deepEqual(await ask('GetMetricSpec', reference('default')), {
    metricSpecs: [{ metricName: 'desired', targetSize: 1, targetSizeFloat: 1 }],
  });
  const request = { scaledObjectRef: reference('default'), metricName: 'desired' };
  assert.deepEqual(await ask('GetMetrics', request), {
    metricValues: [{ metricName: 'desired', metricValue: 4, metricValueFloat: 4 }],
  });
  desired = 0;
  assert.deepEqual(await ask('IsActive', reference('default')), { result: false });
});

test('the stream says at once how it is, and then each change; it ends when KEDA ends it', async (t) => {
  let desired = 0;
  let asked = 0;
  const { listen } = await keda(
    t,
    reader(() => {
      asked += 1;
      return desired;
    }),
  );
  const { heard, stream, ended } = listen('StreamIsActive', reference('default'));
  await until('it is not needed', () => heard.length === 1);
  desired = 3;
  await until('it is needed', () => heard.length === 2);
  desired = 5;
  const before = asked;
  await until('it has been looked at again', () => asked > before + 2);
  desired = 0;
  await until('it is not needed again', () => heard.length === 3);
  assert.deepEqual(heard, [{ result: false }, { result: true }, { result: false }]);
  stream.cancel();
  assert.equal((await ended).code, status.CANCELLED);
  let last = -1;
  await until('nobody looks any more', () => {
    const still = asked === last;
    last = asked;
    return still;
  });
});

test('the stream of metrics says at once what there is, and stays open', async (t) => {
  const { listen, ask } = await keda(
    t,
    reader(() => 1),
  );
  const { heard, stream, ended } = listen('StreamMetricSpec', reference('default'));
  await until('it is told', () => heard.length === 1);
  assert.deepEqual(heard[0], await ask('GetMetricSpec', reference('default')));
  stream.cancel();
  assert.equal((await ended).code, status.CANCELLED);
});

test('a trigger without a pool, with an unknown one, and Redis that is away are told apart', async (t) => {
  const { ask, listen } = await keda(t, (pool) =>
    pool === 'away' ? Promise.reject(new Error('Redis does not answer')) : Promise.resolve(undefined),
  );
  const failure = (pool?: string) => ask('IsActive', reference(pool)).catch((error: unknown) => error as ServiceError);
  const told = async (pool?: string) => {
    const { code, details } = (await failure(pool)) as ServiceError;
    return [code, details];
  };
  assert.deepEqual(await told(), [status.INVALID_ARGUMENT, 'the metadata of the trigger must name a pool']);
  assert.deepEqual(await told('nosuch'), [status.NOT_FOUND, "'nosuch' is no pool of the configuration"]);
  assert.deepEqual(await told('away'), [status.UNAVAILABLE, 'Redis does not answer']);
  assert.equal((await listen('StreamIsActive', reference('away')).ended).code, status.UNAVAILABLE);
  const request = { scaledObjectRef: null, metricName: 'desired' };
  await assert.rejects(ask('GetMetrics', request), { code: status.INVALID_ARGUMENT });
});

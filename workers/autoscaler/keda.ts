// The hand for Kubernetes that need not be asked: KEDA's external scaler, which is told at once when workers are needed.
import { Server, ServerCredentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { ServerUnaryCall, ServerWritableStream, ServiceClientConstructor, sendUnaryData } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import type { KedaStart, RunningKeda, ScalingState } from '../../services/events/scaling.ts';
import { externalScaler } from './keda-protocol.ts';
import type { Active, MetricSpecs, MetricValues, MetricsRequest, ScaledObjectRef } from './keda-protocol.ts';

/** The one metric there is: how many workers there should be. One worker for each 1 of it. */
const metric = { metricName: 'desired', targetSize: 1, targetSizeFloat: 1 };

type Answer<T> = sendUnaryData<T>;

/** Starts to listen. Rejects where the address can't be had. */
export async function serveKeda(start: KedaStart): Promise<RunningKeda> {
  // The types of protobufjs want a service to be told apart from a message by more than what it has.
  const definition = externalScaler as unknown as Parameters<typeof fromJSON>[0];
  const loaded = loadPackageDefinition(fromJSON(definition, { defaults: true, longs: Number }));
  const { ExternalScaler } = loaded['externalscaler'] as unknown as { ExternalScaler: ServiceClientConstructor };
  const server = new Server();
  server.addService(ExternalScaler.service, callsOf(start));
  const { listen } = start;
  const target = 'path' in listen ? `unix:${listen.path}` : `${listen.host}:${listen.port}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new Error(`scaling.keda: ${target} can't be listened at`, { cause: error }));
      else resolve(bound);
    });
  });
  return {
    address: 'path' in listen ? listen : { host: listen.host, port },
    stop() {
      // Streams stay open as long as KEDA lives: they are not waited for.
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function callsOf(start: KedaStart) {
  return {
    isActive: (call: ServerUnaryCall<ScaledObjectRef, Active>, answer: Answer<Active>) => {
      reply(answer, async () => ({ result: (await stateOf(start, call.request)).desired > 0 }));
    },
    streamIsActive: (call: ServerWritableStream<ScaledObjectRef, Active>) => {
      follow(start, call);
    },
    getMetricSpec: (call: ServerUnaryCall<ScaledObjectRef, MetricSpecs>, answer: Answer<MetricSpecs>) => {
      reply(answer, async () => {
        await stateOf(start, call.request);
        return { metricSpecs: [metric] };
      });
    },
    getMetrics: (call: ServerUnaryCall<MetricsRequest, MetricValues>, answer: Answer<MetricValues>) => {
      reply(answer, async () => {
        const { metricName, scaledObjectRef } = call.request;
        const { desired } = await stateOf(start, scaledObjectRef);
        return { metricValues: [{ metricName, metricValue: desired, metricValueFloat: desired }] };
      });
    },
    /** It never changes, so it is told once; the stream is held open, for KEDA would come back if it ended. */
    streamMetricSpec: (call: ServerWritableStream<ScaledObjectRef, MetricSpecs>) => {
      call.write({ metricSpecs: [metric] });
      call.on('cancelled', () => call.end());
    },
  };
}

/** Tells whether the pool is needed: at once, and whenever that changes. */
function follow(start: KedaStart, call: ServerWritableStream<ScaledObjectRef, Active>): void {
  let told: boolean | undefined;
  const look = async () => {
    try {
      const result = (await stateOf(start, call.request)).desired > 0;
      if (result !== told && !call.cancelled) call.write({ result });
      told = result;
    } catch (error) {
      // KEDA opens the stream again, and falls back on what its manifest says meanwhile.
      stop();
      call.emit('error', failureOf(error));
    }
  };
  const timer = setInterval(() => void look(), start.every);
  const stop = () => {
    clearInterval(timer);
  };
  call.on('cancelled', () => {
    stop();
    call.end();
  });
  call.on('close', stop);
  void look();
}

async function stateOf(start: KedaStart, reference: ScaledObjectRef | null): Promise<ScalingState> {
  const pool = reference?.scalerMetadata['pool'];
  if (pool === undefined) throw new Refusal(status.INVALID_ARGUMENT, 'the metadata of the trigger must name a pool');
  const state = await start.read(pool);
  if (!state) throw new Refusal(status.NOT_FOUND, `'${pool}' is no pool of the configuration`);
  return state;
}

/** An answer that says what the one who asks has to change. */
class Refusal extends Error {
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

function reply<T>(answer: Answer<T>, work: () => Promise<T>): void {
  work().then(
    (value) => {
      answer(null, value);
    },
    (error: unknown) => {
      answer(failureOf(error));
    },
  );
}

/** Whatever else goes wrong is Redis' being away: UNAVAILABLE, so that KEDA uses its fallback. */
function failureOf(error: unknown): { code: status; details: string } {
  const details = error instanceof Error ? error.message : String(error);
  return { code: error instanceof Refusal ? error.code : status.UNAVAILABLE, details };
}

// One of several processes of the role `lmtp`: a program of its own, started and kept by lmtp-processes.ts.
import type { FromPart, ToPart } from './lmtp-parts.ts';
import type { Config } from '../config/schema.ts';
import { Metrics } from '../metrics/metrics.ts';
import { startRoles } from './start-roles.ts';
import type { Running } from './start-roles.ts';
import { version } from './version.ts';

const metrics = new Metrics(version, { ofProcess: false });
let running: Promise<Running> | undefined;
let commit: () => void = () => undefined;

function tell(message: FromPart): void {
  if (process.connected) process.send?.(message);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function start(config: Config): Promise<void> {
  running = startRoles({ config, roles: ['lmtp'], out: () => undefined, metrics, lmtpPart: true });
  try {
    const { addresses } = await running;
    tell({ is: 'serving', addresses: addresses.lmtp ?? [] });
  } catch (error) {
    tell({ is: 'failed', why: reasonOf(error) });
    process.exitCode = 1;
    process.disconnect();
  }
}

/** One look may take so long, in milliseconds: whoever asks gives up after a second. */
const look = 400;

function healthOf(here: Running | undefined) {
  return here?.health(look) ?? { ready: false, checks: {}, notes: {} };
}

let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  const started = await running?.catch(() => undefined);
  await started?.stop();
  process.exit();
}

async function answer(number: number, work: () => Promise<Omit<FromPart & { is: 'answer' }, 'is' | 'number'>>) {
  const found = await work().catch((error: unknown) => ({ error: reasonOf(error) }));
  tell({ is: 'answer', number, ...found });
}

process.on('message', (message: ToPart) => {
  if (message.do === 'start') void start(message.config);
  else if (message.do === 'stop') void stop();
  else if (message.do === 'tell figures')
    void answer(message.number, async () => ({ figures: await metrics.figures() }));
  else if (message.do === 'tell health')
    void answer(message.number, async () => ({ health: await healthOf(await running) }));
  else if (message.do === 'commit') {
    void answer(message.number, () => {
      commit();
      return Promise.resolve({});
    });
  } else {
    void answer(message.number, async () => {
      const here = await running;
      commit = (await here?.prepare(message.config)) ?? commit;
      return {};
    });
  }
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
// It is for the one that keeps us to reload.
process.on('SIGHUP', () => undefined);

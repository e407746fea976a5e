// How fast mail goes through the proxy, beside no proxy and other proxies. `--help` says what is measured, and how.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { figure, median } from './figures.ts';
import { idleCost } from './lmtp-idle.ts';
import { latencyAt, type Latency } from './lmtp-latency.ts';
import { setSize } from './lmtp-mailboxes.ts';
import { compare, send, type Load } from './lmtp-load.ts';
import { optionsFrom, type Options } from './lmtp-options.ts';
import { latencyTable, loadTables, ratioTables, type Row } from './lmtp-report.ts';
import { Stand, type Way } from './lmtp-stand.ts';

const small = 4096;
/** So many recipients of each set has Rookery seen before: about as many as a second's run writes to. */
const known = 4000;

/** The compiler's work of the first thousand messages is not what a proxy that runs for months costs. */
async function warmUp(stand: Stand, options: Options): Promise<void> {
  for (const way of stand.ways) {
    const [many, one] = way === 'cyrus' ? [100, 50] : [3000, 1000];
    await send(stand, way, { size: small, sessions: 20, keepAlive: true, recipients: 1 }, many, options);
    await send(stand, way, { size: small, sessions: 20, keepAlive: false, recipients: 1 }, one, options);
  }
  const load: Load = { size: small, sessions: 20, keepAlive: true, recipients: 1 };
  for (let set = 0; set < options.mailboxes / setSize; set++) await send(stand, 'rookery', load, known, options);
}

function loadsOf({ sizes, messages, sessions, rows }: Options): [Load, readonly Way[] | undefined][] {
  const shapes = messages.flatMap((some) =>
    sessions.map((number) => ({ keepAlive: some === 'many', sessions: number })),
  );
  const loads = sizes.flatMap((size) => shapes.map((shape): Load => ({ ...shape, size, recipients: 1 })));
  const two = shapes.map((shape): Load => ({ ...shape, size: small, recipients: 2 }));
  return [
    ...(rows.includes('load') ? loads : []).map((load): [Load, undefined] => [load, undefined]),
    ...(rows.includes('two') ? two : []).map((load): [Load, readonly Way[]] => [load, ['direct', 'cyrus', 'rookery']]),
  ];
}

async function measureLoads(stand: Stand, options: Options): Promise<string[]> {
  const loads = loadsOf(options);
  const rows: Row[] = [];
  for (const [load, possible] of loads) {
    const some = stand.ways.filter((way) => possible?.includes(way) ?? true);
    rows.push({ load, runs: await compare(stand, some, load, options) });
    console.error(`${rows.length} of ${loads.length} rows measured`);
  }
  return rows.length > 0 ? [loadTables(rows, stand.ways), ratioTables(rows, stand.ways)] : [];
}

async function measureLatency(stand: Stand, options: Options): Promise<string> {
  const load: Load = { size: small, sessions: 20, keepAlive: true, recipients: 1 };
  const proxies = (['haproxy', 'rookery'] as const).filter((way) => stand.ways.includes(way));
  const rates = await compare(stand, proxies, load, options);
  const rate = options.rate ?? Math.floor(Math.min(...Array.from(rates.values(), (run) => run.rate)) / 2);
  const measured = new Map<Way, Latency[]>();
  for (let round = 0; round < options.rounds; round++) {
    for (const way of ['direct', ...proxies] as const) {
      const one = await latencyAt(stand.address(way), rate, options.seconds, small);
      measured.set(way, [...(measured.get(way) ?? []), one]);
      await sleep(100);
    }
  }
  const middle = (all: Latency[], of: keyof Latency) => median(all.map((one) => one[of]));
  const medians = Array.from(measured, ([way, all]): [Way, Latency] => [
    way,
    { p50: middle(all, 'p50'), p99: middle(all, 'p99') },
  ]);
  return latencyTable(rate, new Map(medians));
}

async function measure(stand: Stand, options: Options): Promise<void> {
  // First, while no message has left memory behind that sessions could be put into.
  const idle = options.rows.includes('idle') ? [await measureIdle(stand, options)] : [];
  await warmUp(stand, options);
  const parts = await measureLoads(stand, options);
  if (options.rows.includes('latency')) parts.push(await measureLatency(stand, options));
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`;
  const how = `workers ${options.workers}, ${options.mailboxes} mailboxes, ${options.nearCache} rows in memory for lookups`;
  console.log([`${machine}; medians of ${options.rounds}; ${how}`, ...parts, ...idle].join('\n\n'));
}

async function measureIdle(stand: Stand, { idle }: Options): Promise<string> {
  const bytes = await idleCost(stand.address('rookery'), idle, () => stand.rss());
  return `${idle} idle plain sessions: ${figure(bytes / 1024, 1)} KiB each (goal: 20)`;
}

const options = optionsFrom();
const stand = await Stand.start(options);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stand.stop().finally(() => process.exit(130)));
}
try {
  await measure(stand, options);
} finally {
  await stand.stop();
}

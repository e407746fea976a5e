// The tables of the benchmark of delivery, and the ratios that were set as goals.
import { figure, table } from './figures.ts';
import type { Latency } from './lmtp-latency.ts';
import type { Load, Run } from './lmtp-load.ts';
import type { Way } from './lmtp-stand.ts';

export interface Row {
  load: Load;
  runs: Map<Way, Run>;
}

const none: Run = { rate: Number.NaN, proxyCpu: Number.NaN, redisCpu: Number.NaN };

/** At least so much of another way's rate is wanted; by bytes, or for all sizes. */
const goals: readonly [way: Way, size: number, ratio: number][] = [
  ['haproxy', 4096, 1],
  ['haproxy', 65_536, 0.9],
  ['haproxy', 1_048_576, 0.8],
  ['dovecot', 4096, 4],
  ['cyrus', 4096, 10],
];
/** The same for two recipients on two backends, beside two senders straight to the sinks. */
const goalOfTwo = 0.6;

function wanted(way: Way, { size, recipients }: Load): number | undefined {
  if (recipients === 2) return way === 'direct' ? goalOfTwo : undefined;
  return goals.find(([of, bytes]) => of === way && bytes === size)?.[2];
}

const shapeHead = ['bytes', 'rcpts', 'msgs/conn', 'sessions'];
const shape = ({ size, recipients, keepAlive, sessions }: Load) =>
  [size, recipients, keepAlive ? 'many' : 'one', sessions].map(String);

/** Messages a second, then CPU time a message. */
export function loadTables(rows: readonly Row[], some: readonly Way[]): string {
  const rates = rows.map(({ load, runs }) => [
    ...shape(load),
    ...some.map((way) => figure((runs.get(way) ?? none).rate)),
  ]);
  const proxies = some.filter((way) => way !== 'direct');
  const costs = rows.map(({ load, runs }) => [
    ...shape(load),
    ...proxies.map((way) => figure((runs.get(way) ?? none).proxyCpu, 3)),
    ...rookeries(some).map((way) => figure((runs.get(way) ?? none).redisCpu, 3)),
  ]);
  return [
    `Messages a second\n\n${table([[...shapeHead, ...some], ...rates])}`,
    `CPU time a message in ms, of all processes of each\n\n${table([[...shapeHead, ...proxies, ...rookeries(some).map((way) => `redis/${way}`)], ...costs])}`,
  ].join('\n\n');
}

function rookeries(some: readonly Way[]): readonly Way[] {
  return some.filter((way) => way === 'rookery' || way === 'lookups');
}

/** Rookery's rate beside each other way's, as shipped and with a lookup for each recipient. */
export function ratioTables(rows: readonly Row[], some: readonly Way[]): string {
  return rookeries(some)
    .map((of) => ratioTable(of, rows, some))
    .join('\n\n');
}

/** An asterisk where a goal is not reached. */
function ratioTable(of: Way, rows: readonly Row[], some: readonly Way[]): string {
  const others = some.filter((way) => !rookeries(some).includes(way));
  const cell = (way: Way, { load, runs }: Row): string => {
    const ratio = (runs.get(of) ?? none).rate / (runs.get(way) ?? none).rate;
    const goal = wanted(way, load);
    if (goal === undefined || !Number.isFinite(ratio)) return figure(ratio, 2);
    return `${figure(ratio, 2)}${ratio < goal ? '*' : ''} (${goal.toFixed(1)})`;
  };
  const lines = rows.map((row) => [...shape(row.load), ...others.map((way) => cell(way, row))]);
  const head = [...shapeHead, ...others.map((way) => `to ${way}`)];
  return `${of}: its rate to others' (goal; * where it is missed)\n\n${table([head, ...lines])}`;
}

export function latencyTable(rate: number, measured: ReadonlyMap<Way, Latency>): string {
  const direct = measured.get('direct') ?? { p50: Number.NaN, p99: Number.NaN };
  const lines = Array.from(measured, ([way, { p50, p99 }]) => [
    ...[way, figure(p50, 2), figure(p99, 2)],
    ...(way === 'direct' ? ['', ''] : [figure(p50 - direct.p50, 2), figure(p99 - direct.p99, 2)]),
  ]);
  const head = ['', 'p50', 'p99', 'added p50', 'added p99'];
  return `Latency in ms, 4096 bytes, ${figure(rate)} messages a second (goal: 5 ms added at p99)\n\n${table([head, ...lines])}`;
}

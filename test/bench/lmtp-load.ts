// Runs of smtp-source (Postfix' own load generator) through one way, and through all of them in turn.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from './figures.ts';
import { recipientOf, setSize, twoRecipients } from './lmtp-mailboxes.ts';
import type { Address, Stand, Way } from './lmtp-stand.ts';

/** What smtp-source is asked for. */
export interface Load {
  size: number;
  sessions: number;
  /** Many messages a connection (`smtp-source -d`), or a connection for each. */
  keepAlive: boolean;
  /** Each message to one recipient, or to two on two backends. */
  recipients: 1 | 2;
}

/** One run of smtp-source. CPU in milliseconds a message; NaN where no process is in between. */
export interface Run {
  rate: number;
  proxyCpu: number;
  redisCpu: number;
}

export interface Pace {
  /** Runs of each way. */
  rounds: number;
  /** How long a run is to take, about. */
  seconds: number;
  /** How many recipients have mailboxes. */
  mailboxes: number;
}

const generator = 'smtp-source';
/** A run that takes longer than this, in milliseconds, is ended and counts as failed. */
const longestRun = 120_000;
/** A probe that is over sooner than this, in seconds, tells little of the rate. */
const shortestProbe = 0.3;

/** Each run of a way writes to the next set of recipients: to all of them in turn. */
const turns = new Map<Way, number>();

export async function send(stand: Stand, way: Way, load: Load, messages: number, pace: Pace): Promise<Run> {
  const to = load.recipients === 2 ? ['-r', '2', '-t', twoRecipients] : ['-N', '-t', recipientOf(nextSet(way, pace))];
  const before = stand.cpu(way);
  const begin = performance.now();
  await (load.recipients === 2 && way === 'direct'
    ? Promise.all(stand.sinks.map((sink) => source(stand, way, half(load), messages, ['-t', twoRecipients], sink)))
    : source(stand, way, load, messages, to, stand.address(way)));
  const seconds = (performance.now() - begin) / 1000;
  await sleep(50); // what follows the last reply (logging, closing) belongs to the run
  const after = stand.cpu(way);
  return {
    rate: messages / seconds,
    proxyCpu: (after.proxy - before.proxy) / messages,
    redisCpu: (after.redis - before.redis) / messages,
  };
}

function nextSet(way: Way, { mailboxes }: Pace): number {
  const turn = turns.get(way) ?? 0;
  turns.set(way, turn + 1);
  return turn % Math.floor(mailboxes / setSize);
}

/** Without a proxy an MTA has a transaction for each backend: half of the sessions to each, every message to both. */
function half(load: Load): Load {
  return { ...load, sessions: Math.ceil(load.sessions / 2) };
}

async function source(
  stand: Stand,
  way: Way,
  { size, sessions, keepAlive }: Load,
  messages: number,
  to: readonly string[],
  { host, port }: Address,
): Promise<void> {
  const shape = ['-l', String(size), '-s', String(sessions), ...(keepAlive ? ['-d'] : []), '-m', String(messages)];
  const args = ['-L', ...shape, '-f', 'sender@example.org', ...to, `${host}:${port}`];
  const child = spawn(generator, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: longestRun });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString().slice(0, 2000)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return;
  const why = complaint.trim() || 'took too long';
  throw new Error(`${generator} ${args.join(' ')} (${way}): ${why}\n${await stand.lastLog(way)}`);
}

/** All ways in turn, `rounds` times, each with as many messages as it passes in `seconds`. */
export async function compare(stand: Stand, some: readonly Way[], load: Load, pace: Pace): Promise<Map<Way, Run>> {
  const messages = new Map<Way, number>();
  for (const way of some) messages.set(way, await probe(stand, way, load, pace));
  const runs = new Map<Way, Run[]>(some.map((way) => [way, []]));
  for (let round = 0; round < pace.rounds; round++) {
    for (const way of some) runs.get(way)?.push(await send(stand, way, load, messages.get(way) ?? 1, pace));
  }
  const middle = (all: Run[], of: keyof Run) => median(all.map((run) => run[of]));
  return new Map(
    Array.from(runs, ([way, all]) => [
      way,
      { rate: middle(all, 'rate'), proxyCpu: middle(all, 'proxyCpu'), redisCpu: middle(all, 'redisCpu') },
    ]),
  );
}

/** How many messages go this way in the time of a run. */
async function probe(stand: Stand, way: Way, load: Load, pace: Pace): Promise<number> {
  const fewest = 2 * load.sessions + 10;
  for (let messages = fewest; ; messages *= 8) {
    const { rate } = await send(stand, way, load, Math.min(setSize, messages), pace);
    if (messages / rate < shortestProbe && messages < setSize) continue;
    return Math.min(setSize, Math.max(fewest, Math.round(rate * pace.seconds)));
  }
}

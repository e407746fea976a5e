// A plan as a file: JSON with one move a line, for people and diffs, and a hash at its end that a change by hand does not pass.
import { createHash } from 'node:crypto';
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { locationOf } from './plan.ts';
import type { LeftOut, Plan, PlannedMove } from './plan.ts';

/** Raised when a reader of before could not read it. */
export const planVersion = 1;

/** A name that is not UTF-8 stands in base64url besides, so that nothing is lost. */
export function nameIn(bytes: Bytes): { name: string; name_base64url?: string } {
  const name = textFromBytes(bytes);
  if (bytesFromText(name) === bytes) return { name };
  return { name, name_base64url: Buffer.from(bytes, 'latin1').toString('base64url') };
}

/** The lines of the file without their ends, the hash among them; made as they are taken. */
export function* planLines(plan: Plan): Generator<string> {
  const hash = createHash('sha256');
  for (const line of contentLines(plan)) {
    hash.update(`${line}\n`);
    yield line;
  }
  yield `"sha256": "${hash.digest('hex')}"`;
  yield '}';
}

/** Of what the plan says, however it is laid out in a file. */
export function planHash(plan: Plan): string {
  const hash = createHash('sha256');
  for (const line of contentLines(plan)) hash.update(`${line}\n`);
  return hash.digest('hex');
}

function* contentLines(plan: Plan): Generator<string> {
  const { limits, rate, totals, edited, directory } = plan;
  yield '{';
  yield* pairLines({
    rookery_plan: planVersion,
    made: new Date(plan.made).toISOString(),
    by: textFromBytes(plan.by),
    ...(edited && { edited: { by: textFromBytes(edited.by), at: new Date(edited.at).toISOString() } }),
    asked: plan.asked,
    directory: { epoch: directory.epoch, position: directory.position.map(({ seq, nonce }) => ({ seq, nonce })) },
    emptied: plan.emptied.map(textFromBytes),
    servers: plan.servers.map(textFromBytes),
    limits: {
      ...{ total: limits.total, per_source: limits.perSource, per_destination: limits.perDestination },
      ...{ per_partition: limits.perPartition, bytes_per_second: limits.bytesPerSecond },
    },
    rate: {
      ...{ seconds_per_tree: rate.secondsPerTree, octets_per_second: rate.octetsPerSecond, measured: rate.measured },
    },
    totals: {
      ...{ moves: totals.moves, octets: totals.octets, messages: totals.messages, guessed: totals.guessed },
      ...{ left_out: totals.leftOut, seconds: totals.seconds },
    },
  });
  yield* listLines('notes', plan.notes, (note) => note);
  yield* listLines('moves', plan.moves, moveIn);
  yield* listLines('left_out', plan.leftOut, ({ name, why }: LeftOut) => ({ ...nameIn(name), why }));
}

function* pairLines(pairs: object): Generator<string> {
  for (const [key, value] of Object.entries(pairs)) yield `"${key}": ${JSON.stringify(value)},`;
}

function* listLines<T>(key: string, items: readonly T[], shown: (item: T) => unknown): Generator<string> {
  if (items.length === 0) {
    yield `"${key}": [],`;
    return;
  }
  yield `"${key}": [`;
  const last = items.length - 1;
  for (const [at, item] of items.entries()) yield `${JSON.stringify(shown(item))}${at === last ? '' : ','}`;
  yield '],';
}

function moveIn({ name, from, to, octets, messages, sized, version, seconds }: PlannedMove): object {
  return {
    ...{ ...nameIn(name), from: textFromBytes(locationOf(from)), to: textFromBytes(locationOf(to)) },
    ...{ octets, ...(messages !== undefined && { messages }), sized, version, seconds },
  };
}

// Reads a plan's file: whole, each fault named with what stands there and what may; and what was edited by hand not at all.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { alreadyAt, isRoot, placeAt, serversIn, totalsOf } from './plan.ts';
import type { Plan, PlannedMove } from './plan.ts';
import { durationOf } from './plan-duration.ts';
import { planHash, planVersion } from './plan-text.ts';
import { mostAtATime, mostBytesPerSecond } from './run.ts';

/** What is no plan; the message has a line for each of the first faults. */
export class UnfitPlanFile extends Error {
  override readonly name = 'UnfitPlanFile';
  readonly kind = 'refused';
}

/** How many faults are named. */
const mostFaults = 20;

/** What sums may come to. */
const largest = Number.MAX_SAFE_INTEGER;

/** How much of a value is told. */
const longest = 120;

/** Each schema's message is what its value may be. */
const whole = (least: number) => {
  const expected = `a whole number, ${least} or more`;
  return z.int(expected).min(least, expected);
};
const upTo = (least: number, most: number) => {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
};
const atATime = upTo(1, mostAtATime);
const above0 = z.number('a number above 0').positive('a number above 0');
const text = z.string('a text');
const time = z.iso.datetime('a time, ISO 8601 in UTC');
const serverExpected = 'the name of a server';
const server = z.string(serverExpected).regex(/^[^!\s]+$/, serverExpected);
const placeExpected = 'server!partition, or server! where the server chooses the partition';
const place = z.string(placeExpected).regex(/^[^!\s]+![^!\s]*$/, placeExpected);
const nameExpected = 'a mailbox name, as user.jdoe';
const base64Expected = 'the bytes of the name in base64url';
const name = {
  name: z.string(nameExpected).min(1, nameExpected),
  name_base64url: z.exactOptional(z.string(base64Expected).regex(/^[A-Za-z0-9_-]+$/, base64Expected)),
};
const sizedExpected = 'quota, counted, mean or not';
const list = <T extends z.ZodType>(of: T) => z.array(of, 'a list');
const object = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, 'an object of keys');

const move = object({
  ...{ ...name, from: place, to: place, octets: whole(0), messages: z.exactOptional(whole(0)) },
  ...{ sized: z.enum(['quota', 'counted', 'mean', 'not'], sizedExpected), version: whole(0), seconds: above0 },
});

const form = object({
  rookery_plan: z.literal(planVersion, `${planVersion}: another version of the program has made it`),
  ...{ made: time, by: text, edited: z.exactOptional(object({ by: text, at: time })), asked: text },
  directory: object({ epoch: whole(0), position: list(object({ seq: whole(0), nonce: text })) }),
  ...{ emptied: list(server), servers: list(server) },
  limits: object({
    ...{ total: atATime, per_source: atATime, per_destination: atATime, per_partition: atATime },
    bytes_per_second: upTo(0, mostBytesPerSecond),
  }),
  rate: object({ seconds_per_tree: above0, octets_per_second: above0, measured: whole(0) }),
  totals: object({
    ...{ moves: whole(0), octets: whole(0), messages: whole(0), guessed: whole(0), left_out: whole(0) },
    seconds: whole(0),
  }),
  ...{ notes: list(text), moves: list(move), left_out: list(object({ ...name, why: text })) },
  sha256: z.string('the hash of the rest').regex(/^[0-9a-f]{64}$/, '64 digits, 0 to f'),
});

type Form = z.output<typeof form>;

/** The plan in a file's text. Throws UnfitPlanFile. */
export function readPlan(content: string): Plan {
  const { plan, hash } = planFrom(parsed(content));
  if (planHash(plan) === hash) return plan;
  throw new UnfitPlanFile(
    'its hash does not fit what it says: it was edited since it was made, or is damaged. If the changes are meant: rookery move plan --rehash FILE checks each line and makes it valid',
  );
}

/**
 * The plan in a file that was edited by hand on purpose: whatever its hash, but checked line by line, its sums made anew,
 * and with the name of who says so. Throws UnfitPlanFile.
 */
export function rehashed(content: string, edited: { by: Bytes; at: number }): Plan {
  const { plan } = planFrom(parsed(content));
  const { moves, leftOut, limits } = plan;
  const totals = totalsOf(moves, leftOut, durationOf(moves, limits));
  const tooLarge = (['octets', 'messages', 'seconds'] as const).filter((key) => !Number.isSafeInteger(totals[key]));
  if (tooLarge.length > 0)
    throw unfit(tooLarge.map((key) => `the ${key} of all moves are ${totals[key]}; they may be ${largest} at most`));
  return { ...plan, servers: serversIn(moves), totals, edited };
}

/** Throws UnfitPlanFile. `value` is JSON's; the hash is not compared. */
export function planFrom(value: unknown): { plan: Plan; hash: string } {
  const read = form.safeParse(value);
  if (!read.success) throw unfit(read.error.issues.flatMap((issue) => faultsOf(issue, value)));
  const plan = planOf(read.data);
  const faults = [...misspelt(read.data), ...contradictions(plan)];
  if (faults.length > 0) throw unfit(faults);
  return { plan, hash: read.data.sha256 };
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    const reason = (error as Error).message;
    const at = /position (\d+)/.exec(reason)?.[1];
    const line = at === undefined ? '' : `line ${content.slice(0, Number(at)).split('\n').length}: `;
    throw new UnfitPlanFile(`${line}it is no JSON (${reason}), and so no plan of rookery move plan`, { cause: error });
  }
}

function unfit(faults: readonly string[]): UnfitPlanFile {
  const more = faults.length > mostFaults ? [`and ${faults.length - mostFaults} more`] : [];
  return new UnfitPlanFile(`it is no plan:\n  ${[...faults.slice(0, mostFaults), ...more].join('\n  ')}`);
}

/** `moves[3] (user.jdoe): octets is -3; it may be a whole number, 0 or more`. */
function faultsOf({ path, message, ...issue }: z.core.$ZodIssue, value: unknown): string[] {
  const found = path.reduce<unknown>(under, value);
  const where = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  const [, row = '', field = ''] = /^\.((?:moves|left_out)\[\d+\])(.*)$/.exec(where) ?? [];
  const named = under(path.slice(0, 2).reduce<unknown>(under, value), 'name');
  const what = (key: string) => {
    const place = row === '' ? `${where}${key}` : `${field}${key}`;
    const of = row === '' ? '' : `${row}${typeof named === 'string' ? ` (${named})` : ''}: `;
    return `${of}${place.replace(/^\./, '') || 'it'}`;
  };
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${what(`.${key}`)} is no key of a plan`);
  return [`${what('')} is ${shown(found)}; it may be ${message}`];
}

function under(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const told = JSON.stringify(value);
  return told.length > longest ? `${told.slice(0, longest - 3)}...` : told;
}

/** Where one of the two was changed by hand it would be chance which is meant. */
function misspelt({ moves, left_out }: Form): string[] {
  return [...moves, ...left_out].flatMap(({ name, name_base64url }) => {
    if (name_base64url === undefined || textFromBytes(bytesOf(name, name_base64url)) === name) return [];
    return [`${name}: name_base64url is "${name_base64url}", another name; it may be left out`];
  });
}

/** What each line may be, and all of them together may not. */
function contradictions({ moves, leftOut }: Plan): string[] {
  const names = new Set<Bytes>();
  return [...moves, ...leftOut].flatMap((one, at) => {
    const row = at < moves.length ? `moves[${at}]` : `left_out[${at - moves.length}]`;
    const is = `${row} (${readable(one.name)})`;
    const isTwice = names.size === names.add(one.name).size;
    if (isTwice) return [`${is}: name stands in another line, too; it may stand once`];
    return 'to' in one ? contradictionsIn(one).map((fault) => `${is}: ${fault}`) : [];
  });
}

function contradictionsIn({ name, from, to, sized, octets }: PlannedMove): string[] {
  return [
    ...(isRoot(name) ? [] : [`name is "${readable(name)}"; it may be a user's INBOX, or a shared mailbox`]),
    ...(alreadyAt(from, to) ? ['to is where it comes from; it may be another server or partition'] : []),
    ...(sized === 'not' && octets > 0 ? ['sized is "not"; it may be quota, counted or mean, for octets are told'] : []),
  ];
}

function planOf({ moves, left_out, limits, rate, totals, edited, ...rest }: Form): Plan {
  return {
    ...{ made: Date.parse(rest.made), by: bytesFromText(rest.by), asked: rest.asked, directory: rest.directory },
    ...{ emptied: rest.emptied.map(bytesFromText), servers: rest.servers.map(bytesFromText), notes: rest.notes },
    limits: {
      ...{ total: limits.total, perSource: limits.per_source, perDestination: limits.per_destination },
      ...{ perPartition: limits.per_partition, bytesPerSecond: limits.bytes_per_second },
    },
    rate: {
      ...{ secondsPerTree: rate.seconds_per_tree, octetsPerSecond: rate.octets_per_second, measured: rate.measured },
    },
    totals: {
      ...{ moves: totals.moves, octets: totals.octets, messages: totals.messages, guessed: totals.guessed },
      ...{ leftOut: totals.left_out, seconds: totals.seconds },
    },
    moves: moves.map(({ name, name_base64url, from, to, ...facts }) => ({
      ...{ ...facts, name: bytesOf(name, name_base64url) },
      ...{ from: placeAt(bytesFromText(from)), to: placeAt(bytesFromText(to)) },
    })),
    leftOut: left_out.map(({ why, name, name_base64url }) => ({ name: bytesOf(name, name_base64url), why })),
    ...(edited && { edited: { by: bytesFromText(edited.by), at: Date.parse(edited.at) } }),
  };
}

function bytesOf(name: string, base64url: string | undefined): Bytes {
  return base64url === undefined ? bytesFromText(name) : Buffer.from(base64url, 'base64url').toString('latin1');
}

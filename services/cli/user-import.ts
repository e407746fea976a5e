// rookery user import: thousands of users from a file, which may be given again after any interruption.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { NewUser, UserOperations } from '../operations/user-operations.ts';
import { mostUsers } from '../operations/user-operations.ts';
import { Refusal } from '../operations/refusal.ts';
import type { ApiOptions } from './api-client.ts';
import { whereOptions, withOptions } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { creation, quotaOf } from './user-said.ts';
import { withUsers } from './with-operations.ts';

/** How many lines that are wrong are named before the file is refused. */
const mostFaults = 20;

/** How long the end of each order is waited for, in milliseconds. */
const patience = 120_000;

/** How often those on their way are looked at, in milliseconds: the API takes some hundred requests a minute. */
const lookEvery = 250;

/** How soon somebody who did not answer is asked again, in milliseconds. */
const askAgain = 1000;

/** Others are ordered when there is room for so many: to order a few at a time would take as many requests as users. */
const worthwhile = mostUsers / 4;

interface Wanted extends NewUser {
  /** Where in the file, and what he is called there. */
  place: string;
}

/** `jdoe@example.org server=mail1 quota=2G`: a name, then what is minded. Throws an Error that names what is wrong. */
function wantedOf(text: string, line: number): Wanted {
  const [user = '', ...said] = text.split(/[\s,;]+/).filter((word) => word !== '');
  const options: Record<string, string> = {};
  for (const word of said) {
    const [, key = '', value = ''] = /^(server|partition|zone|quota)=(.+)$/.exec(word) ?? [];
    if (key === '') throw new Error(`'${word}' may be server=, partition=, zone= or quota= with a value`);
    options[key] = value;
  }
  const { quota, ...rest } = options;
  return {
    ...{ place: `line ${line}: ${readable(bytesFromText(user))}`, user: bytesFromText(user) },
    wish: creation({ ...rest, ...(quota !== undefined && { quota: quotaOf(quota) }) }),
  };
}

/** Reads the whole file before anything is ordered; throws 65, naming the lines, where one of them is wrong. */
async function read(file: string): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  const faults: string[] = [];
  const input = file === '-' ? process.stdin : createReadStream(file);
  let line = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      line += 1;
      if (/^\s*(#|$)/.test(text)) continue;
      try {
        wanted.push(wantedOf(text, line));
      } catch (error) {
        faults.push(`line ${line}: ${(error as Error).message}`);
        if (faults.length === mostFaults) break;
      }
    }
  } catch (error) {
    throw new CommandError(exit.data, `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  refuse(file, faults.length > 0 ? faults : contradictions(wanted));
  return wanted;
}

/** One user of whom two lines want different things: which of them holds would be chance. */
function contradictions(wanted: readonly Wanted[]): string[] {
  const said = new Map<Bytes, Wanted>();
  return wanted
    .flatMap((one) => {
      const before = said.get(one.user) ?? one;
      said.set(one.user, before);
      const isSame = JSON.stringify(before.wish) === JSON.stringify(one.wish);
      return isSame ? [] : [`${one.place}: something else is wanted of him in ${before.place}`];
    })
    .slice(0, mostFaults);
}

function refuse(file: string, faults: readonly string[]): void {
  if (faults.length > 0) throw new CommandError(exit.data, `${file}: nothing is ordered:\n  ${faults.join('\n  ')}`);
}

/** Whoever is called so can be no user: throws 65, naming the lines. How names are read says the configuration. */
async function refuseUnfit(file: string, wanted: readonly Wanted[], users: UserOperations): Promise<void> {
  const faults: string[] = [];
  for (let at = 0; at < wanted.length && faults.length < mostFaults; at += mostUsers) {
    const some = wanted.slice(at, at + mostUsers);
    const states = await users.states(some.map(({ user }) => user));
    some.forEach(({ place }, index) => {
      const { state, note = '' } = states[index] ?? {};
      if (state === 'unfit') faults.push(`${place}: ${note}`);
    });
  }
  refuse(file, faults.slice(0, mostFaults));
}

/**
 * What is asked may be asked again, so that a restart of Redis, or of the API, is waited for: at most for as long as the end
 * of an order is. Then the command may be given again.
 */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const until = Date.now() + patience;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || Date.now() > until) throw error;
      await pause(askAgain);
    }
  }
}

/** Nobody has answered; what was answered in another form stays so. */
function isAway(error: unknown): boolean {
  if (error instanceof Refusal) return error.kind === 'unavailable';
  return error instanceof CommandError && error.exitCode === exit.unavailable && error.cause !== undefined;
}

/** How far it is. */
interface Progress {
  done: number;
  refused: string[];
  open: string[];
}

/** Orders all and waits for their ends, a bounded number at a time; whoever is there already is done at once. */
class Importing {
  readonly progress: Progress = { done: 0, refused: [], open: [] };
  readonly #users: UserOperations;
  readonly #by: string;
  readonly #waiting: Wanted[];
  /** Those that are ordered, and until when their end is waited for. */
  #ordered: { wanted: Wanted; until: number }[] = [];

  constructor(wanted: readonly Wanted[], users: UserOperations, by: string) {
    this.#waiting = [...wanted];
    this.#users = users;
    this.#by = by;
  }

  /** `tell` hears of each look. */
  async run(tell: (progress: Progress) => void): Promise<Progress> {
    for (;;) {
      await this.#order();
      await this.#look();
      tell(this.progress);
      if (this.#ordered.length === 0 && this.#waiting.length === 0) return this.progress;
      await pause(lookEvery);
    }
  }

  async #order(): Promise<void> {
    const room = mostUsers - this.#ordered.length;
    if (this.#waiting.length === 0 || room < worthwhile) return;
    const some = this.#waiting.splice(0, room);
    const answers = await patiently(() => this.#users.orderAll(some, this.#by));
    some.forEach((wanted, index) => {
      const { state, note } = answers[index] ?? { state: 'held', note: 'nothing is said of him' };
      if (state === 'ordered') this.#ordered.push({ wanted, until: Date.now() + patience });
      else (state === 'unfit' ? this.progress.refused : this.progress.open).push(`${wanted.place}: ${note}`);
    });
  }

  async #look(): Promise<void> {
    if (this.#ordered.length === 0) return;
    const states = await patiently(() => this.#users.states(this.#ordered.map(({ wanted }) => wanted.user)));
    const { progress } = this;
    this.#ordered = this.#ordered.filter(({ wanted, until }, index) => {
      const { state, note } = states[index] ?? { state: 'unknown', note: 'nothing is said of him' };
      if (state === 'open' && Date.now() < until) return true;
      if (state === 'done') progress.done += 1;
      else (state === 'refused' ? progress.refused : progress.open).push(`${wanted.place}: ${note}`);
      return false;
    });
  }
}

export function importCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  return withOptions(new Command('import'), whereOptions())
    .description('make the users that a file names, a line each; given again, it goes on where it was')
    .argument('<file>', 'the file, or - for standard input')
    .addHelpText(
      'after',
      '\nA line: NAME [server=S] [partition=P] [zone=Z] [quota=Q]; # begins a remark.\nExit codes: 0 all are there, 65 the file is wrong, or some were refused, 75 some are not done yet.\n\nExamples:\n  rookery user import users.txt',
    )
    .action(async (file: string, options: ApiOptions) => {
      const wanted = await read(file);
      let told = Date.now();
      const tell = ({ done, refused, open }: Progress): void => {
        if (Date.now() - told < 1000) return;
        told = Date.now();
        surroundings.err(`${done + refused.length + open.length} of ${wanted.length}`);
      };
      const { done, refused, open } = await withUsers(options, surroundings, async ({ users }) => {
        await refuseUnfit(file, wanted, users);
        return new Importing(wanted, users, operatorOf(surroundings)).run(tell);
      });
      for (const text of [...refused, ...open]) surroundings.err(`rookery: ${text}`);
      surroundings.out(
        `${done} of ${wanted.length} users are there, ${refused.length} were refused, ${open.length} are not done yet`,
      );
      end(refused.length > 0 ? exit.data : open.length > 0 ? exit.temporary : exit.ok);
    });
}

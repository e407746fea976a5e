// rookery user import: thousands of users from a file, which may be given again after any interruption.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { readable } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Ordering } from '../users/ordering.ts';
import { UnfitOrder, unfitOrder } from '../users/ordering.ts';
import type { Wish } from '../users/order.ts';
import { configOf, configOption } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { creation, inboxOf, quotaOf } from './user-said.ts';
import { ended, withOrders } from './with-orders.ts';

/** How many orders are on their way at a time: so many are asked about at once, too. */
const atOnce = 200;

/** How many lines that are wrong are named before the file is refused. */
const mostFaults = 20;

/** How long the end of all is waited for, in milliseconds, while none comes to its end. */
const patience = 120_000;

interface Wanted {
  line: number;
  name: Bytes;
  wish: Wish;
}

/** `jdoe@example.org server=mail1 quota=2G`: a name, then what is minded. Throws an Error that names what is wrong. */
function wantedOf(text: string, line: number, config: Config): Wanted {
  const [user = '', ...said] = text.split(/[\s,;]+/).filter((word) => word !== '');
  const options: Record<string, string> = {};
  for (const word of said) {
    const [, key = '', value = ''] = /^(server|partition|zone|quota)=(.+)$/.exec(word) ?? [];
    if (key === '') throw new Error(`'${word}' may be server=, partition=, zone= or quota= with a value`);
    options[key] = value;
  }
  const { quota, ...rest } = options;
  const name = inboxOf(user, config);
  const wish = creation({ ...rest, ...(quota !== undefined && { quota: quotaOf(quota) }) });
  const unfit = unfitOrder(name, wish);
  if (unfit !== undefined) throw new UnfitOrder(unfit);
  return { line, name, wish };
}

/** Reads the whole file before anything is ordered; throws 65, naming the lines, where one of them is wrong. */
async function read(file: string, config: Config): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  const faults: string[] = [];
  const input = file === '-' ? process.stdin : createReadStream(file);
  let line = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      line += 1;
      if (/^\s*(#|$)/.test(text)) continue;
      try {
        wanted.push(wantedOf(text, line, config));
      } catch (error) {
        faults.push(`line ${line}: ${(error as Error).message}`);
        if (faults.length === mostFaults) break;
      }
    }
  } catch (error) {
    throw new CommandError(exit.data, `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (faults.length > 0) throw new CommandError(exit.data, `${file}: nothing is ordered:\n  ${faults.join('\n  ')}`);
  return wanted;
}

interface Progress {
  done: number;
  refused: string[];
  open: string[];
}

/** Orders all and waits for their ends, a bounded number at a time; whoever is there already is done at once. */
async function orderAll(
  wanted: readonly Wanted[],
  ordering: Ordering,
  by: Bytes,
  tell: (progress: Progress) => void,
): Promise<Progress> {
  const progress: Progress = { done: 0, refused: [], open: [] };
  const waiting = [...wanted];
  const one = async ({ line, name, wish }: Wanted): Promise<void> => {
    const text = (note: string) => `line ${line}: ${readable(name)}: ${note}`;
    try {
      const placed = await ordering.place(name, wish, by);
      // Somebody deletes him, say: its end is not ours.
      if (placed.is === 'open' && placed.order.wish.is !== wish.is) {
        progress.open.push(text(`another order is open: ${placed.order.wish.is}`));
        return;
      }
      const order = await ended(ordering, name, patience);
      if (order?.state === 'done') progress.done += 1;
      else if (order?.state === 'refused') progress.refused.push(text(order.note));
      else progress.open.push(text(order?.note ?? 'its order is not known any more'));
    } catch (error) {
      if (!(error instanceof UnfitOrder)) throw error;
      progress.refused.push(text(error.message));
    }
    tell(progress);
  };
  const hands = Array.from({ length: Math.min(atOnce, waiting.length) }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await one(next);
  });
  await Promise.all(hands);
  return progress;
}

export function importCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  return new Command('import')
    .description('make the users that a file names, a line each; given again, it goes on where it was')
    .argument('<file>', 'the file, or - for standard input')
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nA line: NAME [server=S] [partition=P] [zone=Z] [quota=Q]; # begins a remark.\nExit codes: 0 all are there, 65 the file is wrong, or some were refused, 75 some are not done yet.\n\nExamples:\n  rookery user import users.txt',
    )
    .action(async (file: string, options: ConfigOption) => {
      const config = configOf(options, surroundings);
      const wanted = await read(file, config);
      let told = Date.now();
      const tell = ({ done, refused, open }: Progress): void => {
        if (Date.now() - told < 1000) return;
        told = Date.now();
        surroundings.err(`${done + refused.length + open.length} of ${wanted.length}`);
      };
      const by = bytesFromText(operatorOf(surroundings));
      const { done, refused, open } = await withOrders(config, surroundings, (ordering) =>
        orderAll(wanted, ordering, by, tell),
      );
      for (const text of [...refused, ...open]) surroundings.err(`rookery: ${text}`);
      surroundings.out(
        `${done} of ${wanted.length} users are there, ${refused.length} were refused, ${open.length} are not done yet`,
      );
      end(refused.length > 0 ? exit.data : open.length > 0 ? exit.temporary : exit.ok);
    });
}

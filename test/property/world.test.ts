// A world of backends, sessions, cuts, crashes, restarts and reconciliation, played by chance against the script and the
// model at once: after every command no mailbox that its backend holds is unknown for sure, none has two active holders,
// and what followers are told is the log, once and in its order.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Change, Directory, Feed, Position } from '../../services/directory/directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Dice } from './world/dice.ts';
import { ending, populate } from './world/history.ts';
import { policy, World } from './world/world.ts';

/** How many commands in all; `npm run proof` sets more. */
const operations = Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000);
/** The same histories with each run, so that a red one is the change's doing; others from the seed that is given here. */
const given = process.env['ROOKERY_TEST_SEED'];
const stepsOfOne = 1500;

let redis: ScratchRedis;
before(async () => {
  redis = await startRedis();
  await warm();
});
after(() => redis.stop());

/**
 * Has Redis know the scripts of what is asked without waiting for the answer: the first call of one that it does not know is
 * two, and others come between.
 */
async function warm(): Promise<void> {
  const { directory, close } = await openScratchDirectory(redis.socket, { policy }).then((scratch) => ({
    directory: scratch.directory,
    close: () => scratch.close(),
  }));
  const writer = { session: 'warm-1', server: 'mail1', admin: false, push: false };
  for (const verb of ['RESERVE', 'ACTIVATE', 'DEACTIVATE', 'DELETE'] as const) {
    await directory.write({ verb, name: 'user.warm', location: 'mail1!default', acl: '' }, writer);
  }
  await directory.note('user.warm', '');
  await directory.lookup(['user.warm']);
  const nothing = { name: 'user.x', expected: undefined, rung: undefined } as const;
  await directory.resolve({ ...nothing, action: 'close', forget: [], session: 's', by: '' });
  await close();
}

/** A reader of the log that comes and goes: it must have seen all of it in the end, whenever it was away. */
class Follower {
  readonly seen: Change[] = [];
  readonly #directory: Directory;
  readonly #lost: string[] = [];
  #at: Position = [];
  #feed: Feed | undefined;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  comeOrGo(): void {
    if (this.#feed) {
      this.#feed.close();
      this.#feed = undefined;
      return;
    }
    this.#feed = this.#directory.follow(this.#at, {
      change: (change) => {
        this.seen.push(change);
        this.#at = [{ seq: change.seq, nonce: change.nonce }];
      },
      lost: (reason) => this.#lost.push(reason),
    });
  }

  /** Everything up to now, by number. */
  async all(): Promise<number[]> {
    if (!this.#feed) this.comeOrGo();
    await this.#feed?.reached(await this.#directory.head());
    this.#feed?.close();
    assert.deepEqual(this.#lost, []);
    return this.seen.map(({ seq }) => seq);
  }
}

/** Plays one history; gives the number of its commands. */
async function play(seed: number): Promise<number> {
  await redisSays(redis.socket, 'FLUSHALL');
  let close: () => Promise<void> = () => Promise.resolve();
  let script: Directory | undefined;
  const world = await World.begin(async (clock) => {
    const scratch = await openScratchDirectory(redis.socket, { policy, clock });
    close = () => scratch.close();
    return (script = scratch.directory);
  });
  try {
    assert.ok(script);
    const follower = new Follower(script);
    const dice = new Dice(seed);
    await populate(world, seed);
    for (let step = 0; step < stepsOfOne; step += 1) {
      await world.step(dice.below(2 ** 31));
      if (step % 100 === 0) follower.comeOrGo();
    }
    await ending(world);
    const { changes } = world.invariants;
    assert.deepEqual(
      await follower.all(),
      Array.from(changes, (_, at) => at + 1),
      'each change once, in order',
    );
    const told = ({ seq, name, state, location, acl, session }: Change) => ({
      seq,
      name,
      state,
      location,
      acl,
      session,
    });
    assert.deepEqual(follower.seen.map(told), changes.map(told), 'and as the log has it');
    const { entries } = await script.snapshot();
    assert.deepEqual(new Map(entries.map(({ name, state }) => [name, state])), rowsAfter(follower.seen));
    return world.pair.count;
  } finally {
    await close();
  }
}

function rowsAfter(changes: readonly Change[]): Map<string, string> {
  const rows = new Map<string, string>();
  for (const { name, state } of changes) {
    if (state === 'absent') rows.delete(name);
    else rows.set(name, state);
  }
  return rows;
}

test('whatever happens in the world, the directory says nothing that is not so', async (t) => {
  let done = 0;
  let seed = given === undefined ? 1 : Number(given);
  for (let histories = 0; done < operations; histories += 1, seed += 1) {
    try {
      done += await play(seed);
    } catch (error) {
      throw new Error(`ROOKERY_TEST_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
    if (histories % 50 === 49) t.diagnostic(`${done} commands in ${histories + 1} histories`);
  }
});

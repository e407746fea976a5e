// What is remembered of the directory: whatever comes between a question and its answer, nothing old is remembered.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Change, Concern, FeedListener, Lookup, Standing } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import { NearCache } from '../../services/directory/near-cache.ts';
import { RowMemory } from '../../services/directory/row-memory.ts';
import { placeOf } from '../../services/directory/tree.ts';
import { until } from '../harness/until.ts';

const names = ['user.ann', 'user.ann.Sent', 'user.bob', 'news', 'news.local', 'news.world'];
const standing: Standing = {
  ...{ epoch: 1, heard: [], vouched: undefined, settled: true, lost: undefined, doubt: undefined, blank: false },
};

/** A directory whose answers and whose log come when the test says so. */
class SlowDirectory {
  readonly rows = new Map<string, Entry>();
  readonly leased = new Set<string>();
  readonly log: Change[] = [];
  readonly waiting: (() => void)[] = [];
  #listener: FeedListener | undefined;
  #told = 0;

  head = () => Promise.resolve([{ seq: this.log.length, nonce: '' }]);

  follow = (_from: unknown, listener: FeedListener) => {
    this.#listener = listener;
    this.#told = this.log.length;
    return { reached: () => Promise.resolve(), close: () => (this.#listener = undefined) };
  };

  nearby = () => Promise.reject(new Error('not asked here'));

  /** What is there is read now, and answered when `answer` says so. */
  lookup = (asked: readonly string[]): Promise<Lookup> => {
    const entries = asked.map((name) => this.rows.get(name));
    const concerns = asked.map((name): Concern | undefined =>
      this.leased.has(placeOf(name).tree) ? { kind: 'lease', text: 'moves' } : undefined,
    );
    return new Promise((resolve) => {
      this.waiting.push(() => {
        resolve({ entries, concerns, begun: 0, standing });
      });
    });
  };

  answer(which: number): void {
    this.waiting.splice(which % Math.max(1, this.waiting.length), 1)[0]?.();
  }

  put(name: string, location: string | undefined): void {
    const seq = this.log.length + 1;
    if (location === undefined) this.rows.delete(name);
    else this.rows.set(name, { name, state: 'active', location, acl: '', version: seq });
    this.#append(name, location, 'ACTIVATE');
  }

  lease(tree: string, taken: boolean): void {
    if (!taken) this.leased.delete(tree);
    else if (!this.leased.has(tree)) {
      this.leased.add(tree);
      this.#append(tree, this.rows.get(tree)?.location, 'lease');
    }
  }

  tell(): void {
    for (const change of this.log.slice(this.#told)) this.#listener?.change(change);
    this.#told = this.log.length;
  }

  lose(): void {
    this.#listener?.lost('the log was trimmed');
  }

  #append(name: string, location: string | undefined, cause: Change['cause']): void {
    const state = location === undefined ? 'absent' : 'active';
    const rest = { location: location ?? '', acl: '', from: '', session: '', by: '', time: 0, nonce: '' } as const;
    this.log.push({ shard: 0, seq: this.log.length + 1, name, state, cause, ...rest });
  }
}

async function cacheOver(directory: SlowDirectory, sources: string[], patience = 60_000): Promise<NearCache> {
  const cache = new NearCache({
    directory,
    leases: {
      renew: () => directory.head(),
      end: () => Promise.resolve(),
      held: () => Promise.resolve([]),
    },
    ...{ reader: 'mx', rows: 100, lease: 3_600_000, renewal: 3_600_000, maxStale: 0, patience },
    ...{ mayMove: () => false, onState: () => undefined, clock: () => 0 },
    onAnswer: (source) => sources.push(source),
  });
  await cache.begin();
  return cache;
}

type Step =
  | { do: 'ask'; name: string }
  | { do: 'answer'; which: number }
  | { do: 'put'; name: string; location: string | undefined }
  | { do: 'lease'; name: string; taken: boolean }
  | { do: 'tell' }
  | { do: 'lose' };

const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), name }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('put' as const), name },
      location: fc.constantFrom(undefined, 'mail1!default', 'mail2!default'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lease' as const), name, taken: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
);

async function carriedOut(cache: NearCache, directory: SlowDirectory, one: Step): Promise<void> {
  if (one.do === 'ask') void cache.lookup([one.name]).catch(() => undefined);
  else if (one.do === 'answer') directory.answer(one.which);
  else if (one.do === 'put') directory.put(one.name, one.location);
  else if (one.do === 'lease') directory.lease(placeOf(one.name).tree, one.taken);
  else if (one.do === 'tell') directory.tell();
  else directory.lose();
  await turn();
}

test('what has been told of is never answered as it was before', async () => {
  let remembered = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
    const directory = new SlowDirectory();
    for (const one of names) directory.put(one, 'mail1!default');
    const sources: string[] = [];
    const cache = await cacheOver(directory, sources);
    try {
      for (const one of steps) {
        await carriedOut(cache, directory, one);
        if (one.do !== 'tell') continue;
        for (const asked of names) {
          sources.length = 0;
          const asking = cache.lookup([asked]);
          if (sources[0] !== 'memory') {
            // Not remembered: that question is of no interest.
            directory.waiting.pop()?.();
            await asking;
            continue;
          }
          remembered += 1;
          const { entries } = await asking;
          assert.deepEqual(entries, [directory.rows.get(asked)], asked);
          assert.equal(directory.leased.has(placeOf(asked).tree), false, `${asked} is under a lease`);
        }
      }
    } finally {
      for (const answer of directory.waiting.splice(0)) answer();
      await cache.close();
    }
  });
  await fc.assert(property, { numRuns: 300, endOnFailure: true });
  assert.ok(remembered > 300, `only ${remembered} answers came from memory`);
});

test('memory holds no more than it may, and forgets a tree whole', () => {
  const shared = Array.from({ length: 8 }, (_, at) => `news.g${at}`);
  const users = Array.from({ length: 8 }, (_, at) => `user.u${at}`);
  const known = fc.constantFrom(...shared, ...users, 'news');
  const acts = fc.array(fc.tuple(fc.constantFrom('keep', 'forget', 'tree', 'get'), known), { maxLength: 80 });
  const property = fc.property(fc.integer({ min: 0, max: 12 }), acts, (most, steps) => {
    const memory = new RowMemory(most);
    const model = new Map<string, Entry>();
    steps.forEach(([act, one], version) => {
      const entry: Entry = { name: one, state: 'active', location: 'mail1', acl: '', version };
      if (act === 'keep') {
        memory.keep(entry);
        model.set(one, entry);
      } else if (act === 'forget') {
        memory.forget(one);
        model.delete(one);
      } else if (act === 'tree') {
        memory.forgetTree(placeOf(one).tree);
        for (const name of model.keys()) if (placeOf(name).tree === placeOf(one).tree) model.delete(name);
      }
      const found = memory.get(one);
      assert.ok(found === undefined || found === model.get(one));
      if (act === 'keep' && most > 1) assert.equal(found, entry);
      assert.ok(memory.size <= Math.max(most + 1, 0), `${memory.size} of ${most}`);
    });
  });
  fc.assert(property, { numRuns: 500 });
});

test('what was given up while the directory hung does not come to follow its log later', async () => {
  const directory = new SlowDirectory();
  let followed = 0;
  let thaw: () => void = () => undefined;
  const { head, follow } = directory;
  directory.head = () => {
    const hangs = new Promise<void>((resolve) => (thaw = resolve));
    directory.head = head;
    return hangs.then(head);
  };
  directory.follow = (from, listener) => {
    followed += 1;
    return follow(from, listener);
  };
  const cache = await cacheOver(directory, [], 20);
  assert.equal(cache.state.is, 'away');
  await until('it is followed', () => cache.state.is === 'following');
  thaw();
  await turn();
  assert.equal(followed, 1);
  await cache.close();
});

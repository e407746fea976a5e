// The five modes by Cyrus' rules: golden numbers, limits and edges, the chances by statistics, and a Cyrus process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededChance } from '../../services/placement/chance.ts';
import { CyrusProcess } from '../../services/placement/cyrus-process.ts';
import { decide } from '../../services/placement/decision.ts';
import { landing, modes, weigh } from '../../services/placement/selection.ts';
import type { Candidate, Mode, Rule } from '../../services/placement/selection.ts';
import { abc, policyFor, serverOf } from '../harness/placement.ts';

const of = (name: string, availableKiB: number, totalKiB: number, more: Partial<Candidate> = {}): Candidate => ({
  ...{ name, availableKiB, totalKiB, weight: 1, ...more },
});
const golden = [of('A', 500, 1000), of('B', 300, 400), of('C', 10, 100)];
const dead = of('D', 0, 0);

function shares(candidates: readonly Candidate[], mode: Mode, softUsageLimit = 0): number[] {
  return weigh(candidates, { mode, softUsageLimit }).each.map(({ share }) => Number(share.toFixed(2)));
}

const table: [Mode, number, number[]][] = [
  ['random', 0, [33.33, 33.33, 33.33]],
  ['freespace-most', 0, [100, 0, 0]],
  ['freespace-percent-most', 0, [0, 100, 0]],
  ['freespace-percent-weighted', 0, [37.04, 55.56, 7.41]],
  ['freespace-percent-weighted-delta', 0, [38.03, 61.5, 0.47]],
  // At least 60% in use is 40% free or less: C is passed over.
  ['random', 60, [33.33, 33.33, 33.33]],
  ['freespace-most', 60, [100, 0, 0]],
  ['freespace-percent-most', 60, [0, 100, 0]],
  ['freespace-percent-weighted', 60, [40, 60, 0]],
  ['freespace-percent-weighted-delta', 60, [1.92, 98.08, 0]],
  // Exactly at the limit is over it.
  ['freespace-most', 50, [0, 100, 0]],
  ['freespace-percent-weighted', 50, [0, 100, 0]],
  // All are over the limit: it does not hold.
  ['freespace-most', 20, [100, 0, 0]],
  ['freespace-percent-weighted', 20, [37.04, 55.56, 7.41]],
];

test('the golden numbers of each mode, with and without a soft limit', () => {
  for (const [mode, limit, expected] of table)
    assert.deepEqual(shares(golden, mode, limit), expected, `${mode} ${limit}`);
});

test('as in Cyrus, impossible figures of one turn the choice into an even lot among all', () => {
  for (const mode of modes) {
    for (const wrong of [dead, of('D', 101, 100), of('D', -1, 100)]) {
      const candidates = [...golden, wrong];
      assert.deepEqual(shares(candidates, mode, 60), [25, 25, 25, 25], mode);
      assert.equal(weigh(candidates, { mode, softUsageLimit: 60 }).forced, mode !== 'random');
    }
  }
});

test('a filesystem counts once where the most space is sought, and as often as it is named by lot', () => {
  const twins = [of('a', 10, 100, { filesystem: 'x' }), of('b', 10, 100, { filesystem: 'x' }), of('c', 10, 100)];
  assert.deepEqual(shares(twins, 'freespace-most'), [100, 0, 0]);
  const { each } = weigh(twins, { mode: 'freespace-percent-most', softUsageLimit: 0 });
  assert.deepEqual(
    each.map(({ out }) => out),
    [undefined, 'on the filesystem of a', undefined],
  );
  assert.deepEqual(shares(twins, 'freespace-percent-weighted'), [33.33, 33.33, 33.33]);
  // One that is passed over is not looked at: its impossible figures harm nobody.
  const broken = [twins[0] ?? dead, of('b', 0, 0, { filesystem: 'x' })];
  assert.equal(weigh(broken, { mode: 'freespace-most', softUsageLimit: 0 }).forced, false);
  assert.equal(weigh(broken, { mode: 'freespace-percent-weighted', softUsageLimit: 0 }).forced, true);
});

test('what is full is not selected, but for half a percent that delta leaves to the most used', () => {
  const full = [of('a', 0, 100), of('b', 0, 50)];
  for (const mode of ['freespace-most', 'freespace-percent-most', 'freespace-percent-weighted'] as const) {
    assert.deepEqual(shares(full, mode), [0, 0], mode);
    assert.equal(weigh(full, { mode, softUsageLimit: 0 }).each[1]?.out, 'no free space');
  }
  assert.deepEqual(shares(full, 'freespace-percent-weighted-delta'), [50, 50]);
  assert.deepEqual(shares([], 'freespace-most'), []);
});

test('of equals the first; a weight counts as so many times the free space', () => {
  const two = (weight: number) => [of('a', 40, 100), of('b', 40, 100, { weight })];
  for (const mode of ['freespace-most', 'freespace-percent-most'] as const) {
    assert.deepEqual(shares(two(1), mode), [100, 0]);
    assert.deepEqual(shares(two(1.1), mode), [0, 100]);
  }
  for (const mode of ['random', 'freespace-percent-weighted', 'freespace-percent-weighted-delta'] as const) {
    assert.deepEqual(shares(two(3), mode), [25, 75]);
  }
});

test('the shares of any candidates make 100, or all are 0; and any point falls on one that has a share', () => {
  const candidate = fc.record({
    name: fc.string(),
    totalKiB: fc.integer({ min: 1, max: 2 ** 40 }),
    free: fc.double({ min: 0, max: 1, noNaN: true }),
    weight: fc.double({ min: 0.01, max: 1000, noNaN: true }),
    filesystem: fc.constantFrom(undefined, 'x', 'y'),
  });
  const point = fc.double({ min: 0, max: 100, maxExcluded: true, noNaN: true });
  const rules = fc.record({ mode: fc.constantFrom(...modes), softUsageLimit: fc.integer({ min: 0, max: 100 }) });
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 30 }), rules, point, (all, rule: Rule, at) => {
      const candidates = all.map(({ free, ...one }) => ({ ...one, availableKiB: Math.floor(free * one.totalKiB) }));
      const each = weigh(candidates, rule).each;
      const sum = each.reduce((total, { share }) => total + share, 0);
      const hit = landing(
        each.map(({ share }) => share),
        at,
      );
      assert.ok(each.every(({ share, out }) => share >= 0 && (out === undefined || share === 0)));
      if (sum === 0) assert.equal(hit, undefined);
      else assert.ok(Math.abs(sum - 100) < 1e-6 && (each[hit ?? -1]?.share ?? 0) > 0);
    }),
    { numRuns: 500 },
  );
});

test('a point past the last share, by a hair of rounding, falls on the last that has one', () => {
  assert.equal(landing([50, 49.999_999, 0], 99.999_999_5), 1);
  assert.equal(landing([0, 0], 50), undefined);
});

/** Pearson's statistic of counts against expected percents. */
function chiSquare(counts: readonly number[], percents: readonly number[]): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, at) => {
    const expected = (all * (percents[at] ?? 0)) / 100;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

test('the chances by lot are those of the shares: 30,000 decisions of each mode', (t) => {
  const draws = 30_000;
  const facts = { now: 1000, servers: abc };
  const exact: Partial<Record<Mode, number[]>> = {
    random: [100 / 3, 100 / 3, 100 / 3],
    'freespace-percent-weighted': [50 / 1.35, 75 / 1.35, 10 / 1.35],
    'freespace-percent-weighted-delta': [40.5 / 1.065, 65.5 / 1.065, 0.5 / 1.065],
  };
  for (const [mode, percents] of Object.entries(exact) as [Mode, number[]][]) {
    const chance = seededChance(4);
    const counts = [0, 0, 0];
    for (let draw = 0; draw < draws; draw += 1) {
      const { chosen } = decide({ name: 'x' }, facts, policyFor(abc, { mode }), chance);
      const at = abc.findIndex(({ name }) => name === chosen?.server);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    const statistic = chiSquare(counts, percents);
    t.diagnostic(`${mode}: ${counts.join(' ')}, chi-square ${statistic.toFixed(2)}`);
    // Two degrees of freedom: above 13.82 once in a thousand seeds. Wrong chances are far above.
    assert.ok(statistic < 13.82, `${mode}: ${statistic}`);
    const wrong = mode === 'random' ? [34.5, 33.33, 32.17] : [100 / 3, 100 / 3, 100 / 3];
    assert.ok(chiSquare(counts, wrong) > 13.82, `${mode} is told from others`);
  }
});

test('the same seed gives the same chance, another one another', () => {
  const ten = (seed: number) => Array.from({ length: 10 }, seededChance(seed));
  assert.deepEqual(ten(7), ten(7));
  assert.notDeepEqual(ten(7), ten(8));
  assert.ok(ten(9).every((number) => number >= 0 && number < 1));
});

test('a Cyrus process reads the figures again after usage_reinit selections, or never', () => {
  const selections = (usageReinit: number) => {
    let reads = 0;
    const read = () => {
      reads += 1;
      return [of(`read ${reads}`, 1, 2)];
    };
    const process = new CyrusProcess({ mode: 'freespace-most', softUsageLimit: 0, usageReinit }, read, () => 0);
    return Array.from({ length: 7 }, () => Number(process.select()?.slice(5)));
  };
  assert.deepEqual(selections(0), [1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual(selections(1), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(selections(3), [1, 1, 1, 2, 2, 2, 3]);
});

test('a Cyrus process for which nothing can be selected looks again all the same', () => {
  let free = 0;
  const process = new CyrusProcess(
    { mode: 'freespace-most', softUsageLimit: 0, usageReinit: 2 },
    () => [of('a', free, 10)],
    () => 0,
  );
  free = 5;
  assert.deepEqual(
    Array.from({ length: 4 }, () => process.select()),
    [undefined, undefined, undefined, 'a'],
  );
});

test('in no mode does a server without figures harm the choice among the others', () => {
  const servers = [serverOf('D', 0, 0), serverOf('L', 200, 100), ...abc];
  for (const mode of modes.filter((one) => one !== 'random')) {
    const chance = seededChance(1);
    const of = (all: typeof servers) =>
      decide({ name: 'x' }, { now: 1000, servers: all }, policyFor(servers, { mode }), chance);
    const shares = of(servers).servers.map(({ share }) => share);
    assert.deepEqual(
      shares.slice(2),
      of(abc).servers.map(({ share }) => share),
      mode,
    );
    assert.deepEqual(shares.slice(0, 2), [0, 0]);
  }
});

// What if so many users came: ours spread, Cyrus' stampede, and a dead server that makes its choice a lot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededChance } from '../../services/placement/chance.ts';
import type { ServerFacts } from '../../services/placement/facts.ts';
import { modes } from '../../services/placement/selection.ts';
import { levels, simulate, simulateCyrus } from '../../services/placement/simulation.ts';
import type { Outcome } from '../../services/placement/simulation.ts';
import { abc, policyFor, promisedOf, serverOf } from '../harness/placement.ts';
import type { PolicyWish } from '../harness/placement.ts';

const facts = (servers: readonly ServerFacts[]) => ({ now: 1000, servers });
const usersOf = (servers: readonly ServerFacts[], outcome: Outcome) =>
  levels(servers, outcome, 1).map(({ users }) => users);

function bothOf(servers: readonly ServerFacts[], users: number, wish: PolicyWish, processes = 8) {
  const policy = policyFor(servers, wish);
  const ours = simulate(facts(servers), policy, { users, chance: seededChance(2) });
  const cyrus = simulateCyrus(facts(servers), policy, { users, processes, chance: seededChance(2) });
  return { ours, cyrus };
}

test('ours go where the most is left at that moment, those of Cyrus where it was at the beginning', () => {
  // 780 of them leave 10 KiB to each, as C has from the beginning; then they take turns.
  const { ours, cyrus } = bothOf(abc, 790, {});
  assert.deepEqual(usersOf(abc, ours), [494, 293, 3]);
  assert.deepEqual(usersOf(abc, cyrus), [790, 0, 0]);
  assert.equal(levels(abc, cyrus, 1)[0]?.fillAfter, 129);
});

test('Cyrus that reads its figures anew each time spreads as well', () => {
  const once = { usageReinit: 1 };
  const { ours, cyrus } = bothOf(abc, 700, { servers: once, partitions: once }, 1);
  const apart = usersOf(abc, ours).map((users, at) => Math.abs(users - (usersOf(abc, cyrus)[at] ?? 0)));
  assert.ok(Math.max(...apart) <= 1, String(apart));
});

test('a server whose space nobody knows is not called dead', () => {
  const unknown = { answered: false, silence: 'its space is not configured', partitions: [] };
  const { cyrus } = bothOf([serverOf('D', 0, 0, unknown)], 3, {});
  assert.deepEqual([...cyrus.refused], [['Cyrus chooses D: its space is not configured', 3]]);
});

test('a dead server takes its share of the users of Cyrus, and none of ours', () => {
  const servers = [...abc, serverOf('D', 0, 0, { answered: false, partitions: [] })];
  for (const mode of modes) {
    const { ours, cyrus } = bothOf(servers, 400, { mode });
    assert.equal(usersOf(servers, ours)[3], 0, mode);
    assert.equal(ours.refused.size, 0);
    const lost = cyrus.refused.get('Cyrus chooses D, which does not answer') ?? 0;
    assert.ok(lost > 60 && lost < 140, `${mode}: ${lost} of 400`);
    // Even C, which is full after ten.
    assert.ok((usersOf(servers, cyrus)[2] ?? 0) > 60);
  }
});

test('nobody finds a place any more when all is promised, and each reason is counted', () => {
  const { ours, cyrus } = bothOf(abc, 900, { backends: { B: { maximumUsers: 50 } } });
  assert.deepEqual(usersOf(abc, ours), [500, 50, 10]);
  assert.deepEqual(Array.from(ours.refused.values()), [340]);
  assert.match(Array.from(ours.refused.keys())[0] ?? '', /A: no partition: .*no free space; B: has its maximum/);
  assert.deepEqual(usersOf(abc, cyrus), [900, 0, 0]);
});

test('each takes a seed, and plays the same again', () => {
  const wish = { mode: 'freespace-percent-weighted' } as const;
  const [first, second] = [bothOf(abc, 300, wish), bothOf(abc, 300, wish)];
  assert.deepEqual(first, second);
});

test('the facts that it starts from stay as they are, promises in them included', () => {
  const promised = promisedOf(2, { default: 100 });
  const servers = [serverOf('A', 500, 1000, { promised }), serverOf('B', 390, 1000)];
  const policy = policyFor(servers, {});
  const outcome = simulate(facts(servers), policy, { users: 21, chance: seededChance(1) });
  assert.deepEqual(promised, promisedOf(2, { default: 100 }));
  // A has 400 left: it gets 10 until both have 390, then they take turns, A first.
  assert.deepEqual(usersOf(servers, outcome), [16, 5]);
  const [a] = levels(servers, outcome, 1);
  assert.deepEqual([a?.availableKiB, a?.afterKiB, a?.fill], [400, 384, 60]);
});

test('partitions on one filesystem show the space that they share; one that tells none shows sums', () => {
  const partitions = ['p', 'q'].map((name) => ({ name, availableKiB: 50, totalKiB: 100, filesystem: 'x' }));
  const sums = { partitions: [], total: { availableKiB: 10, totalKiB: 100 } };
  const servers = [
    serverOf('A', 0, 0, { partitions }),
    serverOf('S', 0, 0, sums),
    serverOf('T', 0, 0, { partitions: [] }),
  ];
  const placed = new Map([
    [
      'A',
      new Map([
        ['p', 10],
        ['q', 5],
      ]),
    ],
    ['S', new Map([['', 3]])],
  ]);
  const shown = levels(servers, { placed, refused: new Map() }, 2);
  assert.deepEqual(
    shown.map(({ server, partition, users, afterKiB, fillAfter }) => [server, partition, users, afterKiB, fillAfter]),
    [
      ['A', 'p', 10, 20, 80],
      ['A', 'q', 5, 20, 80],
      ['S', '', 3, 4, 96],
      ['T', '', 0, 0, undefined],
    ],
  );
});

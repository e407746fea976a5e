// Where trees go whose size nobody knows: spread as placement spreads users of the size that their server's users have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Destinations } from '../../services/moves/destinations.ts';
import type { Candidate } from '../../services/moves/plan-trees.ts';
import { Room } from '../../services/moves/room.ts';
import { supposedSizes } from '../../services/moves/supposed-sizes.ts';
import { seededChance } from '../../services/placement/chance.ts';
import { decide } from '../../services/placement/decision.ts';
import type { ServerFacts } from '../../services/placement/facts.ts';
import { modes } from '../../services/placement/selection.ts';
import type { Mode } from '../../services/placement/selection.ts';
import { policyFor, serverOf } from '../harness/placement.ts';

const count = 1000;

/** Every other one is a shared mailbox. */
const trees = (): Candidate[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ name: at % 2 === 0 ? `user.u${at}` : `shared.s${at}`, from: { server: 'from', partition: 'default' } },
    ...{ version: 1, user: at % 2 === 0, octets: 0, sized: 'not' },
  }));

/** It has 1000 users with 1000 KiB each. */
const source = serverOf('from', 500_000, 1_500_000, { users: count });

const two = [serverOf('B', 1_500_000, 2_000_000), serverOf('C', 900_000, 1_000_000)];
const three = [...two, serverOf('D', 1_200_000, 3_000_000)];

function tally(places: readonly (string | undefined)[]): Map<string | undefined, number> {
  const tallies = new Map<string | undefined, number>();
  for (const place of places) tallies.set(place, (tallies.get(place) ?? 0) + 1);
  return tallies;
}

/** By server; undefined: left out. */
function spread(servers: readonly ServerFacts[], mode: Mode, from = source) {
  const all = [from, ...servers];
  const policy = policyFor(all, { mode });
  const room = new Room(all, policy, 1000, seededChance(7));
  const destinations = new Destinations(room, policy, { to: [] }, new Set());
  const moved = trees();
  destinations.suppose(moved);
  return tally(
    moved.map((tree) => {
      const placed = destinations.place(tree);
      return 'to' in placed ? placed.to.server : undefined;
    }),
  );
}

/** As placement has new users go, each of whom is promised so much. */
function asPlaced(servers: readonly ServerFacts[], mode: Mode, KiB: number) {
  const policy = policyFor(servers, { mode });
  const chance = seededChance(11);
  const promised = new Map(servers.map(({ name }) => [name, 0]));
  const facts = () =>
    servers.map((one) => ({
      ...one,
      promised: { users: 0, KiB: new Map([['default', promised.get(one.name) ?? 0]]) },
    }));
  return tally(
    trees().map(({ name }) => {
      const server = decide({ name }, { now: 1000, servers: facts() }, policy, chance).chosen?.server;
      if (server !== undefined) promised.set(server, (promised.get(server) ?? 0) + KiB);
      return server;
    }),
  );
}

for (const [many, servers] of [
  ['two', two],
  ['three', three],
] as const)
  for (const mode of modes)
    test(`to ${many} servers by ${mode}: in the proportion in which placement would`, () => {
      const [ours, placements] = [spread(servers, mode), asPlaced(servers, mode, 1000)];
      for (const { name } of servers) {
        const [got, wanted] = [ours.get(name) ?? 0, placements.get(name) ?? 0];
        assert.ok(Math.abs(got - wanted) <= count * 0.08, `${name} has ${got}, and would have ${wanted}`);
      }
      assert.equal(ours.get(undefined), undefined);
    });

test('a disk that is full of other things leaves nobody out, and all is filled about equally', () => {
  const full = serverOf('from', 0, 90_000_000, { users: count });
  const ours = spread(two, 'freespace-most', full);
  assert.equal(ours.get(undefined), undefined);
  // 2160 KiB each, of 2400: B down to as much as C has, and then both alike.
  assert.deepEqual([ours.get('B'), ours.get('C')], [639, 361]);
});

test('what is supposed: of the server, else of all of them, within bounds', () => {
  const space = (usedKiB: number) => ({ usedKiB });
  const servers = [
    { name: 'A', users: 10, space: space(5000) },
    { name: 'B', users: 30, space: space(3000) },
    { name: 'C', users: 5, space: undefined },
    { name: 'D', users: 0, space: space(100) },
  ];
  const sources = new Set(['A', 'B', 'C', 'D', 'E']);
  const of = (most: number, promisedKiB = 1) => [...supposedSizes(servers, sources, { promisedKiB, most }).values()];
  assert.deepEqual(of(10_000), [500, 100, 200, 200, 200]);
  assert.deepEqual(of(200), [180, 100, 180, 180, 180]);
  assert.deepEqual(of(0, 7), [7, 7, 7, 7, 7]);
  assert.deepEqual([...supposedSizes([], new Set(['A']), { promisedKiB: 3, most: 9 }).values()], [3]);
});

// Plans of moves under all that may come: files that are read as they were written, and servers that are never filled worse.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alreadyAt, isRoot, serversIn, totalsOf } from '../../services/moves/plan.ts';
import type { Plan, PlannedMove } from '../../services/moves/plan.ts';
import { durationOf } from '../../services/moves/plan-duration.ts';
import { readPlan } from '../../services/moves/plan-file.ts';
import { ordered } from '../../services/moves/plan-order.ts';
import { planLines } from '../../services/moves/plan-text.ts';
import { overfull, rebalanced, spreadOf } from '../../services/moves/rebalance.ts';
import { Room } from '../../services/moves/room.ts';
import { seededChance } from '../../services/placement/chance.ts';
import { policyFor, serverOf } from '../harness/placement.ts';

const names = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});
const roots = names.map((name) => `user.${name.replaceAll(/[.!]/g, '^')}`).filter(isRoot);
const places = fc.record(
  {
    server: fc.constantFrom('mail1', 'mail2', 'mail3'),
    partition: fc.constantFrom('', 'a', 'b'),
  },
  { noNullPrototype: true },
);
const seconds = fc.integer({ min: 1, max: 100_000 }).map((tenths) => tenths / 10);

const moves: fc.Arbitrary<PlannedMove> = fc
  .record(
    {
      ...{ name: roots, from: places, to: places, octets: fc.nat(1e12), messages: fc.nat(1e6), version: fc.nat() },
      ...{ sized: fc.constantFrom('quota', 'counted', 'mean'), seconds },
    },
    { noNullPrototype: true, requiredKeys: ['name', 'from', 'to', 'octets', 'sized', 'version', 'seconds'] },
  )
  .filter(({ from, to }) => !alreadyAt(from, to));

const limits = { total: 8, perSource: 4, perDestination: 4, perPartition: 4, bytesPerSecond: 0 };

const plans = fc
  .record({
    moves: fc.uniqueArray(moves, { selector: ({ name }) => name }),
    leftOut: fc.uniqueArray(fc.record({ name: names, why: fc.string() }, { noNullPrototype: true }), {
      selector: ({ name }) => name,
    }),
    by: names.map((name) => Buffer.from(name, 'utf8').toString('latin1')),
    made: fc.integer({ min: 0, max: 4e12 }),
    notes: fc.array(fc.string()),
  })
  .filter((one) => one.leftOut.every(({ name }) => one.moves.every((move) => move.name !== name)))
  .map((one): Plan => ({
    ...{ ...one, asked: 'all', directory: { epoch: 1, position: [{ seq: 1, nonce: 'x' }] }, emptied: ['mail1'] },
    ...{ servers: serversIn(one.moves), limits, rate: { secondsPerTree: 1, octetsPerSecond: 5, measured: 0 } },
    totals: totalsOf(one.moves, one.leftOut, durationOf(one.moves, limits)),
  }));

test('a plan is read as it was written, and no single change to what it says passes', () => {
  fc.assert(
    fc.property(plans, fc.nat(), fc.nat(), (plan, line, digit) => {
      const lines = [...planLines(plan)];
      assert.deepEqual(readPlan(lines.join('\n')), plan);
      const at = 1 + (line % (lines.length - 2));
      const numbers = [...(lines[at] ?? '').matchAll(/[0-9]/g)];
      const hit = numbers[digit % Math.max(1, numbers.length)];
      if (!hit) return;
      const text = lines[at] ?? '';
      const other = String((Number(hit[0]) + 1) % 10);
      lines[at] = text.slice(0, hit.index) + other + text.slice(hit.index + 1);
      assert.throws(() => readPlan(lines.join('\n')));
    }),
  );
});

test('the order leaves nothing out, and has each two servers in turn, as far as the others', () => {
  fc.assert(
    fc.property(fc.array(moves), (all) => {
      const result = ordered(all);
      assert.deepEqual(new Set(result), new Set(all));
      assert.equal(result.length, all.length);
      const last = new Map<string, number>();
      for (const { from, to, seconds: takes } of result) {
        const pair = `${from.server} ${to.server}`;
        assert.ok(takes <= (last.get(pair) ?? Infinity), 'the longest first');
        last.set(pair, takes);
      }
    }),
  );
});

const bins = fc.uniqueArray(
  fc
    .record({
      name: fc.constantFrom('A', 'B', 'C', 'D', 'E'),
      totalKiB: fc.integer({ min: 1000, max: 100_000 }),
      fill: fc.nat(100),
      takes: fc.boolean(),
    })
    .map(({ fill, ...bin }) => {
      const usedKiB = Math.floor((bin.totalKiB * fill) / 100);
      return { ...bin, usedKiB, roomKiB: bin.totalKiB - usedKiB };
    }),
  { selector: ({ name }) => name },
);
const weights = fc.array(fc.record({ KiB: fc.nat(20_000), server: fc.constantFrom('A', 'B', 'C', 'D', 'E') }));

test('to rebalance never makes the spread worse, never fills what has no room or gets nothing, and stops when it may', () => {
  fc.assert(
    fc.property(bins, weights, fc.integer({ min: 1, max: 30 }), fc.nat(5), (servers, all, bound, most) => {
      const giving = overfull(servers, bound);
      const trees = all.filter(({ server }) => giving.includes(server));
      const users = new Map<string, number>();
      const shifts = rebalanced(servers, trees, bound, {
        may: (_tree, server) => (users.get(server) ?? 0) < most,
        taken: ({ to }) => users.set(to, (users.get(to) ?? 0) + 1),
      });
      assert.equal(new Set(shifts.map(({ tree }) => tree)).size, shifts.length, 'each tree once');
      assert.ok(
        [...users.values()].every((count) => count <= most),
        'maximum users',
      );
      if (spreadOf(servers) <= bound) assert.deepEqual(shifts, []);
      let spread = spreadOf(servers);
      const after = servers.map((bin) => ({ ...bin }));
      for (const { tree, to } of shifts) {
        for (const bin of after) {
          if (bin.name === tree.server) bin.usedKiB -= tree.KiB;
          if (bin.name !== to) continue;
          assert.ok(bin.takes && bin.name !== tree.server);
          bin.usedKiB += tree.KiB;
          assert.ok(bin.usedKiB <= bin.totalKiB, 'no more than there is room');
        }
        assert.ok(spreadOf(after) <= spread + 1e-9, 'never worse');
        spread = spreadOf(after);
      }
    }),
  );
});

test('with trees that are small enough all come within the bound, by about as little as it takes', () => {
  const servers = [
    { name: 'A', usedKiB: 90_000, totalKiB: 100_000, roomKiB: 10_000, takes: true },
    { name: 'B', usedKiB: 10_000, totalKiB: 100_000, roomKiB: 90_000, takes: true },
    { name: 'C', usedKiB: 50_000, totalKiB: 100_000, roomKiB: 50_000, takes: true },
  ];
  const trees = Array.from({ length: 900 }, () => ({ KiB: 100, server: 'A' }));
  const shifts = rebalanced(servers, trees, 10, { may: () => true, taken: () => undefined });
  const moved = shifts.reduce((sum, { tree }) => sum + tree.KiB, 0);
  // A to 55%, B to 45%.
  assert.ok(Math.abs(moved - 35_000) <= 200, String(moved));
  assert.ok(shifts.every(({ to }) => to === 'B'));
});

test('a place is never chosen that lacks the room, or has its maximum of users, as moves take and free it', () => {
  const loads = fc.array(fc.record({ KiB: fc.nat(400), user: fc.boolean(), from: fc.constantFrom('A', 'B', 'C') }));
  fc.assert(
    fc.property(loads, fc.integer({ min: 1, max: 20 }), fc.nat(), (all, maximumUsers, seed) => {
      const servers = [serverOf('A', 500, 1000), serverOf('B', 300, 400), serverOf('C', 600, 2000)];
      const policy = policyFor(servers, { mode: 'freespace-percent-weighted', backends: { B: { maximumUsers } } });
      const room = new Room(servers, policy, 1000, seededChance(seed));
      for (const { from, ...load } of all) {
        const not = [{ server: from, is: 'refused' as const, why: 'it is there' }];
        const chosen = room.choose({ name: 'x', not }, load);
        if (!('place' in chosen)) continue;
        const { server } = chosen.place;
        const before = room.servers.find(({ name }) => name === server);
        assert.ok((room.spaceOf(server)?.freeKiB ?? -1) >= load.KiB);
        if (server === 'B') assert.ok((before?.promised?.users ?? 0) < maximumUsers);
        room.take(chosen.place, load);
        room.free({ server: from, partition: 'default' }, load);
        for (const { name } of servers) {
          const { freeKiB = -1, totalKiB = 0 } = room.spaceOf(name) ?? {};
          assert.ok(freeKiB >= 0 && freeKiB <= totalKiB, `${name}: ${freeKiB}`);
        }
      }
    }),
  );
});

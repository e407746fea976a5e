// A placement decided: each reason why a server or partition is out, what stands by an operator's word, what is promised.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededChance } from '../../services/placement/chance.ts';
import type { Request } from '../../services/placement/considering.ts';
import { decide } from '../../services/placement/decision.ts';
import type { Decision } from '../../services/placement/decision.ts';
import type { ServerFacts } from '../../services/placement/facts.ts';
import { abc, policyFor, promisedOf, serverOf } from '../harness/placement.ts';
import type { PolicyWish } from '../harness/placement.ts';

const now = 1000;

function decided(servers: readonly ServerFacts[], wish: PolicyWish = {}, request: Partial<Request> = {}): Decision {
  return decide({ name: 'user.x', ...request }, { now, servers }, policyFor(servers, wish), seededChance(1));
}

const placeOf = ({ chosen }: Decision) => chosen && `${chosen.server}!${chosen.partition}`;

/** What A, which would be chosen, is or is said to be, so that it is out; and the words about it. */
const exclusions: [string, Partial<ServerFacts>, PolicyWish, Partial<Request>][] = [
  ['does not answer', { answered: false }, {}, {}],
  ['login refused', { answered: false, silence: 'login refused' }, {}, {}],
  ['not in serverlist', {}, { servers: { list: ['B', 'C'] } }, {}],
  ['in zone berlin', {}, { backends: { A: { zone: 'berlin' }, B: { zone: 'ulm' } } }, { zone: 'ulm' }],
  ['in no zone', {}, { backends: { B: { zone: 'ulm' } } }, { zone: 'ulm' }],
  [
    'without tag ssd',
    {},
    { backends: { A: { tags: ['gold'] }, B: { tags: ['ssd', 'gold'] } } },
    { tags: ['gold', 'ssd'] },
  ],
  ['drains', {}, { backends: { A: { drain: true } } }, {}],
  ['weight 0', {}, { backends: { A: { weight: 0 } } }, {}],
  ['has its maximum of 7 users', { users: 7 }, { backends: { A: { maximumUsers: 7 } } }, {}],
  [
    'has its maximum of 7 users',
    { users: 5, promised: promisedOf(2, {}) },
    { backends: { A: { maximumUsers: 7 } } },
    {},
  ],
  ['its figures are 901 s old', { at: now - 901_000 }, { figuresMaxAge: 900_000 }, {}],
  ['its free space is not known', { partitions: [] }, {}, {}],
  ['its free space is not known', { partitions: [], emptiest: { availableKiB: 1, totalKiB: 2 } }, {}, {}],
  ['impossible figures: 0 of 0 KiB free', { partitions: [], total: { availableKiB: 0, totalKiB: 0 } }, {}, {}],
  ['impossible figures: 9 of 8 KiB free', { partitions: [], total: { availableKiB: 9, totalKiB: 8 } }, {}, {}],
  ['no partition: default: impossible figures: 0 of 0 KiB free', serverOf('A', 0, 0), {}, {}],
  ['no partition: default: impossible figures: 9 of 8 KiB free', serverOf('A', 9, 8), {}, {}],
  ['no partition: default: excluded', {}, { backends: { A: { exclude: ['default'] } } }, {}],
  ['no partition: default: no free space', { promised: promisedOf(1, { default: 500 }) }, {}, {}],
  [
    'no free space',
    { partitions: [], total: { availableKiB: 5, totalKiB: 10 }, promised: promisedOf(1, { '': 5 }) },
    {},
    {},
  ],
  ['no partition: default: no free space', serverOf('A', 0, 10), { mode: 'freespace-percent-weighted-delta' }, {}],
  ['in use to the soft limit of 40% or above', {}, { servers: { softUsageLimit: 40 } }, {}],
  ['has no partition ssd', {}, {}, { partition: 'ssd' }],
];

test('each reason why a server is out is told in a phrase, and another one is chosen', () => {
  for (const [phrase, facts, wish, request] of exclusions) {
    const others = abc
      .slice(1)
      .map((one) => (request.partition === undefined ? one : withPartition(one, request.partition)));
    const decision = decided([{ ...serverOf('A', 500, 1000), ...facts }, ...others], wish, request);
    const [a] = decision.servers;
    assert.equal(a?.out, phrase);
    assert.equal(a.share, 0, phrase);
    assert.equal(decision.chosen?.server, 'B', phrase);
  }
});

function withPartition(server: ServerFacts, name: string): ServerFacts {
  return { ...server, partitions: server.partitions.map((partition) => ({ ...partition, name })) };
}

test('where all are out, it is refused with the reason of each', () => {
  const servers = [serverOf('A', 5, 10, { answered: false }), serverOf('B', 0, 0)];
  const { chosen, refused } = decided(servers, { backends: { B: { drain: true } } });
  assert.deepEqual([chosen, refused], [undefined, 'no server can take it (A: does not answer; B: drains)']);
  assert.equal(decided([]).refused, 'there are no backends');
  const stranger = decide({ name: 'x' }, { now, servers: abc }, policyFor([]), seededChance(1));
  assert.match(stranger.refused ?? '', /A: no backend of this name; B:/);
});

test('what can never be is told apart from what may be later', () => {
  const refusedBy = (...servers: string[]) => servers.map((server) => ({ server, is: 'refused', why: 'NO' }) as const);
  const never: [Partial<Request>, RegExp, PolicyWish?][] = [
    [{ zone: 'nowhere' }, /A: in no zone/],
    [{ partition: 'u9' }, /A: has no partition u9/],
    [{ server: 'A', partition: 'u9' }, /^A has no partition u9; it may be one of default$/],
    [{ server: 'Z' }, /there is no backend Z/],
    [{ not: refusedBy('A', 'B', 'C') }, /A: has refused it: NO/],
    [
      { zone: 'ulm', not: refusedBy('B') },
      /A: in no zone; B: has refused it: NO/,
      { backends: { B: { zone: 'ulm' } } },
    ],
    [{ not: refusedBy('A') }, /B: not in serverlist/, { servers: { list: ['A'] } }],
  ];
  for (const [request, why, wish] of never) {
    const { refused, lasting } = decided(abc, wish, request);
    assert.match(refused ?? '', why);
    assert.equal(lasting, true, refused);
  }
  const silent = [{ server: 'C', is: 'silent', why: 'time-out' }] as const;
  for (const [request, wish] of [
    [{ not: [...refusedBy('A', 'B'), ...silent] }, {}],
    [{ zone: 'ulm' }, { backends: { B: { zone: 'ulm', drain: true } } }],
    [{ not: refusedBy('A', 'B') }, { backends: { C: { maximumUsers: 0 } } }],
  ] as [Partial<Request>, PolicyWish][]) {
    const { refused, lasting } = decided(abc, wish, request);
    assert.match(refused ?? '', /no server can take it/);
    assert.equal(lasting, undefined, refused);
  }
});

test('in the mode random figures do not matter, but an answer does', () => {
  const servers = [serverOf('A', 0, 0, { answered: false }), serverOf('B', 0, 0, { at: -1e9 })];
  const wish = { mode: 'random', partitions: { mode: 'random' } } as const;
  assert.equal(placeOf(decided(servers, wish)), 'B!default');
  // The partition's do, where partitions are selected by them.
  assert.equal(placeOf(decided(servers, { mode: 'random' })), undefined);
});

test('a server named by the request is taken whatever the rules say, an unknown one is not', () => {
  const servers = [...abc, serverOf('D', 0, 0, { answered: false, partitions: [] })];
  const wish = { backends: { C: { drain: true, zone: 'ulm' } }, servers: { list: ['A'] } };
  const named = decided(servers, wish, { server: 'C', zone: 'berlin' });
  assert.equal(placeOf(named), 'C!default');
  assert.equal(named.servers[2]?.out, 'not in serverlist', 'what speaks against it is told');
  assert.equal(placeOf(decided(servers, wish, { server: 'D' })), 'D!');
  assert.equal(placeOf(decided(servers, wish, { server: 'D', partition: 'new' })), 'D!new');
  assert.equal(decided(servers, wish, { server: 'E' }).refused, 'there is no backend E; it may be one of A, B, C, D');
  // One that nothing is known of yet is a backend all the same.
  const unseen = decide({ name: 'x', server: 'A' }, { now, servers: [] }, policyFor(abc), seededChance(1));
  assert.deepEqual(unseen.chosen, { server: 'A', partition: '' });
  const full = decided([serverOf('A', 0, 10)], {}, { server: 'A' });
  assert.equal(full.refused, 'no partition of A can take it (default: no free space)');
  assert.equal(placeOf(decided([serverOf('A', 0, 10)], {}, { server: 'A', partition: 'default' })), 'A!default');
});

test('a partition named by the request, though excluded, is taken on the best server that has it', () => {
  const with2 = (name: string, free: number) =>
    serverOf(name, 1, 10, {
      partitions: [
        { name: 'default', availableKiB: 1, totalKiB: 10 },
        { name: 'ssd', availableKiB: free, totalKiB: 10 },
      ],
    });
  const servers = [...abc, with2('X', 4), with2('Y', 6)];
  const wish = { backends: { Y: { exclude: ['ssd'] } } };
  assert.equal(placeOf(decided(servers, wish, { partition: 'ssd' })), 'Y!ssd');
});

const disks = (...all: [name: string, availableKiB: number, totalKiB: number, filesystem?: string][]) => ({
  partitions: all.map(([name, availableKiB, totalKiB, filesystem]) => ({ name, availableKiB, totalKiB, filesystem })),
});

test('a server counts with all its filesystems, each once; or with its emptiest partition', () => {
  // 120 of 400 KiB in all; the emptiest has 40 of 100.
  const a = serverOf('A', 0, 0, disks(['p', 80, 300, 'x'], ['q', 80, 300, 'x'], ['r', 40, 100]));
  const b = serverOf('B', 100, 200);
  const most = decided([a, b]);
  assert.deepEqual([most.servers[0]?.availableKiB, most.servers[0]?.totalKiB], [120, 400]);
  assert.equal(placeOf(most), 'A!p');
  const percent = decided([a, b], { mode: 'freespace-percent-most' });
  assert.deepEqual([percent.servers[0]?.availableKiB, percent.servers[0]?.totalKiB], [40, 100]);
  assert.equal(placeOf(percent), 'B!default');
  // Without p and q there are 40 of 100 KiB in all.
  const less = decided([a, b], { backends: { A: { exclude: ['p', 'q'] } } });
  assert.equal(less.servers[0]?.availableKiB, 40);
});

test('one that tells only sums is chosen by these, and chooses the partition itself', () => {
  const sums = {
    partitions: [],
    total: { availableKiB: 900, totalKiB: 9000 },
    emptiest: { availableKiB: 9, totalKiB: 10 },
  };
  const servers = [...abc, serverOf('S', 0, 0, sums)];
  assert.equal(placeOf(decided(servers)), 'S!');
  assert.equal(placeOf(decided(servers, { mode: 'freespace-percent-most' })), 'S!');
  const promised = [...abc, serverOf('S', 0, 0, { ...sums, promised: promisedOf(5, { '': 300, default: 200 }) })];
  assert.equal(placeOf(decided(promised)), 'A!default');
});

test('what is promised is taken off, of all partitions on the same filesystem', () => {
  const a = serverOf('A', 0, 0, disks(['p', 90, 100, 'x'], ['q', 90, 100, 'x'], ['r', 50, 100]));
  assert.equal(placeOf(decided([{ ...a, promised: promisedOf(3, { p: 30 }) }])), 'A!p');
  const decision = decided([{ ...a, promised: promisedOf(5, { p: 30, q: 20 }) }]);
  assert.equal(placeOf(decision), 'A!r');
  assert.deepEqual(
    decision.partitions.map(({ name, promisedKiB, percent, out }) => [name, promisedKiB, percent, out]),
    [
      ['p', 50, 40, undefined],
      ['q', 50, 40, 'on the filesystem of p'],
      ['r', 0, 50, undefined],
    ],
  );
  assert.deepEqual([decision.servers[0]?.promisedKiB, decision.servers[0]?.promisedUsers], [50, 5]);
});

test('a decision carries what it was decided by, as JSON', () => {
  const wish = {
    mode: 'freespace-percent-weighted',
    partitions: { mode: 'random' },
    backends: { C: { drain: true } },
  } as const;
  const servers = abc.map((one) => ({
    ...one,
    at: now - 500,
    users: 3,
    promised: promisedOf(1, { default: one.name === 'C' ? 5 : 100 }),
  }));
  const decision = decided(servers, wish, { tags: [] });
  assert.deepEqual(JSON.parse(JSON.stringify(decision)), {
    request: { name: 'user.x', tags: [] },
    at: now,
    modes: { servers: 'freespace-percent-weighted', partitions: 'random' },
    servers: [
      {
        ...{ name: 'A', share: 100 * (40 / 90), percent: 40, availableKiB: 500, totalKiB: 1000, promisedKiB: 100 },
        ...{ age: 500, users: 3, promisedUsers: 1, weight: 1 },
      },
      {
        ...{ name: 'B', share: 100 * (50 / 90), percent: 50, availableKiB: 300, totalKiB: 400, promisedKiB: 100 },
        ...{ age: 500, users: 3, promisedUsers: 1, weight: 1 },
      },
      {
        ...{ name: 'C', out: 'drains', share: 0, percent: 5, availableKiB: 10, totalKiB: 100, promisedKiB: 5 },
        ...{ age: 500, users: 3, promisedUsers: 1, weight: 1 },
      },
    ],
    partitions: [{ name: 'default', share: 100, percent: 50, availableKiB: 300, totalKiB: 400, promisedKiB: 100 }],
    drawn: decision.drawn,
    chosen: { server: 'B', partition: 'default' },
  });
  const { server = -1, partition = -1 } = decision.drawn;
  assert.ok(server >= 100 * (40 / 90) && server < 100, 'the number drawn falls on the share of B');
  assert.ok(partition >= 0 && partition < 100);
  assert.deepEqual(decided(abc).drawn, {}, 'nothing is drawn where the most is sought');
});

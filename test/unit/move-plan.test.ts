// A plan of moves as a file: what it says, how it is read, what is refused of it, and what has changed since it was made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../services/directory/entry.ts';
import { changedSince, serversIn, totalsOf } from '../../services/moves/plan.ts';
import type { LeftOut, Plan, PlannedMove } from '../../services/moves/plan.ts';
import { durationOf } from '../../services/moves/plan-duration.ts';
import { readPlan, rehashed } from '../../services/moves/plan-file.ts';
import { ordered } from '../../services/moves/plan-order.ts';
import { rateOf, secondsOf, supposedRate } from '../../services/moves/plan-rate.ts';
import { planLines } from '../../services/moves/plan-text.ts';

const limits = { total: 8, perSource: 4, perDestination: 4, perPartition: 4, bytesPerSecond: 0 };

function moveOf(name: string, more: Partial<PlannedMove> = {}): PlannedMove {
  return {
    ...{ name, from: { server: 'mail7', partition: 'default' }, to: { server: 'mail8', partition: '' } },
    ...{ octets: 1000, sized: 'quota', version: 3, seconds: 2 },
    ...more,
  };
}

function planOf(moves: PlannedMove[], leftOut: LeftOut[] = [], more: Partial<Plan> = {}): Plan {
  return {
    ...{ made: 1_700_000_000_000, by: 'postmaster', asked: 'evacuate mail7', emptied: ['mail7'] },
    ...{ directory: { epoch: 1, position: [{ seq: 12, nonce: 'aB-_' }] }, servers: serversIn(moves), limits },
    ...{ rate: supposedRate, totals: totalsOf(moves, leftOut, durationOf(moves, limits)), notes: ['mind the gap'] },
    ...{ moves, leftOut },
    ...more,
  };
}

const textOf = (plan: Plan) => [...planLines(plan), ''].join('\n');

test('a plan is JSON with one move a line, and is read as it was written', () => {
  const names = [
    'user.a b',
    'user.jane^doe',
    'example.org!user.x',
    'user.&AOQ-',
    'news.local',
    'user.\xff\xfe',
    'user.\xc3\xa4',
  ];
  const plan = planOf(
    names.map((name, at) => moveOf(name, { octets: at, ...(at === 1 && { messages: 7 }) })),
    [{ name: 'user.\xfe', why: 'it is "reserved"\n at mail9' }],
  );
  const text = textOf(plan);
  const lines = text.split('\n').filter((line) => line.startsWith('{"name":'));
  assert.equal(lines.length, names.length + 1);
  assert.match(lines[1] ?? '', /^\{"name":"user\.jane\^doe","from":"mail7!default","to":"mail8!",.*"messages":7/);
  assert.match(lines[5] ?? '', /"name_base64url":"dXNlci7__g"/);
  assert.doesNotMatch(lines[6] ?? '', /base64/);
  assert.deepEqual(readPlan(text), plan);
  assert.deepEqual(readPlan(JSON.stringify(JSON.parse(text))), plan, 'however it is laid out');
  assert.deepEqual(readPlan(textOf(planOf([]))), planOf([]));
});

test('what was edited by hand is refused, and made valid on purpose, its sums anew', () => {
  const plan = planOf([moveOf('user.a'), moveOf('user.b')]);
  const edited = textOf(plan).replace('"to":"mail8!"', '"to":"mail9!fast"').replace('"octets":1000', '"octets":5000');
  assert.throws(() => readPlan(edited), /hash does not fit.*rookery move plan --rehash/);
  const again = rehashed(edited, { by: 'ops', at: 1_700_000_001_000 });
  assert.deepEqual(again.servers, ['mail7', 'mail8', 'mail9']);
  assert.equal(again.totals.octets, 6000);
  assert.deepEqual(readPlan(textOf(again)), again);
  assert.match(textOf(again), /"edited": \{"by":"ops","at":"2023-/);
  const shorter = textOf(plan).replace(/\{"name":"user.a".*\n/, '');
  assert.throws(() => readPlan(shorter), /hash/);
  // What is made valid can be read again.
  const huge = textOf(plan).replace('"octets":1000', `"octets":${Number.MAX_SAFE_INTEGER}`);
  assert.throws(
    () => rehashed(huge, { by: 'ops', at: 0 }),
    /the octets of all moves are 9007199254\d+; they may be 9007199254740991 at most/,
  );
  assert.equal(rehashed(shorter, { by: 'ops', at: 0 }).totals.moves, 1);
});

for (const [what, change, why] of [
  [
    'octets',
    ['"octets":1000', '"octets":-3'],
    /moves\[0\] \(user\.a\): octets is -3; it may be a whole number, 0 or more/,
  ],
  ['a place', ['"to":"mail8!"', '"to":"mail8"'], /moves\[0\] \(user\.a\): to is "mail8"; it may be server!partition/],
  ['a key', ['"sized"', '"size"'], /sized is missing; it may be quota[^]*size is no key of a plan/],
  ['the version', ['"rookery_plan": 1', '"rookery_plan": 2'], /rookery_plan is 2; it may be 1/],
  ['a limit', ['"total":8', '"total":0'], /limits\.total is 0; it may be a whole number from 1 to 10000/],
  [
    'a limit that is too large',
    ['"total":8', '"total":10001'],
    /limits\.total is 10001; it may be a whole number from 1 to 10000/,
  ],
  ['a name twice', ['"name":"user.b"', '"name":"user.a"'], /moves\[1\] \(user\.a\): name stands in another line/],
  ['a folder', ['"name":"user.b"', '"name":"user.b.Sent"'], /name is "user\.b\.Sent"; it may be a user's INBOX/],
  ['no move', ['"to":"mail8!"', '"to":"mail7!"'], /to is where it comes from/],
  ['no JSON', ['"asked"', 'asked'], /^UnfitPlanFile: line 5: it is no JSON/],
  ['nothing', [/^[^]*$/, '7'], /it is 7; it may be an object/],
] as const) {
  test(`refused and named: ${what}`, () => {
    const text = textOf(planOf([moveOf('user.a'), moveOf('user.b')])).replace(...(change as [string, string]));
    assert.throws(() => readPlan(text), why);
    assert.throws(() => rehashed(text, { by: 'ops', at: 0 }), why);
  });
}

test('what has changed since is told row by row, and in percent', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((one) => `user.${one}`);
  const plan = planOf(
    names.map((name) => moveOf(name)),
    [{ name: 'user.left', why: 'it was reserved' }],
  );
  const row = (name: string, location: string, more: Partial<Entry> = {}): Entry => ({
    ...{ name, state: 'active', location, acl: '', version: 3 },
    ...more,
  });
  const same = names.map((name) => row(name, 'mail7!default'));
  assert.deepEqual(changedSince(plan, same), { rows: [], percent: 0 });
  const now = [
    row('user.b', 'mail9!default'),
    row('user.c', 'mail8!default'),
    row('user.d', 'mail7!default', { state: 'handed' }),
    row('user.e', 'mail7!default', { version: 9 }),
    row('user.f', 'mail7!default'),
    row('user.new', 'mail7!default'),
    ...['user.new.Sent', 'DELETED.user.a.65F'].map((name) => row(name, 'mail7!default')),
    row('user.left', 'mail7!default'),
    row('user.other', 'mail9!default'),
  ];
  const { rows, percent } = changedSince(plan, now);
  assert.deepEqual(
    rows.map(({ name, kind }) => `${name} ${kind}`),
    ['user.a gone', 'user.b moved', 'user.c arrived', 'user.d reserved', 'user.e changed', 'user.new came'],
  );
  assert.equal(percent, 100);
  assert.equal(changedSince({ ...plan, emptied: [] }, same.slice(1)).percent, 100 / 6);
});

test('the order: pairs of servers side by side, the longest first', () => {
  const to = (server: string) => ({ server, partition: '' });
  const moves = [1, 2, 3, 4].flatMap((seconds) => [
    moveOf(`user.x${seconds}`, { seconds }),
    ...(seconds > 2 ? [moveOf(`user.y${seconds}`, { seconds, to: to('mail9') })] : []),
  ]);
  assert.deepEqual(
    ordered(moves).map(({ name }) => name),
    ['user.x4', 'user.y4', 'user.x3', 'user.y3', 'user.x2', 'user.x1'],
  );
});

test('the duration is that of the tightest limit, and no less than the longest move', () => {
  const moves = Array.from({ length: 80 }, (_, at) => moveOf(`user.u${at}`, { seconds: 10, octets: 1_000_000 }));
  assert.equal(durationOf(moves, limits), 200);
  assert.equal(durationOf(moves, { ...limits, perSource: 8, perDestination: 8, perPartition: 8 }), 100);
  assert.equal(durationOf(moves, { ...limits, bytesPerSecond: 100_000 }), 800);
  assert.equal(durationOf(moves.slice(0, 1), limits), 10);
  assert.equal(durationOf([], limits), 0);
});

test('the rate is learnt from moves that are over, and supposed until there are enough', () => {
  const over = Array.from({ length: 20 }, (_, at) => ({ octets: at * 1_000_000, seconds: 0.5 + at }));
  const rate = rateOf(over);
  assert.equal(rate.octetsPerSecond, 1_000_000);
  assert.equal(rate.secondsPerTree, 0.5);
  assert.equal(rate.measured, 19);
  assert.equal(secondsOf(10_000_000, rate), 10.5);
  assert.deepEqual(rateOf(over.slice(0, 5)), supposedRate);
  assert.equal(
    rateOf(over.map(({ seconds }) => ({ octets: 5, seconds }))).octetsPerSecond,
    supposedRate.octetsPerSecond,
  );
});

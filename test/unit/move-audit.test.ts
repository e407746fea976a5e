// The audit of a tree in three places, what is kept of it, and what has to be so before a left-over may go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internalName, externalName } from '../../services/address/external-name.ts';
import type { Entry, State } from '../../services/directory/entry.ts';
import { afterLook, auditTree, movedAs } from '../../services/moves/audit.ts';
import type { Listing } from '../../services/moves/audit.ts';
import { proofsOf } from '../../services/moves/left-over.ts';
import type { DiscardFacts } from '../../services/moves/left-over.ts';
import { auditOne } from '../../services/operations/tree-audit.ts';
import type { TreeAuditMeans } from '../../services/operations/tree-audit.ts';

const row = (name: string, server: string, state: State = 'active'): Entry => ({
  ...{ name, state, location: `${server}!default`, acl: '', version: 1 },
});
const told = (...names: string[]): Listing => ({ is: 'told', names });
const silent: Listing = { is: 'silent', why: 'away' };

function audit(rows: Entry[], lists: Record<string, Listing>, expected?: string): string[] {
  const found = auditTree({ tree: 'user.a', rows, lists: new Map(Object.entries(lists)), expected });
  return found.map(
    ({ kind, server, at, names }) => `${kind} ${server}${at === undefined ? '' : `<${at}`} ${names.join()}`,
  );
}

test('a tree is right where its rows and what its server lists agree, and nobody else has anything of it', () => {
  const rows = [row('user.a', 'm2'), row('user.a.Sent', 'm2')];
  assert.deepEqual(audit(rows, { m1: told(), m2: told('user.a.Sent', 'user.a') }, 'm2'), []);
  // A tree may span servers.
  assert.deepEqual(
    audit([row('user.a', 'm1'), row('user.a.x', 'm2')], { m1: told('user.a'), m2: told('user.a.x') }),
    [],
  );
});

test('each state of a row against each thing a server may list', () => {
  const states: (State | undefined)[] = ['active', 'created', 'handed', 'contested', 'tombstone', undefined];
  const lists = { 'at its own': { m1: told('user.a'), m2: told() }, elsewhere: { m1: told(), m2: told('user.a') } };
  const table = states.map((state) => {
    const rows = state ? [row('user.a', 'm1', state)] : [];
    return [state ?? 'absent', ...Object.values(lists).map((one) => audit(rows, one).join('; '))];
  });
  assert.deepEqual(table, [
    ['active', '', 'missing m1 user.a; left-over m2<m1 user.a'],
    ['created', 'unsettled m1 user.a', 'unsettled m1 user.a; unsettled m2 user.a'],
    ['handed', 'unsettled m1 user.a', 'unsettled m1 user.a; unsettled m2 user.a'],
    ['contested', 'unsettled m1 user.a', 'unsettled m1 user.a; unsettled m2 user.a'],
    ['tombstone', 'unsettled m1 user.a', 'unsettled m1 user.a; unsettled m2 user.a'],
    ['absent', 'unknown m1 user.a', 'unknown m2 user.a'],
  ]);
});

test('silence is no proof: nothing is missing at who says nothing', () => {
  assert.deepEqual(audit([row('user.a', 'm1')], { m1: silent, m2: told('user.a') }), ['left-over m2<m1 user.a']);
  assert.deepEqual(audit([row('user.a', 'm1')], { m1: silent, m2: silent }), []);
  // A server that was not asked is silent, too.
  assert.deepEqual(audit([row('user.a', 'm3')], { m1: told() }), []);
});

test('a tree that is not where its move has ended is told of', () => {
  assert.deepEqual(audit([row('user.a', 'm1')], { m1: told('user.a'), m2: told() }, 'm2'), ['elsewhere m2<m1 user.a']);
});

test('a user moves with all folders, what was deleted among them; shared mailboxes one by one', () => {
  assert.deepEqual(
    ['user.a.x', 'DELETED.user.a.x.1A', 'd!user.a', 'news.local', 'DELETED.news.local.1A'].map(movedAs),
    ['user.a', 'user.a', 'd!user.a', 'news.local', 'DELETED.news.local.1A'],
  );
});

test('what is found again keeps its age, what is elsewhere now begins anew, who was not asked is not forgotten', () => {
  const found = (server: string, at: string) => ({ kind: 'left-over', tree: 't', server, at, names: ['t'] }) as const;
  const first = afterLook([], [found('m1', 'm2'), found('m3', 'm2')], new Set(['m1', 'm3']), 100);
  assert.deepEqual(
    first.map(({ server, since, seen }) => [server, since, seen]),
    [
      ['m1', 100, 100],
      ['m3', 100, 100],
    ],
  );
  const second = afterLook(first, [found('m1', 'm2')], new Set(['m1']), 200);
  assert.deepEqual(
    second.map(({ server, since, seen }) => [server, since, seen]),
    [
      ['m3', 100, 100],
      ['m1', 100, 200],
    ],
  );
  assert.equal(afterLook(second, [found('m1', 'm4')], new Set(['m1']), 300)[1]?.since, 300);
  assert.deepEqual(afterLook(second, [], new Set(['m1', 'm3']), 300), []);
  assert.equal(afterLook(first, [found('m1', 'm2')], new Set(['m1']), 50)[1]?.since, 50, 'a clock that was set back');
});

const day = 86_400_000;
const well: DiscardFacts = {
  ...{ tree: 'user.a', server: 'm1', held: ['user.a', 'user.a.x'] },
  finding: { kind: 'left-over', tree: 'user.a', server: 'm1', at: 'm2', names: ['user.a'], since: 0, seen: 0 },
  rows: [row('user.a', 'm2'), row('user.a.x', 'm2'), row('user.a.new', 'm2')],
  ...{ moving: undefined, removing: undefined, differences: [], uncompared: '', retention: 7 * day, now: 7 * day },
};
const lacking = (facts: Partial<DiscardFacts>) =>
  proofsOf({ ...well, ...facts })
    .filter(({ is }) => !is)
    .map(({ what, note }) => `${what}: ${note}`);

test('a left-over may go when all is proven, and each thing that is not keeps it', () => {
  assert.deepEqual(lacking({}), []);
  assert.deepEqual(lacking({ now: 7 * day - 1 }), ['it has waited: 7.0 days of 7.0 days']);
  assert.deepEqual(lacking({ now: 0, retention: 0 }), []);
  assert.match(lacking({ finding: undefined }).join(), /an audit has found it: no audit has found/);
  assert.equal(lacking({ finding: undefined, retention: 0 }).length, 1, 'also where it is not to wait');
  const order = { kind: 'removing' as const, tree: 'user.a', server: 'm1', names: ['user.a'], since: 0, seen: 0 };
  assert.match(lacking({ removing: order }).join(), /^no order of before is open: m1 was told at 1970-01-01/);
  assert.match(lacking({ moving: 'a move of it is open' }).join(), /^nobody moves it: a move of it is open$/);
  assert.match(lacking({ differences: undefined, uncompared: 'm2 is away' }).join(), /has all of it: m2 is away$/);
  assert.match(lacking({ differences: ['uid 7 is missing', 'x'] }).join(), /2 differences: uid 7 is missing$/);
});

test('it is no left-over where the directory has anything of the tree there, or not all of it active at one other server', () => {
  const elsewhere = (rows: Entry[]) => lacking({ rows }).join();
  assert.match(
    elsewhere([...well.rows, row('user.a.own', 'm1')]),
    /has 1 mailboxes of the tree at m1 \(user\.a\.own\)/,
  );
  assert.match(elsewhere([row('user.a', 'm1'), row('user.a.x', 'm2')]), /at m1/);
  assert.match(elsewhere([row('user.a', 'm2')]), /user\.a\.x is not in the directory$/);
  assert.match(elsewhere([row('user.a', 'm2'), row('user.a.x', 'm2', 'handed')]), /user\.a\.x is handed$/);
  assert.match(
    elsewhere([row('user.a', 'm2'), row('user.a.x', 'm3')]),
    /at several servers: user\.a at m2; user\.a\.x at m3$/,
  );
  const folders = Array.from({ length: 5 }, (_, at) => `user.a.f${at}`);
  const spread = folders.map((name, at) => row(name, at < 4 ? 'm2' : 'm9'));
  const more = ['m3', 'm4', 'm5'].map((server) => row(`user.a.${server}`, server));
  const rows = [...spread, ...more];
  const named = lacking({ rows, held: rows.map(({ name }) => name) }).join();
  assert.match(
    named,
    /servers: user\.a\.f0, user\.a\.f1, user\.a\.f2 and 1 more at m2; .* at m9; .* at m3; and at 2 more$/,
  );
  assert.match(elsewhere([row('user.a', 'm2'), row('user.a.x', 'm2'), row('user.a.y', 'm1', 'tombstone')]), /at m1/);
  assert.match(elsewhere([]), /is not in the directory/);
  assert.match(lacking({ held: [] }).join(), /the server has it: m1 lists 0/);
  const noneHeld = (rows: Entry[]) => proofsOf({ ...well, rows, held: [] })[3]?.note;
  assert.equal(noneHeld([row('user.a', 'm2'), row('user.a.x', 'm2')]), 'all at m2');
  assert.equal(
    noneHeld([row('user.a', 'm2'), row('user.a.x', 'm3')]),
    'at several servers: user.a at m2; user.a.x at m3',
  );
  assert.equal(noneHeld([]), 'the directory has nothing of it');
});

test('names come back from what servers list; what is no name of the directory does not', () => {
  const names = ['user.jdoe', 'user.a^b.Sent', 'example.org!user.jane^doe.x', 'news.local', 'DELETED.user.a.1A'];
  for (const separator of ['/', '.'] as const) {
    for (const name of names) {
      const external = externalName(name, separator);
      assert.ok(external !== undefined);
      assert.equal(internalName(external, separator), name);
    }
  }
  assert.equal(internalName('INBOX', '/'), undefined);
  assert.equal(internalName('user//x', '/'), undefined);
});

test('a tree is there when the directory has a row of it, or a server lists it', async () => {
  const looked = (rows: readonly Entry[], names: readonly string[]) =>
    auditOne('user.a', { servers: ['mail1'] }, {
      directory: { tree: () => Promise.resolve(rows), lookup: () => Promise.resolve({ concerns: [] }) },
      lists: { of: () => Promise.resolve({ is: 'told', names }) },
      admins: { ask: () => Promise.resolve('holds') },
      findings: { looked: () => Promise.resolve([]), of: () => Promise.resolve([]) },
      moveOf: () => Promise.resolve(undefined),
    } as unknown as TreeAuditMeans);
  assert.equal((await looked([], [])).there, false);
  assert.equal((await looked([], ['user.a'])).there, true);
  assert.equal((await looked([row('user.a', 'mail1')], [])).there, true);
  const grave: Entry = { ...row('user.a', 'mail1', 'tombstone'), ended: 1 };
  assert.equal((await looked([grave], [])).there, false);
});

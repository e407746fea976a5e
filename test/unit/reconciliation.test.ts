// What is certain about a doubtful name: nothing is taken away while anybody may hold it, nobody decides between two copies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Case, Rival } from '../../services/directory/case.ts';
import type { Row, State } from '../../services/directory/entry.ts';
import { verdictOn } from '../../services/directory/reconciliation.ts';
import type { Holding, Verdict } from '../../services/directory/reconciliation.ts';
import { defaultTimes } from '../../services/directory/rules.ts';

const now = 10_000_000;

/** A row at mail1 whose session has ended long ago, or goes on. */
function row(state: State, live = false): Row {
  const base = { state, location: 'mail1!default', acl: '' };
  if (state === 'active') return base;
  const marked = { ...base, session: 's-1', since: now - 500_000 };
  return live || state === 'contested' ? marked : { ...marked, ended: now - 400_000 };
}

function rival(server: string, kind: Rival['kind'] = 'claim'): Rival {
  return { server, kind, location: `${server}!default`, acl: '' };
}

function said(verdict: Verdict): string {
  const forget = verdict.forget.length === 0 ? '' : `, forget ${verdict.forget.join(' ')}`;
  if (verdict.is === 'wait') return `wait: ${verdict.why}${forget}`;
  // All that lack it are forgotten, rivals or not.
  if (verdict.is === 'push') return `${verdict.hand ? 'hand and push' : 'push'} ${verdict.server}`;
  return `${verdict.action}${verdict.again ? ' again' : ''}${forget}`;
}

type Line = [
  what: string,
  row: Row | undefined,
  rivals: Rival[],
  mail1: Holding,
  mail2: Holding,
  verdict: string | RegExp,
];
const table: Line[] = [
  ['put back, and there', row('active'), [], 'has', 'lacks', 'close'],
  ['put back, and gone', row('active'), [], 'lacks', 'lacks', 'hand again'],
  [
    'active, and at another server alone',
    row('active'),
    [rival('mail2', 'duplicate')],
    'lacks',
    'has',
    'hand and push mail2',
  ],
  ['a duplicate that is gone', row('active'), [rival('mail2', 'duplicate')], 'has', 'lacks', 'close, forget mail2'],
  ['two copies', row('active'), [rival('mail2', 'duplicate')], 'has', 'has', /^wait: mail1 and mail2 hold it/],
  ['active, nobody known to hold it, one silent', row('active'), [], 'lacks', 'unknown', /^wait: mail2 could not/],
  ['active, its server silent', row('active'), [], 'unknown', 'has', /^wait: mail1 could not be asked/],
  ['active, and its server moves it', row('active'), [], 'moving', 'lacks', /^wait: mail1 is in the midst/],
  ['a reservation that came to nothing', row('created'), [], 'lacks', 'lacks', 'remove'],
  ['a reservation that is not over', row('created', true), [], 'lacks', 'lacks', /^wait: its session goes on: s-1/],
  [
    'a reservation that has not expired',
    { ...row('created'), ended: now - 1000, since: now - 1000 },
    [],
    'lacks',
    'lacks',
    /^wait: its reservation/,
  ],
  ['a reservation, and its mailbox', row('created'), [], 'has', 'lacks', 'push mail1'],
  ['a reservation, and the mailbox elsewhere', row('created'), [rival('mail2')], 'lacks', 'has', 'hand and push mail2'],
  ['an XFER that goes on', row('handed', true), [], 'lacks', 'has', /^wait: its session goes on/],
  ['an XFER that was lost at its end', row('handed'), [rival('mail2')], 'lacks', 'has', 'hand and push mail2'],
  ['an XFER that never cut', row('handed'), [], 'has', 'lacks', 'push mail1'],
  ['an XFER that broke off in the middle', row('handed'), [], 'moving', 'has', /^wait: mail1 is in the midst/],
  ['an XFER that left two copies', row('handed'), [], 'has', 'has', /^wait: mail1 and mail2 hold it/],
  ['an XFER whose source is silent', row('handed'), [], 'unknown', 'has', /^wait: mail1 could not be asked/],
  ['handed, and nowhere', row('handed'), [], 'lacks', 'lacks', 'remove'],
  ['deleted by nobody known, and there', row('tombstone'), [], 'has', 'lacks', 'restore'],
  ['deleted by nobody known, and gone', row('tombstone'), [], 'lacks', 'lacks', 'remove'],
  ['a deletion under way', row('tombstone', true), [], 'has', 'lacks', /^wait: its session goes on/],
  ['contested, the first one has it', row('contested'), [rival('mail2')], 'has', 'lacks', 'restore, forget mail2'],
  ['contested, the other one has it', row('contested'), [rival('mail2')], 'lacks', 'has', 'hand and push mail2'],
  ['contested by both', row('contested'), [rival('mail2')], 'has', 'has', /^wait: mail1 and mail2 hold it/],
  ['contested, and nowhere', row('contested'), [rival('mail2')], 'lacks', 'lacks', 'remove, forget mail2'],
  ['absent, and nowhere', undefined, [rival('mail2', 'duplicate')], 'lacks', 'lacks', 'close, forget mail2'],
  [
    'a copy of what was deleted',
    undefined,
    [rival('mail2', 'duplicate')],
    'lacks',
    'has',
    /^wait: mail2 holds a copy of what was deleted/,
  ],
  ['absent, and only ever claimed', undefined, [rival('mail2')], 'lacks', 'has', 'push mail2'],
  ['absent, and with one that nobody knew of', undefined, [], 'lacks', 'has', 'push mail2'],
];

for (const [what, entry, rivals, mail1, mail2, verdict] of table) {
  test(what, () => {
    const open: Case = { name: 'user.a', reason: 'why', session: 's-1', since: 0, rung: 0, rivals };
    const holdings = new Map<string, Holding>([
      ['mail1', mail1],
      ['mail2', mail2],
    ]);
    const got = said(verdictOn({ row: entry, open, holdings, times: defaultTimes, now }));
    if (typeof verdict === 'string') assert.equal(got, verdict);
    else assert.match(got, verdict);
  });
}

test('whatever the row, nothing is removed or handed on while anybody holds it, or may', () => {
  const holdings: Holding[] = ['has', 'lacks', 'moving', 'unknown'];
  const states: (Row | undefined)[] = [
    undefined,
    ...(['active', 'created', 'handed', 'tombstone', 'contested'] as const).map((one) => row(one)),
  ];
  let removals = 0;
  for (const entry of states) {
    for (const mail1 of holdings) {
      for (const mail2 of holdings) {
        const open: Case = { name: 'user.a', reason: 'why', session: 's-1', since: 0, rung: 0, rivals: [] };
        const asked = new Map([
          ['mail1', mail1],
          ['mail2', mail2],
        ]);
        const verdict = verdictOn({ row: entry, open, holdings: asked, times: defaultTimes, now });
        if (verdict.is === 'resolve' && ['remove', 'hand'].includes(verdict.action)) {
          removals += 1;
          assert.deepEqual([mail1, mail2], ['lacks', 'lacks'], said(verdict));
        }
        if (verdict.is === 'push') assert.deepEqual([mail1, mail2].sort(), ['has', 'lacks'], said(verdict));
      }
    }
  }
  assert.equal(removals, 5);
});

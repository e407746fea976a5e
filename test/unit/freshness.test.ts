// When a miss may be believed: each fact that a proof needs, taken away one by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lookup, Standing } from '../../services/directory/directory.ts';
import type { Entry, State } from '../../services/directory/entry.ts';
import { finding, longestProof } from '../../services/directory/freshness.ts';
import type { Facts } from '../../services/directory/freshness.ts';

const standing: Standing = {
  ...{ epoch: 7, lost: undefined, doubt: undefined, heard: ['mail1', 'mail2'], vouched: undefined },
  ...{ settled: true, blank: false },
};
const lookup: Lookup = { entries: [undefined], concerns: [undefined], begun: 1000, standing };
const facts: Facts = {
  ...{ names: ['user.a'], lookup, witnesses: { pushing: ['mail1', 'mail2'], silent: [] } },
  ...{ asked: 1000, now: 1001, autocreate: false },
};

function reasonOf(changed: Partial<Facts>): string {
  const found = finding({ ...facts, ...changed });
  return found.found ? 'found' : found.proven ? 'proven' : found.reason;
}

function standingWith(changed: Partial<Standing>): Partial<Facts> {
  return { lookup: { ...lookup, standing: { ...standing, ...changed } } };
}

test('with all of them it is proven', () => {
  assert.equal(reasonOf({}), 'proven');
});

const lacking: [what: string, changed: Partial<Facts>, reason: RegExp][] = [
  ['the answer', { lookup: undefined }, /could not be asked/],
  ['a verified connection', standingWith({ doubt: 'the connection is not verified yet' }), /not verified yet/],
  ['a directory', standingWith({ epoch: 0 }), /has lost its data/],
  ['the push of a backend', standingWith({ heard: ['mail2'] }), /not heard from mail1/],
  [
    'a push since the loss',
    standingWith({ heard: [], lost: 'gone' }),
    /data were lost \(gone\), not heard from mail1, mail2/,
  ],
  [
    'a word about those who cannot push',
    { ...standingWith({ lost: 'gone' }), witnesses: { pushing: [], silent: ['demo1'] } },
    /demo1 can't tell again/,
  ],
  [
    'anything written',
    { ...standingWith({ blank: true }), witnesses: { pushing: [], silent: ['demo1'] } },
    /nothing was ever written/,
  ],
  [
    'quiet about the name',
    { lookup: { ...lookup, concerns: [{ kind: 'reconciliation', text: 'two copies' }] } },
    /reconciliation is open: two copies/,
  ],
  [
    'a tree that stays',
    { lookup: { ...lookup, concerns: [{ kind: 'lease', text: 'under a move lease to mail2' }] } },
    /under a move lease to mail2/,
  ],
  ['a look at every name', { names: ['user.a', 'user.b'] }, /not every name/],
  ['any name at all', { names: [], lookup: { ...lookup, entries: [], concerns: [] } }, /not every name/],
  ['a user who is not made by his first message', { autocreate: true }, /first message/],
  ['a read that began after the question', { asked: 1001 }, /before the question/],
  ['freshness', { now: 1000 + longestProof + 1 }, /5001 ms old/],
  ['a clock that goes forward', { now: 999 }, /-1 ms old/],
];
for (const [what, changed, reason] of lacking) {
  test(`without ${what} it is not`, () => {
    assert.match(reasonOf(changed), reason);
  });
}

test("an operator's word stands for pushes, not for Redis", () => {
  assert.equal(reasonOf(standingWith({ vouched: { by: 'operator', at: 1 }, heard: [], lost: 'gone' })), 'proven');
  assert.match(reasonOf(standingWith({ vouched: { by: 'operator', at: 1 }, epoch: 0 })), /lost/);
  assert.match(reasonOf(standingWith({ vouched: { by: 'operator', at: 1 }, doubt: 'a replica' })), /a replica/);
});

test('a row of any state is found, whatever the directory is worth', () => {
  for (const state of ['active', 'created', 'handed', 'contested', 'tombstone'] satisfies State[]) {
    const entry: Entry = { name: 'user.a', state, location: 'mail1!default', acl: '', version: 1 };
    const one = { ...lookup, entries: [entry], standing: { ...standing, doubt: 'a replica' } };
    assert.equal(reasonOf({ lookup: one }), 'found');
    assert.equal(reasonOf({ names: ['user.b', 'user.a'], lookup: { ...one, entries: [undefined, entry] } }), 'found');
  }
});

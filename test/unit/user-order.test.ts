// An order that follows another one of the same user: a rename that was done, and is ordered once more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../services/directory/entry.ts';
import { following, nextStep } from '../../services/users/order.ts';
import type { Facts, Order } from '../../services/users/order.ts';

const place = { server: 'mail1', partition: 'default' };
const fresh: Order = {
  ...{ name: 'user.old', wish: { is: 'rename', to: 'user.new' }, by: 'ops', since: 1, state: 'open' },
  ...{ begun: false, made: false, passed: [], note: 'ordered' },
};
const done: Order = { ...fresh, state: 'done', begun: true, made: true, place, version: 7, note: 'at mail1!default' };

const row = (name: string, server = 'mail1'): Entry => ({
  ...{ name, state: 'active', location: `${server}!default`, acl: '', version: 9 },
});
const facts = (user: Entry | undefined, target: Entry | undefined): Facts => ({
  user: { row: user, doubt: undefined },
  ...{ target: { row: target, doubt: undefined }, folders: 0, isUntold: () => false, isSilent: () => false },
});

test('who is there under the new name, and nowhere under the old one, is him: the same order again is done', () => {
  const again = following(fresh, done);
  assert.deepEqual(nextStep(again, facts(undefined, row('user.new'))), { do: 'finish', note: 'at mail1!default' });
  const elsewhere = nextStep(again, facts(undefined, row('user.new', 'mail2')));
  assert.equal(elsewhere.do, 'refuse', 'at another server it is somebody else');
});

test('a user of the old name who came since is renamed if the new name is free, and refused if it is not', () => {
  const again = following(fresh, done);
  const old = row('user.old', 'mail2');
  const told = { do: 'tell', at: { server: 'mail2', partition: 'default' }, version: 9 };
  assert.deepEqual(nextStep(again, facts(old, undefined)), told);
  assert.deepEqual(nextStep(again, facts(old, row('user.new'))), {
    ...{ do: 'refuse', why: 'user.new is there already, at mail1!default' },
  });
});

test('nothing else follows from an order before: without one who is there is somebody else', () => {
  const other: Order = { ...done, wish: { is: 'rename', to: 'user.other' } };
  for (const before of [
    undefined,
    other,
    { ...done, state: 'refused' } as const,
    { ...done, wish: { is: 'delete' } } as const,
  ]) {
    assert.deepEqual(following(fresh, before), fresh);
  }
  assert.equal(nextStep(fresh, facts(undefined, row('user.new'))).do, 'refuse');
});

test('whoever is there already is not said to have got what was asked for besides', () => {
  const already = (wanted: object) => {
    const order: Order = { ...fresh, name: 'user.a', wish: { is: 'create', ...wanted } };
    return nextStep(order, { ...facts(row('user.a'), undefined) });
  };
  const there = 'it is there already, at mail1!default';
  assert.deepEqual(already({}), { do: 'finish', note: there });
  assert.deepEqual(already({ server: 'mail1', partition: 'default' }), { do: 'finish', note: there });
  assert.deepEqual(already({ quota: 7 }), { do: 'finish', note: `${there}; its quota stays as it is` });
  assert.deepEqual(already({ zone: 'x', quota: 7 }), {
    ...{ do: 'finish', note: `${there}; its zone and quota stays as it is` },
  });
  assert.equal(already({ partition: 'u2' }).do, 'refuse');
  assert.equal(already({ server: 'mail2' }).do, 'refuse');
});

test('who is being moved is neither deleted nor renamed, unless his server was told before: it waits, and says for what', () => {
  const moving = 'it is being moved from mail1 to mail2, of run run-7';
  for (const wish of [{ is: 'delete' }, { is: 'rename', to: 'user.new' }] as const) {
    const order: Order = { ...fresh, wish, version: 9 };
    const seen = (user: Entry, more: Partial<Facts> = {}) => ({ ...facts(user, undefined), moving, ...more });
    assert.deepEqual(nextStep(order, seen(row('user.old'))), { do: 'wait', why: moving });
    assert.deepEqual(nextStep(order, seen({ ...row('user.old'), state: 'handed' })), { do: 'wait', why: moving });
    assert.equal(nextStep({ ...order, begun: true, place }, seen(row('user.old'))).do, 'tell');
    assert.deepEqual(nextStep(order, seen({ ...row('user.old', 'mail2'), version: 12 })), {
      ...{ do: 'refuse', why: `it has changed since this was ordered: ${moving}; order it again when that is over` },
    });
    assert.equal(nextStep(order, facts(row('user.old'), undefined)).do, 'tell', 'when that is over');
  }
});

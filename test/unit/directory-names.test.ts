// Trees, order and packing: where a name lies, how lists are sorted, what a row is in Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortByName } from '../../services/directory/order.ts';
import { nameIn, placeOf } from '../../services/directory/tree.ts';
import { packRow, unpackRow } from '../../services/directory/redis/packing.ts';

const places: [name: string, tree: string, field: string][] = [
  ['user.a', 'user.a', ''],
  ['user.a.Sent', 'user.a', 'Sent'],
  ['user.a.b.c', 'user.a', 'b.c'],
  ['example.org!user.a^b', 'example.org!user.a^b', ''],
  ['example.org!user.a^b.Sent', 'example.org!user.a^b', 'Sent'],
  ['DELETED.user.a.6B02', 'user.a', '.6B02'],
  ['DELETED.user.a.Sent.6B02', 'user.a', '.Sent.6B02'],
  ['example.org!DELETED.user.a.6B02', 'example.org!user.a', '.6B02'],
  ['DELETED.user.a', 'user.a', '.'],
  ['news', 'news', ''],
  ['news.local.x', 'news', 'local.x'],
  ['DELETED.news.6B02', 'DELETED', 'news.6B02'],
  ['user', 'user', ''],
  ['user.', 'user.', ''],
  ['user.a..b', 'user.a..b', ''],
  ['', '', ''],
];

test('each name has its tree, and each tree its names back', () => {
  for (const [name, tree, field] of places) {
    const place = placeOf(name);
    assert.deepEqual([place.tree, place.field], [tree, field], name);
    assert.equal(nameIn(place.tree, place.field), name);
  }
});

test('no two names share tree and field', () => {
  const part = fc.constantFrom('user', 'DELETED', 'a', 'b!', 'x^y', '', '\xe9', 'example.org!');
  const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(name, (one) => {
      const { tree, field } = placeOf(one);
      assert.equal(nameIn(tree, field), one);
    }),
    { numRuns: 5000 },
  );
});

test('names are sorted as Cyrus 3.6 sorts them', () => {
  // As transcribed from a Cyrus 3.6.1 master, and from its rules for domains and dots inside names.
  const sorted = [
    ...['example.org!user.a', 'example.org!user.a.b', 'user.B', 'user.a', 'user.a.sub', 'user.a b', 'user.a+b'],
    ...['user.a-b', 'user.a^b', 'user.a0', 'user.q"uote', 'user.sp ace'],
  ];
  const rows = [...sorted].reverse().map((name) => ({ name }));
  assert.deepEqual(
    sortByName(rows).map((row) => row.name),
    sorted,
  );
});

test('a row survives packing, whatever its bytes', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const bytes = fc.array(byte, { maxLength: 40 }).map((list) => list.join(''));
  const row = fc.record({
    state: fc.constantFrom('active', 'created', 'handed', 'tombstone'),
    location: bytes,
    acl: bytes,
  });
  fc.assert(
    fc.property(row, fc.nat(), (one, version) => {
      const whole = one.state === 'active' ? one : { ...one, since: 1_700_000_000_000, session: 'n1-7' };
      assert.deepEqual(unpackRow('user.a', packRow(whole, version)), { ...whole, name: 'user.a', version });
    }),
  );
});

test('a row that is not ours is refused by name', () => {
  assert.throws(() => unpackRow('user.a', 'nonsense'), /row of "user\.a" is not a row of the directory: "nonsense"/);
});

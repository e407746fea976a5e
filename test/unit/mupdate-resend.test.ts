// Which names UPDATE sends once more at once: all that a Cyrus slave's merge can lose, and no others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortByName } from '../../services/directory/order.ts';
import { losable } from '../../services/mupdate/resend.ts';

/** What a slave has after it has merged our list into its own (mupdate-slave of Cyrus 3.6: two lists, one strcmp). */
function merged(own: readonly string[], ours: readonly string[]): Set<string> {
  const sorted = (names: readonly string[]) => sortByName(names.map((name) => ({ name }))).map(({ name }) => name);
  const [left, right] = [sorted(own), sorted(ours)];
  const has = new Set(own);
  let [at, to] = [0, 0];
  for (let local = left[at], remote = right[to]; local !== undefined || remote !== undefined;) {
    if (local === remote) {
      at++;
      to++;
    } else if (remote === undefined || (local !== undefined && local < remote)) {
      has.delete(local ?? '');
      at++;
    } else {
      has.add(remote);
      to++;
    }
    [local, remote] = [left[at], right[to]];
  }
  return has;
}

const part = fc.constantFrom('a', 'b', 'a-b', 'a b', 'a+', 'a^b', 'a0', 'A', 'ab', '+');
const name = fc
  .tuple(
    fc.constantFrom('', '', 'a.b!', 'a-b!'),
    fc.constantFrom('user.', ''),
    fc.array(part, { minLength: 1, maxLength: 3 }),
  )
  .map(([domain, user, parts]) => `${domain}${user}${parts.join('.')}`);
const names = fc.uniqueArray(name, { maxLength: 12 });

test('what a merge loses is losable', () => {
  fc.assert(
    fc.property(names, names, (own, ours) => {
      const has = merged(own, ours);
      const found = losable([...own, ...ours]);
      for (const one of ours) if (!has.has(one)) assert.ok(found.has(one), `${one} was lost`);
    }),
    { numRuns: 20_000 },
  );
});

test('what is losable is lost where its neighbour has gone', () => {
  assert.deepEqual([...losable(['user.a', 'user.a.b', 'user.a-b', 'user.a0', 'user.b'])], ['user.a-b']);
  assert.ok(!merged(['user.a', 'user.a.b', 'user.a-b'], ['user.a', 'user.a-b', 'user.b']).has('user.a-b'));
  // A dot in a name is `^` here, and sorts as a dot.
  assert.deepEqual([...losable(['user.a^b', 'user.a0', 'user.ab'])], ['user.a0']);
  assert.ok(!merged(['user.a^b', 'user.a0'], ['user.a0', 'user.b']).has('user.a0'));
  assert.deepEqual([...losable(['a.b!user.c', 'a.b!user.c.d', 'user.a', 'user.a.b', 'user.b'])], []);
});

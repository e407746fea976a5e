// Which names a user's INBOX may have at a Cyrus server, and the login that goes with one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUser, loginOf, unfitUserName } from '../../services/address/user-name.ts';

test('users are INBOXes, whatever they are called; the login is without the word and with the domain behind', () => {
  for (const [name, login] of [
    ['user.jdoe', 'jdoe'],
    ['user.Old Name', 'Old Name'],
    ['example.org!user.jane^doe', 'jane.doe@example.org'],
  ] as const) {
    assert.ok(isUser(name), name);
    assert.equal(loginOf(name), login);
  }
  for (const name of ['', 'jdoe', 'user.', 'user.jdoe.Sent', 'shared.x', 'user.a!b', `user.${'n'.repeat(600)}`])
    assert.ok(!isUser(name), name);
});

test('names that Cyrus 3.6.1 makes and lets in', () => {
  const names = ['jdoe', '7', '1-2', 'a^b', '^a', "o'neil", 'a+b', 'a_b', 'a=b', '[x]', '~x', 'a b', 'inbox', 'user'];
  for (const name of [...names, 'n'.repeat(80)]) assert.equal(unfitUserName(`user.${name}`), undefined, name);
  for (const name of ['example.org!user.a^b', 'ex_org!user.x', 'localhost!user.x', `ex.org!user.${'n'.repeat(73)}`])
    assert.equal(unfitUserName(name), undefined, name);
});

test('names that it refuses, or that nobody could log in with, are told apart by why', () => {
  for (const [name, why] of [
    ['user.jdoe.Sent', /is no user's INBOX: it may be user\.NAME/],
    ...[
      'a&b',
      '{5}',
      'a;b',
      'tést',
      'a"b',
      'a%b',
      'a*b',
      'a/b',
      'a\\b',
      'a:b',
      'a<b',
      'a?b',
      'a@b',
      'a`b',
      'a|b',
      'a\nb',
    ].map((name) => [`user.${Buffer.from(name).toString('latin1')}`, /which no user's name may have/] as const),
    ['user.Ann', /has capital letters/],
    ['EX.org!user.ann', /has capital letters/],
    ['DELETED!user.x', /has capital letters/],
    ['user.-x', /begins with a -/],
    ['user. x', /begins or ends with a space/],
    ['user.anyone', /nobody's/],
    ['user.anonymous', /nobody's/],
    ['-!user.x', /no domain in front/],
    ['e x!user.x', /no domain in front/],
    [`user.${'n'.repeat(81)}`, /longer than 80 octets as a login/],
    [`ex.org!user.${'n'.repeat(74)}`, /longer than 80 octets as a login/],
  ] as const) {
    const found = unfitUserName(name);
    assert.match(found ?? 'fit', why, name);
  }
});

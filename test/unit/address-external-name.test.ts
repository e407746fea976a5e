// Internal names as an administrator writes them, and the names that have no such form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { externalName } from '../../services/address/external-name.ts';

test('levels, dots inside a component and domains, with both separators', () => {
  for (const [name, slashed, dotted] of [
    ['user.jdoe', 'user/jdoe', 'user.jdoe'],
    ['user.j^doe.Sent', 'user/j.doe/Sent', 'user.j^doe.Sent'],
    ['example.org!user.a^b.Sent', 'user/a.b/Sent@example.org', 'user.a^b.Sent@example.org'],
    ['DELETED.user.x.6B02FFAA', 'DELETED/user/x/6B02FFAA', 'DELETED.user.x.6B02FFAA'],
    ['news.local', 'news/local', 'news.local'],
    ['user.x. *%+-\'"\\(){}&-~', 'user/x/ *%+-\'"\\(){}&-~', 'user.x. *%+-\'"\\(){}&-~'],
    ['user.T&APY-st', 'user/T&APY-st', 'user.T&APY-st'],
    // Without virtual domains an `@` is a character like others.
    ['user.a@b^org', 'user/a@b.org', 'user.a@b^org'],
    // Cyrus itself reads a `!` anywhere as the end of a domain.
    ['user.x!y', 'y@user.x', 'y@user.x'],
    ['user.x.INBOX', 'user/x/INBOX', 'user.x.INBOX'],
  ] as const) {
    assert.equal(externalName(name, '/'), slashed);
    assert.equal(externalName(name, '.'), dotted);
  }
});

test('no external name where Cyrus would read another mailbox, or has none', () => {
  for (const name of [
    ...[
      '',
      '.',
      'user.',
      '.user',
      'user..x',
      '!user.x',
      'example.org!',
      'a/b!user.x',
      'a@b!user.x',
      'a!user.x@y',
      'a!b!c',
    ],
    ...['INBOX', 'inbox.x', 'a!Inbox', 'user.\xe9', 'user.a\nb', 'user.a\rb', 'user.\0', 'user.\x7f'],
  ]) {
    assert.equal(externalName(name, '/'), undefined, name);
    assert.equal(externalName(name, '.'), undefined, name);
  }
  assert.equal(externalName('user.x.a/b', '/'), undefined);
  assert.equal(externalName('user.x.a/b', '.'), 'user.x.a/b');
});

// What a new user consists of, by configuration and wish: the steps and their order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../services/config/schema.ts';
import { newUser } from '../../services/placement/new-user.ts';

const form = (users: object) => configSchema.parse({ servername: 'frontend1', users }).users;

test('with nothing configured a new user is an INBOX', () => {
  assert.deepEqual(newUser(form({}), { inbox: 'user.ada' }), [{ do: 'inbox', name: 'user.ada' }]);
});

test('INBOX, quota, folders, rights, subscriptions, in this order', () => {
  const users = form({
    quota: { storage_kib: 1000, messages: 20 },
    folders: [
      { name: 'Sent', special_use: 'Sent' },
      { name: 'Entwürfe', special_use: 'Drafts', subscribe: false },
      { name: 'Archiv/v1.0 & more' },
    ],
    acl: [
      { identifier: 'anyone', rights: 'p' },
      { identifier: 'help desk', rights: 'lr', on: 'all' },
    ],
  });
  const inbox = 'example.org!user.a^b';
  const [sent, drafts, archive] = ['Sent', 'Entw&APw-rfe', 'Archiv.v1^0 &- more'].map((name) => `${inbox}.${name}`);
  assert.deepEqual(newUser(users, { inbox, partition: 'ssd1' }), [
    { do: 'inbox', name: inbox, partition: 'ssd1' },
    { do: 'quota', name: inbox, limits: { storageKiB: 1000, messages: 20 } },
    { do: 'folder', name: sent, partition: 'ssd1', specialUse: 'Sent' },
    { do: 'folder', name: drafts, partition: 'ssd1', specialUse: 'Drafts' },
    { do: 'folder', name: archive, partition: 'ssd1' },
    { do: 'acl', name: inbox, identifier: 'anyone', rights: 'p' },
    ...[inbox, sent, drafts, archive].map((name) => ({ do: 'acl', name, identifier: 'help desk', rights: 'lr' })),
    { do: 'subscribe', name: inbox, folders: [inbox, sent, archive] },
  ]);
});

test('a quota that is asked for takes the place of the configured one, none at all included', () => {
  const users = form({ quota: { storage_kib: 1000 } });
  const limits = (quota: object) => newUser(users, { inbox: 'user.ada', quota }).slice(1);
  assert.deepEqual(limits({ messages: 5 }), [{ do: 'quota', name: 'user.ada', limits: { messages: 5 } }]);
  assert.deepEqual(limits({ storageKiB: 0 }), [{ do: 'quota', name: 'user.ada', limits: { storageKiB: 0 } }]);
  assert.deepEqual(limits({}), []);
});

test('what is no INBOX of a user is refused by its name', () => {
  for (const name of ['user', 'user.', 'user.a.b', 'shared.x', 'a!b!user.x', '!user.x', 'user.a!b', ''])
    assert.throws(() => newUser(form({}), { inbox: name }), /is not the INBOX of a user/, name);
});

test('a special use is for folders right below the INBOX', () => {
  const users = { folders: [{ name: 'Archive/2026', special_use: 'Archive' }] };
  const { error } = configSchema.safeParse({ servername: 'frontend1', users });
  assert.deepEqual(error?.issues[0]?.path, ['users', 'folders', 0, 'special_use']);
});

test('names of folders that Cyrus would not take are refused where they are written', () => {
  for (const name of ['', '/', '/a', 'a/', 'a//b', 'a%', 'a*', 'a;b', 'a"b', 'a\\b', 'a^b', 'a!b', 'a\nb', 7]) {
    const { error } = configSchema.safeParse({ servername: 'frontend1', users: { folders: [{ name }] } });
    assert.deepEqual(error?.issues[0]?.path.slice(0, 4), ['users', 'folders', 0, 'name'], String(name));
  }
});

// Which trees a word may mean: users by login, address and INBOX, shared mailboxes by their names; and what can be meant by nobody.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecipientSettings } from '../../services/address/recipient.ts';
import { treesMeant } from '../../services/operations/tree-names.ts';

const settings: RecipientSettings = {
  ...{ virtdomains: 'userid', defaultdomain: 'example.com', unixhierarchysep: false, lmtp_downcase_rcpt: true },
  ...{ postuser: '', lmtp_strict_rfc2821: true },
};

const utf8 = (text: string) => Buffer.from(text).toString('latin1');

for (const [said, may, more] of [
  ['jdoe', ['user.jdoe', 'jdoe']],
  ['JDoe', ['user.jdoe', 'JDoe']],
  ['jane.doe', ['user.jane^doe', 'jane.doe']],
  ['jane.doe@example.org', ['example.org!user.jane^doe']],
  ['jane@Example.COM', ['user.jane']],
  ['user.jane^doe', ['user.jane^doe']],
  ['user.a b', ['user.a b']],
  ['a b', ['user.a b', 'a b']],
  ['example.org!user.x', ['example.org!user.x']],
  ['example.org!projects.x', ['example.org!projects.x']],
  ['projects.x', ['user.projects^x', 'projects.x']],
  ['+projects.x', ['projects.x']],
  ['+projects.x@example.org', ['example.org!projects.x', 'projects.x@example.org']],
  ['news.a b', ['user.news^a b', 'news.a b']],
  ['user.&AOQ-', ['user.&AOQ-']],
  [`user.${utf8('ä')}`, [`user.${utf8('ä')}`, 'user.&AOQ-']],
  ['user.\xe4', ['user.\xe4', 'user.&AOQ-'], 'Latin-1'],
  [`+${utf8('ä.x')}`, ['&AOQ-.x', utf8('ä.x')]],
] as [string, string[], string?][]) {
  test(`${said} is ${may.join(' or ')}${more === undefined ? '' : `, ${more}`}`, () => {
    assert.deepEqual(treesMeant(said, settings), { may });
  });
}

test('where users see a / between levels, names may be written so, too', () => {
  const slashes = { ...settings, unixhierarchysep: true };
  const meant = (said: string) => treesMeant(said, slashes);
  assert.deepEqual(meant('projects/x'), { may: ['user.projects/x', 'projects/x', 'projects.x'] });
  assert.deepEqual(meant('+projects/x.y'), { may: ['projects.x^y', 'projects/x.y'] });
  assert.deepEqual(meant('user/jane.doe'), { may: ['user.user/jane^doe', 'user/jane.doe', 'user.jane^doe'] });
});

test('a postuser stands for shared mailboxes, and a + does whatever he is called', () => {
  const posted = { ...settings, postuser: 'bb' };
  assert.deepEqual(treesMeant('bb+news.x', posted), { may: ['news.x'] });
  assert.deepEqual(treesMeant('+news.x', posted), { may: ['news.x'] });
});

for (const [said, why] of [
  ['', /is empty/],
  ['a\x00b', /control character/],
  ['a\tb', /control character/],
  ['jdoe@', /is no address/],
  ['@example.org', /is no address/],
  ['a@b@c', /is no address/],
  ['jdoe+lists', /is a folder of user\.jdoe and goes along with it/],
  ['user.jdoe.Sent', /is a folder of user\.jdoe and goes along with it; in a login a dot is \^/],
  ['user.', /is the INBOX of nobody/],
  ['user..x', /is the INBOX of nobody/],
  ['DELETED.user.x.65F', /was deleted/],
  ['a!b!c', /can be the name of none/],
  ['example.org!news..x', /can be the name of none/],
  [`+${'x'.repeat(511)}`, /can be the name of none \(over 510 octets/],
] as [string, RegExp][]) {
  test(`nobody can be meant by ${JSON.stringify(said).slice(0, 40)}`, () => {
    const found = treesMeant(said, settings);
    assert.match('fault' in found ? found.fault : JSON.stringify(found), why);
  });
}

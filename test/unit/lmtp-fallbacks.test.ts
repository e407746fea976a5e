// When a recipient is refused for good, and when mail goes to the mailbox that stands in for another: each name by a proof of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closest } from '../../services/address/fuzzy-match.ts';
import { parsePath } from '../../services/address/path.ts';
import type { FallbackSettings, RecipientSettings } from '../../services/address/recipient.ts';
import { Registry } from '../../services/backends/registry.ts';
import { accessOf } from '../../services/directory/access.ts';
import type { Verb } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { patient, type RoutingDirectory } from '../../services/directory/patience.ts';
import { Router, type RouteOptions } from '../../services/lmtp/router.ts';

const lmtp = { addresses: [{ host: '127.0.0.1', port: 24 }], connections: 1, waiting: 1 };
const registry = new Registry([
  { name: 'mail1', mupdate: true, imap: undefined, lmtp },
  { name: 'quiet', mupdate: false, imap: undefined, lmtp },
]);
const settings: RecipientSettings & FallbackSettings = {
  ...({ virtdomains: 'userid', defaultdomain: 'example.com', postuser: '' } as const),
  ...{ unixhierarchysep: true, lmtp_downcase_rcpt: true, lmtp_strict_rfc2821: true },
  ...{ lmtp_fuzzy_mailbox_match: true, lmtp_catchall_mailbox: 'catchall' },
};
const anonymous: RouteOptions = { poster: 'anonymous' };

/** A directory that is trusted, a router over it, and what that says of an address. */
function stand(more: Partial<typeof settings> = {}) {
  const directory = new MemoryDirectory();
  const all = { ...settings, ...more };
  let sessions = 0;
  const write = async (verb: Verb, name: string, acl = '', server = 'mail1') => {
    const writer = { session: `s${(sessions += 1)}`, server, admin: false, push: false };
    const location = verb === 'DELETE' ? '' : `${server}!default`;
    const { ok, text } = await directory.write({ verb, name, location, acl }, writer);
    assert.ok(ok, text);
    return writer.session;
  };
  const asked = async (address: string, options = anonymous, from: RoutingDirectory = patient(directory, 1000)) => {
    const parsed = parsePath(`<${address}>`, false);
    assert.ok('path' in parsed);
    return new Router(from, registry, all).route(parsed.path, options);
  };
  const said = async (...question: Parameters<typeof asked>) => {
    const { decision, target } = await asked(...question);
    if (decision.action === 'deliver') return target.mailbox;
    return `${decision.reply.code} ${decision.reply.enhanced} ${decision.reason}`;
  };
  return { directory, write, asked, said };
}

const missing = '550 5.1.1 unknown';

test('without trust nobody is refused, and nobody gets what is not his', async () => {
  const { directory, write, said } = stand();
  await write('ACTIVATE', 'user.catchall');
  await write('ACTIVATE', 'news', 'joe\tlrsp\t');
  for (const address of ['nobody', '+nosuch', '+news', '+NEWS'])
    assert.equal(await said(address), '451 4.4.3 unproven', address);
  await directory.vouch('test');
  for (const address of ['nobody', '+nosuch', '+news', '+NEWS'])
    assert.equal(await said(address), 'user.catchall', address);
});

test('what is put off is not given to the catch-all', async () => {
  const { directory, write, said } = stand();
  await write('ACTIVATE', 'user.catchall');
  await directory.vouch('test');
  await write('RESERVE', 'user.coming');
  await write('ACTIVATE', 'user.leaving');
  await write('DELETE', 'user.leaving');
  await write('RESERVE', 'news.coming');
  await write('ACTIVATE', 'user.far', '', 'mail9');
  assert.equal(await said('coming'), '451 4.2.1 reserved');
  assert.equal(await said('leaving'), '451 4.2.1 deleted');
  assert.equal(await said('far'), '451 4.4.3 server');
  assert.equal(await said('+News/COMING'), '451 4.2.1 reserved');
  assert.equal(await said('nobody'), 'user.catchall');
});

test('a catch-all that is put off puts off', async () => {
  const { directory, write, said } = stand();
  await directory.vouch('test');
  assert.equal(await said('nobody'), missing);
  await write('RESERVE', 'user.catchall');
  assert.equal(await said('nobody'), '451 4.2.1 reserved');
});

test('a close name that was deleted a moment ago, or is being looked into, is no proof', async () => {
  const { directory, write, said } = stand({ lmtp_catchall_mailbox: '' });
  await directory.vouch('test');
  await write('ACTIVATE', 'news.local', 'anyone\tp\t');
  assert.equal(await said('+News/Local'), 'news.local');
  const session = await write('DELETE', 'news.local');
  assert.equal(await said('+News/Local'), '451 4.2.1 deleted');
  await directory.end(session, 'logout');
  assert.equal(await said('+news/local'), '451 4.2.1 deleted');
  assert.equal(await said('+News/Local'), '451 4.2.1 deleted');
});

test('where close names cannot be read, nobody is refused', async () => {
  const { directory, said } = stand({ lmtp_catchall_mailbox: '' });
  await directory.vouch('test');
  const blind = { ...patient(directory, 1000), nearby: () => Promise.reject(new Error('too many')) };
  assert.equal(await said('+nosuch', anonymous, blind), '451 4.4.3 directory');
});

test('a refusal is never taken from memory; a permission may be', async () => {
  const { directory, write, said } = stand({ lmtp_catchall_mailbox: '' });
  await directory.vouch('test');
  await write('ACTIVATE', 'news', 'anyone\tlrs\t');
  const old = await directory.lookup(['news']);
  await write('ACTIVATE', 'news', 'anyone\tlrsp\t');
  const now = patient(directory, 1000);
  const remembering = { ...now, lookup: () => Promise.resolve({ ...old, begun: Date.now() }) };
  assert.equal(await said('+news', anonymous, remembering), 'news');

  await write('ACTIVATE', 'news', 'anyone\tlrs\t');
  let reads = 0;
  const counted = { ...now, fresh: (names: readonly string[]) => ((reads += 1), directory.lookup(names)) };
  assert.equal(await said('+news', anonymous, counted), '550 5.7.1 permission');
  assert.equal(reads, 1);
  const away = { ...now, fresh: () => Promise.reject(new Error('away')) };
  assert.equal(await said('+news', anonymous, away), '451 4.4.3 directory');
  const stale = { ...now, fresh: () => Promise.resolve({ ...old, begun: 0 }) };
  assert.equal(await said('+news', anonymous, stale), '451 4.4.3 unproven');
});

test('who may post is judged by the server itself where it does not tell it by MUPDATE', async () => {
  const { directory, write, said } = stand();
  await directory.vouch('test');
  await write('ACTIVATE', 'news', '', 'quiet');
  assert.equal(await said('+news'), 'news');
});

test('a question that nobody sends by is refused only where nobody at all may post', async () => {
  const { directory, write, said } = stand({ lmtp_catchall_mailbox: '' });
  await directory.vouch('test');
  await write('ACTIVATE', 'some', 'anyone\tlrs\tjoe\tp\t');
  await write('ACTIVATE', 'staff', 'group:staff\tp\t');
  await write('ACTIVATE', 'none', 'anyone\tlrsp\t-anyone\tp\tjoe\tlrs\t');
  assert.equal(await said('+some', {}), 'some');
  assert.equal(await said('+staff', {}), 'staff');
  assert.equal(await said('+none', {}), '550 5.7.1 permission');
});

test('a folder that was found by a close name is handed on by its own, where an address can say it', async () => {
  const { directory, write, asked } = stand();
  await directory.vouch('test');
  for (const name of ['Big_Team.a^b', 'My List', 'example.org!Open']) await write('ACTIVATE', name, 'anyone\tp\t');
  assert.equal((await asked('+BIG-team/A.B@Example.com')).target.deliverAs, '+Big_Team/a.b@example.com');
  assert.equal((await asked('+open/house@example.org')).target.deliverAs, '+Open@example.org');
  assert.equal((await asked('+my-list')).target.deliverAs, '+my-list');
  assert.equal((await asked('nobody@example.net')).decision.action, 'reject');
});

test('every look is kept, in its order', async () => {
  const { directory, write, asked } = stand();
  await directory.vouch('test');
  await write('ACTIVATE', 'user.catchall');
  const route = await asked('+nosuch');
  assert.deepEqual(
    route.tried.map(({ target, decision }) => `${target.steps.at(0)}: ${decision.action}`),
    [
      'address: +nosuch: reject',
      'close names (lmtp_fuzzy_mailbox_match): there are none: reject',
      'catch-all: catchall (lmtp_catchall_mailbox): deliver',
    ],
  );
});

test('the closest name: the deepest, then the one that is written most like it', () => {
  const names = [
    'news',
    'NEWS',
    'news.Local',
    'news.local.deep',
    'user.news',
    'DELETED.news',
    'example.org!news.local.x',
  ];
  const table: [string, string | undefined][] = [
    ['news', 'news'],
    ['NEWS', 'NEWS'],
    ['News', 'news'],
    ['news.local', 'news.Local'],
    ['news.local.x', 'news.Local'],
    ['news.local.deep.x', 'news.local.deep'],
    ['example.org!News.LOCAL.X.y', 'example.org!news.local.x'],
    ['example.org!news', undefined],
    ['new', undefined],
    ['newss', undefined],
    ['user.News', undefined],
    ['deleted.news', undefined],
  ];
  for (const [name, found] of table) assert.equal(closest(name, names), found, name);
});

test('rights: added up, and what is taken away is gone', () => {
  const table: [acl: string, poster: string | undefined, may: boolean, sees?: boolean][] = [
    ['', 'joe', false, false],
    ['anyone\tp\t', 'anonymous', true],
    ['anonymous\tp\t', 'anonymous', true],
    ['anonymous\tp\t', 'joe', false, false],
    ['anyone\tl\tjoe\tp\t', 'joe', true],
    ['anyone\tl\tjoe\tp\t', 'Joe', true],
    ['anyone\tl\tjoe\tp\t', 'jane', false, true],
    ['anyone\tlp\t-joe\tp\t', 'joe', false, true],
    ['anyone\tlp\t-joe\tp\tjoe\tp\t', 'joe', false, true],
    ['anyone\tlp\t-joe\tlp\t', 'joe', false, false],
    ['anyone\tlp\t-joe\tlp\t', 'anonymous', true],
    ['anyone\tlp\t-joe\tlp\t', undefined, true],
    ['group:x\tp\t', 'joe', true],
    ['group:x\tp\t-joe\tp\t', 'joe', false, false],
    ['group:x\tp\t', 'anonymous', false, false],
    ['group:x\tl\t', 'joe', false, false],
    ['anyone\tlp\t-group:x\tp\t', 'joe', true],
    ['anyone\tp', 'joe', false, false],
    ['nonsense', 'joe', false, false],
    ['joe\tp\t', '', false, false],
  ];
  for (const [acl, poster, may, sees] of table)
    assert.deepEqual(accessOf(acl, poster), may ? { may } : { may, sees }, `${acl} for ${poster}`);
});

// Which mailbox an address means, under each of Cyrus' options; and how names are built.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldersOf, mailboxName, maxMailboxName, modifiedUtf7 } from '../../services/address/mailbox-name.ts';
import { parsePath } from '../../services/address/path.ts';
import { targetOf, type RecipientSettings, type Target } from '../../services/address/recipient.ts';

const defaults: RecipientSettings = {
  virtdomains: 'off',
  defaultdomain: 'internal',
  unixhierarchysep: false,
  lmtp_downcase_rcpt: true,
  postuser: '',
  lmtp_strict_rfc2821: false,
};

function target(address: string, settings: Partial<RecipientSettings> = {}): Target {
  const found = parsePath(`<${address}>`, false);
  assert.ok('path' in found, address);
  return targetOf(found.path, { ...defaults, ...settings });
}

/** [address, mailbox, handed on as (where that differs)]; a name that does not begin with `user.` is shared. */
type Row = [string, string, string?];

const tables: { title: string; settings: Partial<RecipientSettings>; rows: Row[] }[] = [
  {
    title: 'virtdomains: off',
    settings: {},
    rows: [
      ['alice', 'user.alice'],
      ['bob@example.org', 'user.bob'],
      ['nobody@example.org', 'user.nobody'],
      ['alice+Archive', 'user.alice'],
      ['alice+nosuch@example.org', 'user.alice'],
      ['bob+x@internal', 'user.bob'],
      ['bob+a+b@internal', 'user.bob'],
      ['bob+', 'user.bob'],
      ['carol+Some.Folder', 'user.carol'],
      ['+news.local', 'news.local'],
      ['+news.local@internal', 'news.local'],
      ['+news.local@example.org', 'news.local'],
      ['+News.Local', 'News.Local'],
      ['+..news..local.', 'news.local'],
      ['+news/local', 'news/local'],
      ['+news+local', 'news+local'],
      ['+T\xc3\xb6st', 'T&APY-st'],
      ['+T&APY-st', 'T&APY-st'],
      ['+', ''],
      ['+.', ''],
      ['a.b@example.org', 'user.a^b'],
      ['a^b@example.org', 'user.a^b'],
      ['Alice@Example.ORG', 'user.alice', 'alice@example.org'],
      ['ALICE+Sent.Old', 'user.alice', 'alice+Sent.Old'],
      ['alice+Sent.Old@EXAMPLE.org', 'user.alice', 'alice+Sent.Old@example.org'],
      ['"with quotes"', 'user."with quotes"'],
      ['"With Quotes"@example.org', 'user."with quotes"', '"with quotes"@example.org'],
      ['"a@b"@example.org', 'user."a@b"'],
      ['"a+b"@example.org', 'user."a'],
      ['""', 'user.""'],
      ['\\alice', 'user.\\alice'],
      ['J\xc3\x96RG', 'user.j\xc3\x96rg', 'j\xc3\x96rg'],
      ['a!b@example.org', ''],
      ['+evil!user.bob', ''],
      ['+example.org!user.bob', ''],
      ['user.bob', 'user.user^bob'],
      ['a@[192.0.2.1]', 'user.a'],
      [`${'a'.repeat(505)}@example.org`, `user.${'a'.repeat(505)}`],
      [`${'a'.repeat(506)}@example.org`, ''],
      ['', ''],
    ],
  },
  {
    title: 'virtdomains: userid',
    settings: { virtdomains: 'userid', defaultdomain: 'example.com', unixhierarchysep: true },
    rows: [
      ['a.b@example.org', 'example.org!user.a^b'],
      ['a.b@other.org', 'other.org!user.a^b'],
      ['alice', 'user.alice'],
      ['alice@example.org', 'example.org!user.alice'],
      ['alice@example.com', 'user.alice'],
      ['alice@Example.COM', 'user.alice', 'alice@example.com'],
      ['alice@Example.ORG', 'example.org!user.alice', 'alice@example.org'],
      ['alice+Sent.Old', 'user.alice'],
      ['alice+Sent/Old@example.org', 'example.org!user.alice'],
      ['+news/local@example.org', 'example.org!news.local'],
      ['+news/local@example.com', 'news.local'],
      ['+news/local', 'news.local'],
      ['+news.local', 'news^local'],
      ['+/news//local/', 'news.local'],
      ['"a@b"@example.org', 'example.org!user."a@b"'],
      ['alice@[192.0.2.1]', '[192.0.2.1]!user.alice'],
      ['alice@b\xc3\xbccher.example', 'b\xc3\xbccher.example!user.alice'],
      ['alice@xn--bcher-kva.example', 'xn--bcher-kva.example!user.alice'],
    ],
  },
  {
    title: 'virtdomains: on, lmtp_downcase_rcpt: off',
    settings: { virtdomains: 'on', defaultdomain: 'Example.com', lmtp_downcase_rcpt: false },
    rows: [
      ['Alice@Example.Org', 'Example.Org!user.Alice'],
      ['Alice@EXAMPLE.COM', 'user.Alice'],
      ['Alice+Detail', 'user.Alice'],
      ['+News.Local', 'News.Local'],
    ],
  },
  {
    title: 'postuser: Bulletin',
    settings: { postuser: 'Bulletin' },
    rows: [
      ['bulletin+news.local', 'news.local'],
      ['BULLETIN+News.Local@example.org', 'News.Local', 'bulletin+News.Local@example.org'],
      ['bulletin', ''],
      ['bulletin+', ''],
      ['+news.local', ''],
      ['bulletins+news.local', 'user.bulletins'],
    ],
  },
  {
    title: 'postuser: Bulletin, lmtp_downcase_rcpt: off',
    settings: { postuser: 'Bulletin', lmtp_downcase_rcpt: false },
    rows: [
      ['Bulletin+news.local', 'news.local'],
      ['bulletin+news.local', 'user.bulletin'],
    ],
  },
];

for (const { title, settings, rows } of tables) {
  for (const [address, mailbox, deliverAs] of rows) {
    test(`${title}: ${address.slice(0, 60)}`, () => {
      const found = target(address, settings);
      assert.equal(found.mailbox, mailbox);
      assert.equal(found.deliverAs, deliverAs ?? address);
      if (mailbox !== '') assert.equal(found.shared, !/^(?:[^!]*!)?user\./.test(mailbox));
    });
  }
}

test('a shared address that names a user folder stays a shared one: its ACL decides', () => {
  const found = target('+user.bob');
  assert.equal(found.mailbox, 'user.bob');
  assert.equal(found.shared, true);
});

test('the steps tell the way from the address to the mailbox', () => {
  const { steps } = target('Bob+x@Example.ORG', { virtdomains: 'userid' });
  assert.deepEqual(steps, [
    'address: Bob+x@Example.ORG',
    'user and domain in lower case (lmtp_downcase_rcpt)',
    'domain example.org: part of the name (virtdomains: userid)',
    'user: bob',
    'detail x: left to the backend; the INBOX decides',
    'mailbox: example.org!user.bob',
    'handed on as: bob+x@example.org',
  ]);
  assert.match(target('').steps.join('\n'), /none can have a name by this address/);
  assert.match(target('+news').steps.join('\n'), /stands for shared folders \(postuser\)/);
  assert.match(target('a@example.org').steps.join('\n'), /domain example\.org: ignored \(virtdomains: off\)/);
  assert.match(target('a@internal', { virtdomains: 'on' }).steps.join('\n'), /domain internal: the default domain/);
});

test('steps show octets as text', () => {
  assert.equal(target('j\xc3\xb6rg').steps[0], 'address: jörg');
});

test('names have at most 510 octets, domain included', () => {
  const parts = {
    domain: 'example.org',
    user: 'a',
    folders: ['f'.repeat(maxMailboxName - 'example.org!user.a.'.length)],
  };
  assert.equal(mailboxName(parts).length, maxMailboxName);
  assert.equal(mailboxName({ ...parts, domain: 'example.orgs' }), '');
  assert.equal(mailboxName({ domain: 'a!b', user: 'x', folders: [] }), '');
  assert.equal(mailboxName({ domain: undefined, user: 'x', folders: ['a', ''] }), '');
});

test('a dot inside a component becomes ^', () => {
  assert.equal(mailboxName({ domain: 'a.b', user: 'c.d', folders: ['e.f', 'g'] }), 'a.b!user.c^d.e^f.g');
});

test('folders are split at the separator that users see', () => {
  assert.deepEqual(foldersOf('a/b.c', '/'), ['a', 'b.c']);
  assert.deepEqual(foldersOf('a/b.c', '.'), ['a/b', 'c']);
  assert.deepEqual(foldersOf('', '.'), []);
});

test('UTF-8 becomes modified UTF-7, unless it is that already', () => {
  const cases: [string, string][] = [
    ['plain', 'plain'],
    ['T\xc3\xb6st', 'T&APY-st'],
    ['T&APY-st', 'T&APY-st'],
    ['a&b', 'a&-b'],
    ['a&-b', 'a&-b'],
    ['a&b-', 'a&b-'],
    ['a&b c-', 'a&-b c-'],
    ['\xc3\xb6&', '&APY-&-'],
    // RFC 3501 section 5.1.3's own example, in two of its components.
    ['\xe5\x8f\xb0\xe5\x8c\x97', '&U,BTFw-'],
    ['\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e', '&ZeVnLIqe-'],
    // Beyond the basic plane: a surrogate pair.
    ['\xf0\x9f\x98\x80', '&2D3eAA-'],
    ['\xff\xfe', '\xff\xfe'],
    ['\xc3', '\xc3'],
  ];
  for (const [from, to] of cases) assert.equal(modifiedUtf7(from), to);
});

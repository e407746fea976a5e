// The grammar of the socketmap, what its keys ask about, and what is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstMail, unasked, unknown } from '../../services/lmtp/routing.ts';
import type { Decision } from '../../services/lmtp/routing.ts';
import { reserved } from '../../services/lmtp/reply-codes.ts';
import { mailboxAnswer, transportAnswer, userAnswer } from '../../services/lookup/answer.ts';
import { asked } from '../../services/lookup/key.ts';
import { transportText } from '../../services/lookup/maps.ts';
import { RequestReader, wireText } from '../../services/lookup/socketmap.ts';
import type { Next } from '../../services/lookup/socketmap.ts';
import { netstring } from '../harness/socketmap.ts';

const limit = 100;

/** All that is read from the pieces, up to a fault. */
function read(...pieces: string[]): Next[] {
  const reader = new RequestReader(limit);
  const found: Next[] = [];
  for (const piece of pieces) {
    reader.take(piece);
    for (let next = reader.next(); next; next = reader.next()) {
      found.push(next);
      if ('malformed' in next) return found;
    }
  }
  return found;
}

test('requests are read whole, however they are cut into pieces and however many come at once', () => {
  const word = fc.stringMatching(/^[!-~]{1,20}$/);
  const request = fc.record({ map: word, key: fc.stringMatching(/^[\x00-\xff]{0,60}$/) }, { noNullPrototype: true });
  const cuts = fc.array(fc.nat(400), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 6 }), cuts, (requests, at) => {
      const text = requests.map(({ map, key }) => netstring(`${map} ${key}`)).join('');
      const ends = [...at.sort((a, b) => a - b), text.length];
      const pieces = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
      assert.deepEqual(
        read(...pieces),
        requests.map((one) => ({ request: one })),
      );
    }),
  );
});

test('what is no netstring is known by its first octets, and never waited for', () => {
  const faults = [
    'GET / HTTP/1.1\r\n\r\n',
    '\0',
    'x',
    ':',
    '-1:',
    '01:a,',
    '00:,',
    '3 :',
    '101:',
    '9999',
    '3:a b;',
    '\x80',
  ];
  for (const text of faults) {
    const [first] = read(text);
    assert.ok(first && 'malformed' in first, JSON.stringify(text));
  }
  for (const text of ['', '1', '12', '100', '100:', '3:a b', '3:a ']) assert.deepEqual(read(text), [], text);
  assert.match(JSON.stringify(read('101:')), /at most 100 octets/);
});

test('a netstring without a map and a key is told so, and the next one is read', () => {
  const found = read(netstring('word') + netstring('') + netstring(' key') + netstring('mailbox ada@example.org'));
  assert.deepEqual(
    found.map((next) => Object.keys(next)[0]),
    ['unfit', 'unfit', 'unfit', 'request'],
  );
});

test('answers are netstrings, with the space after NOTFOUND', () => {
  assert.equal(wireText({ status: 'NOTFOUND' }), '9:NOTFOUND ,');
  assert.equal(wireText({ status: 'OK', value: 'x' }), '4:OK x,');
  assert.equal(wireText({ status: 'TEMP', reason: 'later' }), '10:TEMP later,');
});

test('keys', () => {
  const table: [key: string, about: string, local?: string, domain?: string][] = [
    ['ada@example.org', 'address', 'ada', 'example.org'],
    ['ada+lists@example.org', 'address', 'ada+lists', 'example.org'],
    ['Ada@[192.0.2.1]', 'address', 'Ada', '[192.0.2.1]'],
    ['"a b"@example.org', 'address', '"a b"', 'example.org'],
    ['a b@example.org', 'address', '"a b"', 'example.org'],
    ['a"b@example.org', 'address', '"a\\"b"', 'example.org'],
    ['a>@example.org', 'address', '"a>"', 'example.org'],
    ['a> b@example.org', 'address', '"a> b"', 'example.org'],
    ['ada', 'user', 'ada'],
    ['ada+lists', 'user', 'ada+lists'],
    ['example.org', 'user', 'example.org'],
    ['@example.org', 'nobody'],
    ['@a.org:ada@example.org', 'nobody'],
    ['.example.org@', 'nobody'],
    ['*', 'nobody'],
    ['', 'nobody'],
    ['ada@', 'nobody'],
    ['ada@exa mple.org', 'nobody'],
    ['a\nb@example.org', 'nobody'],
    ['\xe4@example.org', 'nobody'],
    [`${'a'.repeat(1000)}@example.org`, 'nobody'],
  ];
  for (const [key, about, local, domain] of table) {
    const found = asked(key, true);
    assert.equal(found.about, about, key);
    if (found.about !== 'nobody') assert.deepEqual([found.path.local, found.path.domain], [local, domain], key);
  }
  assert.equal(asked('\xe4@example.org', false).about, 'address');
});

test('no key whatever makes the reader throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), (key, strict) => {
      asked(Buffer.from(key).toString('latin1'), strict);
    }),
  );
});

const deliver: Decision = { action: 'deliver', server: 'mail1', location: 'mail1!default' };
const taken: Decision = { action: 'defer', reply: reserved, reason: 'reserved' };
const refused: Decision = { action: 'reject', reply: { code: 550, enhanced: '5.7.1', lines: ['no'] }, reason: 'acl' };
const way = (server: string) => (server === 'mail1' ? 'lmtp:inet:[mail1]:24' : undefined);

test('NOTFOUND is said of what is refused by proof, and of nothing else', () => {
  const table: [Decision, mailbox: string, transport: string][] = [
    [deliver, 'OK user.ada mail1!default', 'OK lmtp:inet:[mail1]:24'],
    [{ ...deliver, server: 'mail9' }, 'OK user.ada mail1!default', 'TEMP no delivery from here to mail9'],
    [firstMail, 'OK user.ada', 'OK lmtp:unix:/l'],
    [unknown, 'NOTFOUND ', 'NOTFOUND '],
    [taken, 'TEMP Mailbox is currently reserved', 'TEMP Mailbox is currently reserved'],
    [unasked, 'TEMP Directory is not available', 'TEMP Directory is not available'],
    // A shared folder that takes mail from nobody: refused by proof, too.
    [refused, 'NOTFOUND ', 'NOTFOUND '],
  ];
  const told = (text: string) => text.replace(/^\d+:|,$/g, '').replace(/ \d\.\d\.\d /, ' ');
  for (const [decision, mailbox, transport] of table) {
    assert.equal(told(wireText(mailboxAnswer(decision, 'user.ada'))), mailbox);
    assert.equal(told(wireText(transportAnswer(decision, way, 'lmtp:unix:/l'))), transport);
  }
  assert.equal(transportAnswer(firstMail, way, undefined).status, 'TEMP');
});

test('a user without a domain is not said to exist where he may be several', () => {
  const found = mailboxAnswer(deliver, 'user.ada');
  assert.equal(userAnswer(found, 'off').status, 'OK');
  assert.equal(userAnswer(found, 'userid').status, 'TEMP');
  assert.equal(userAnswer(mailboxAnswer(unknown, 'user.ada'), 'on').status, 'NOTFOUND');
  assert.equal(userAnswer(mailboxAnswer(taken, 'user.ada'), 'off').status, 'TEMP');
});

test('values are valid UTF-8 without control characters, or Postfix would take the table for broken', () => {
  const text = wireText(mailboxAnswer(deliver, 'user.\xe4\r\n\xc3\xa4'));
  const bytes = Buffer.from(text, 'latin1');
  assert.equal(bytes.toString('utf8'), `${text.split(':')[0]}:OK user.\\xe4\\x0d\\x0a\u00e4 mail1!default,`);
  assert.match(text, new RegExp(`^${bytes.length - 4}:`));
});

test('the way to a backend is written as Postfix reads it', () => {
  const table: [Parameters<typeof transportText>[1], string][] = [
    [{ host: 'mail1.example.org', port: 24 }, 'lmtp:inet:[mail1.example.org]:24'],
    [{ host: '10.0.0.1', port: 24 }, 'lmtp:inet:[10.0.0.1]:24'],
    [{ host: '2001:db8::1', port: 24 }, 'lmtp:inet:[2001:db8::1]:24'],
    [{ host: '[2001:db8::1]', port: 24 }, 'lmtp:inet:[2001:db8::1]:24'],
    [{ path: '/run/cyrus/lmtp.sock' }, 'lmtp:unix:/run/cyrus/lmtp.sock'],
  ];
  for (const [address, text] of table) assert.equal(transportText('lmtp', address), text);
});

// Replies: as they are written, read, and passed on from a backend to the MTA.
import test from 'node:test';
import assert from 'node:assert/strict';
import {
  isPermanent,
  isPositive,
  parseReply,
  plainText,
  reply,
  wireText,
  type Reply,
} from '../../services/lmtp/reply.ts';
import { contradictsDirectory, recipientReply, senderReply, sessionReply } from '../../services/lmtp/status-map.ts';
import * as codes from '../../services/lmtp/reply-codes.ts';

function read(text: string): Reply {
  const parsed = parseReply(text);
  assert.ok(parsed, `no reply: ${text}`);
  return parsed;
}

const unknownToCyrus =
  '550-Mailbox unknown.  Either there is no mailbox associated with this\n' +
  '550-name or you do not have authorization to see it.\n550 5.1.1 User unknown';

test('a reply is written with its enhanced code on each line', () => {
  assert.equal(wireText(reply(250, '2.1.5', 'a', 'b')), '250-2.1.5 a\r\n250 2.1.5 b\r\n');
  assert.equal(wireText(reply(354, '', 'go')), '354 go\r\n');
});

test('a reply that was read is written as it was', () => {
  for (const text of [
    '250 2.1.5 Success SESSIONID=<x>',
    unknownToCyrus,
    '250-a\n250-\n250 b',
    '550 gr\xc3\xbc\xc3\x9fe',
  ]) {
    assert.equal(wireText(read(text)), text.replaceAll('\n', '\r\n') + '\r\n');
  }
});

test('the enhanced code is found where it stands, and only of the reply’s own class', () => {
  const table: [string, string][] = [
    ['250 2.1.5 ok', '2.1.5'],
    ['250 2.1.5', '2.1.5'],
    [unknownToCyrus, '5.1.1'],
    ['250 ok 2.1.5', ''],
    ['550 4.2.1 no', ''],
    ['550 5.1 no', ''],
    ['250', ''],
  ];
  for (const [text, enhanced] of table) assert.equal(read(text).enhanced, enhanced, text);
});

test('what is no reply is not taken for one', () => {
  for (const text of [
    '',
    'hello',
    '25 ok',
    '150 ok',
    '600 ok',
    '290 ok',
    '250ok',
    '250-a\n550 b',
    '250-a\nb',
    '-250 a',
    ' 250 a',
  ]) {
    assert.equal(parseReply(text), undefined, JSON.stringify(text));
  }
  // As many as there may be in the bytes that are read of one.
  assert.equal(read('550-5.7.1 x\n'.repeat(5000) + '550 5.7.1 x').lines.length, 5001);
  assert.equal(read('571 5.7.1 no').code, 571);
});

test('control characters and endless lines of a reply are not passed on', () => {
  assert.equal(wireText(read('550 5.7.1 a\rb\x00c\td')), '550 5.7.1 a?b?c\td\r\n');
  assert.ok(wireText(read('550 ' + 'x'.repeat(5000))).length < 1000);
});

test('what a backend says of a recipient, and what the MTA is told', () => {
  const kept = [
    '250 2.1.5 Success SESSIONID=<mail1-1>',
    '251 2.1.5 forwarded',
    '452 4.2.2 Over quota SESSIONID=<x>',
    '451 4.3.0 System I/O error',
    '450 4.2.1 busy',
    '552 5.2.2 Over quota',
    '552 5.2.3 too long for this one',
    '552 5.3.4 too big',
    '552 full',
    '550 5.7.1 Permission denied',
    '550-You may not\n550-post here\n550 5.7.1 Permission denied',
    '554 5.6.0 Message contains invalid header',
    '550 5.2.1 disabled',
  ];
  for (const text of kept) {
    const told = recipientReply(read(text), 'mail1');
    assert.equal(told.code, read(text).code, text);
    assert.ok(plainText(told).includes(plainText(read(text)).slice(0, 10)), text);
    assert.notEqual(told.enhanced, '', text);
  }
  const temporary: [string, string][] = [
    [unknownToCyrus, '4.2.1'],
    ['550 5.1.2 bad domain', '4.2.1'],
    ['553 5.1.3 bad address', '4.2.1'],
    ['550 no such user', '4.2.1'],
    ['554 failed', '4.4.3'],
    ['550 5.1.8 bad sender', '4.4.3'],
    ['550 5.4.6 loop', '4.4.3'],
    ['503 5.5.1 no MAIL', '4.4.3'],
    ['501 5.5.4 Unrecognized parameters', '4.4.3'],
    ['500 what', '4.4.3'],
    ['530 5.7.0 authenticate', '4.4.3'],
    ['354 go ahead', '4.4.3'],
  ];
  for (const [text, enhanced] of temporary) {
    const told = recipientReply(read(text), 'mail1');
    assert.deepEqual([told.code, told.enhanced], [451, enhanced], text);
    assert.match(wireText(told), /mail1/);
    assert.equal(told.lines.length, 1);
  }
});

test('a reply without enhanced code gets one, a reply with one is left whole', () => {
  assert.equal(wireText(recipientReply(read('250-a\n250 b'), 's')), '250-2.1.5 a\r\n250 2.1.5 b\r\n');
  assert.equal(wireText(recipientReply(read('452 full'), 's')), '452 4.2.2 full\r\n');
  assert.equal(wireText(recipientReply(read('450'), 's')), '450 4.0.0\r\n');
  assert.equal(wireText(recipientReply(read('250-a\n250 2.0.0 b'), 's')), '250-a\r\n250 2.0.0 b\r\n');
});

test('a session refused is temporary, whatever it said; MAIL may say that the message is too big', () => {
  for (const text of [
    '554 5.7.1 go away',
    '530 Authentication required',
    '421 4.3.2 bye',
    '501 5.5.4 undefined error!',
  ]) {
    assert.deepEqual([sessionReply(read(text), 's').code, senderReply(read(text), 's').code], [451, 451], text);
  }
  assert.equal(wireText(senderReply(read('552 5.3.4 too big'), 's')), '552 5.3.4 too big\r\n');
  assert.equal(senderReply(read('452 4.3.1 full'), 's').code, 452);
  assert.equal(wireText(senderReply(read('552 too big'), 's')), '552 5.3.4 too big\r\n');
  assert.equal(wireText(senderReply(read('552 5.2.3 too big'), 's')), '552 5.2.3 too big\r\n');
  // Not about the size: whose box that would be is not known yet.
  assert.equal(senderReply(read('552 5.2.2 full'), 's').code, 451);
  assert.equal(senderReply(read('552 5.7.1 no'), 's').code, 451);
});

test('which refusals say that the directory is wrong: no such mailbox here, and nothing else', () => {
  const table: [string, boolean][] = [
    [unknownToCyrus, true],
    ['550 no such user', true],
    ['551 not here', true],
    ['553 5.1.3 bad address', true],
    ['550 5.1.6 moved', true],
    ['550 5.1.8 bad sender', false],
    ['550 5.1.7 bad sender', false],
    ['554 failed', false],
    ['550 5.7.1 no', false],
    ['550 5.2.1 disabled', false],
    ['552 5.2.2 full', false],
    ['450 4.1.1 not yet', false],
    ['250 2.1.5 ok', false],
    ['501 5.1.3 syntax', false],
  ];
  for (const [text, expected] of table) assert.equal(contradictsDirectory(read(text)), expected, text);
});

test('every reply of ours is a reply, and its codes agree', () => {
  const samples = { servername: 's', limit: 1 };
  let looked = 0;
  for (const [name, made] of Object.entries(codes)) {
    const value =
      typeof made === 'function' ? (made as (...words: unknown[]) => Reply)(samples.servername, ['x']) : made;
    const again = parseReply(wireText(value).trimEnd().replaceAll('\r\n', '\n'));
    assert.deepEqual(again, value, name);
    if (value.enhanced !== '') assert.equal(value.enhanced[0], String(value.code)[0], name);
    if (isPermanent(value) || isPositive(value)) looked++;
  }
  assert.ok(looked > 10);
});

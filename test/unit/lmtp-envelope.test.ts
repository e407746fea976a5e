// What a backend is told of a message: each parameter where it has announced it, and nowhere else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envelopeOf, lacksUtf8, xtext, type Offers, type Origin } from '../../services/lmtp/envelope.ts';
import type { Sender } from '../../services/lmtp/message-handler.ts';

const path = { local: 's', domain: 'x', raw: 's@x' };
const sender: Sender = { path, size: 10, body: '8BITMIME', auth: 'joe+40x', smtputf8: true };
const origin: Origin = {
  mtaQueueId: '4Xy',
  traceId: 'trace-1',
  xforward: new Map([
    ['NAME', 'a b.example'],
    ['ADDR', '192.0.2.1'],
    ['HELO', 'h=1+2'],
  ]),
};
const stops = [
  { slot: 0, path: 'ann', ignoreQuota: true },
  { slot: 1, path: 'bob', ignoreQuota: false },
];

/** A backend with these lines of LHLO. */
function offering(...lines: string[]): Offers {
  const found = (keyword: string) => lines.find((line) => line.split(' ')[0] === keyword);
  return {
    offers: (keyword) => found(keyword) !== undefined,
    argumentsOf: (keyword) => found(keyword)?.slice(keyword.length + 1) ?? '',
  };
}

test('nothing is announced, nothing is said', () => {
  assert.deepEqual(envelopeOf(sender, stops, origin, 100, offering()), {
    prelude: [],
    mail: 'MAIL FROM:<s@x>',
    rcpts: ['RCPT TO:<ann>', 'RCPT TO:<bob>'],
  });
});

test('each parameter by itself', () => {
  const table: [string, string][] = [
    ['SIZE', 'MAIL FROM:<s@x> SIZE=110'],
    ['8BITMIME', 'MAIL FROM:<s@x> BODY=8BITMIME'],
    ['SMTPUTF8', 'MAIL FROM:<s@x> SMTPUTF8'],
    ['AUTH', 'MAIL FROM:<s@x> AUTH=joe+40x'],
  ];
  for (const [keyword, mail] of table) {
    assert.equal(envelopeOf(sender, stops, origin, 100, offering(keyword)).mail, mail);
  }
  assert.equal(
    envelopeOf({ ...sender, auth: undefined }, stops, origin, 0, offering('AUTH PLAIN')).mail,
    'MAIL FROM:<s@x> AUTH=<>',
  );
  assert.deepEqual(envelopeOf(sender, stops, origin, 0, offering('IGNOREQUOTA')).rcpts, [
    'RCPT TO:<ann> IGNOREQUOTA',
    'RCPT TO:<bob>',
  ]);
  assert.deepEqual(envelopeOf(sender, stops, origin, 0, offering('TRACE')).prelude, ['TRACE trace-1']);
});

test('XFORWARD: the attributes that were announced, as xtext', () => {
  const prelude = (line: string, from = origin) => envelopeOf(sender, stops, from, 0, offering(line)).prelude;
  assert.deepEqual(prelude('XFORWARD NAME ADDR PROTO HELO IDENT'), [
    'XFORWARD IDENT=4Xy NAME=a+20b.example ADDR=192.0.2.1 HELO=h+3D1+2B2',
  ]);
  assert.deepEqual(prelude('XFORWARD addr'), ['XFORWARD ADDR=192.0.2.1']);
  assert.deepEqual(prelude('XFORWARD'), []);
  assert.deepEqual(prelude('XFORWARD NAME', { mtaQueueId: '', traceId: '', xforward: new Map() }), []);
});

test('XFORWARD: no line beyond 512 octets', () => {
  const long = new Map(['NAME', 'HELO', 'ADDR', 'IDENT'].map((name) => [name, name.repeat(60)]));
  const lines = envelopeOf(
    sender,
    stops,
    { ...origin, mtaQueueId: '', xforward: long },
    0,
    offering('XFORWARD NAME HELO ADDR IDENT'),
  ).prelude;
  assert.deepEqual(
    lines.map((line) => line.replace(/=\S+/g, '')),
    ['XFORWARD NAME HELO', 'XFORWARD ADDR', 'XFORWARD IDENT'],
  );
  assert.ok(lines.every((line) => line.length <= 510));
  const endless = new Map([
    ['NAME', '\xff'.repeat(255)],
    ['ADDR', 'x'],
  ]);
  assert.deepEqual(
    envelopeOf(sender, stops, { ...origin, mtaQueueId: '', xforward: endless }, 0, offering('XFORWARD NAME ADDR'))
      .prelude,
    ['XFORWARD ADDR=x'],
  );
});

test('xtext (RFC 3461 section 4)', () => {
  assert.equal(xtext('a+b=c d\xe9~!'), 'a+2Bb+3Dc+20d+E9~!');
});

test('a message that needs SMTPUTF8 is not for a backend without it', () => {
  assert.equal(lacksUtf8(sender, offering()), true);
  assert.equal(lacksUtf8(sender, offering('SMTPUTF8')), false);
  assert.equal(lacksUtf8({ ...sender, smtputf8: false }, offering()), false);
});

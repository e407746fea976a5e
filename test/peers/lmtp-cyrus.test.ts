// Messages that real Cyrus would take for two: none of them gets there as such, and what is harmless arrives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { withoutCyrus } from '../harness/peers.ts';

/** Each is followed by a second message, in the eyes of a server that sees the end here. */
const ends = {
  'LF.LF': 'x\n.\n',
  'LF.CRLF': 'x\n.\r\n',
  'CRLF.LF': 'x\r\n.\n',
  'a CR before the dot': 'x\r\n\r.\r\n',
  'a CR behind the dot': 'x\r\n.\r\r\n',
  'a line as long as its buffer': 'x'.repeat(8189) + '.\r\n',
  'a CR at the end of its buffer': 'x'.repeat(8188) + '\r.\r\n',
};
const evil = 'MAIL FROM:<evil@example.org>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n';

/** What Cyrus takes, and what it refuses in words of its own. */
const harmless: [string, RegExp][] = [
  ['a\r\n..\r\nb\r\n', /^250 2\.1\.5 Success SESSIONID=<mail1-/],
  ['bare\rCR and\nLF\n..x\r\n', /^250 2\.1\.5 /],
  ['x'.repeat(20_000) + '\r\n', /^250 2\.1\.5 /],
  ['gr\xc3\xbc\xc3\x9fe\r\n', /^250 2\.1\.5 /],
  ['a NUL \0\r\n', /^554 5\.6\.0 Message contains NUL characters$/],
];

test('what Cyrus sees of messages with an end in the middle', { skip: withoutCyrus() }, async (t) => {
  const cyrus = await startCyrus({ nodes: ['mail1'] });
  t.after(() => cyrus.stop());
  const imap = await (await ImapClient.connect(cyrus.node('mail1').imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
  await imap.ok('CREATE user.alice');
  await imap.ok('SETACL user.alice cyrus lrswipkxtecda');
  const proxy = await runProxy(t, {
    backends: { mail1: cyrus.node('mail1').lmtp },
    users: { alice: 'mail1' },
    username: 'mailproxy',
    password: CYRUS_PASSWORD.mailproxy,
    settings: { connect_timeout: 10_000, envelope_timeout: 10_000, reply_timeout: 10_000 },
  });
  const mta = await Mta.greet(proxy.address);
  const head = 'Subject: x\r\n\r\n';
  for (const [what, end] of Object.entries(ends)) {
    const said = await mta.send(['<alice>'], head + end + evil);
    assert.match(said[0] ?? '', /^554 5\.6\.0 /, what);
  }
  let taken = 0;
  for (const [body, told] of harmless) {
    const said = await mta.send(['<alice>'], head + body);
    assert.match(said[0] ?? '', told);
    if (said[0]?.startsWith('250')) taken++;
  }
  const untagged = await imap.ok('STATUS user.alice (MESSAGES)');
  assert.match(untagged.join(' '), new RegExp(`MESSAGES ${taken}\\b`));
});

test(
  'a message larger than Cyrus takes: it says so once for all, and the next one goes its way',
  { skip: withoutCyrus() },
  async (t) => {
    const cyrus = await startCyrus({ nodes: ['mail1'], options: { mail1: ['maxmessagesize: 5000'] } });
    t.after(() => cyrus.stop());
    const imap = await (await ImapClient.connect(cyrus.node('mail1').imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
    for (const user of ['alice', 'bob']) await imap.ok(`CREATE user.${user}`);
    const proxy = await runProxy(t, {
      backends: { mail1: cyrus.node('mail1').lmtp },
      users: { alice: 'mail1', bob: 'mail1' },
      username: 'mailproxy',
      password: CYRUS_PASSWORD.mailproxy,
      settings: { connect_timeout: 10_000, envelope_timeout: 10_000, reply_timeout: 30_000 },
    });
    const mta = await Mta.greet(proxy.address);
    const large = `Subject: x\r\n\r\n${`${'y'.repeat(70)}\r\n`.repeat(200)}`;
    const tooBig = /^552 5\.2\.3 Message size \(\d+\) exceeds fixed maximum message size \(5000\)$/;
    for (const rcpts of [['<alice>', '<bob>'], ['<alice>']]) {
      for (const said of await mta.send(rcpts, large)) assert.match(said, tooBig);
      for (const said of await mta.send(['<alice>', '<bob>'])) assert.match(said, /^250 2\.1\.5 Success/);
    }
  },
);

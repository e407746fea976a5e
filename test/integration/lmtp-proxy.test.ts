// A message through the proxy: to several backends at once, whole, with one reply for each recipient.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

async function backend(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<FakeBackend> {
  const fake = await new FakeBackend(behaviour).listen();
  t.after(() => fake.close());
  return fake;
}

test('recipients on two backends, twice, unknown and reserved: routed, delivered, answered in order', async (t) => {
  const [mail1, mail2] = [await backend(t), await backend(t)];
  const proxy = await runProxy(t, { backends: { mail1, mail2 }, users: { ann: 'mail1', bob: 'mail2', cas: 'mail1' } });
  proxy.rows.set('user.eve', { name: 'user.eve', state: 'handed', location: 'mail1!x', acl: '', version: 1 });
  const mta = await Mta.greet(proxy.address);
  const rcpts = ['<Ann@x>', '<bob+a/b>', '<nobody>', '<ann>', '<eve>', '<cas@x> IGNOREQUOTA', '<Ann@x>'];
  assert.deepEqual(await mta.envelope(rcpts, '<s@example.org> SIZE=10 BODY=8BITMIME'), [
    '250 2.1.5 Ok',
    '250 2.1.5 Ok',
    '550 5.1.1 User unknown',
    '250 2.1.5 Ok',
    '451 4.2.1 Mailbox is currently reserved',
    '250 2.1.5 Ok',
    '250 2.1.5 Ok',
  ]);
  assert.deepEqual(await mta.body('Subject: x\r\n\r\n..hello\r\n', 5), [
    '250 2.1.5 <ann@x> Ok SESSIONID=<fake>',
    '250 2.1.5 <bob+a/b> Ok SESSIONID=<fake>',
    '250 2.1.5 <ann> Ok SESSIONID=<fake>',
    '250 2.1.5 <cas@x> IGNOREQUOTA Ok SESSIONID=<fake>',
    '250 2.1.5 <ann@x> Ok SESSIONID=<fake>',
  ]);
  const raw = mail1.messages[0]?.raw ?? '';
  assert.match(
    raw,
    /^Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.test \(Rookery\) with LMTP id \w+;\r\n\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\nSubject: x\r\n\r\n\.\.hello\r\n$/,
  );
  assert.equal(mail2.messages[0]?.raw, raw);
  const traceLength = raw.indexOf('Subject');
  const envelope = mail1.messages.map(({ mail, rcpts: to }) => [mail, ...to]);
  assert.deepEqual(envelope, [
    [
      `MAIL FROM:<s@example.org> SIZE=${10 + traceLength} BODY=8BITMIME`,
      '<ann@x>',
      '<ann>',
      '<cas@x> IGNOREQUOTA',
      '<ann@x>',
    ],
  ]);
  assert.deepEqual(proxy.delivered.sort(), [
    'user.ann at mail1',
    'user.ann at mail1',
    'user.ann at mail1',
    'user.bob at mail2',
    'user.cas at mail1',
  ]);
  await mta.quit();
});

test('what is written in the mail log', async (t) => {
  const mail1 = await backend(t, { after: () => '250 2.1.5 ok\n452 4.2.2 Over quota' });
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1', bob: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  await mta.say('XFORWARD IDENT=4XyZ+2B1');
  await mta.envelope(['<Ann@x>', '<nobody>', '<bob>'], '<>');
  await mta.body('x\r\n', 2);
  const [unknown, ann, bob] = proxy.outcomes;
  assert.ok(unknown && ann && bob && proxy.outcomes.length === 3);
  const { delay_ms, session, transaction, ...rest } = unknown;
  assert.ok(delay_ms >= 0 && session.length > 10 && transaction.length > 10);
  assert.deepEqual(rest, {
    mta_queue_id: '4XyZ+1',
    from: '<>',
    to: 'nobody',
    mailbox: 'user.nobody',
    code: 550,
    dsn: '5.1.1',
    text: 'User unknown',
    outcome: 'rejected',
    reason: 'unknown',
    tls: false,
  });
  assert.deepEqual(
    [ann.to, ann.orig_to, ann.backend, ann.code, ann.outcome, ann.bytes],
    ['ann@x', 'Ann@x', 'mail1', 250, 'delivered', 3],
  );
  assert.deepEqual(
    [bob.code, bob.dsn, bob.text, bob.outcome, bob.reason],
    [452, '4.2.2', 'Over quota', 'deferred', 'backend'],
  );
  assert.ok([ann.connect_ms, ann.send_ms, ann.reply_ms].every((ms) => ms !== undefined && ms >= 0));
  assert.equal(new Set([unknown, ann, bob].map((each) => each.transaction)).size, 1);
  assert.match(mail1.messages[0]?.raw ?? '', new RegExp(`id ${ann.transaction};`));
});

test('parameters go only to backends that offer them; one command at a time to those that do not pipeline', async (t) => {
  const plain = await backend(t, { keywords: [] });
  const rich = await backend(t, { keywords: ['8BITMIME', 'SIZE', 'AUTH PLAIN', 'IGNOREQUOTA'] });
  const proxy = await runProxy(t, { backends: { plain, rich }, users: { ann: 'plain', bob: 'rich' } });
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(['<ann> IGNOREQUOTA', '<bob> IGNOREQUOTA'], '<s@x> BODY=7BIT');
  assert.equal((await mta.body('\r\n', 2)).length, 2);
  assert.deepEqual(plain.lines, ['LHLO mx.test', 'MAIL FROM:<s@x>', 'RCPT TO:<ann>', 'DATA']);
  assert.deepEqual(rich.lines.slice(1), ['MAIL FROM:<s@x> BODY=7BIT AUTH=<>', 'RCPT TO:<bob> IGNOREQUOTA', 'DATA']);
  await mta.envelope(['<bob>'], '<s@x> AUTH=joe+40x');
  await mta.body('\r\n', 1);
  assert.equal(rich.lines[4], 'MAIL FROM:<s@x> AUTH=joe+40x');
});

test('AUTH PLAIN, where it is offered and there are credentials', async (t) => {
  const offers = await backend(t, { keywords: ['PIPELINING', 'AUTH LOGIN PLAIN'] });
  const silent = await backend(t);
  const refuses = await backend(t, {
    keywords: ['AUTH PLAIN'],
    // Whatever it was sent comes back: it must not reach the MTA or the log.
    command: (verb, line) => (verb === 'AUTH' ? `535 5.7.8 no: ${line}` : undefined),
  });
  const proxy = await runProxy(t, {
    backends: { offers, silent, refuses },
    users: { ann: 'offers', bob: 'silent', cas: 'refuses' },
    username: 'mailproxy',
  });
  const mta = await Mta.greet(proxy.address);
  assert.deepEqual(await mta.send(['<ann>', '<bob>', '<cas>']), [
    '250 2.1.5 <ann> Ok SESSIONID=<fake>',
    '250 2.1.5 <bob> Ok SESSIONID=<fake>',
    '451 4.4.3 Backend refuses refused the session: 535 5.7.8 (to AUTH)',
  ]);
  assert.equal(offers.lines[1], `AUTH PLAIN ${Buffer.from('\0mailproxy\0s3cret').toString('base64')}`);
  assert.equal(offers.lines[2], 'MAIL FROM:<s@example.org> AUTH=<>');
  assert.equal(silent.lines[1], 'MAIL FROM:<s@example.org>');
  assert.doesNotMatch(JSON.stringify(proxy.outcomes), /s3cret/);
});

test('a pipelining MTA, and many messages over the same connections', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  const one = 'MAIL FROM:<>\r\nRCPT TO:<ann>\r\nRCPT TO:<no>\r\nDATA\r\nx\r\n.\r\n';
  mta.socket.write(one.repeat(20));
  for (let count = 0; count < 20; count++) {
    for (const begin of ['250 2.1.0', '250 2.1.5', '550 5.1.1', '354', '250 2.1.5 <ann>']) {
      const said = await mta.reply();
      assert.ok(said.startsWith(begin), said);
    }
  }
  assert.equal(mail1.messages.filter((message) => message.whole).length, 20);
  assert.equal(mail1.connections, 1);
  assert.deepEqual(proxy.pools.connections(), [{ backend: 'mail1', busy: 0, idle: 1, waiting: 0, late: 0 }]);
});

test('a kept connection that the backend has closed is replaced without anybody noticing', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  await mta.send(['<ann>']);
  // At MAIL, as a firewall or a restarted backend does it; and with a 421 in place of the reply.
  for (const say of ['CLOSE', '421 4.4.1 bye']) {
    const old = mail1.connections;
    mail1.behaviour.command = (verb, _line, connection) => (verb === 'MAIL' && connection <= old ? say : undefined);
    assert.match((await mta.send(['<ann>']))[0] ?? '', /^250/, say);
    assert.equal(mail1.connections, old + 1);
  }
  // While it was kept.
  mail1.hangUp();
  await until('it is forgotten', () => proxy.pools.connections()[0]?.idle === 0);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^250/);
  // Over and over: then it is the backend's fault.
  mail1.behaviour.command = (verb) => (verb === 'MAIL' ? 'CLOSE' : undefined);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.2/);
});

test('a transaction that came to nothing is cleared before the next one', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  mail1.behaviour.command = (verb) => (verb === 'RCPT' ? '452 4.2.2 Over quota' : undefined);
  const mta = await Mta.greet(proxy.address);
  assert.deepEqual(await mta.send(['<ann>']), ['452 4.2.2 Over quota']);
  mail1.behaviour.command = () => undefined;
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^250/);
  assert.equal(mail1.connections, 1);
  assert.ok(mail1.lines.includes('RSET'));
});

test('a backend on a Unix socket, and one that nothing is known of', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rookery-lmtp-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const local = await new FakeBackend().listen(`${folder}/lmtp`);
  t.after(() => local.close());
  const proxy = await runProxy(t, {
    backends: { local, noLmtp: undefined },
    users: { ann: 'local', bob: 'noLmtp', cas: 'other' },
  });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.envelope(['<ann>', '<bob>', '<cas>']);
  assert.deepEqual(said.slice(1), [
    '451 4.4.3 No delivery from here to noLmtp',
    '451 4.4.3 No delivery from here to other',
  ]);
  assert.match((await mta.body('x\r\n', 1))[0] ?? '', /^250/);
});

test('unknown is only said when it is proven', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, trusted: false });
  const mta = await Mta.greet(proxy.address);
  await mta.say('MAIL FROM:<>');
  assert.match(await mta.say('RCPT TO:<nobody>'), /^451 4\.4\.3/);
  assert.match(await mta.say('RCPT TO:<ann>'), /^250/);
  proxy.lookup.answer = () => Promise.reject(new Error('Redis is away'));
  assert.match(await mta.say('RCPT TO:<ann>'), /^451 4\.4\.3/);
  proxy.lookup.answer = () => new Promise(() => undefined);
  assert.match(await mta.say('RCPT TO:<ann>'), /^451 4\.4\.3/);
  proxy.lookup.answer = () => {
    throw new Error('not even a promise');
  };
  assert.match(await mta.say('RCPT TO:<ann>'), /^451 4\.4\.3/);
  assert.deepEqual(
    proxy.outcomes.map((each) => each.reason),
    ['unproven', 'directory', 'directory', 'directory'],
  );
});

test('a mailbox that cannot be looked for again at DATA is put off, and the others get theirs', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1', bob: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  await mta.say('MAIL FROM:<>');
  assert.match(await mta.say('RCPT TO:<ann>'), /^250/);
  assert.match(await mta.say('RCPT TO:<bob>'), /^250/);
  // Nothing is remembered here, and without a lease nobody waits for us who moves ann now.
  const { answer } = proxy.lookup;
  proxy.lookup.answer = (names) => (names.includes('user.ann') ? new Promise(() => undefined) : answer(names));
  await mta.say('DATA');
  const said = await mta.body('x\r\n', 2);
  assert.equal(said[0], '451 4.4.3 Directory is not available');
  assert.match(said[1] ?? '', /^250/);
  assert.ok(mail1.messages.every(({ rcpts }) => !rcpts.includes('<ann>')));
  assert.equal(proxy.outcomes[0]?.reason, 'directory');
});

test('a directory that hangs is waited for once a message, not once a recipient', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  let asked = 0;
  let hangs = true;
  const { answer } = proxy.lookup;
  proxy.lookup.answer = async (names) => {
    asked += names.length;
    return hangs && names[0] !== 'user.ann' ? new Promise(() => undefined) : answer(names);
  };
  const mta = await Mta.greet(proxy.address);
  const said = await mta.envelope(['<ann>', '<bob>', '<cas>', '<ann>']);
  const away = '451 4.4.3 Directory is not available';
  assert.deepEqual([said, asked], [['250 2.1.5 Ok', away, away, away], 2]);
  assert.equal((await mta.body('x\r\n', 1)).length, 1);
  hangs = false;
  await mta.say('MAIL FROM:<>');
  await until('it is asked again', async () => (await mta.say('RCPT TO:<ann>')).startsWith('250'));
});

test('where no backend is registered nobody is unknown', async (t) => {
  const proxy = await runProxy(t, { backends: {}, users: {} });
  const mta = await Mta.greet(proxy.address);
  assert.deepEqual(await mta.envelope(['<ann>']), ['451 4.4.3 Directory cannot tell yet whether this mailbox exists']);
});

test('a shared folder takes mail from whom its ACL lets post: the user of AUTH=, if he is believed', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  const shared = (name: string, acl: string) =>
    proxy.rows.set(name, { name, state: 'active', location: 'mail1!default', acl, version: 1 });
  shared('news', 'anyone\tlrsp\t');
  shared('team', 'anyone\tlrs\tjoe\tlrsp\t');
  shared('team.secret', 'joe\tlrsp\t');
  const mta = await Mta.greet(proxy.address);
  const rcpts = ['<+news@x>', '<+team@x>', '<+team/secret@x>', '<ann@x>'];
  assert.deepEqual(await mta.envelope(rcpts, '<s@example.org> AUTH=<>'), [
    '250 2.1.5 Ok',
    '550 5.7.1 Permission denied: no right to post to this mailbox',
    '550 5.1.1 User unknown',
    '250 2.1.5 Ok',
  ]);
  await mta.body('Subject: x\r\n\r\nhello\r\n', 2);
  await until('all are told', () => proxy.outcomes.length === 4);
  assert.deepEqual(proxy.outcomes.map(({ mailbox, reason = 'delivered' }) => `${mailbox} ${reason}`).sort(), [
    'news delivered',
    'team permission',
    'team.secret permission',
    'user.ann delivered',
  ]);
});

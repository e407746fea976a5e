// The administrator's IMAP client against servers that refuse, are silent, talk nonsense or go away: never a false answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { destroy, drip, fakeImap as fake, half, silence } from '../harness/imap-fake.ts';
import type { FakeImap as Fake, Reaction } from '../harness/imap-fake.ts';
import { until } from '../harness/until.ts';

/** `timeout` is long where it must not matter. */
async function connect(t: TestContext, { port }: Fake, timeout = 60_000, username = 'cyrus'): Promise<ImapAdmin> {
  const access = { host: '127.0.0.1', port, username, password: 's3cret' };
  const admin = await ImapAdmin.connect(access, { timeout, server: 'mail1' });
  t.after(() => admin.close());
  return admin;
}

test('clear answers: has, moving, lacks; the separator is the server’s, names are quoted', async (t) => {
  const server = await fake(t, {
    MYRIGHTS: (socket) => {
      const [tag = '', , name = ''] = /^(\S+) (\S+) (.*)$/.exec(server.heard.at(-1) ?? '')?.slice(1) ?? [];
      if (name.includes('here')) socket.write(`* MYRIGHTS ${name} la\r\n${tag} OK Completed\r\n`);
      else if (name.includes('away'))
        socket.write(`${tag} NO [REFERRAL imap://;AUTH=*@mail2/user/away] Remote mailbox.\r\n`);
      else socket.write(`${tag} NO Mailbox does not exist\r\n`);
    },
    LIST: '* LIST (\\HasChildren) "/" user/jd\r\n* LIST () "/" {8}\r\nuser/j%d\r\n* LIST (\\Noselect) "/" "user/j*d"\r\n% OK x\r\n',
  });
  const admin = await connect(t, server);
  assert.deepEqual(await Promise.all(['user.here."q\\', 'user.away', 'user.j*d'].map((name) => admin.holds(name))), [
    'has',
    'moving',
    'lacks',
  ]);
  assert.equal(server.heard.filter((line) => line.includes('MYRIGHTS'))[0]?.slice(3), 'MYRIGHTS "user/here/\\"q\\\\"');
  await admin.close();
  await admin.close();
  assert.match(server.heard.at(-1) ?? '', / LOGOUT$/);
});

const unclear: [what: string, script: Record<string, Reaction>, error: RegExp][] = [
  ['MYRIGHTS refused', { MYRIGHTS: '% NO Permission denied\r\n' }, /MYRIGHTS of user\.x: NO Permission denied/],
  ['MYRIGHTS fails', { MYRIGHTS: '% NO System I/O error\r\n' }, /NO System I\/O error/],
  ['MYRIGHTS unknown', { MYRIGHTS: '% BAD Unrecognized command\r\n' }, /BAD Unrecognized/],
  ['OK without rights', { MYRIGHTS: '% OK Completed\r\n' }, /MYRIGHTS of user\.x: OK Completed/],
  [
    'rights of another',
    { MYRIGHTS: '* MYRIGHTS user/xy lrs\r\n% OK Completed\r\n' },
    /OK Completed, after "MYRIGHTS user\/xy/,
  ],
  ['LIST refused', { LIST: '% NO Permission denied\r\n' }, /LIST of user\.x: NO Permission denied/],
  ['LIST unknown', { LIST: '% BAD no\r\n' }, /LIST of user\.x: BAD no/],
  ['LIST says otherwise', { LIST: '* LIST () "/" user/x\r\n% OK x\r\n' }, /LIST of user\.x: OK x, after "LIST \(\) /],
  ['LIST says otherwise in a literal', { LIST: '* LIST () "/" {6}\r\nuser/x\r\n% OK x\r\n' }, /LIST of user\.x: OK x/],
  ['LIST says otherwise in quotes', { LIST: '* list (\\Marked) NIL "user/x"\r\n% ok x\r\n' }, /LIST of user\.x: OK x/],
  ['LIST garbled', { LIST: '* LIST (() user/x\r\n% OK x\r\n' }, /LIST of user\.x: OK x/],
  ['garbage', { MYRIGHTS: 'HTTP/1.1 400 Bad Request\r\n' }, /answers with "HTTP\/1\.1 400/],
  ['binary garbage', { MYRIGHTS: '\x00\xff\r\n' }, /answers with "/],
  ['another tag', { MYRIGHTS: 'R99 NO Mailbox does not exist\r\n' }, /answers with "R99/],
  ['a `+` unasked', { MYRIGHTS: '+ go on\r\n% NO Mailbox does not exist\r\n' }, /answers with "\+ go on"/],
  [
    'two answers',
    { MYRIGHTS: '% NO Mailbox does not exist\r\n% OK Completed\r\n' },
    /answers (?:with|unasked with) "R\d OK/,
  ],
  [
    'two answers to LIST',
    { MYRIGHTS: '% NO Mailbox does not exist\r\n%0 OK Completed\r\n' },
    /answers (?:unasked )?with "R\d0 OK/,
  ],
  [
    'BYE',
    { MYRIGHTS: '* BYE Server shutting down\r\n% NO Mailbox does not exist\r\n' },
    /says BYE: Server shutting down/,
  ],
  ['BYE in LIST', { LIST: '* BYE\r\n' }, /says BYE: $/],
  ['closes', { MYRIGHTS: destroy }, /the server closed the connection|ECONNRESET/],
  ['closes in the middle of LIST', { LIST: half }, /the server closed the connection|ECONNRESET/],
  ['a line without end', { MYRIGHTS: `* ${'x'.repeat(70_000)}` }, /more than we take/],
  ['a literal without end', { MYRIGHTS: '* MYRIGHTS {999999999}\r\nx' }, /more than we take/],
  ['untagged lines without end', { MYRIGHTS: `* ${'x'.repeat(60_000)}\r\n`.repeat(20) }, /more than we take/],
];
for (const [what, script, error] of unclear) {
  test(`no answer is never “lacks”: ${what}`, async (t) => {
    const server = await fake(t, script);
    const admin = await connect(t, server);
    await assert.rejects(admin.holds('user.x'), (thrown: Error) => {
      assert.match(thrown.message, error);
      assert.ok(thrown.message.startsWith(`mail1 (127.0.0.1:${server.port}): `), thrown.message);
      return true;
    });
    await admin.close();
  });
}

test('silence, a drip, a literal that stays short: bounded by time, and the connection is given up', async (t) => {
  const scripts = [silence, drip, '* LIST () "/" {6}\r\nuse', '* OK no line end {9'];
  await Promise.all(
    scripts.map(async (script) => {
      const server = await fake(t, { MYRIGHTS: script });
      const admin = await connect(t, server, 2_000);
      await assert.rejects(admin.holds('user.x'), /waited 2000 ms for whether it has user\.x/);
      await assert.rejects(admin.holds('user.y'), /waited 2000 ms for whether it has user\.x/);
      await admin.close();
      await until('the connection is gone', () => server.open() === 0);
    }),
  );
});

test('a refusal leaves the connection usable', async (t) => {
  const server = await fake(t, { MUPDATEPUSH: '% NO Mailbox does not exist\r\n' });
  const admin = await connect(t, server);
  await assert.rejects(admin.push('user.x'), /MUPDATEPUSH of user\.x: NO Mailbox does not exist/);
  assert.equal(await admin.holds('user.x'), 'lacks');
});

test('a push is done on OK alone', async (t) => {
  const server = await fake(t, { MUPDATEPUSH: '% OK Completed\r\n' });
  await (await connect(t, server)).push('example.org!user.a^b');
  assert.match(server.heard.at(-1) ?? '', /^R\d MUPDATEPUSH "user\/a\.b@example\.org"$/);
  const away = await fake(t, { MUPDATEPUSH: destroy });
  await assert.rejects((await connect(t, away)).push('user.x'), /closed the connection|ECONNRESET/);
});

const notLetIn: [what: string, script: Record<string, Reaction>, error: RegExp][] = [
  ['not IMAP', { greeting: '220 mail1 ESMTP\r\n' }, /greets with "220 mail1 ESMTP"/],
  ['BYE', { greeting: '* BYE too many\r\n' }, /says BYE: too many/],
  ['another server', { greeting: '* OK mail2 Cyrus IMAP server ready\r\n' }, /calls itself mail2/],
  ['wrong password', { AUTHENTICATE: '% NO authentication failure\r\n' }, /refused cyrus: authentication failure/],
  [
    'no administrator',
    { GETQUOTA: '% NO Permission denied\r\n' },
    /cyrus is no administrator: GETQUOTA: NO Permission/,
  ],
  ['no quota known', { GETQUOTA: '% BAD Unrecognized command\r\n' }, /cyrus is no administrator: GETQUOTA: BAD/],
  ['no namespace', { NAMESPACE: '% OK Completed\r\n' }, /says no separator/],
  ['two separators', { NAMESPACE: '* NAMESPACE NIL (("user/" "/")) (("" "."))\r\n% OK x\r\n' }, /says no separator/],
  ['closes', { greeting: destroy }, /closed the connection|ECONNRESET/],
];
for (const [what, script, error] of notLetIn) {
  test(`a login that fails names the reason and leaves nothing open: ${what}`, async (t) => {
    const server = await fake(t, script);
    await assert.rejects(connect(t, server), (thrown: Error) => {
      assert.match(thrown.message, error);
      assert.ok(!thrown.message.includes('s3cret'), 'no secret is told');
      return thrown.message.startsWith(`mail1 (127.0.0.1:${server.port}): `);
    });
    await until('the connection is gone', () => server.open() === 0);
  });
}

test('a login is bounded by time as a whole', async (t) => {
  for (const script of [{ greeting: silence }, { CAPABILITY: drip }, { AUTHENTICATE: silence }]) {
    await assert.rejects(connect(t, await fake(t, script), 200), /waited 200 ms for the login of cyrus/);
  }
});

test('LOGIN where AUTH=PLAIN is not offered; a user with a domain is no administrator of all', async (t) => {
  const plainless = { CAPABILITY: '* CAPABILITY IMAP4rev1 AUTH=PLAINER\r\n% OK x\r\n', LOGIN: '% OK in\r\n' };
  const server = await fake(t, plainless);
  assert.equal(await (await connect(t, server)).holds('user.x'), 'lacks');
  assert.ok(server.heard.includes('R2 LOGIN "cyrus" "s3cret"'));
  await assert.rejects(connect(t, await fake(t, plainless), 60_000, 'j\xf6'), /LOGIN cannot carry the credentials/);
  await assert.rejects(
    connect(t, await fake(t, plainless), 60_000, 'cyrus@example.org'),
    /cyrus@example\.org administers one domain only/,
  );
});

test('a server that hides its name is believed; none there is named', async (t) => {
  const server = await fake(t, { greeting: '* OK server ready\r\n' });
  assert.equal(await (await connect(t, server)).holds('user.x'), 'lacks');
  await assert.rejects(
    connect(t, { ...server, port: 1 }),
    /^ImapFailure: mail1 \(127\.0\.0\.1:1\): connect ECONNREFUSED/,
  );
});

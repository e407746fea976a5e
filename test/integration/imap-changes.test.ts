// What an administrator changes over IMAP, at servers that refuse, talk nonsense, lie or are silent: the kind of each failure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { ImapAdmins } from '../../services/backends/imap-admins.ts';
import { ImapFailure } from '../../services/backends/imap-failure.ts';
import type { FailureKind } from '../../services/backends/imap-failure.ts';
import { Registry } from '../../services/backends/registry.ts';
import { destroy, drip, fakeImap, half, silence } from '../harness/imap-fake.ts';
import type { FakeImap, Reaction } from '../harness/imap-fake.ts';

const vendor = '/shared/vendor/cmu/cyrus-imapd';
const facts = (name: string) =>
  `* METADATA ${name} ("${vendor}/uniqueid" "abc" "${vendor}/partition" "default")\r\n% OK Completed\r\n`;
const space = (total: string, most: string) =>
  `* METADATA "" ("${vendor}/freespace/percent/most" ${most} "${vendor}/freespace/total" ${total})\r\n% OK Completed\r\n`;

/** A server that has the mailbox user.x, and does as it is told. */
const obliging: Record<string, Reaction> = {
  CREATE: '% OK [MAILBOXID (abc)] Completed\r\n',
  DELETE: '% OK Completed\r\n',
  RENAME: '* OK rename user/x user/y\r\n% OK Completed\r\n',
  GETMETADATA: facts('user/x'),
  GETACL: '* ACL user/x x lrswipkxtecdan {3}\r\nq"x lrs\r\n% OK Completed\r\n',
  SETQUOTA: '% OK Completed\r\n',
  SETACL: '% OK Completed\r\n',
  DELETEACL: '% OK Completed\r\n',
};

async function server(t: TestContext, script: Record<string, Reaction> = {}): Promise<FakeImap> {
  return fakeImap(t, { ...obliging, ...script });
}

const access = ({ port }: FakeImap) => ({ host: '127.0.0.1', port, username: 'cyrus', password: 's3cret' });

/** `timeout` is long where it must not matter. */
async function connect(t: TestContext, fake: FakeImap, timeout = 60_000): Promise<ImapAdmin> {
  const admin = await ImapAdmin.connect(access(fake), { timeout, server: 'mail1' });
  t.after(() => admin.close());
  return admin;
}

async function fails(what: Promise<unknown>, kind: FailureKind, reason: RegExp): Promise<void> {
  await assert.rejects(what, (error) => {
    assert.ok(error instanceof ImapFailure, String(error));
    assert.match(error.message, reason);
    assert.equal(error.kind, kind, error.message);
    return true;
  });
}

test('what each command says, in the names of the server', async (t) => {
  const fake = await server(t, { CAPABILITY: '* CAPABILITY AUTH=PLAIN CREATE-SPECIAL-USE\r\n% OK x\r\n' });
  const admin = await connect(t, fake);
  const created = { is: 'created', partition: 'default', uniqueId: 'abc' };
  assert.deepEqual(await admin.createMailbox('user.x'), created);
  assert.deepEqual(await admin.createMailbox('user.x', { partition: 'ssd-1' }), created);
  assert.deepEqual(await admin.createMailbox('user.x', { partition: 'p', specialUse: ['Sent', 'Junk'] }), created);
  assert.deepEqual(await admin.createMailbox('user.x', { specialUse: ['Sent'] }), created);
  assert.equal(await admin.deleteMailbox('user.x'), 'done');
  assert.equal(await admin.renameMailbox('user.x', 'example.org!user.a^b'), 'done');
  assert.equal(await admin.setQuota('user.x', { storageKiB: 10, messages: 0 }), 'done');
  assert.equal(await admin.setAcl('user.x', 'b b', 'rl'), 'done');
  assert.equal(await admin.setAcl('user.x', 'x', 'lrswipkxtean'), 'already', 'c and d say nothing of their own');
  assert.equal(await admin.deleteAcl('user.x', 'x'), 'done');
  assert.equal(await admin.deleteAcl('user.x', 'nobody'), 'already');
  assert.deepEqual(
    [...(await admin.acl('user.x'))],
    [
      ['x', 'lrswipkxtecdan'],
      ['q"x', 'lrs'],
    ],
  );
  const commands = fake.heard.flatMap((line) => / ((?:CREATE|DELETE|RENAME|SET|DELETEACL).*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(commands, [
    'CREATE "user/x"',
    'CREATE "user/x" ssd-1',
    'CREATE "user/x" (PARTITION p USE (\\Sent \\Junk))',
    'CREATE "user/x" (USE (\\Sent))',
    'DELETE "user/x"',
    'RENAME "user/x" "user/a.b@example.org"',
    'SETQUOTA "user/x" (STORAGE 10 MESSAGE 0)',
    'SETACL "user/x" "b b" "rl"',
    'DELETEACL "user/x" "x"',
  ]);
});

test('a server that knows no special uses gets a folder without', async (t) => {
  const fake = await server(t);
  await (await connect(t, fake)).createMailbox('user.x', { specialUse: ['Sent'], partition: 'p' });
  assert.ok(fake.heard.some((line) => line.endsWith(' CREATE "user/x" p')));
});

test('what cannot be asked for is refused without a word to the server, and the connection is kept', async (t) => {
  const fake = await server(t);
  const admin = await connect(t, fake);
  const before = fake.heard.length;
  const bad = 'user.a\r\nb';
  await fails(admin.createMailbox(bad), 'refused', /no mailbox of this server can be called user\.a\\x0d\\x0ab/);
  await fails(admin.deleteMailbox(bad), 'refused', /can be called/);
  await fails(admin.renameMailbox('user.x', bad), 'refused', /can be called/);
  await fails(admin.setQuota(bad, {}), 'refused', /can be called/);
  await fails(admin.subscribe(['user.x', 'user.y']), 'refused', /user\.y and user\.x are not mailboxes of one user/);
  await fails(admin.subscribe(['shared']), 'refused', /are not mailboxes of one user/);
  for (const partition of ['', 'a b', '"p"', 'p)', 'p\r\nx', 'mail2!p'])
    await fails(admin.createMailbox('user.x', { partition }), 'refused', /no partition can be called/);
  await fails(admin.createMailbox('user.x', { specialUse: ['\\Sent'] }), 'refused', /no special use can be called/);
  for (const storageKiB of [-1, 2_147_483_648, 0.5, Number.NaN, Infinity])
    await fails(admin.setQuota('user.x', { storageKiB }), 'refused', /is no quota \(storageKiB\): it may be a whole/);
  await fails(admin.setAcl('user.x', 'bob', '+l'), 'refused', /there is no right \+/);
  assert.equal(fake.heard.length, before);
  for (const identifier of ['', 'a"b', 'a\\b', 'j\xc3\xb6', 'a\r\nb', 'a\tb'])
    await fails(admin.setAcl('user.x', identifier, 'l'), 'refused', /nobody can be called .* in an ACL/);
  assert.ok(!fake.heard.some((line) => line.includes('SETACL')));
  assert.equal((await admin.mailbox('user.x'))?.partition, 'default');
});

const answers: [what: string, script: Record<string, Reaction>, kind: FailureKind, reason: RegExp][] = [
  ['no such partition', { CREATE: '% NO Unknown/invalid partition\r\n' }, 'refused', /CREATE of user\.x: NO Unknown/],
  ['bad name', { CREATE: '% NO Invalid mailbox name\r\n' }, 'refused', /NO Invalid mailbox name/],
  ['CREATE unknown', { CREATE: '% BAD Unrecognized command\r\n' }, 'refused', /BAD Unrecognized/],
  ['no right', { CREATE: '% NO [NOPERM] no\r\n' }, 'refused', /NOPERM/],
  ['disk', { CREATE: '% NO System I/O error\r\n' }, 'busy', /System I\/O error/],
  ['no directory', { CREATE: '% NO no connection to server\r\n' }, 'busy', /no connection to server/],
  ['closes', { CREATE: destroy }, 'away', /closed the connection|ECONNRESET/],
  ['BYE', { CREATE: '* BYE Fatal error\r\n' }, 'away', /says BYE: Fatal error/],
  ['garbage', { CREATE: 'HTTP/1.1 400 Bad Request\r\n' }, 'away', /answers with "HTTP/],
  ['made, and gone', { GETMETADATA: '% NO Mailbox does not exist\r\n' }, 'away', /but there is no such mailbox/],
  ['made, and moving', { GETMETADATA: '% NO [REFERRAL imap://x/y] Remote\r\n' }, 'busy', /GETMETADATA of user\.x/],
  ['facts of another', { GETMETADATA: facts('user/xy') }, 'away', /GETMETADATA of user\.x: OK Completed, after/],
  ['no facts', { GETMETADATA: '* METADATA user/x ()\r\n% OK x\r\n' }, 'away', /GETMETADATA of user\.x: OK x/],
  ['NIL', { GETMETADATA: facts('user/x').replace('"abc"', 'NIL') }, 'away', /GETMETADATA of user\.x: OK/],
  ['half', { GETMETADATA: half }, 'away', /closed the connection|ECONNRESET/],
];
for (const [what, script, kind, reason] of answers) {
  test(`a creation that fails is ${kind}: ${what}`, async (t) => {
    const admin = await connect(t, await server(t, script));
    await fails(admin.createMailbox('user.x'), kind, reason);
  });
}

test('silence and a drip are bounded by time, and away', async (t) => {
  for (const script of [silence, drip]) {
    const admin = await connect(t, await server(t, { CREATE: script, SETACL: script }), 500);
    await fails(admin.createMailbox('user.x'), 'away', /waited 500 ms for the creation of user\.x/);
    await fails(admin.setAcl('user.x', 'bob', 'l'), 'away', /waited 500 ms for the creation of user\.x/);
  }
});

test('what is so already is not done again', async (t) => {
  const fake = await server(t, {
    CREATE: '% NO Mailbox already exists\r\n',
    DELETE: '% NO Mailbox does not exist\r\n',
    RENAME: '% NO Mailbox does not exist\r\n',
  });
  const admin = await connect(t, fake);
  assert.equal((await admin.createMailbox('user.x')).is, 'exists');
  assert.equal(await admin.deleteMailbox('user.x'), 'already');
  assert.equal(await admin.renameMailbox('user.old', 'user.x'), 'already');
  await fails(admin.renameMailbox('user.x', 'user.z'), 'away', /GETMETADATA of user\.z/);
  await fails(admin.renameMailbox('user.x', 'user.x', 'p'), 'refused', /RENAME of user\.x: NO Mailbox does not exist/);
});

test('the right to delete is taken only when it is missing, and a no to that is told', async (t) => {
  const fake = await server(t, { DELETE: '% NO Permission denied\r\n' });
  await fails((await connect(t, fake)).deleteMailbox('user.x'), 'refused', /DELETE of user\.x: NO Permission denied/);
  const said = fake.heard.flatMap((line) => / ((?:DELETE|SETACL) .*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(said, ['DELETE "user/x"', 'SETACL "user/x" "cyrus" "+x"', 'DELETE "user/x"']);
  const deaf = await server(t, { DELETE: '% NO Permission denied\r\n', SETACL: '% NO no connection to server\r\n' });
  await fails((await connect(t, deaf)).deleteMailbox('user.x'), 'busy', /no connection to server/);
});

test('ACLs and quotas that are none are no answer', async (t) => {
  const acls = [
    '% OK x\r\n',
    '* ACL user/x a\r\n% OK x\r\n',
    '* ACL user/x (\r\n% OK x\r\n',
    '* ACL user/x a (b)\r\n% OK x\r\n',
  ];
  for (const GETACL of acls)
    await fails((await connect(t, await server(t, { GETACL }))).acl('user.x'), 'away', /GETACL of user\.x: OK x/);
  for (const quota of ['', '(STORAGE 1)', '(STORAGE a b)', '(STORAGE -1 5)', 'STORAGE 1 2', '((A) 1 2)']) {
    let asked = 0;
    const fake: FakeImap = await server(t, {
      GETQUOTA: (socket) => {
        const tag = fake.heard.at(-1)?.split(' ')[0] ?? '';
        const first = (asked += 1) === 1; // at the login
        socket.write(first ? `${tag} OK x\r\n` : `* QUOTA user/x ${quota}\r\n${tag} OK x\r\n`);
      },
    });
    await fails((await connect(t, fake)).quota('user.x'), 'away', /GETQUOTA of user\.x: OK x/);
  }
});

test('room: the figures; a lie is an error that names it', async (t) => {
  const admin = await connect(t, await server(t, { GETMETADATA: space('"50;100"', '"40;60"') }));
  assert.deepEqual(await admin.freeSpace(), {
    total: { availableKiB: 50, totalKiB: 100 },
    emptiest: { availableKiB: 40, totalKiB: 60 },
  });
  const lies: [string, FailureKind, RegExp][] = [
    [space('"101;100"', '"1;2"'), 'away', /freespace\/total: OK "101;100" has more available than there is/],
    [space('"1;2"', '"-5;2"'), 'away', /percent\/most: OK "-5;2" has less than nothing/],
    [space('"5;10"', '"99;99"'), 'away', /percent\/most: OK "99;99" is more than all partitions have, "5;10"/],
    [space('"0;0"', '"0;0"'), 'away', /a partition that it cannot look at/],
    [space('"lots"', '"1;2"'), 'away', /"lots" is not available;total in KiB/],
    [space('NIL', '"1;2"'), 'away', /"" is not available;total/],
    [space('"1;2"', '{3}\r\n1;2'), 'away', /^$/],
    ['* METADATA "" NIL\r\n% OK x\r\n', 'away', /its free space: OK x/],
    ['% NO Permission denied\r\n', 'refused', /its free space: NO Permission denied/],
    ['% BAD no\r\n', 'refused', /BAD no/],
    [facts('user/x'), 'away', /its free space: OK/],
  ];
  for (const [GETMETADATA, kind, reason] of lies) {
    const liar = await connect(t, await server(t, { GETMETADATA }));
    if (reason.source === '^$') assert.equal((await liar.freeSpace()).emptiest.totalKiB, 2, 'a literal is no lie');
    else await fails(liar.freeSpace(), kind, reason);
  }
});

test('a user as whom the administrator is not let in is no server that is away: others keep its connection', async (t) => {
  const asUser = Buffer.from('x\0cyrus\0s3cret').toString('base64');
  const fake = await server(t, { [asUser]: '% NO authentication failure\r\n' });
  const backend = { name: 'mail1', lmtp: undefined, imap: access(fake), mupdate: true };
  const admins = new ImapAdmins(new Registry([backend]), 60_000);
  t.after(() => admins.close());
  const subscribing = admins.ask('mail1', (admin) => admin.subscribe(['user.x']));
  await fails(subscribing, 'busy', /refused cyrus as x: authentication failure/);
  await admins.ask('mail1', (admin) => admin.mailbox('user.x'));
  assert.equal(
    fake.heard.filter((line) => line.includes('AUTHENTICATE')).length,
    2,
    'once as itself, once as the user',
  );
});

test('a clear no leaves the connection to the others; whatever else is wrong has a new one made', async (t) => {
  const fake = await server(t, { CREATE: '% NO Invalid mailbox name\r\n', DELETE: destroy });
  const backend = { name: 'mail1', lmtp: undefined, imap: access(fake), mupdate: true };
  const admins = new ImapAdmins(new Registry([backend]), 60_000);
  t.after(() => admins.close());
  const logins = () => fake.heard.filter((line) => line.includes('AUTHENTICATE')).length;
  await fails(
    admins.ask('mail1', (admin) => admin.createMailbox('user.x')),
    'refused',
    /Invalid mailbox name/,
  );
  await admins.ask('mail1', (admin) => admin.mailbox('user.x'));
  assert.equal(logins(), 1);
  await fails(
    admins.ask('mail1', (admin) => admin.deleteMailbox('user.x')),
    'away',
    /closed|ECONNRESET/,
  );
  await admins.ask('mail1', (admin) => admin.mailbox('user.x'));
  assert.equal(logins(), 2);
  await fails(
    admins.ask('mail9', (admin) => admin.freeSpace()),
    'away',
    /mail9 is no backend in the configuration of this process/,
  );
});

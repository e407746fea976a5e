// The demonstration's backend, spoken to by LMTP: who is told what, and what is on disk by then.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MaildirBackend } from '../../infra/local/maildir-backend.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { until } from '../harness/until.ts';

const recipients = {
  virtdomains: 'off',
  defaultdomain: 'internal',
  unixhierarchysep: false,
  lmtp_downcase_rcpt: true,
  postuser: '',
  lmtp_strict_rfc2821: true,
} as const;

async function backend(t: TestContext): Promise<MaildirBackend> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-backend-'));
  const started = await MaildirBackend.start({ name: 'store.test', folder, recipients, log: quietLog });
  t.after(async () => {
    await started.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return started;
}

/** Sends all of `text`, QUIT included, and gives the replies after LHLO's. */
async function talk(server: MaildirBackend, text: string): Promise<string[]> {
  const socket = connect(server.address);
  socket.write(`LHLO client\r\n${text}`, 'latin1');
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
  await once(socket, 'close');
  return heard.slice(heard.search(/^250 /m)).split('\r\n').slice(1, -1);
}

async function stored(server: MaildirBackend, mailbox: string): Promise<string[]> {
  const folder = join(server.maildirs.path(mailbox), 'new');
  return Promise.all((await readdir(folder)).sort().map((name) => readFile(join(folder, name), 'latin1')));
}

test('each recipient has a message with a Return-Path and without the stuffed dots, byte for byte', async (t) => {
  const server = await backend(t);
  for (const mailbox of ['user.alice', 'user.bob^b']) await server.maildirs.create(mailbox);
  const envelope = 'MAIL FROM:<s@a.test>\r\nRCPT TO:<Alice+x@b.test>\r\nRCPT TO:<nobody@b.test>\r\nRCPT TO:<bob.b>\r\n';
  const replies = await talk(server, `${envelope}DATA\r\n..\r\n\0\xff\r\n..x\r\n.\r\nQUIT\r\n`);
  assert.deepEqual(replies, [
    '250 2.1.0 Ok',
    '250 2.1.5 Ok',
    '550 5.1.1 User unknown',
    '250 2.1.5 Ok',
    '354 Go ahead, end with <CR><LF>.<CR><LF>',
    '250 2.1.5 Stored in user.alice',
    '250 2.1.5 Stored in user.bob^b',
    '221 2.0.0 Bye',
  ]);
  const message = 'Return-Path: <s@a.test>\r\n.\r\n\0\xff\r\n.x\r\n';
  assert.deepEqual(await stored(server, 'user.alice'), [message]);
  assert.deepEqual(await stored(server, 'user.bob^b'), [message]);
});

test('a message that is never finished comes to nothing', async (t) => {
  const server = await backend(t);
  await server.maildirs.create('user.alice');
  const socket = connect(server.address);
  socket.write('LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nhalf a mess');
  const spool = join(server.maildirs.path('user.alice'), '../=spool');
  await until('the message is being written', async () => (await readdir(spool)).length === 1);
  socket.destroy();
  await until('it is forgotten', async () => (await readdir(spool)).length === 0);
  assert.deepEqual(await stored(server, 'user.alice'), []);
});

test('a mailbox that can not be stored into costs its own recipient a 451, not the others', async (t) => {
  const server = await backend(t);
  for (const mailbox of ['user.alice', 'user.bob']) await server.maildirs.create(mailbox);
  const socket = connect(server.address);
  socket.write('LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice>\r\nRCPT TO:<bob>\r\nDATA\r\n');
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
  await until('it waits for the message', () => heard.includes('\r\n354 '));
  await rename(server.maildirs.path('user.alice'), `${server.maildirs.path('user.alice')}.away`);
  socket.write('x\r\n.\r\nQUIT\r\n');
  await once(socket, 'close');
  assert.match(heard, /\r\n451 4\.3\.0 [^\r]*\r\n250 2\.1\.5 Stored in user\.bob\r\n221 /);
  assert.deepEqual(await stored(server, 'user.bob'), ['Return-Path: <>\r\nx\r\n']);
});

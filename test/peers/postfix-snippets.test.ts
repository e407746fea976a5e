// The lines that infra/mta offers for main.cf and master.cf, in a real Postfix.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MaildirBackend } from '../../infra/local/maildir-backend.ts';
import { withoutPostfix } from '../harness/peers.ts';
import { startPostfix } from '../harness/postfix.ts';
import { quietLog } from '../harness/quiet-log.ts';

const snippets = join(import.meta.dirname, '../../infra/mta/postfix');

test('Postfix takes the lines as they are, and delivers by them', { skip: withoutPostfix() }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-snippets-'));
  const recipients = {
    ...({ virtdomains: 'off', defaultdomain: 'internal', postuser: '' } as const),
    ...{ unixhierarchysep: true, lmtp_downcase_rcpt: true, lmtp_strict_rfc2821: true },
  };
  const backend = await MaildirBackend.start({ name: 'frontend.test', folder, recipients, log: quietLog });
  t.after(async () => {
    await backend.stop();
    await rm(folder, { recursive: true, force: true });
  });
  await backend.maildirs.create('user.alice');
  assert.ok('port' in backend.address);

  const main = await readFile(join(snippets, 'main.cf.snippet'), 'utf8');
  const pointed = main.replace('[frontend.example.org]:2003', `[127.0.0.1]:${backend.address.port}`);
  assert.notEqual(pointed, main);
  const services = await readFile(join(snippets, 'master.cf.snippet'), 'utf8');
  const postfix = await startPostfix({ lmtp: 'unix:unused', options: [pointed], services: [services] });
  t.after(() => postfix.stop());

  await postfix.submit('sender@example.net', ['alice@example.org'], 'Subject: x\r\n\r\nhello\r\n');
  await postfix.logged(/postfix\/rookery\/lmtp\[\d+\]: .* to=<alice@example.org>.* status=sent \(250 2\.1\.5 Stored/);
  assert.doesNotMatch(await postfix.log(), /warning|fatal/);
  const inbox = join(backend.maildirs.path('user.alice'), 'new');
  const [file = ''] = await readdir(inbox);
  const message = await readFile(join(inbox, file), 'latin1');
  assert.match(message, /^Return-Path: <sender@example\.net>\r\nReceived: [^]*\r\n\r\nhello\r\n$/);
});

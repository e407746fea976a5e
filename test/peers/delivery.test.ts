// A person's path: two real Cyrus backends push their mailboxes, a real Postfix delivers through the real program, and
// IMAP reads the message back from each.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { withoutCyrus, withoutPostfix } from '../harness/peers.ts';
import { startPostfix } from '../harness/postfix.ts';
import type { Postfix } from '../harness/postfix.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const skip = withoutCyrus() || withoutPostfix();

describe('Postfix through Rookery to Cyrus', { skip }, () => {
  let rookery: Rookery;
  let cyrus: Cyrus;
  let postfix: Postfix;
  const swaks = promisify(execFile);

  before(async () => {
    const users = {
      'mup-mail1': { password: CYRUS_PASSWORD.mupdate, server: 'mail1' },
      'mup-mail2': { password: CYRUS_PASSWORD.mupdate, server: 'mail2' },
    };
    const listen = [{ host: '127.0.0.1', port: 0 }];
    const base = { servername: 'frontend', directory: { listen, users }, api: { listen: listen[0] } };
    rookery = await Rookery.layOut({ ...base, lmtp: { listen }, backends: { mail1: {}, mail2: {} } });
    await rookery.start();
    cyrus = await startCyrus({ mupdate: rookery.address('MUPDATE') });
    const backends = Object.fromEntries(
      ['mail1', 'mail2'].map((name) => {
        const credentials = { username: 'mailproxy', password: CYRUS_PASSWORD.mailproxy };
        return [name, { lmtp: { ...cyrus.node(name).lmtp, ...credentials } }];
      }),
    );
    // The backends' addresses are known only now. The directory's port stays, the backends speak to it.
    const mupdate = { listen: [rookery.address('MUPDATE')], users };
    const socket = { path: `${rookery.folder}/lmtp.sock` };
    await rookery.end();
    await rookery.configure({ ...base, directory: mupdate, lmtp: { listen: [...listen, socket] }, backends });
    await rookery.start();
    const { port } = rookery.address('LMTP');
    postfix = await startPostfix({ lmtp: `inet:[127.0.0.1]:${port}` });
  });
  after(async () => {
    await postfix.stop();
    await cyrus.stop();
    await rookery.stop();
  });

  async function admin(node: string): Promise<ImapClient> {
    return (await ImapClient.connect(cyrus.node(node).imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
  }

  /** The messages of a user's INBOX at a backend, whole. */
  async function inbox(node: string, user: string): Promise<string[]> {
    const imap = await (await ImapClient.connect(cyrus.node(node).imap)).login(user, `${user}pw`);
    const messages = await imap.messages('INBOX');
    imap.close();
    return messages;
  }

  test('both backends are heard after the directory was restarted', async () => {
    const { out, code } = await rookery.command('directory', 'status', '-f', 'json');
    assert.equal(code, 0);
    assert.match(out, /"trusted":true/);
  });

  test('one message reaches recipients on both backends, and each reads it by IMAP', async () => {
    for (const [node, user] of [
      ['mail1', 'alice'],
      ['mail2', 'carol'],
    ] as const) {
      const imap = await admin(node);
      await imap.ok(`CREATE user.${user}`);
      imap.close();
    }
    await postfix.submit(
      's@example.net',
      ['alice@example.org', 'carol@example.org'],
      'Subject: both\r\n\r\n..dots\r\n.\r\n',
    );
    await postfix.logged(/to=<alice@example\.org>.*dsn=2\.1\.5, status=sent/);
    await postfix.logged(/to=<carol@example\.org>.*dsn=2\.1\.5, status=sent/);
    for (const [node, user] of [
      ['mail1', 'alice'],
      ['mail2', 'carol'],
    ] as const) {
      const [message = ''] = await inbox(node, user);
      assert.match(message, /^Subject: both\r?$/m);
      assert.match(message, /^\.\.dots\r?$/m);
      assert.match(message, /^Received: from \S+ \(.*\)\r\n\tby frontend \(Rookery\) with LMTP id/m);
    }
    assert.equal(await postfix.queued(), 0);
  });

  test('an unknown recipient is bounced, and the others are served', async () => {
    await postfix.submit('s@example.net', ['alice@example.org', 'nobody@example.org'], 'Subject: one\r\n\r\nx\r\n');
    await postfix.logged(/to=<nobody@example\.org>.*dsn=5\.1\.1, status=bounced/);
    await until('two messages', async () => (await inbox('mail1', 'alice')).length === 2);
  });

  test('while a backend is down its recipients wait in Postfix, and are served when it is back', async () => {
    await cyrus.node('mail2').stop();
    await postfix.submit('s@example.net', ['alice@example.org', 'carol@example.org'], 'Subject: later\r\n\r\nx\r\n');
    await postfix.logged(/to=<carol@example\.org>.*dsn=4\.4\.\d, status=deferred/);
    await until('the other one is served', async () => (await inbox('mail1', 'alice')).length === 3);
    await cyrus.node('mail2').start();
    await postfix.flush();
    await until('carol has it', async () => (await inbox('mail2', 'carol')).length === 2);
  });

  test('swaks delivers over the Unix socket', async () => {
    const { stdout } = await swaks('swaks', [
      ...['--protocol', 'LMTP', '--socket', `${rookery.folder}/lmtp.sock`],
      ...['--from', 's@example.net', '--to', 'alice@example.org,carol@example.org', '--body', 'by swaks'],
    ]);
    assert.equal(stdout.match(/^<~? +250 2\.1\.5 Ok SESSIONID|^<- +250 2\.1\.5 .*SESSIONID/gm)?.length ?? 0, 2, stdout);
  });

  test('each recipient has its line in the log', () => {
    const lines = rookery.log.filter((line) => line['event'] === 'recipient');
    const [first] = lines.filter((line) => line['to'] === 'carol@example.org' && line['outcome'] === 'delivered');
    assert.equal(first?.['backend'], 'mail2');
    assert.equal(first['mailbox'], 'user.carol');
    assert.equal(first['code'], 250);
    assert.ok(lines.some((line) => line['to'] === 'nobody@example.org' && line['outcome'] === 'rejected'));
    assert.ok(lines.some((line) => line['to'] === 'carol@example.org' && line['outcome'] === 'deferred'));
  });

  test('what happened is counted', async () => {
    const { host, port } = rookery.address('HTTP');
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    for (const line of [
      /^rookery_directory_trusted 1$/m,
      /^rookery_directory_lookups_total\{result="found"\} [1-9]/m,
      /^rookery_directory_lookups_total\{result="absent"\} 1$/m,
      /^rookery_lmtp_recipients_total\{outcome="delivered",reason="",backend="mail2"\} [1-9]/m,
      /^rookery_lmtp_recipients_total\{outcome="rejected",reason="unknown",backend=""\} 1$/m,
      /^rookery_lmtp_recipients_total\{outcome="deferred",reason="backend",backend="mail2"\} [1-9]/m,
    ]) {
      assert.match(metrics, line);
    }
  });
});

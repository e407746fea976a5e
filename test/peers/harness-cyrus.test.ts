// The Cyrus harness itself, with Cyrus' own MUPDATE master: what our directory takes the place of in the other tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CYRUS_MASTER, CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { withoutCyrus } from '../harness/peers.ts';

test(
  'a Murder comes up, survives a crash of a backend, and is gone afterwards',
  { skip: withoutCyrus() },
  async (t) => {
    const cyrus = await startCyrus({ frontend: true, options: { mail2: ['maxmessagesize: 12345'] } });
    t.after(() => cyrus.stop());
    const mail1 = cyrus.node('mail1');
    const admin = await ImapClient.connect(mail1.imap);
    t.after(() => {
      admin.close();
    });
    await admin.login('cyrus', CYRUS_PASSWORD.cyrus);
    await admin.ok('CREATE ', { literal: 'user.alice' });
    await mail1.kill9();
    await assert.rejects(ImapClient.connect(mail1.imap), { code: 'ECONNREFUSED' });
    await mail1.start();

    const alice = await ImapClient.connect(cyrus.node('frontend').imap);
    t.after(() => {
      alice.close();
    });
    await alice.login('alice', CYRUS_PASSWORD.alice);
    const message = 'Subject: {3}\r\n\r\n* not a response\r\n';
    await alice.ok('APPEND INBOX ', { literal: message });
    assert.deepEqual(await alice.messages('INBOX'), [message]);
    assert.equal((await alice.command('SELECT nothing')).status, 'NO');

    const asked = await cyrus.node('mail2').run('cyr_info', 'conf');
    assert.match(asked.stdout, /^maxmessagesize: 12345$/m);
    assert.deepEqual(cyrus.mupdate, cyrus.node(CYRUS_MASTER).mupdate);
    assert.match(mail1.log.join('\n'), /mail1\/ctl_mboxlist\[\d+\]: done populating mupdate/);
  },
);

test('a backend whose MUPDATE master is not there says why it did not start', { skip: withoutCyrus() }, async () => {
  const start = startCyrus({ mupdate: { host: '127.0.0.1', port: 1 }, nodes: ['mail1'] });
  await assert.rejects(start, /mail1 ended while starting:[^]*ctl_mboxlist.*Connection refused[^]*can't run startup/);
});

// Dovecot's LMTP server as a backend: what it says reaches the MTA whole, and it is sent nothing that it does not offer.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Dovecot } from '../harness/dovecot.ts';
import { Frontend } from '../harness/frontend.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { withoutDovecot } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const quota = 'userdb_quota_rule=*:bytes=100';
const message = (id: string): string =>
  `Message-ID: <${id}>\r\nSubject: caf\xe9\r\n\r\n..two dots\r\n.. \r\n${'x'.repeat(900)}\r\nlast\r\n`;

describe('Dovecot as a backend', { skip: withoutDovecot() }, () => {
  let usual: Dovecot;
  /** It puts off what is over quota, looks at RCPT already, and believes what loopback says of itself. */
  let careful: Dovecot;
  let frontend: Frontend;

  before(async () => {
    usual = await Dovecot.start({ users: { ann: '', bob: '', full: quota } });
    careful = await Dovecot.start({
      users: { eve: '', filled: quota },
      settings: [
        ...['quota_full_tempfail = yes', 'lmtp_rcpt_check_quota = yes'],
        ...['login_trusted_networks = 127.0.0.0/8', 'lmtp_save_to_detail_mailbox = no', 'recipient_delimiter = +'],
      ],
    });
    const users = { ann: 'usual', bob: 'usual', full: 'usual', gone: 'usual', eve: 'careful', filled: 'careful' };
    const backends = { usual: usual.lmtp, careful: careful.lmtp };
    frontend = await Frontend.start({ backends, users, lmtp: { xforward_networks: ['127.0.0.0/8'] } });
    await frontend.vouch();
  });
  after(async () => {
    await frontend.stop();
    await careful.stop();
    await usual.stop();
  });

  test('a message arrives byte for byte, with our Received in front of it', async () => {
    const mta = await Mta.greet(frontend.lmtp);
    const [ann, eve] = await mta.send(['<ann@example.org>', '<eve+work@example.org>'], message('whole'));
    assert.match(ann ?? '', /^250 2\.0\.0 <ann@example\.org> \S+ Saved$/);
    assert.match(eve ?? '', /^250 2\.0\.0 <eve\+work@example\.org> \S+ Saved$/);
    await mta.quit();
    for (const [stored] of [await usual.inbox('ann'), await careful.inbox('eve')]) {
      // A Maildir has the line ends of its machine.
      const [trace = '', rest = ''] = (stored ?? '').replaceAll('\n', '\r\n').split(/(?=Message-ID: <whole>)/);
      assert.match(
        trace,
        /Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby frontend \(Rookery\) with LMTP id /,
      );
      assert.equal(rest, message('whole').replaceAll(/^\./gm, ''));
    }
  });

  test('each recipient has the reply that is his: saved, over quota, not known there, unknown', async () => {
    const mta = await Mta.greet(frontend.lmtp);
    const to = ['<ann@example.org>', '<full@example.org>', '<gone@example.org>', '<nobody@example.org>'];
    const [ann, full, gone, nobody] = await mta.envelope(to);
    assert.match(ann ?? '', /^250 /);
    assert.match(full ?? '', /^250 /);
    // We take a recipient before Dovecot is asked: the directory has him there.
    assert.match(gone ?? '', /^250 /);
    assert.match(nobody ?? '', /^550 5\.1\.1 /);
    const replies = await mta.body(message('fates'), 3);
    assert.match(replies[0] ?? '', /^250 2\.0\.0 <ann@example\.org> /);
    assert.match(replies[1] ?? '', /^552 5\.2\.2 <full@example\.org> Quota exceeded/);
    assert.match(replies[2] ?? '', /^451 4\.\d\.\d .*550 5\.1\.1 <gone@example\.org> User doesn't exist/);
    await mta.quit();
    assert.deepEqual(await usual.inbox('full'), []);
  });

  test('over quota for the time being stays 452, also when Dovecot says so at RCPT', async () => {
    const mta = await Mta.greet(frontend.lmtp);
    const to = ['<filled@example.org>', '<eve@example.org>', '<filled@example.org>'];
    const first = await mta.send(to.slice(0, 2), message('tight'));
    assert.match(first[0] ?? '', /^452 4\.2\.2 /);
    assert.match(first[1] ?? '', /^250 /);
    const again = await mta.send(to, message('twice'));
    assert.deepEqual(
      again.map((reply) => reply.slice(0, 9)),
      ['452 4.2.2', '250 2.0.0', '452 4.2.2'],
    );
    await mta.quit();
  });

  test('keywords of Dovecot that we have no use for are not used: XCLIENT, CHUNKING; what it lacks is not sent to it', async () => {
    const straight = await Mta.greet(careful.lmtp);
    const offered = await straight.say('LHLO client.test');
    assert.match(offered, /XCLIENT .*ADDR/);
    assert.match(offered, /CHUNKING/);
    assert.doesNotMatch(offered, /XFORWARD|TRACE|SMTPUTF8|SIZE|IGNOREQUOTA|AUTH/);
    await straight.quit();

    const mta = await Mta.greet(frontend.lmtp);
    assert.match(await mta.say('XFORWARD NAME=sender.test ADDR=192.0.2.1 SOURCE=REMOTE IDENT=ABC123'), /^250 /);
    assert.match(await mta.say('TRACE given-by-the-mta'), /^250 /);
    assert.match(await mta.say('MAIL FROM:<s@example.net> SIZE=2000 BODY=8BITMIME AUTH=<>'), /^250 /);
    assert.match(await mta.say('RCPT TO:<eve@example.org> IGNOREQUOTA'), /^250 /);
    assert.match(await mta.say('RCPT TO:<ann@example.org> IGNOREQUOTA'), /^250 /);
    await mta.say('DATA');
    for (const reply of await mta.body(message('parameters'), 2)) assert.match(reply, /^250 2\.0\.0 .* Saved$/);
    await mta.quit();
    const heard = (await careful.heard()) + (await usual.heard());
    assert.doesNotMatch(heard, /XFORWARD|XCLIENT|BDAT|TRACE|IGNOREQUOTA|SIZE=|AUTH=|192\.0\.2\.1/);
    assert.match(heard, / MAIL FROM:<s@example\.net> BODY=8BITMIME\r?$/m);
    // Dovecot's own Received line names who connected: nobody else is claimed to be there.
    const stored = (await careful.inbox('eve')).find((text) => text.includes('<parameters>')) ?? '';
    assert.match(stored, /^Received: from frontend \(\[127\.\d+\.\d+\.\d+\]\)\n\tby dovecot\.test with LMTP/m);
  });

  test('sessions are kept and used again, one after the other', async () => {
    const before = (await usual.log()).match(/Connect from/g)?.length ?? 0;
    const mta = await Mta.greet(frontend.lmtp);
    for (let count = 0; count < 20; count += 1) {
      assert.match((await mta.send(['<bob@example.org>'], message(`row-${count}`)))[0] ?? '', /^250 /);
    }
    await mta.quit();
    assert.equal((await usual.inbox('bob')).length, 20);
    const connections = ((await usual.log()).match(/Connect from/g)?.length ?? 0) - before;
    assert.ok(connections <= 2, `${connections} connections for 20 messages`);
  });

  test('killed, it costs its own recipients a 451; back, it is served, also over what was a kept connection', async () => {
    await usual.kill();
    const mta = await Mta.greet(frontend.lmtp);
    const to = ['<ann@example.org>', '<eve@example.org>'];
    const [ann, eve] = await mta.send(to, message('half'));
    assert.match(ann ?? '', /^451 4\.4\.\d /);
    assert.match(eve ?? '', /^250 /);
    await usual.start();
    await until('both are served', async () =>
      (await mta.send(to, message('again'))).every((at) => at.startsWith('250')),
    );
    await mta.quit();
    assert.equal((await usual.inbox('ann')).filter((text) => text.includes('<half>')).length, 0);
    assert.equal((await careful.inbox('eve')).filter((text) => text.includes('<half>')).length, 1);
    assert.equal((await usual.inbox('ann')).filter((text) => text.includes('<again>')).length, 1);
  });
});

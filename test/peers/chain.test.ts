// The whole way of a site: Postfix, haproxy with the PROXY protocol, Rookery, two Cyrus backends and smtp-sink.
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { CYRUS_PASSWORD, startCyrus, type Cyrus } from '../harness/cyrus.ts';
import { Frontend } from '../harness/frontend.ts';
import { greets } from '../harness/greeting.ts';
import { startHaproxy, type Haproxy } from '../harness/haproxy.ts';
import { ImapClient } from '../harness/imap.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { withoutCyrus, withoutHaproxy, withoutPostfix, withoutSmtpTools } from '../harness/peers.ts';
import { startPostfix, type Postfix } from '../harness/postfix.ts';
import { startSink } from '../harness/smtp-sink.ts';
import { until } from '../harness/until.ts';

const skip = withoutCyrus() || withoutPostfix() || withoutHaproxy() || withoutSmtpTools();
const PATIENCE_MS = 60_000;
/** Postfix' own address: only it may submit, and only who sees through haproxy sees it. */
const mtaAddress = '127.0.0.25';
const message = (id: string): string => `Message-ID: <${id}>\r\nSubject: chain\r\n\r\n..two\r\n.\r\nlast\r\n`;

describe('Postfix, haproxy, Rookery, Cyrus and smtp-sink in a row', { skip }, () => {
  const clean: (() => unknown)[] = [];
  let cyrus: Cyrus;
  let frontend: Frontend;
  let haproxy: Haproxy;
  let postfix: Postfix;

  before(async () => {
    const t: Pick<TestContext, 'after'> = { after: (step) => clean.unshift(step as () => unknown) };
    const sink = await startSink(t);
    cyrus = await startCyrus();
    t.after(() => cyrus.stop());
    const credentials = { username: 'mailproxy', password: CYRUS_PASSWORD.mailproxy };
    frontend = await Frontend.start({
      backends: {
        mail1: { ...cyrus.node('mail1').lmtp, ...credentials },
        mail2: { ...cyrus.node('mail2').lmtp, ...credentials },
        sink,
      },
      users: { alice: 'mail1', carol: 'mail2', sam: 'sink' },
      lmtp: {
        listen: [{ host: '127.0.0.1', port: 0, proxy_protocol: true }],
        ...{ proxy_networks: ['127.0.0.1'], preauth_networks: [mtaAddress], xforward_networks: [mtaAddress] },
      },
    });
    t.after(() => frontend.stop());
    await frontend.vouch();
    haproxy = await startHaproxy(frontend.lmtp);
    t.after(() => haproxy.kill());
    const { host, port } = haproxy.address;
    postfix = await startPostfix({
      lmtp: `inet:[${host}]:${port}`,
      options: [`lmtp_bind_address = ${mtaAddress}`, 'lmtp_send_xforward_command = yes'],
    });
    t.after(() => postfix.stop());
    for (const [node, user] of [
      ['mail1', 'alice'],
      ['mail2', 'carol'],
    ] as const) {
      const imap = await (await ImapClient.connect(cyrus.node(node).imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
      await imap.ok(`CREATE user.${user}`);
      imap.close();
    }
  });
  after(async () => {
    for (const step of clean) await step();
  });

  async function stored(node: string, user: string, id: string): Promise<string[]> {
    const imap = await (await ImapClient.connect(cyrus.node(node).imap)).login(user, `${user}pw`);
    const messages = await imap.messages('INBOX');
    imap.close();
    return messages.filter((text) => text.includes(`Message-ID: <${id}>`));
  }

  const to = (...users: string[]): string[] => users.map((user) => `${user}@example.org`);

  test('one message for all of them: each has it once, and Rookery saw Postfix, not haproxy', async () => {
    await postfix.submit('s@example.net', to('alice', 'carol', 'sam', 'nobody'), message('first'));
    for (const user of ['alice', 'carol']) {
      await postfix.logged(new RegExp(`to=<${user}@example\\.org>.*status=sent \\(250 2\\.1\\.5 .*SESSIONID`));
    }
    await postfix.logged(/to=<sam@example\.org>.*status=sent \(250 2\.\d\.\d/);
    await postfix.logged(/to=<nobody@example\.org>.*dsn=5\.1\.1, status=bounced/);
    for (const [node, user] of [
      ['mail1', 'alice'],
      ['mail2', 'carol'],
    ] as const) {
      const [text = '', ...more] = await stored(node, user, 'first');
      assert.equal(more.length, 0);
      assert.match(text, /\r\n\r\n\.\.two\r\n\.\r\nlast\r\n$/);
      assert.ok(
        text.includes(`Received: from mta.example.net ([${mtaAddress}])\r\n\tby frontend (Rookery) with LMTP id`),
      );
    }
  });

  test('the MTA is told apart by its own address: another one behind the same haproxy may not submit', async () => {
    const stranger = await Mta.greet(haproxy.address);
    await stranger.say('MAIL FROM:<s@example.net>');
    assert.match(await stranger.say('RCPT TO:<alice@example.org>'), /^(?:430 4\.7\.0|503)/);
    await stranger.quit();
  });

  test('haproxy gone, then Rookery gone: mail waits in Postfix, and comes once when they are back', async () => {
    const { address } = haproxy;
    await haproxy.kill();
    await postfix.submit('s@example.net', to('alice', 'carol', 'sam'), message('no-haproxy'));
    await postfix.logged(/to=<carol@example\.org>.*status=deferred \(connect to .*refused/);
    await frontend.rookery.end('SIGKILL');
    haproxy = await startHaproxy(frontend.lmtp, address);
    await postfix.submit('s@example.net', to('alice', 'carol', 'sam'), message('no-rookery'));
    await postfix.logged(/to=<carol@example\.org>.*status=deferred \(lost connection/);
    await frontend.again();
    await until('haproxy has seen that it is back', () => greets(haproxy.address), PATIENCE_MS);
    const delivered = async (): Promise<boolean> => {
      await postfix.flush();
      return (await postfix.queued()) === 0;
    };
    await until('the queue is empty', delivered, PATIENCE_MS);
    for (const id of ['no-haproxy', 'no-rookery']) {
      assert.equal((await stored('mail1', 'alice', id)).length, 1, id);
      assert.equal((await stored('mail2', 'carol', id)).length, 1, id);
    }
    assert.doesNotMatch(await postfix.log(), /to=<(?:alice|carol|sam)@example\.org>.*status=bounced/);
  });
});

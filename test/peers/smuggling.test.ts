// Messages with every broken line end around a dot in their midst, through Postfix and by swaks, to Cyrus and to Dovecot, who
// each see ends of their own in them: of one message none ever makes two.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { CYRUS_PASSWORD, startCyrus, type Cyrus } from '../harness/cyrus.ts';
import { Dovecot } from '../harness/dovecot.ts';
import { Frontend } from '../harness/frontend.ts';
import { ImapClient } from '../harness/imap.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { withoutCyrus, withoutDovecot, withoutPostfix, withoutSwaks } from '../harness/peers.ts';
import { startPostfix } from '../harness/postfix.ts';
import { until } from '../harness/until.ts';

const skip = withoutCyrus() || withoutDovecot() || withoutPostfix() || withoutSwaks();
const run = promisify(execFile);
const PATIENCE_MS = 60_000;

const lineEnds = ['\r\n', '\n', '\r', '\n\r', '\r\r\n', '\0\r\n'];
const recipients = ['alice@example.org', 'dora@example.org'];

/** For each of the recipients, Message-IDs in alphabetical order. */
type Fates = string[][];

interface Attempt {
  id: string;
  /** What stands around the dot, to be read. */
  what: string;
  /** A message, and behind an end that is none a second one with its commands; and the end of them all. */
  raw: string;
}

function attempts(prefix: string): Attempt[] {
  const pairs = lineEnds
    .flatMap((front) => lineEnds.map((back) => `${front}.${back}`))
    .filter((end) => !end.includes('\r\n.\r\n'));
  return pairs.map((end, index) => {
    const id = `${prefix}-${index}`;
    const commands = ['MAIL FROM:<evil@example.net>', ...recipients.map((to) => `RCPT TO:<${to}>`), 'DATA'];
    const second = `Message-ID: <evil-${id}>\r\nSubject: evil\r\n\r\nevil\r\n.\r\n`;
    const raw = `Message-ID: <${id}>\r\nSubject: x\r\n\r\nx${end}${commands.join('\r\n')}\r\n${second}`;
    return { id, what: JSON.stringify(end), raw };
  });
}

describe('smuggling', { skip }, () => {
  let cyrus: Cyrus;
  let dovecot: Dovecot;
  let frontend: Frontend;

  before(async () => {
    cyrus = await startCyrus({ nodes: ['mail1'] });
    dovecot = await Dovecot.start({ users: { dora: '' } });
    const imap = await (await ImapClient.connect(cyrus.node('mail1').imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
    await imap.ok('CREATE user.alice');
    imap.close();
    frontend = await Frontend.start({
      backends: {
        mail1: { ...cyrus.node('mail1').lmtp, username: 'mailproxy', password: CYRUS_PASSWORD.mailproxy },
        dovecot: dovecot.lmtp,
      },
      users: { alice: 'mail1', dora: 'dovecot' },
    });
  });
  after(async () => {
    await frontend.stop();
    await dovecot.stop();
    await cyrus.stop();
  });

  /** The Message-IDs in the headers of what each has, of the attempts with this prefix. */
  async function arrived(prefix: string): Promise<Fates> {
    const imap = await (await ImapClient.connect(cyrus.node('mail1').imap)).login('alice', 'alicepw');
    const ids = (messages: string[]): string[] =>
      messages
        .map((text) => /^Message-ID: <(.*)>\r?$/m.exec(text.split(/\r?\n\r?\n/, 1)[0] ?? '')?.[1] ?? text)
        .filter((id) => id.includes(`${prefix}-`))
        .sort();
    const inboxes = [ids(await imap.messages('INBOX')), ids(await dovecot.inbox('dora'))];
    imap.close();
    return inboxes;
  }

  /** Whole messages by SMTP, each with all that follows it, in one go. Gives the log, when the queue is empty. */
  async function byPostfix(all: readonly Attempt[], options: readonly string[]): Promise<string> {
    const { host, port } = frontend.lmtp;
    const postfix = await startPostfix({ lmtp: `inet:[${host}]:${port}`, options });
    try {
      for (const { id, raw } of all) {
        const smtp = await Mta.greet(postfix.smtp);
        await smtp.say('EHLO client.test');
        await smtp.say(`MAIL FROM:<${id}@example.net>`);
        for (const to of recipients) await smtp.say(`RCPT TO:<${to}>`);
        await smtp.say('DATA');
        smtp.socket.write(raw, 'latin1');
        await smtp.reply();
        await smtp.quit();
      }
      await until('Postfix is done with them', async () => (await postfix.queued()) === 0, PATIENCE_MS);
      return await postfix.log();
    } finally {
      await postfix.stop();
    }
  }

  /** What Postfix made of what it was given, and what it was told for each recipient: what was taken is there, once. */
  async function asPostfixWasTold(log: string, prefix: string): Promise<string[]> {
    const queued = new Map(
      [...log.matchAll(/cleanup\[\d+\]: (\w+): message-id=<(.*)>/g)].map(([, key, id]) => [key, id ?? '']),
    );
    const sent: Fates = recipients.map(() => []);
    for (const [, key, to = '', status, said] of log.matchAll(/lmtp\[\d+\]: (\w+): to=<(.*?)>,.*status=(\w+) (.*)/g)) {
      if (status === 'sent') sent[recipients.indexOf(to)]?.push(queued.get(key) ?? '');
      else assert.match(`${status ?? ''} ${said ?? ''}`, /^bounced .* said: 554 5\.6\.0 /);
    }
    for (const ids of sent) ids.sort();
    assert.deepEqual(await arrived(prefix), sent);
    return [...queued.values()].filter((id) => id.includes(`${prefix}-`));
  }

  test('through a Postfix that knows broken line ends, each is one message', async () => {
    const all = attempts('strict');
    const log = await byPostfix(all, ['smtpd_forbid_bare_newline = yes', 'smtpd_forbid_bare_newline_exclusions =']);
    const queued = await asPostfixWasTold(log, 'strict');
    const expected = all.map(({ id }) => id).sort();
    assert.deepEqual(queued.sort(), expected);
    // Cyrus takes no NUL, Dovecot takes them all.
    assert.deepEqual((await arrived('strict'))[1], expected);
  });

  test('through one that takes and passes on whatever it gets, no more arrive than it has made of them itself', async () => {
    const all = attempts('lax');
    const log = await byPostfix(all, ['smtpd_forbid_bare_newline = no', 'cleanup_replace_stray_cr_lf = no']);
    const queued = await asPostfixWasTold(log, 'lax');
    for (const { id } of all) assert.ok(queued.includes(id), id);
    // Such line ends do come through it to us, or this would prove nothing.
    assert.match(log, /status=bounced .* 554 5\.6\.0 The end of the message is ambiguous/);
  });

  for (const fixup of [true, false]) {
    test(`by swaks, which ${fixup ? 'mends lines' : 'sends what it is told'}: one message, or none and a 554`, async (t) => {
      const prefix = fixup ? 'mended' : 'raw';
      const folder = await mkdtemp(join(tmpdir(), 'rookery-smuggling-'));
      t.after(() => rm(folder, { recursive: true }));
      const { host, port } = frontend.lmtp;
      const taken: Fates = recipients.map(() => []);
      for (const { id, what, raw } of attempts(prefix)) {
        const file = join(folder, id);
        await writeFile(file, fixup ? raw.slice(0, -'.\r\n'.length) : raw, 'latin1');
        const words = ['--protocol', 'LMTP', '--server', host, '--port', String(port), '--from', 's@example.net'];
        const more = ['--to', recipients.join(','), '--data', `@${file}`, ...(fixup ? [] : ['--no-data-fixup'])];
        const said = await run('swaks', [...words, ...more], { encoding: 'latin1' }).then(
          ({ stdout }) => stdout,
          (error: unknown) => (error as { stdout: string }).stdout,
        );
        const replies = [
          ...said.matchAll(/^<(?:- |\*\*) +(?:(250 2\.1\.5 .*SESSIONID|250 2\.0\.0 .*Saved)|554 5\.6\.0 )/gm),
        ];
        assert.equal(replies.length, recipients.length, `${what}:\n${said}`);
        for (const [index, [, ok]] of replies.entries()) if (ok !== undefined) taken[index]?.push(id);
      }
      for (const ids of taken) ids.sort();
      assert.deepEqual(await arrived(prefix), taken);
    });
  }
});

// Users who move between real Cyrus servers that are in no Murder (`mupdate: false`): their rows are written by the worker, at
// the cut, while mail comes and the program, and then the source, is killed.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { idCounts } from '../harness/id-counts.ts';
import { ImapClient } from '../harness/imap.ts';
import { isRightCount, MailRound } from '../harness/mail-round.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const SERVERS = ['mail1', 'mail2'] as const;
type Server = (typeof SERVERS)[number];
const FOLDERS = ['Sent', 'Work'];
/** What a run is waited for, in milliseconds. */
const PATIENCE_MS = 180_000;

describe('moves between servers that speak no MUPDATE', { skip: withoutCyrus() }, () => {
  let cyrus: Cyrus;
  let rookery: Rookery;

  before(async () => {
    cyrus = await startCyrus({ nodes: SERVERS, mupdate: { host: '127.0.0.1', port: 1 }, start: false });
    for (const server of SERVERS) {
      const { folder } = cyrus.node(server);
      for (const file of ['imapd.conf', 'cyrus.conf'].map((name) => join(folder, name))) {
        const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => !/^ *mupdate/.test(line));
        await writeFile(file, lines.join('\n'));
      }
      await cyrus.node(server).start();
    }
    const access = (server: Server, by: 'imap' | 'lmtp', username: 'cyrus' | 'mailproxy') => ({
      ...{ ...cyrus.node(server)[by], username, password: CYRUS_PASSWORD[username] },
    });
    const backend = (server: Server) => ({
      ...{ mupdate: false, imap: access(server, 'imap', 'cyrus'), lmtp: access(server, 'lmtp', 'mailproxy') },
    });
    rookery = await Rookery.layOut({
      directory: { listen: [{ host: '127.0.0.1', port: 0 }], users: {} },
      lmtp: { listen: [{ host: '127.0.0.1', port: 0 }] },
      api: { listen: { host: '127.0.0.1', port: 0 } },
      backends: { mail1: backend('mail1'), mail2: backend('mail2') },
      placement: { serverlist_select_mode: 'random' },
      users: { folders: FOLDERS.map((name) => ({ name })), quota: { storage_kib: 1_000_000 } },
      workers: { lost_after: 5 },
      moves: { observe: 1, lease: 3, attempts: 10, copy_above: { bytes: 1, messages: 1 } },
    });
    await rookery.start();
    const { code, err } = await rookery.command('directory', 'trust', '--yes');
    assert.equal(code, 0, err);
  });
  after(async () => {
    await rookery.stop();
    await cyrus.stop();
  });

  /** Users at a server, with rows that nobody but us has written. */
  async function made(logins: readonly string[], server: Server): Promise<void> {
    for (const login of logins) {
      const { code, err } = await rookery.command('user', 'create', login, '--server', server);
      assert.equal(code, 0, err);
    }
  }

  async function held(server: Server): Promise<string[]> {
    const imap = await ImapClient.connect(cyrus.node(server).imap);
    try {
      await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
      return (await imap.ok('LIST "" user.*')).map((line) => /"?(user\.[^"]*)"?$/.exec(line)?.[1] ?? line).sort();
    } finally {
      imap.close();
    }
  }

  /** All of them to the other server, `meanwhile` going on beside; what mail came is there, once. */
  async function moved(logins: readonly string[], to: Server, meanwhile: () => Promise<void>): Promise<void> {
    const round = new MailRound(() => rookery.address('LMTP'), logins, 2, 50);
    try {
      await until('each has mail', () => round.messages.filter(({ taken }) => taken !== undefined).length > 40, 60_000);
      const [list, plan] = [join(rookery.folder, 'names'), join(rookery.folder, `to-${to}.plan`)];
      await writeFile(list, logins.map((login) => `user.${login}`).join('\n'));
      const planned = await rookery.command('move', 'plan', '--file', list, '--to', to, '--output', plan);
      assert.equal(planned.code, 0, planned.err);
      const started = await rookery.command('move', 'start', plan, '--yes', '--limit', 'total=1');
      assert.equal(started.code, 0, started.err);
      const run = /run ([\w-]+)/i.exec(started.out)?.[1] ?? '';
      await meanwhile();
      const shown = async () => (await rookery.command('move', 'show', run, '-f', 'json')).out;
      await until('the run is over', async () => /"state": *"done"/.test(await shown()), PATIENCE_MS);
      const report = (await rookery.command('move', 'report', run, '-f', 'csv')).out;
      assert.equal(report.split('\n').filter((line) => /,done,/.test(line)).length, logins.length, report);
    } finally {
      await round.stop(120_000);
    }
    await whole(logins, to, round);
  }

  async function whole(logins: readonly string[], to: Server, { messages }: MailRound): Promise<void> {
    const names = logins.flatMap((login) => [`user.${login}`, ...FOLDERS.map((folder) => `user.${login}.${folder}`)]);
    const from = to === 'mail1' ? 'mail2' : 'mail1';
    const [there, left] = [await held(to), await held(from)];
    for (const name of names) {
      assert.ok(there.includes(name), `${name} is at ${to}`);
      assert.ok(!left.includes(name), `${name} is at ${from} no more`);
    }
    const wrong: string[] = [];
    for (const login of logins) {
      // Of a user whose rows we write the INBOX has one.
      const { out, err } = await rookery.command('mailbox', 'where', `user.${login}`, '-f', 'json');
      assert.match(out, new RegExp(`"${to}"`), out + err);
      const counts = await idCounts(cyrus.node(to).imap, login);
      for (const one of messages.filter(({ user }) => user === login)) {
        const count = counts.get(one.id) ?? 0;
        const isTaken = one.taken !== undefined || one.unclear;
        if (!isTaken || !isRightCount(one, count))
          wrong.push(`${one.id} of ${login}: ${count} times, ${one.replies.join(' | ')}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(
      messages.filter(({ replies }) => replies.some((reply) => reply.startsWith('5'))),
      [],
    );
  }

  const ann = ['ann1', 'ann2', 'ann3'];

  test('users move, and their mail with them', async () => {
    await made(ann, 'mail1');
    await moved(ann, 'mail2', () => Promise.resolve());
  });

  test('back again, while the program is killed and the source is', async () => {
    await moved(ann, 'mail1', async () => {
      await rookery.end('SIGKILL');
      await rookery.start();
      await sleep(500);
      await cyrus.node('mail2').kill9();
      await cyrus.node('mail2').start();
    });
  });
});

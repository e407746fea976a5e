// Users at a real Cyrus server that is in no Murder (`mupdate: false`, with `imap`): made and deleted there by IMAP, their rows
// written by the worker, which nobody takes away again.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { Rookery } from '../harness/rookery.ts';

/** Above the time after which cases that were just opened are looked into. */
const aWhile = 12_000;

describe('users of a server that speaks no MUPDATE', { skip: withoutCyrus() }, () => {
  let cyrus: Cyrus;
  let rookery: Rookery;

  before(async () => {
    cyrus = await startCyrus({ nodes: ['mail1'], mupdate: { host: '127.0.0.1', port: 1 }, start: false });
    const { folder } = cyrus.node('mail1');
    for (const file of ['imapd.conf', 'cyrus.conf'].map((name) => join(folder, name))) {
      const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => !/^ *mupdate/.test(line));
      await writeFile(file, lines.join('\n'));
    }
    await cyrus.node('mail1').start();
    rookery = await Rookery.layOut({
      directory: { listen: [{ host: '127.0.0.1', port: 0 }], users: {} },
      lmtp: { listen: [{ host: '127.0.0.1', port: 0 }] },
      api: { listen: { host: '127.0.0.1', port: 0 } },
      backends: {
        mail1: {
          mupdate: false,
          imap: { ...cyrus.node('mail1').imap, username: 'cyrus', password: CYRUS_PASSWORD.cyrus },
        },
      },
      users: { folders: [{ name: 'Sent', special_use: 'Sent' }], quota: { storage_kib: 1000 } },
    });
    await rookery.start();
    assert.equal((await rookery.command('directory', 'trust', '--yes')).code, 0);
  });
  after(async () => {
    await rookery.stop();
    await cyrus.stop();
  });

  async function listed(pattern: string): Promise<number> {
    const imap = await ImapClient.connect(cyrus.node('mail1').imap);
    try {
      await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
      return (await imap.ok(`LIST "" ${pattern}`)).length;
    } finally {
      imap.close();
    }
  }

  test('made with all that a user has, and still there after a while; deleted with all of it', async () => {
    const made = await rookery.command('user', 'create', 'silent1');
    assert.deepEqual([made.code, made.err], [0, ''], made.out);
    assert.equal(await listed('user.silent1*'), 2);
    await sleep(aWhile);
    const changes = await rookery.command('directory', 'log', 'user.silent1');
    assert.match(changes.out, /ACTIVATE/);
    assert.doesNotMatch(changes.out, /reconcile|absent/, changes.out);
    assert.match((await rookery.command('mailbox', 'where', 'user.silent1')).out, /mail1/);
    const deleted = await rookery.command('user', 'delete', 'silent1');
    assert.deepEqual([deleted.code, deleted.err], [0, ''], deleted.out);
    assert.equal(await listed('user.silent1*'), 0);
  });
});

// A real Cyrus backend and a real replica of it, brought up to it by workers after each change that Rookery hears of: with
// the worker and the replica killed in the midst, and a user who can't be replicated.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withoutReplication } from '../harness/peers.ts';
import { QUEUE, Replicated } from '../harness/replicated.ts';
import { until } from '../harness/until.ts';

/** How many workers are killed while mail flows. */
const KILLS = 3;

describe('replication', { skip: withoutReplication() }, () => {
  let all: Replicated;
  const users = ['jdoe', 'j.doe@example.org', 'a b'];
  /** Nobody of this name can log in. */
  const others = ['-dash', 'rose&-thorn'];

  before(async () => {
    all = await Replicated.start();
  });
  after(() => all.stop());

  test('users, folders, ACL and mail come to the replica, whatever is in a name', async (t) => {
    await all.create(...users, ...others);
    await all.as(
      'jdoe',
      'CREATE "INBOX/Sent items"',
      'CREATE "INBOX/Sent items/2026"',
      'SETACL INBOX j.doe@example.org lrs',
    );
    await all.admin(all.master, 'SETQUOTA "user/jdoe" (STORAGE 100000)');
    for (let n = 0; n < 20; n += 1) await all.deliver('jdoe', 'j.doe@example.org', 'jdoe');
    await all.deliver('-dash');
    await all.equal(users);
    t.diagnostic(`61 messages and ${users.length + others.length} users were ${all.runs} runs`);
  });

  test('what Rookery does not hear of comes by hand, and with the next change', async () => {
    await all.as('jdoe', 'SELECT INBOX', 'STORE 1:5 +FLAGS (\\Flagged $Work)', 'UID EXPUNGE 1', 'SUBSCRIBE INBOX');
    const ended = await all.rookery.command('replicate', 'user', 'jdoe', '--wait', '60');
    assert.deepEqual([ended.code, ended.err, ended.out.trim()], [0, '', 'user.jdoe: mail1: the replica is up to it']);
    await all.equal(users);
    await all.as('j.doe@example.org', 'SELECT INBOX', 'STORE 1:3 +FLAGS (\\Seen \\Deleted)', 'EXPUNGE');
    await all.deliver('j.doe@example.org');
    await all.equal(users);
    const nobody = await all.rookery.command('replicate', 'user', 'nobody', '--wait', '60');
    assert.match(nobody.out, /he is gone, and so is his replica/);
    const whole = await all.rookery.command('replicate', 'server', 'mail1');
    assert.deepEqual(
      [whole.code, whole.out.trim()],
      [0, `${users.length + others.length} users are rung for: rookery queue show ${QUEUE}`],
    );
    const unknown = await all.rookery.command('queue', 'show', 'replication@mail7');
    assert.equal(unknown.code, 65, unknown.err);
  });

  test('renamed and deleted folders and users are so at the replica', async () => {
    await all.as('jdoe', 'RENAME "INBOX/Sent items" INBOX/Gone', 'CREATE INBOX/Temporary', 'DELETE INBOX/Temporary');
    await all.create('old', 'leaver', 'again');
    await all.deliver('old', 'leaver', 'again');
    await all.equal([...users, 'old', 'leaver', 'again']);
    await all.admin(all.master, 'RENAME user/old user/new', 'DELETE user/leaver', 'DELETE user/again');
    await all.create('again');
    await all.deliver('new', 'again');
    await all.equal([...users, 'new', 'again']);
  });

  test('workers and the replica are killed while mail flows: nothing is left out, nobody is given up', async (t) => {
    const many = Array.from({ length: 8 }, (_, n) => `many${n}`);
    await all.create(...many);
    const flows = new AbortController();
    const flow = (async () => {
      let sent = 0;
      for (; !flows.signal.aborted; sent += 1) {
        await all.deliver(many[sent % many.length] ?? '');
        await sleep(50);
      }
      return sent;
    })();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(500 + Math.random() * 1_000);
      await all.worker.end('SIGKILL');
      if (kill === 0) await all.replica.kill9();
      await all.startWorker();
      await sleep(Math.random() * 1_000);
      if (kill === 1) await all.replica.start();
    }
    flows.abort();
    const sent = await flow;
    await all.equal([...users, ...many]);
    assert.deepEqual(await all.jobs('failed'), []);
    t.diagnostic(`${sent} messages, ${KILLS} workers killed, ${all.runs} runs in all`);
  });

  test('while the replica is stopped mail is taken, and jobs wait without being given up', async () => {
    await all.replica.stop();
    await all.deliver(...users.slice(0, 2), 'many1', 'many2');
    await until('a job waits for it', () =>
      all.worker.log.some(({ msg }) => /replica does not answer/.test(String(msg))),
    );
    const pending = await all.rookery.command('replicate', 'user', 'jdoe', '--wait', '1');
    assert.equal(pending.code, 75, pending.out);
    await all.replica.start();
    await all.equal(users);
    assert.deepEqual(await all.jobs('failed'), []);
  });

  test('a user who cannot be replicated is a dead letter with what sync_client says, and others go on', async () => {
    await all.create('bad');
    await all.equal([...users, 'bad']);
    // The replica has his mailbox under a name that the backend never had.
    await all.admin(all.replica, 'RENAME user/bad user/stray');
    await all.deliver('bad', 'jdoe', 'many3');
    await until('he is given up', () => all.worker.log.some(({ outcome }) => outcome === 'dead'), 60_000);
    const [dead] = await all.jobs('failed');
    assert.deepEqual([dead?.about, dead?.kind], ['user.bad', 'refused']);
    assert.match(dead?.reason ?? '', /^bad is refused: sync_client ended with \d+: .*IMAP_MAILBOX_MOVED/);
    const hand = await all.rookery.command('replicate', 'user', 'bad', '--wait', '60');
    assert.equal(hand.code, 65, hand.out);
    assert.match(hand.err, /refused: bad is refused: .*IMAP_MAILBOX_MOVED/);
    await all.admin(all.replica, 'RENAME user/stray user/bad');
    const retried = await all.rookery.command('queue', 'retry', QUEUE, '--kind', 'refused');
    assert.equal(retried.code, 0, retried.err);
    await all.equal([...users, 'bad']);
    assert.deepEqual(await all.jobs('failed'), []);
  });
});

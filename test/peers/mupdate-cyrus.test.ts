// Two real Cyrus backends and a real frontend with our MUPDATE server as their master: all that they do to a directory.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { CYRUS_PASSWORD, mupdateUser, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { ImapClient } from '../harness/imap.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

describe('Cyrus with our master', { skip: withoutCyrus() }, () => {
  /** What is to be ended, the last first; also when the beginning has failed half-way. */
  const ends: (() => Promise<void> | void)[] = [];
  let master: ScratchMupdate;
  let cyrus: Cyrus;
  let mail1: ImapClient;
  let mail2: ImapClient;

  before(async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const scratch = await openScratchDirectory(redis.socket);
    ends.push(() => scratch.close());
    master = await ScratchMupdate.start({ after: (end) => void ends.push(end) }, { directory: scratch.directory });
    const names = ['unixhierarchysep: yes', 'virtdomains: userid'];
    const mupdate = { host: '127.0.0.1', port: master.port };
    cyrus = await startCyrus({ mupdate, frontend: true, options: { mail1: names, mail2: names, frontend: names } });
    ends.push(() => cyrus.stop());
    mail1 = await admin('mail1');
    mail2 = await admin('mail2');
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function admin(node: string): Promise<ImapClient> {
    const client = await ImapClient.connect(cyrus.node(node).imap);
    ends.push(() => {
      client.close();
    });
    return client.login('cyrus', CYRUS_PASSWORD.cyrus);
  }

  /** The rows as `name state location`. */
  async function rows(): Promise<string[]> {
    const entries = await master.directory.list('');
    return entries.map(({ name, state, location }) => `${name} ${state} ${location}`);
  }

  async function restarted(name: string): Promise<void> {
    await cyrus.node(name).stop();
    await cyrus.node(name).start();
  }

  /** Starts a backend again, and waits for the end of its push, which its log tells a little later. */
  async function pushedAgain(name: string): Promise<void> {
    const { log } = cyrus.node(name);
    const earlier = log.length;
    await restarted(name);
    await until('its push is done', () => log.slice(earlier).some((line) => line.includes('done populating mupdate')));
  }

  test('both start with nothing, and are heard', async () => {
    await until('both pushes', async () => (await master.directory.standing()).heard.length === 2);
    assert.deepEqual(await rows(), []);
  });

  test('CREATE of dotted users, in a domain, with blanks and non-ASCII, is in the directory', async () => {
    for (const name of ['user/alice', 'user/alice/Sent.Old', 'user/alice/T&APY-st', 'user/alice/with space']) {
      await mail1.ok('CREATE ', { literal: name });
    }
    await mail1.ok('CREATE user/a.b@example.org');
    await mail2.ok('CREATE user/bob');
    assert.deepEqual(await rows(), [
      'example.org!user.a^b active mail1!default',
      'user.alice active mail1!default',
      'user.alice.Sent^Old active mail1!default',
      'user.alice.T&APY-st active mail1!default',
      'user.alice.with space active mail1!default',
      'user.bob active mail2!default',
    ]);
  });

  test('a name that another backend has is refused', async () => {
    assert.equal((await mail2.command('CREATE user/alice')).status, 'NO');
    assert.ok((await rows()).includes('user.alice active mail1!default'));
  });

  test('SETACL and a change of partition are seen at once', async () => {
    await mail1.ok('SETACL user/alice bob lrs');
    const [alice] = (await master.directory.lookup(['user.alice'])).entries;
    assert.equal(alice?.acl, 'alice\tlrswipkxtecdan\tbob\tlrs\t');
    await mail1.ok('RENAME user/alice user/alice u2');
    assert.ok((await rows()).includes('user.alice active mail1!u2'));
  });

  test('RENAME takes a mailbox and its user along, and is refused onto a name of another backend', async () => {
    await mail1.ok('CREATE user/old');
    await mail1.ok('CREATE user/old/sub');
    await mail1.ok('RENAME user/old user/new');
    await mail1.ok('RENAME user/new/sub user/new/other');
    assert.deepEqual(
      (await rows()).filter((row) => /old|new/.test(row)),
      ['user.new active mail1!default', 'user.new.other active mail1!'],
    );
    assert.equal((await mail1.command('RENAME user/new user/bob')).status, 'NO');
    assert.ok((await rows()).includes('user.bob active mail2!default'));
    // Cyrus has deleted the old name before it asked for the new one, and does not say so when it rolls back.
    assert.ok((await rows()).includes('user.new active mail1!default'), 'the refused RENAME left the mailbox its row');
  });

  test('DELETE leaves the name that the mailbox is kept under', async () => {
    await mail1.ok('CREATE user/gone');
    await mail1.ok('SETACL user/gone cyrus lrswipkxtecdan');
    await mail1.ok('DELETE user/gone');
    const left = (await rows()).filter((row) => row.includes('gone'));
    assert.equal(left.length, 1);
    assert.match(left[0] ?? '', /^DELETED\.user\.gone\.[0-9A-F]+ active mail1!$/);
  });

  test('a populated backend that starts again is heard, deletes nothing, and names its partitions', async () => {
    const before = await mail1.ok('LIST "" *');
    await pushedAgain('mail1');
    mail1 = await admin('mail1');
    assert.deepEqual((await mail1.ok('LIST "" *')).sort(), before.sort());
    assert.ok((await rows()).includes('user.new active mail1!default'));
    assert.ok(!(await rows()).some((row) => row.endsWith('mail1!')));
  });

  test('XFER there and back, to a partition and with folders', async () => {
    const moved = (server: string) => async () => {
      const alice = (await rows()).filter((row) => row.startsWith('user.alice'));
      return alice.length === 4 && alice.every((row) => row.includes(` active ${server}!`));
    };
    const there = await mail1.ok('XFER user/alice mail2 u2');
    assert.match(there.join('\n'), /OK USER alice/);
    await until('alice is on mail2', moved('mail2'));
    assert.ok((await rows()).includes('user.alice active mail2!u2'));
    const back = await mail2.ok('XFER user/alice mail1');
    assert.match(back.join('\n'), /OK USER alice/);
    await until('alice is on mail1', moved('mail1'));
  });

  test('a copy that the directory gives to another backend is never removed by a start', async () => {
    const operator = await master.client('mup-extra');
    const taken = ['user.new', 'mail2!default', 'new\tlrs\t'];
    assert.equal((await operator.send('ACTIVATE', taken)).status, 'OK');
    await operator.logout();
    await pushedAgain('mail1');
    mail1 = await admin('mail1');
    assert.equal((await mail1.ok('LIST "" user/new')).length, 1);
    assert.ok((await rows()).includes('user.new active mail2!default'));
    assert.ok(master.rings.some(({ name }) => name === 'user.new'));
  });

  test('a frontend follows: its list is ours, after all of this and after a restart', async () => {
    const list = async (): Promise<string[]> => {
      const frontend = await admin('frontend');
      const untagged = await frontend.ok('LIST "" *');
      frontend.close();
      return untagged.sort();
    };
    const known = (await rows()).length;
    await until('the frontend knows all mailboxes', async () => (await list()).length === known);
    await mail1.ok('CREATE user/alice/a-b');
    await until('the frontend knows the new one', async () => (await list()).length === known + 1);
    await restarted('frontend');
    assert.equal((await list()).length, known + 1);
  });

  test('a dry run is not counted as a push', async () => {
    const counted = () => master.logged.filter((line) => line.endsWith('push complete')).length;
    const before = counted();
    const operator = await master.client('mup-extra');
    await operator.send('DELETE', ['user.alice.a-b']);
    await operator.logout();
    const { stdout } = await cyrus.node('mail1').run('ctl_mboxlist', '-mw');
    assert.match(stdout, /Force Activate: user\.alice\.a-b/);
    await cyrus.node('mail1').run('ctl_mboxlist', '-m');
    // Cyrus does not wait for the answer to LOGOUT. Had the dry run been counted, it would have been so before the push.
    await until('the push', () => Promise.resolve(counted() > before));
    assert.equal(counted(), before + 1);
    assert.ok((await rows()).some((row) => row.startsWith('user.alice.a-b active mail1!')));
  });
});

test('our client with a real Cyrus master', { skip: withoutCyrus() }, async (t) => {
  const master = await startCyrus({ nodes: [] });
  t.after(() => master.stop());
  const account = { username: mupdateUser('extra'), password: CYRUS_PASSWORD.mupdate, timeout: 10_000 };
  const [client, follower] = await Promise.all([
    MupdateClient.connect({ address: master.mupdate, ...account }),
    MupdateClient.connect({ address: master.mupdate, ...account }),
  ]);
  const seen: string[] = [];
  const update = await follower.send('UPDATE', [], ({ state, name }) => seen.push(`${state} ${name}`));
  assert.equal(update.text, 'streaming starts');
  const row = { name: 'user."q\\"', location: 'mail1!default', acl: 'q\tlrs\t' };
  assert.equal((await client.send('RESERVE', [row.name, row.location])).text, 'done');
  assert.equal((await client.send('ACTIVATE', Object.values(row))).text, 'done');
  assert.equal((await client.send('RESERVE', [row.name, 'mail2!default'])).status, 'NO');
  assert.deepEqual((await client.send('LIST', ['mail1!'])).data, [{ state: 'active', ...row }]);
  assert.deepEqual((await client.send('FIND', ['user.absent'])).data, []);
  await follower.send('NOOP');
  assert.deepEqual(seen, ['active user."q\\"', 'active user."q\\"']);
  await client.logout();
  await follower.logout();
});

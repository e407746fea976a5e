// Users made, deleted and renamed on two real Cyrus backends: by command, from a file, by their first message; with the
// program killed in the midst, and a backend stopped. Each is on one server, and the directory and IMAP say the same.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mta } from '../harness/lmtp-proxy.ts';
import { BACKENDS, FULL, Murder } from '../harness/murder.ts';
import type { Backend } from '../harness/murder.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const IMPORTED = FULL ? 2000 : 100;

describe('users', { skip: withoutCyrus() }, () => {
  let murder: Murder;

  before(async () => {
    murder = await Murder.start({
      sections: {
        users: {
          folders: [{ name: 'Sent', special_use: 'Sent' }],
          quota: { storage_kib: 1_000_000 },
          autocreate: { names: ['user.first%'], hold: 20 },
        },
        placement: { serverlist_select_mode: 'random' },
        // A worker that was killed is missed after at most twice this time.
        workers: { lost_after: 5 },
      },
    });
  });
  after(() => murder.stop());

  /** Where the mailboxes of users with this prefix are, by the backends' own lists. */
  async function holders(prefix: string): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    for (const backend of BACKENDS) {
      for (const name of (await murder.holdings(backend)).keys()) {
        if (name.startsWith(`user.${prefix}`) && name.split('.').length === 2)
          found.set(name, [...(found.get(name) ?? []), backend]);
      }
    }
    return found;
  }

  async function serverOf(name: string): Promise<string | undefined> {
    const row = (await murder.rows()).get(name);
    return row?.state === 'active' ? row.server : undefined;
  }

  const rookery = (...words: string[]) => murder.rookery.command(...words);

  test('by command: made where it was decided, explained, and made once', async (t) => {
    const begun = Date.now();
    const made = await rookery('user', 'create', 'jdoe', '--quota', '100M');
    t.diagnostic(`user create took ${Date.now() - begun} ms, the program's start included`);
    assert.deepEqual([made.code, made.err], [0, ''], made.out);
    const server = (await serverOf('user.jdoe')) as Backend;
    assert.match(made.out, new RegExp(`^user\\.jdoe: at ${server}!default`));
    assert.deepEqual((await holders('jdoe')).get('user.jdoe'), [server]);
    await murder.admin(server, async (imap) => {
      assert.match((await imap.ok('GETQUOTA user.jdoe')).join(), /STORAGE 0 102400/);
      assert.equal((await imap.ok('LIST "" user.jdoe.Sent')).length, 1);
    });
    const why = await rookery('placement', 'explain', 'jdoe');
    assert.match(why.out, new RegExp(`jdoe: ${server}!.*\\n`));
    assert.match(why.out, /mail1[^]*mail2/);
    const again = await rookery('user', 'create', 'jdoe');
    assert.deepEqual([again.code, again.out.trim()], [0, `user.jdoe: it is there already, at ${server}!default`]);
    const other = BACKENDS.find((name) => name !== server) ?? '';
    const elsewhere = await rookery('user', 'create', 'jdoe', '--server', other);
    assert.equal(elsewhere.code, 65);
    assert.match(elsewhere.err, new RegExp(`it is at ${server}, and not at ${other}: move it`));
  });

  test('where it was asked for; what cannot be is refused', async () => {
    const there = await rookery('user', 'create', 'wanted', '--server', 'mail2', '--partition', 'u2');
    assert.deepEqual([there.code, there.err], [0, ''], there.out);
    assert.deepEqual((await murder.rows()).get('user.wanted'), { state: 'active', server: 'mail2', partition: 'u2' });
    for (const [args, why] of [
      [['nowhere', '--server', 'mail9'], /mail9/],
      [['nowhere', '--partition', 'u9', '--server', 'mail1'], /invalid partition/],
      [['nowhere', '--partition', 'u9'], /mail1: has refused it: .*invalid partition.*mail2: has refused it/],
      [['nowhere', '--zone', 'atlantis'], /in no zone/],
      [['a"b'], /may|no user/],
      [['a&b'], /no user's name may have/],
    ] as const) {
      const refused = await rookery('user', 'create', ...args, '--wait', '20');
      assert.equal(refused.code, 65, JSON.stringify([args, refused]));
      assert.match(refused.err, why);
    }
    for (const quota of ['9999999999', '999999999999T']) {
      const refused = await rookery('user', 'create', 'nowhere', '--quota', quota);
      assert.deepEqual([refused.code, refused.out], [64, ''], refused.err);
    }
    assert.equal(await serverOf('user.nowhere'), undefined);
  });

  test('a user whom a server has without the directory knowing is not made twice', async () => {
    assert.match(await murder.say('mail2', 'LOCALCREATE "user.ghost"'), /^OK/);
    const elsewhere = await rookery('user', 'create', 'ghost', '--server', 'mail1');
    assert.deepEqual([elsewhere.code, elsewhere.out], [65, '']);
    assert.match(elsewhere.err, /it is at mail2, and not at mail1: move it/);
    assert.deepEqual((await holders('ghost')).get('user.ghost'), ['mail2']);
    assert.equal(await serverOf('user.ghost'), 'mail2');
  });

  test('deleted and renamed', async () => {
    assert.equal((await rookery('user', 'create', 'old')).code, 0);
    const server = await serverOf('user.old');
    const renamed = await rookery('user', 'rename', 'old', 'young');
    assert.deepEqual([renamed.code, renamed.err], [0, ''], renamed.out);
    assert.deepEqual([await serverOf('user.old'), await serverOf('user.young')], [undefined, server]);
    assert.equal(await serverOf('user.young.Sent'), server);
    const taken = await rookery('user', 'rename', 'young', 'jdoe');
    assert.equal(taken.code, 65, taken.out);
    const deleted = await rookery('user', 'delete', 'young');
    assert.deepEqual([deleted.code, deleted.err], [0, ''], deleted.out);
    assert.deepEqual([await serverOf('user.young'), await serverOf('user.young.Sent')], [undefined, undefined]);
    assert.deepEqual([...(await holders('young')).keys()], []);
    assert.match((await rookery('user', 'delete', 'young')).out, /there is no such user/);
  });

  test('by a first message, in the same transaction; others are refused', async () => {
    const mta = await Mta.greet(murder.rookery.address('LMTP'));
    const replies = await mta.send(['<first1>']);
    mta.socket.destroy();
    assert.match(replies[0] ?? '', /^250/);
    assert.deepEqual((await holders('first1')).get('user.first1'), [await serverOf('user.first1')]);
    const strange = await Mta.greet(murder.rookery.address('LMTP'));
    await strange.say('MAIL FROM:<>');
    assert.match(await strange.say('RCPT TO:<stranger>'), /^550/);
    strange.socket.destroy();
  });

  test(`${IMPORTED} from a file, the program killed in the midst, and given again`, async (t) => {
    const file = join(murder.rookery.folder, 'users.txt');
    await writeFile(file, ['# name', ...Array.from({ length: IMPORTED }, (_, at) => `many${at} quota=1G`)].join('\n'));
    const begun = Date.now();
    const first = rookery('user', 'import', file);
    await sleep(IMPORTED * 10);
    await murder.killDirectory();
    await first;
    await murder.startDirectory();
    const second = await rookery('user', 'import', file);
    t.diagnostic(`${IMPORTED} users, with a kill -9 of everything in the midst: ${Date.now() - begun} ms`);
    assert.deepEqual(
      [second.code, second.out.trim()],
      [0, `${IMPORTED} of ${IMPORTED} users are there, 0 were refused, 0 are not done yet`],
      second.err,
    );
    const found = await holders('many');
    assert.equal(found.size, IMPORTED);
    for (const [name, servers] of found) assert.equal(servers.length, 1, `${name} is at ${servers.join(' and ')}`);
    const rows = await murder.rows();
    for (const [name, [server]] of found) assert.equal(rows.get(name)?.server, server, name);
    const again = Date.now();
    assert.equal((await rookery('user', 'import', file)).code, 0);
    t.diagnostic(`and once more: ${Date.now() - again} ms`);
    assert.equal((await holders('many')).size, IMPORTED);
    await until('the frontend knows them', async () => {
      const seen = await murder.frontendView();
      return [...found.keys()].every((name) => seen.has(name));
    });
  });

  test('while a backend is stopped the others get the new users', async () => {
    await murder.cyrus.node('mail2').stop();
    for (const name of ['left1', 'left2', 'left3']) {
      const made = await rookery('user', 'create', name, '--wait', '60');
      assert.deepEqual([made.code, made.err], [0, ''], made.out);
      assert.equal(await serverOf(`user.${name}`), 'mail1');
    }
    const there = await rookery('user', 'create', 'patient', '--server', 'mail2', '--wait', '2');
    assert.equal(there.code, 75, there.out);
    await murder.startBackend('mail2');
    await until('it is made when its server is back', async () => (await serverOf('user.patient')) === 'mail2', 60_000);
  });

  test('while no backend runs he waits, and is made by the first one that is back', async () => {
    await Promise.all(BACKENDS.map((name) => murder.cyrus.node(name).stop()));
    const both = await rookery('user', 'create', 'both1', '--wait', '3');
    assert.equal(both.code, 75, both.out);
    await murder.startBackend('mail1');
    await until('it is made', async () => (await serverOf('user.both1')) === 'mail1', 120_000);
    await murder.startBackend('mail2');
  });
});

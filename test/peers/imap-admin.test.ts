// What real Cyrus backends say of their mailboxes, and what is made of it: each fact that ImapAdmin stands on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';
import { killXfer, XferRelay } from '../harness/xfer-relay.ts';

const allRights = 'cyrus lrswipkxtecdan';

describe('ImapAdmin with real backends', { skip: withoutCyrus() }, () => {
  /** What is to be ended, the last first; also when the beginning has failed half-way. */
  const ends: (() => Promise<void> | void)[] = [];
  let master: ScratchMupdate;
  let cyrus: Cyrus;

  before(async () => {
    master = await ScratchMupdate.start({ after: (end) => void ends.push(end) });
    const mupdate = { host: '127.0.0.1', port: master.port };
    const virtual = ['virtdomains: userid', 'admins: cyrus backend bound@example.org'];
    cyrus = await startCyrus({
      mupdate,
      frontend: true,
      options: {
        mail1: ['unixhierarchysep: yes', 'altnamespace: yes', ...virtual],
        mail2: ['unixhierarchysep: no', ...virtual],
      },
    });
    ends.push(() => cyrus.stop());
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** The raw connection, to see and do what ImapAdmin does not. */
  async function raw(node: string): Promise<ImapClient> {
    const client = await ImapClient.connect(cyrus.node(node).imap);
    ends.push(() => {
      client.close();
    });
    return client.login('cyrus', CYRUS_PASSWORD.cyrus);
  }

  async function admin(
    node: string,
    username: keyof typeof CYRUS_PASSWORD = 'cyrus',
    server = node,
  ): Promise<ImapAdmin> {
    const access = { ...cyrus.node(node).imap, username, password: CYRUS_PASSWORD[username] };
    const connected = await ImapAdmin.connect(access, { timeout: 20_000, server });
    ends.push(() => connected.close());
    return connected;
  }

  /** The mailboxes in a server's own list, by their internal names. */
  async function inside(node: string): Promise<string[]> {
    const { stdout } = await cyrus.node(node).run('ctl_mboxlist', '-d');
    const entries = JSON.parse(stdout) as Record<string, { mbtype: string }>;
    return Object.entries(entries).flatMap(([name, { mbtype }]) => (mbtype.includes('d') ? [] : [name]));
  }

  async function row(name: string): Promise<string> {
    const [entry] = (await master.directory.lookup([name])).entries;
    return entry ? `${entry.state} ${entry.location}` : 'none';
  }

  /** Takes the row away behind the server's back, so that a push is seen. */
  async function forget(name: string): Promise<void> {
    const operator = await master.client('mup-extra');
    assert.equal((await operator.send('DELETE', [name])).status, 'OK');
    await operator.logout();
  }

  for (const [node, external] of [
    ['mail1', (name: string) => name],
    [
      'mail2',
      (name: string) =>
        name
          .replaceAll('.', '^')
          .replaceAll('/', '.')
          .replace(/\^(?=org$)/, '.'),
    ],
  ] as const) {
    test(`${node}: every name the server has, whatever it looks like, is held, and can be pushed`, async () => {
      const client = await raw(node);
      for (const name of [
        `user/${node}`,
        ...[
          'a*b',
          'a+b',
          'with space',
          'tail ',
          "o'b",
          '~t&-',
          'T&APY-st',
          'x!y',
          'INBOX',
          'ver.1',
          'a-b',
          'NIL',
          '1:2',
        ].map((folder) => `user/${node}/${folder}`),
        `user/${node}.x@example.org`,
        `user/${node}.x/Sent.Old@example.org`,
        `news${node}/local`,
        'user/cyrus',
      ]) {
        if (node === 'mail2' && name === 'user/cyrus') continue; // the other one has it
        await client.ok('CREATE ', { literal: external(name) });
      }
      const folder = external(`user/${node}/gone`);
      await client.ok(`CREATE ${folder}`);
      await client.ok(`SETACL ${folder} ${allRights}`);
      await client.ok(`DELETE ${folder}`);

      const names = await inside(node);
      assert.ok(names.some((name) => name.startsWith(`DELETED.user.${node}.gone.`)));
      assert.ok(names.includes(`example.org!user.${node}^x.Sent^Old`));
      const server = await admin(node);
      for (const name of names) {
        assert.equal(await server.holds(name), 'has', name);
        await forget(name);
        await server.push(name);
        assert.match(await row(name), new RegExp(`^active ${node}!`), name);
      }
    });

    test(`${node}: what it has not, it lacks, also where a wildcard or another spelling would match`, async () => {
      const server = await admin(node);
      const absent = ['nobody', 'a%b', `${node}.gone`, `${node}.a%b`, `${node}.**`, `${node}.a?b`, `${node}.TAIL`];
      for (const name of [...absent, `${node}.tail`, 'm*', `${node}.x`, `${node}.q"b\\`, node.toUpperCase()]) {
        assert.equal(await server.holds(`user.${name}`), 'lacks', name);
        await assert.rejects(server.push(`user.${name}`), /MUPDATEPUSH of user\..*: NO Mailbox does not exist/);
      }
      assert.equal(await server.holds(`example.net!user.${node}^x`), 'lacks');
      assert.equal(await server.holds(`EXAMPLE.org!user.${node}^x`), 'lacks');
      await assert.rejects(server.holds('user.a\r\nb'), /no mailbox of this server can be called user\.a\\x0d\\x0ab/);
      await assert.rejects(server.holds(`user..${node}`), /no mailbox of this server can be called/);
      assert.equal(await server.holds(`user.${node}`), 'has', 'the connection is still good');
    });
  }

  test('LIST hides an administrator’s own INBOX, which is held all the same', async () => {
    assert.deepEqual(await (await raw('mail1')).ok('LIST "" user/cyrus'), []);
    assert.equal(await (await admin('mail1')).holds('user.cyrus'), 'has');
  });

  test('whoever is no administrator of the whole server is not asked, for the server would hide mailboxes', async () => {
    const proxy = await ImapClient.connect(cyrus.node('mail1').imap);
    ends.push(() => {
      proxy.close();
    });
    await proxy.login('mailproxy', CYRUS_PASSWORD.mailproxy);
    assert.equal((await proxy.command('MYRIGHTS "user/mail1"')).text, 'Mailbox does not exist');
    await assert.rejects(
      admin('mail1', 'mailproxy'),
      /^ImapFailure: mail1 \(.*:10143\): mailproxy is no administrator/,
    );
    await assert.rejects(admin('mail1', 'alice'), /alice is no administrator/);
    await assert.rejects(admin('mail1', 'mupdate'), /refused mupdate: /);

    const accounts = `${cyrus.node('mail1').folder}/conf/sasldb2`;
    execFileSync('saslpasswd2', ['-c', '-p', '-f', accounts, '-u', 'example.org', 'bound'], { input: 'boundpw' });
    const bound = await ImapClient.connect(cyrus.node('mail1').imap);
    ends.push(() => {
      bound.close();
    });
    await bound.login('bound@example.org', 'boundpw');
    assert.equal((await bound.command('GETQUOTA ""')).text, 'Quota root does not exist');
    assert.equal((await bound.command('MYRIGHTS "user/mail1"')).text, 'Mailbox does not exist');
    const access = { ...cyrus.node('mail1').imap, username: 'bound@example.org', password: 'boundpw' };
    await assert.rejects(ImapAdmin.connect(access, { timeout: 20_000 }), /administers one domain only/);
  });

  test('another server, or a frontend, is not taken for the one meant', async () => {
    await assert.rejects(admin('mail2', 'cyrus', 'mail1'), /calls itself mail2/);
    await assert.rejects(admin('frontend', 'cyrus', 'mail1'), /calls itself frontend/);
  });

  test('an XFER that broke off: moving at the source, a copy at the destination, gone there after LOCALDELETE', async () => {
    const [source, destination] = [cyrus.node('mail1'), cyrus.node('mail2')];
    const names = ['user.moe', 'user.moe.Sent'];
    const client = await raw('mail1');
    for (const name of ['user/moe', 'user/moe/Sent']) {
      await client.ok(`CREATE ${name}`);
      await client.ok(`SETACL ${name} ${allRights}`);
    }
    const server = await admin('mail1');
    const moving = async (): Promise<boolean> =>
      (await server.holds('user.moe')) === 'moving' && (await server.holds('user.moe.Sent')) === 'moving';
    const relay = await XferRelay.between(source, destination, moving);
    ends.push(() => {
      relay.close();
    });
    const broken = client.command('XFER user/moe mail2').then(
      () => 'answered',
      () => 'broken',
    );
    await until('the XFER is in its last round', () => relay.silent);
    assert.deepEqual(await Promise.all(names.map(row)), ['handed mail1!default', 'handed mail1!default']);
    await killXfer(source);
    assert.equal(await broken, 'broken');

    const other = await admin('mail2');
    assert.equal(await server.holds('user.moe'), 'moving');
    assert.equal(await other.holds('user.moe'), 'has');
    await assert.rejects(server.push('user.moe'), /NO \[REFERRAL/);
    assert.deepEqual(await (await raw('mail1')).ok('LIST "" user/moe'), ['LIST (\\HasChildren) "/" user/moe']);

    const cleaner = await raw('mail2');
    await cleaner.ok('LOCALDELETE user.moe');
    // What is left of the parent is a level above its folder.
    assert.deepEqual(await cleaner.ok('LIST "" user.moe'), ['LIST (\\Noselect \\HasChildren) "." user.moe']);
    assert.equal(await other.holds('user.moe'), 'lacks');
    await cleaner.ok('LOCALDELETE user.moe.Sent');
    assert.equal(await other.holds('user.moe.Sent'), 'lacks');

    await source.restart(); // its push takes the marks away
    const again = await admin('mail1');
    for (const name of names) assert.equal(await again.holds(name), 'has');
    assert.deepEqual(await Promise.all(names.map(row)), ['active mail1!default', 'active mail1!default']);
  });

  test('files that are lost are not noticed: the list alone is asked', async () => {
    const client = await raw('mail1');
    await client.ok('CREATE user/lost');
    const [header = ''] = (await client.ok('GETMETADATA user/lost (/shared/vendor/cmu/cyrus-imapd/uniqueid)')).flatMap(
      (line) => /"([a-z0-9]{24})"\)$/.exec(line)?.slice(1) ?? [],
    );
    const { folder } = cyrus.node('mail1');
    execFileSync('find', [`${folder}/spool`, '-name', header, '-exec', 'rm', '-r', '{}', '+']);
    const server = await admin('mail1');
    assert.equal(await server.holds('user.lost'), 'has');
    await server.push('user.lost');
    assert.equal(await row('user.lost'), 'active mail1!default');
  });

  test('a server that goes away answers nothing any more', async () => {
    const server = await admin('mail2');
    await cyrus.node('mail2').kill9();
    await assert.rejects(server.holds('user.mail2'), /mail2 \(.*\): (?:the server closed the connection|.*ECONN)/);
    await assert.rejects(admin('mail2'), /ECONNREFUSED/);
  });
});

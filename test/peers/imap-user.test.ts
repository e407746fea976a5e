// Mailboxes and users made, changed and taken away at real Cyrus backends: each fact that ImapAdmin's changes stand on.
import assert from 'node:assert/strict';
import { readFile, statfs } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { ImapFailure } from '../../services/backends/imap-failure.ts';
import type { FailureKind } from '../../services/backends/imap-failure.ts';
import { configSchema } from '../../services/config/schema.ts';
import { makeUser } from '../../services/placement/make-user.ts';
import { newUser } from '../../services/placement/new-user.ts';
import type { Step } from '../../services/placement/new-user.ts';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { MupdateRelay } from '../harness/mupdate-relay.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { signalGroup } from '../harness/process-group.ts';
import { until } from '../harness/until.ts';

describe('a user at real backends', { skip: withoutCyrus() }, () => {
  /** What is to be ended, the last first; also when the beginning has failed half-way. */
  const ends: (() => Promise<void> | void)[] = [];
  /** What a test has opened. */
  const clients: ImapClient[] = [];
  let master: ScratchMupdate;
  let relay: MupdateRelay;
  let cyrus: Cyrus;

  before(async () => {
    master = await ScratchMupdate.start({ after: (end) => void ends.push(end) });
    relay = await MupdateRelay.listen();
    ends.push(() => {
      relay.close();
    });
    relay.target = { host: '127.0.0.1', port: master.port };
    const slashes = ['unixhierarchysep: yes', 'altnamespace: yes', 'partition_select_usage_reinit: 1'];
    cyrus = await startCyrus({
      mupdate: relay.address,
      options: {
        mail1: [...slashes, 'virtdomains: userid'],
        mail2: ['virtdomains: userid', 'allowusermoves: no', 'partition-broken: /proc/nowhere'],
      },
    });
    ends.push(() => cyrus.stop());
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  interface Where {
    timeout?: number;
    port?: number;
    host?: string;
  }

  async function admin(node: string, { timeout = 20_000, ...place }: Where = {}): Promise<ImapAdmin> {
    const access = { ...cyrus.node(node).imap, ...place, username: 'cyrus', password: CYRUS_PASSWORD.cyrus };
    const connected = await ImapAdmin.connect(access, { timeout, server: node });
    ends.push(() => connected.close());
    return connected;
  }

  /** The raw connection, as the administrator or as the user he acts as. */
  async function raw(node: string, actAs = ''): Promise<ImapClient> {
    const client = await ImapClient.connect(cyrus.node(node).imap);
    clients.push(client);
    return client.login('cyrus', CYRUS_PASSWORD.cyrus, actAs);
  }

  async function row(name: string): Promise<string> {
    const [entry] = (await master.directory.lookup([name])).entries;
    return entry ? `${entry.state} ${entry.location}` : 'none';
  }

  /** What the server's own list says, whatever IMAP does: partitions by internal name. */
  async function inside(node: string): Promise<Map<string, string>> {
    const { stdout } = await cyrus.node(node).run('ctl_mboxlist', '-d');
    const entries = JSON.parse(stdout) as Record<string, { mbtype: string; partition: string }>;
    const own = Object.entries(entries).filter(([, { mbtype }]) => !mbtype.includes('d'));
    return new Map(own.map(([name, { partition }]) => [name, partition]));
  }

  async function fails(what: Promise<unknown>, kind: FailureKind, reason: RegExp): Promise<void> {
    await assert.rejects(what, (error) => {
      assert.ok(error instanceof ImapFailure, String(error));
      assert.match(error.message, reason);
      assert.equal(error.kind, kind, error.message);
      return true;
    });
  }

  const odd = (node: string): string[] =>
    ['', '-b', '+b', '^b', ' b', '=b', '&APY-st', 'star*', "'b", '~b'].map((tail) => `user.${node}${tail}`);

  for (const node of ['mail1', 'mail2']) {
    test(`${node}: a mailbox is made where it was asked for, is in the directory, and is made once`, async () => {
      const server = await admin(node);
      const names = odd(node).flatMap((name) => [name, `example.org!${name}`, `${name}.Sent Items`]);
      for (const [at, name] of names.entries()) {
        const partition = at % 3 === 1 ? 'default' : 'u2';
        const created = await server.createMailbox(name, { partition });
        assert.deepEqual([created.is, created.partition], ['created', partition], name);
        assert.equal(await row(name), `active ${node}!${partition}`, name);
        assert.equal(await server.holds(name), 'has', name);
        const again = await server.createMailbox(name, { partition: 'default' });
        assert.deepEqual(again, { ...created, is: 'exists' }, name);
        assert.deepEqual(await server.mailbox(name), { partition, uniqueId: created.uniqueId }, name);
      }
      const list = await inside(node);
      for (const [at, name] of names.entries()) assert.equal(list.get(name), at % 3 === 1 ? 'default' : 'u2', name);
      assert.equal(await server.mailbox('user.none'), undefined);
      assert.equal(await server.mailbox(`user.${node}%`), undefined, 'a wildcard is nothing but a character');
    });

    test(`${node}: quota, ACL and deletion, on the same names`, async () => {
      const server = await admin(node);
      const starred = `user.${node}star*`;
      await fails(server.setQuota(starred, { messages: 5 }), 'refused', /NO Invalid mailbox name/);
      for (const name of odd(node).flatMap((one) => [one, `example.org!${one}`])) {
        assert.equal(await server.quota(name), undefined);
        // Cyrus has no quota roots with wildcards in them.
        if (name.endsWith('*')) {
          assert.equal(await server.deleteMailbox(name), 'done', name);
          continue;
        }
        assert.equal(await server.setQuota(name, {}), 'already');
        assert.equal(await server.setQuota(name, { storageKiB: 100, messages: 5 }), 'done');
        assert.equal(await server.setQuota(name, { storageKiB: 100, messages: 5 }), 'already');
        assert.deepEqual(await server.quota(name), {
          storageKiB: { used: 0, limit: 100 },
          messages: { used: 0, limit: 5 },
        });
        assert.equal(await server.setQuota(name, { storageKiB: 2_147_483_647 }), 'done');
        assert.deepEqual(await server.quota(name), { storageKiB: { used: 0, limit: 2_147_483_647 } });

        assert.equal(await server.setAcl(name, 'anyone', 'p'), 'done');
        assert.equal(await server.setAcl(name, 'anyone', 'p'), 'already');
        assert.equal(await server.setAcl(name, 'help desk', 'lrx'), 'done');
        assert.equal(await server.setAcl(name, 'help desk', 'xrl'), 'already', 'in any order, c aside');
        assert.equal(await server.setAcl(name, '-bob', 'r'), 'done');
        assert.equal(await server.deleteAcl(name, '-bob'), 'done');
        assert.equal(await server.deleteAcl(name, '-bob'), 'already');
        const acl = await server.acl(name);
        assert.deepEqual([acl.get('anyone'), acl.get('help desk'), acl.get('-bob')], ['p', 'lrxc', undefined]);

        assert.equal(await server.deleteMailbox(name), 'done', name);
        assert.equal(await server.deleteMailbox(name), 'already', name);
        assert.equal(await server.holds(name), 'lacks', name);
        assert.equal(await server.quota(name), undefined, name);
      }
      const left = [...(await inside(node)).keys()].filter((name) => !name.includes('DELETED.'));
      assert.deepEqual(left, [], 'the folders go with their INBOX');
    });
  }

  test('no limits are no limits, and a folder can be a quota root of its own', async () => {
    const server = await admin('mail1');
    await server.createMailbox('user.quincy');
    await server.createMailbox('user.quincy.Big');
    await server.setQuota('user.quincy', { storageKiB: 0 });
    await server.setQuota('user.quincy.Big', { messages: 7 });
    assert.deepEqual(await server.quota('user.quincy'), { storageKiB: { used: 0, limit: 0 } });
    assert.equal(await server.setQuota('user.quincy', {}), 'done');
    assert.deepEqual(await server.quota('user.quincy'), {});
    await fails(
      server.setQuota('user.none', { messages: 1 }),
      'refused',
      /SETQUOTA of user\.none: NO Mailbox does not/,
    );
  });

  test('why a limit above 2 TiB is not sent: it ends the session', async () => {
    const client = await raw('mail1');
    await assert.rejects(client.command('SETQUOTA user/quincy (STORAGE 2147483648)'), /closed the connection/);
  });

  test('why an identifier with a quote is not sent: the mailbox can never be changed again', async () => {
    const server = await admin('mail1');
    await server.createMailbox('user.poisoned');
    const client = await raw('mail1');
    assert.equal((await client.command('SETACL user/poisoned "q\\"x" lrs')).text, 'Invalid identifier');
    await fails(
      server.setAcl('user.poisoned', 'bob', 'l'),
      'refused',
      /SETACL of user\.poisoned: NO Invalid identifier/,
    );
    await fails(server.deleteMailbox('user.poisoned'), 'refused', /NO Invalid identifier/);
    assert.deepEqual((await server.acl('user.poisoned')).get('q"x'), 'lrs');
    assert.equal((await client.command('LOCALDELETE user/poisoned')).text, 'Invalid identifier');
  });

  test('what Cyrus refuses, and what may pass', async () => {
    const [server, dotted] = [await admin('mail1'), await admin('mail2')];
    await fails(server.createMailbox('user.a%b'), 'refused', /NO Invalid mailbox name/);
    await fails(server.createMailbox('user'), 'refused', /NO Invalid mailbox name/);
    await fails(server.createMailbox(`user.${'x'.repeat(500)}`), 'refused', /NO Invalid mailbox name/);
    await fails(server.createMailbox('user.x', { partition: 'nosuch' }), 'refused', /NO Unknown\/invalid partition/);
    await fails(server.createMailbox('user.none.Sent'), 'refused', /NO Permission denied/);
    await fails(server.createMailbox('user.quincy.X', { specialUse: ['Bogus'] }), 'refused', /NO \[USEATTR\]/);
    await fails(
      server.createMailbox('user.quincy.A.B', { specialUse: ['Junk'] }),
      'refused',
      /NO SPECIAL-USE flag conf/,
    );
    await fails(server.setAcl('user.quincy', 'group:none', 'l'), 'refused', /NO Invalid identifier/);
    await fails(server.setAcl('user.quincy', 'bob', 'q'), 'refused', /BAD The q right is not supported/);
    await fails(server.acl('user.none'), 'refused', /NO Mailbox does not exist/);
    await fails(dotted.createMailbox('user.quincy'), 'busy', /NO unable to reserve mailbox on mupdate server/);
    assert.equal(await dotted.holds('user.quincy'), 'lacks');
    await fails(dotted.createMailbox('user.x', { partition: 'broken' }), 'busy', /NO System I\/O error/);
    assert.equal(await dotted.holds('user.x'), 'lacks');
  });

  test('RENAME: name or partition, the same mailbox after it, known when it is so already', async () => {
    const [server, dotted] = [await admin('mail1'), await admin('mail2')];
    const { uniqueId } = await server.createMailbox('user.rena', { partition: 'default' });
    await server.createMailbox('user.rena.Sent', { specialUse: ['Sent'] });
    await server.setQuota('user.rena', { storageKiB: 9 });
    assert.equal(await server.renameMailbox('user.rena', 'user.rena', 'u2'), 'done');
    assert.equal(await server.renameMailbox('user.rena', 'user.rena', 'u2'), 'already');
    assert.equal(await row('user.rena.Sent'), 'active mail1!u2');
    assert.equal(await server.renameMailbox('user.rena', 'user.re^ne'), 'done');
    assert.equal(await server.renameMailbox('user.rena', 'user.re^ne'), 'already');
    assert.deepEqual(await server.mailbox('user.re^ne'), { partition: 'u2', uniqueId });
    assert.equal(await row('user.re^ne.Sent'), 'active mail1!u2');
    assert.deepEqual((await server.quota('user.re^ne'))?.storageKiB, { used: 0, limit: 9 });
    assert.deepEqual([...(await server.acl('user.re^ne')).keys()], ['re.ne']);
    assert.match((await (await raw('mail1', 're.ne')).ok('LIST "" Sent')).join(), /\\Sent/);

    await server.createMailbox('user.other');
    await fails(
      server.renameMailbox('user.re^ne', 'user.other'),
      'refused',
      /RENAME of user\.re\^ne: NO Mailbox already/,
    );
    await fails(server.renameMailbox('user.none', 'user.nobody'), 'refused', /NO Mailbox does not exist/);
    await fails(server.renameMailbox('user.re^ne', 'user.x', 'default'), 'refused', /Cross-server or cross-partition/);
    await fails(server.renameMailbox('user.re^ne', 'user.re^ne', 'nosuch'), 'busy', /NO Server\(s\) unavailable/);
    await dotted.createMailbox('user.dora');
    await fails(dotted.renameMailbox('user.dora', 'user.dory'), 'refused', /NO Operation is not supported on mailbox/);
  });

  const form = configSchema.parse({
    servername: 'frontend1',
    users: {
      quota: { storage_kib: 5000 },
      folders: [
        { name: 'Sent', special_use: 'Sent' },
        { name: 'Entwürfe', special_use: 'Drafts' },
        { name: 'Archive', special_use: 'Archive', subscribe: false },
        { name: 'Archive/2026 Q1', subscribe: false },
      ],
      acl: [
        { identifier: 'anyone', rights: 'p' },
        { identifier: 'helpdesk', rights: 'lr', on: 'all' },
      ],
    },
  }).users;
  const folders = ['Sent', 'Entw&APw-rfe', 'Archive', 'Archive.2026 Q1'];

  /**
   * What a whole user is, seen by the administrator, by himself, in the server's own list and in the directory. `torn`: two
   * sessions have subscribed him at once. Where both begin his file of subscriptions, Cyrus 3.6.1 takes pieces of its head
   * for names besides (`VER`, `NINBOX` of "VERSION" and "INBOX" were seen): names of no mailboxes, in no client's way.
   */
  async function requireUser(node: string, inbox: string, partition: string, torn = false): Promise<void> {
    const server = await admin(node);
    const names = [inbox, ...folders.map((folder) => `${inbox}.${folder}`)];
    const there = [...(await inside(node))].filter(([name]) => name === inbox || name.startsWith(`${inbox}.`));
    assert.deepEqual(new Map(there), new Map(names.map((name) => [name, partition])));
    for (const name of names) {
      assert.equal(await row(name), `active ${node}!${partition}`, name);
      assert.equal((await server.acl(name)).get('helpdesk'), 'lr', name);
      assert.equal((await server.acl(name)).get('anyone'), name === inbox ? 'p' : undefined, name);
    }
    assert.deepEqual(await server.quota(inbox), { storageKiB: { used: 0, limit: 5000 } });
    const [domain, local = ''] = inbox.includes('!') ? inbox.split('!') : [undefined, inbox];
    const user = await raw(node, `${local.slice('user.'.length).replaceAll('^', '.')}${domain ? `@${domain}` : ''}`);
    const listed = (await user.ok('LIST "" *')).join('\n');
    for (const use of [/\\Sent\) .*Sent$/m, /\\Drafts\) .*Entw&APw-rfe$/m, /\\Archive\) .*Archive$/m])
      assert.match(listed, use);
    const subscribed = (await user.ok('LSUB "" *')).map((line) => / "?((?:INBOX[./])?[^ "]+)"?$/.exec(line)?.[1]);
    const prefix = node === 'mail1' ? '' : 'INBOX.';
    const own = [`${prefix}Entw&APw-rfe`, 'INBOX', `${prefix}Sent`].sort();
    const real = torn ? subscribed.filter((one) => own.includes(one ?? '')) : subscribed;
    assert.deepEqual(real.sort(), own);
  }

  for (const [node, inbox] of [
    ['mail1', 'example.org!user.whole^user'],
    ['mail1', 'user.whole'],
    ['mail2', 'user.whole-2'],
  ] as const) {
    test(`${inbox} at ${node}: a user is made whole, and is found to be so`, async () => {
      const steps = newUser(form, { inbox, partition: 'u2' });
      const server = await admin(node);
      const made = await makeUser(steps, server, { mupdate: true });
      assert.deepEqual(
        made.steps.map(({ step }) => step),
        steps,
      );
      assert.ok(made.steps.every(({ effect }) => effect === 'done'));
      assert.equal(made.inbox?.partition, 'u2');
      await requireUser(node, inbox, 'u2');
      const again = await makeUser(newUser(form, { inbox, partition: 'default' }), server, { mupdate: true });
      const lasting = again.steps.filter(({ step }) => step.do !== 'subscribe');
      assert.ok(lasting.every(({ effect }) => effect === 'already'));
      assert.deepEqual(again.inbox, made.inbox);
      await requireUser(node, inbox, 'u2');
    });
  }

  test('two workers at once make one user', async () => {
    const steps = newUser(form, { inbox: 'user.twice', partition: 'u2' });
    const both = await Promise.all([admin('mail1'), admin('mail1')]);
    const made = await Promise.all(both.map((server) => makeUser(steps, server, { mupdate: true })));
    assert.equal(made.filter(({ steps: [first] }) => first?.effect === 'done').length, 1);
    assert.deepEqual(made[0]?.inbox, made[1]?.inbox);
    await requireUser('mail1', 'user.twice', 'u2', true);
  });

  /** A way to a node that is cut after so many commands, before the last one's answer. */
  async function cutAfter(node: string, commands: number): Promise<{ port: number; host: string; cut: () => boolean }> {
    let left = commands;
    const open = new Set<Socket>();
    const server = createServer((client) => {
      const backend = dial(cyrus.node(node).imap);
      open.add(client);
      for (const socket of [client, backend]) socket.on('error', () => undefined);
      client.on('close', () => backend.end());
      backend.on('data', (bytes) => left > 0 && client.write(bytes));
      backend.on('close', () => client.destroy());
      client.on('data', (bytes) => {
        if (left <= 0) return;
        backend.write(bytes);
        left -= bytes.toString('latin1').split('\r\n').length - 1;
        if (left <= 0) for (const one of open) one.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(() => void server.close());
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, cut: () => left <= 0 };
  }

  test('a worker that is gone after any command: the next one goes on, and one user results', async () => {
    const steps = newUser(form, { inbox: 'user.cut', partition: 'u2' });
    const login = 5; // CAPABILITY, AUTHENTICATE and its secret, GETQUOTA, NAMESPACE
    let cuts = 0;
    for (let commands = login + 1; ; commands += 1) {
      assert.ok(commands < 200, 'it comes to an end');
      const way = await cutAfter('mail1', commands);
      const server = await admin('mail1', { host: way.host, port: way.port });
      const done = await makeUser(steps, server, { mupdate: true }).then(
        () => true,
        (error: unknown) => {
          assert.ok(error instanceof ImapFailure && error.kind === 'away', String(error));
          return false;
        },
      );
      if (done && !way.cut()) break;
      cuts += 1;
    }
    assert.ok(cuts > steps.length, `${cuts} cuts`);
    await requireUser('mail1', 'user.cut', 'u2');
  });

  for (const [fate, verb] of [
    ['cut', 'RESERVE'],
    ['swallow', 'RESERVE'],
    ['cut', 'ACTIVATE'],
    ['swallow', 'ACTIVATE'],
    ['refuse', 'ACTIVATE'],
  ] as const) {
    test(`the word between backend and directory is lost (${fate} ${verb}): once more, and all is right`, async () => {
      const name = `user.${fate}-${verb.toLowerCase()}`;
      const server = await admin('mail1');
      let done = false;
      relay.rule = (heard) => {
        if (done || heard.verb !== verb || heard.name !== name) return 'pass';
        done = true;
        return fate;
      };
      const steps = newUser(form, { inbox: name, partition: 'u2' });
      const first = await makeUser(steps, server, { mupdate: true }).catch((error: unknown) => error);
      relay.rule = undefined;
      assert.ok(done, 'it was said');
      if (first instanceof Error) assert.ok(first instanceof ImapFailure && first.kind === 'busy', String(first));
      await makeUser(steps, server, { mupdate: true });
      await requireUser('mail1', name, 'u2');
    });
  }

  test('the backend is killed while the directory is being told: started again, the user is made whole', async () => {
    const node = cyrus.node('mail2');
    const steps = newUser(form, { inbox: 'user.killed', partition: 'u2' });
    let killed: Promise<void> | undefined;
    relay.rule = async (heard) => {
      if (killed || heard.verb !== 'ACTIVATE' || heard.name !== 'user.killed') return 'pass';
      killed = node.kill9();
      await killed;
      return 'cut';
    };
    await fails(makeUser(steps, await admin('mail2'), { mupdate: true }), 'away', /closed the connection|ECONNRESET/);
    relay.rule = undefined;
    assert.ok(killed);
    await fails(
      ImapAdmin.connect({ ...node.imap, username: 'cyrus', password: 'x' }, { timeout: 5_000 }),
      'away',
      /ECONNREFUSED|ECONNRESET|closed the connection/,
    );
    await node.start();
    await makeUser(steps, await admin('mail2'), { mupdate: true });
    await requireUser('mail2', 'user.killed', 'u2');
  });

  test('the directory is not there: nothing is made; it is back: it is made', async () => {
    const server = await admin('mail1');
    relay.target = undefined;
    await fails(server.createMailbox('user.late'), 'busy', /CREATE of user\.late: NO /);
    assert.equal(await server.holds('user.late'), 'lacks');
    relay.target = { host: '127.0.0.1', port: master.port };
    assert.equal((await server.createMailbox('user.late')).is, 'created');
    assert.match(await row('user.late'), /^active mail1!/);
  });

  test('a backend that hangs is away, in bounded time; awake again it has one mailbox of each name', async () => {
    const group = Number(await readFile(join(cyrus.node('mail1').folder, 'run/master.pid'), 'utf8'));
    const open = await admin('mail1', { timeout: 1_500 });
    signalGroup(group, 'SIGSTOP');
    try {
      await fails(open.createMailbox('user.hung'), 'away', /waited 1500 ms for the creation of user\.hung/);
      await fails(admin('mail1', { timeout: 1_500 }), 'away', /waited 1500 ms for the login of cyrus/);
    } finally {
      signalGroup(group, 'SIGCONT');
    }
    const steps: Step[] = newUser(form, { inbox: 'user.hung', partition: 'default' });
    const server = await admin('mail1');
    await until(
      'the backend has done what it was told before',
      async () => (await server.holds('user.hung')) === 'has',
    );
    const made = await makeUser(steps, server, { mupdate: true });
    assert.equal(made.steps[0]?.effect, 'already');
    await requireUser('mail1', 'user.hung', 'default');
  });

  test('a user who has no mailbox is not subscribed, nor a folder that is not there', async () => {
    const server = await admin('mail1');
    await fails(server.subscribe(['user.none']), 'refused', /it has no mailbox user\.none/);
    await fails(server.subscribe(['user.quincy', 'user.quincy.None']), 'refused', /SUBSCRIBE of user\.quincy\.None/);
    await server.subscribe([]);
  });

  test('where . stands between levels, a dot of the login is a ^ of the name', async () => {
    const server = await admin('mail2');
    await server.createMailbox('user.quin^cy', {});
    await server.subscribe(['user.quin^cy']);
    await (await raw('mail2', 'quin.cy')).ok('SELECT INBOX');
  });

  test('room: what the filesystem has; behind a partition that cannot be looked at, in any order, nothing is counted', async () => {
    const { total, emptiest } = await (await admin('mail1')).freeSpace();
    const { blocks, bsize } = await statfs(join(cyrus.node('mail1').folder, 'spool/u2'));
    assert.equal(total.totalKiB, Math.floor((blocks * bsize) / 1024));
    assert.equal(emptiest.totalKiB, total.totalKiB, 'both partitions are on one filesystem');
    assert.ok(total.availableKiB > 0 && total.availableKiB <= total.totalKiB);
    const open = await Promise.all(Array.from({ length: 8 }, () => admin('mail2')));
    for (const server of open) {
      const said = await server.freeSpace().then(
        (space) => space.total.totalKiB,
        (error: unknown) => String(error),
      );
      if (said !== total.totalKiB) assert.match(String(said), /"0;0": there is a partition that it cannot look at/);
    }
  });
});

// A real Postfix that asks by socketmap: whom it refuses while the sender is there, whom it puts off, and which way it delivers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MaildirBackend } from '../../infra/local/maildir-backend.ts';
import type { Directory, Verb } from '../../services/directory/directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import type { ScratchDirectory } from '../harness/directory.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { withoutPostfix } from '../harness/peers.ts';
import { startPostfix } from '../harness/postfix.ts';
import type { Postfix } from '../harness/postfix.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const snippets = join(import.meta.dirname, '../../infra/mta/postfix');
const recipients = {
  ...({ virtdomains: 'off', defaultdomain: 'internal', postuser: '' } as const),
  ...{ unixhierarchysep: true, lmtp_downcase_rcpt: true, lmtp_strict_rfc2821: true },
};

describe('Postfix asks by socketmap', { skip: withoutPostfix() }, () => {
  let folder: string;
  let redis: ScratchRedis;
  let scratch: ScratchDirectory;
  let rookery: Rookery;
  let lookup: { host: string; port: number };
  let postfix: Postfix;
  const backends: Record<string, MaildirBackend> = {};

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rookery-lookup-'));
    // Postfix' processes reach the sockets in it.
    await chmod(folder, 0o755);
    redis = await startRedis();
    scratch = await openScratchDirectory(redis.socket);
    const places = {
      inet: { host: '127.0.0.1', port: 0 },
      inet6: { host: '::1', port: 0 },
      unix: { path: join(folder, 'lmtp.sock') },
    };
    for (const [name, address] of Object.entries(places)) {
      const own = { name, address, folder: join(folder, name), recipients, log: quietLog };
      backends[name] = await MaildirBackend.start(own);
    }
    rookery = await Rookery.layOut({
      ...{ servername: 'frontend', redis: { url: redis.socket } },
      directory: { redis_timeout: 1 },
      lmtp: { listen: [{ host: '127.0.0.1', port: 0 }] },
      ...{ log: { level: 'debug' }, api: { listen: { host: '127.0.0.1', port: 0 } } },
      lookup: {
        listen: [{ host: '127.0.0.1', port: 0 }, { path: join(folder, 'lookup.sock') }],
        transport: { domains: ['direct.example'] },
      },
      backends: Object.fromEntries(
        Object.values(backends).map(({ name, address }) => [name, { lmtp: address, mupdate: false }]),
      ),
    });
    await rookery.start('run', 'lmtp', 'lookup', 'api');
    lookup = rookery.address('Lookup');

    const main = await readFile(join(snippets, 'lookup.cf.snippet'), 'utf8');
    const pointed = main
      .replaceAll('socketmap:inet:127.0.0.1:2004', `socketmap:inet:${lookup.host}:${lookup.port}`)
      .replace(/^#(transport_maps)/m, '$1');
    assert.notEqual(pointed, main);
    postfix = await startPostfix({
      lmtp: `inet:[127.0.0.1]:${rookery.address('LMTP').port}`,
      options: [
        pointed,
        'virtual_mailbox_domains = example.org direct.example',
        'relay_domains = relay.example',
        `relay_recipient_maps = proxy:socketmap:unix:${folder}/lookup.sock:mailbox`,
        'mydestination = local.example',
        'local_recipient_maps = $virtual_mailbox_maps',
        'inet_protocols = all',
        'smtpd_client_restrictions =',
      ],
    });
    await scratch.directory.vouch('test');
    await user('ada', 'inet');
    await user('six', 'inet6');
    await user('sock', 'unix');
  });
  after(async () => {
    await postfix.stop();
    await rookery.stop();
    for (const backend of Object.values(backends)) await backend.stop();
    await scratch.close();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function write(verb: Verb, name: string, server: string, directory: Directory = scratch.directory) {
    const location = verb === 'DELETE' ? '' : `${server}!default`;
    const writer = { session: `t-${name}-${verb}`, server, admin: false, push: false };
    assert.ok((await directory.write({ verb, name, location, acl: '' }, writer)).ok);
  }

  async function user(name: string, server: string): Promise<void> {
    await backends[server]?.maildirs.create(`user.${name}`);
    await write('ACTIVATE', `user.${name}`, server);
  }

  async function inbox(server: string, name: string): Promise<string[]> {
    const path = backends[server]?.maildirs.path(`user.${name}`) ?? '';
    return Promise.all((await readdir(join(path, 'new'))).map((file) => readFile(join(path, 'new', file), 'latin1')));
  }

  /** What postmap -q prints, and how it ends: 0 found, 1 not found or an error, which is on standard error. */
  function postmap(map: string, key: string): Promise<{ code: number; out: string; err: string }> {
    const table = `socketmap:inet:${lookup.host}:${lookup.port}:${map}`;
    return new Promise((resolve) => {
      const child = execFile('postmap', ['-q', key, table], (_error, out, err) => {
        resolve({ code: child.exitCode ?? -1, out: out.trim(), err });
      });
    });
  }

  /** What Postfix' smtpd says to each recipient, as to a stranger. */
  async function rcpt(addresses: readonly string[], mta = postfix): Promise<string[]> {
    const smtp = await Mta.greet(mta.smtp);
    await smtp.say('EHLO client.test');
    await smtp.say('MAIL FROM:<s@example.net>');
    const replies: string[] = [];
    for (const address of addresses) replies.push(await smtp.say(`RCPT TO:<${address}>`));
    await smtp.quit();
    return replies;
  }

  test('postmap -q', async () => {
    assert.deepEqual(await postmap('mailbox', 'ada@example.org'), { code: 0, out: 'user.ada inet!default', err: '' });
    assert.deepEqual(await postmap('mailbox', 'nobody@example.org'), { code: 1, out: '', err: '' });
    assert.deepEqual(await postmap('mailbox', '@example.org'), { code: 1, out: '', err: '' });
    const way = await postmap('transport', 'sock@direct.example');
    assert.equal(way.out, `lmtp:unix:${folder}/lmtp.sock`);
    assert.deepEqual(await postmap('transport', 'ada@example.net'), { code: 1, out: '', err: '' });
    const wrong = await postmap('aliases', 'ada@example.org');
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /permanent error: there is no map aliases/);
  });

  test('at SMTP time: 250 for the known, 550 for the unknown by proof, 451 where there is none', async () => {
    await write('RESERVE', 'user.new', 'inet');
    const recipients = ['ada', 'ada+lists', 'Ada', 'nobody', '"no body"', 'new'].map((local) => `${local}@example.org`);
    const replies = await rcpt(recipients);
    assert.deepEqual(
      replies.map((reply) => reply.slice(0, 9)),
      ['250 2.1.5', '250 2.1.5', '250 2.1.5', '550 5.1.1', '550 5.1.1', '451 4.3.0'],
    );
    assert.match(String(replies[3]), /User unknown in virtual mailbox table/);
    assert.match(String(replies[5]), /Temporary lookup failure/);
  });

  test('as relay_recipient_maps through proxymap and a Unix socket, and as local_recipient_maps', async () => {
    const replies = await rcpt([
      'ada@relay.example',
      'nobody@relay.example',
      'ada@local.example',
      'nobody@local.example',
    ]);
    assert.deepEqual(
      replies.map((reply) => reply.slice(0, 9)),
      ['250 2.1.5', '550 5.1.1', '250 2.1.5', '550 5.1.1'],
    );
  });

  test('a map that is not there puts everybody off, and bounces nobody', async (t) => {
    const other = await startPostfix({
      lmtp: 'unix:unused',
      options: [`virtual_mailbox_maps = socketmap:inet:${lookup.host}:${lookup.port}:mailboxes`],
    });
    t.after(() => other.stop());
    const [reply] = await rcpt(['ada@example.org'], other);
    assert.match(String(reply), /^451 4\.3\.5 Server configuration error/);
    await other.logged(/permanent error: there is no map mailboxes: there are mailbox and transport/);
  });

  test('by the map transport mail goes straight to the backends: IPv4, IPv6 and a Unix socket', async () => {
    const users = { ada: 'inet', six: 'inet6', sock: 'unix' };
    await postfix.submit(
      's@example.net',
      Object.keys(users).map((name) => `${name}@direct.example`),
      'Subject: d\r\n\r\nx\r\n',
    );
    for (const [name, server] of Object.entries(users)) {
      await until(`${name} has it`, async () => (await inbox(server, name)).length === 1);
      const [message = ''] = await inbox(server, name);
      assert.doesNotMatch(message, /by frontend \(Rookery\)/);
    }
    await postfix.logged(/to=<six@direct\.example>, relay=::1\[::1\]:\d+, .*status=sent/);
    await postfix.logged(/to=<sock@direct\.example>, relay=\S+\[\/\S+lmtp\.sock\], .*status=sent/);
    // The other domain's mail goes through the proxy.
    await postfix.submit('s@example.net', ['ada@example.org'], 'Subject: p\r\n\r\nx\r\n');
    await until('it is there', async () => (await inbox('inet', 'ada')).length === 2);
    assert.equal((await inbox('inet', 'ada')).filter((one) => one.includes('by frontend (Rookery)')).length, 1);
  });

  test('Postfix asks for whole addresses alone, and which way every address goes, also the senders', () => {
    const keys = rookery.log
      .filter(({ msg }) => msg === 'lookup: answered')
      .map(({ map, key }) => `${String(map)} ${String(key)}`);
    assert.ok(keys.includes('transport s@example.net'));
    assert.deepEqual(
      new Set(keys.filter((key) => !/ \S.*@/.test(key))),
      new Set(['mailbox @example.org', 'transport *']),
    );
  });

  test('what was asked is counted by map and answer, and /readyz has a note of it', async () => {
    const { host, port } = rookery.address('HTTP');
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    for (const labels of ['map="mailbox",answer="NOTFOUND"', 'map="transport",answer="OK"', 'map="none",answer="PERM"'])
      assert.match(metrics, new RegExp(`^rookery_lookup_answers_total\\{${labels}\\} [1-9]`, 'm'));
    assert.match(metrics, /^rookery_lookup_connections [1-9]/m);
    assert.match(metrics, /^rookery_directory_lookups_total\{result="absent"\} [1-9]/m);
    const health = (await (await fetch(`http://${host}:${port}/readyz`)).json()) as { notes: Record<string, string> };
    assert.equal(health.notes['lookup'], 'ok');
  });

  test('while the directory is away nobody is refused, and the sender is put off', async () => {
    await redis.kill9();
    const [known, unknown, direct] = await rcpt(['ada@example.org', 'nobody@example.org', 'nobody@direct.example']);
    assert.match(String(unknown), /^451 4\.3\.0/);
    assert.match(String(direct), /^451 4\.3\.0/);
    assert.match(String(known), /^(250|451)/);
    await redis.restart();
    await until('the directory is back', async () => {
      const vouched = await scratch.directory.vouch('test').then(
        () => true,
        () => false,
      );
      // Known recipients are remembered all the while: only the unknown one shows that it is back.
      return vouched && (await rcpt(['nobody@example.org']))[0]?.startsWith('550') === true;
    });
    const again = await rcpt(['ada@example.org', 'nobody@example.org']);
    assert.match(again.join('\n'), /^250 .*\n550 5\.1\.1/);
  });

  test('when nobody answers at the socket nobody is refused', async () => {
    await rookery.end();
    const replies = await rcpt(['ada@example.org', 'nobody@example.org']);
    for (const reply of replies) assert.match(reply, /^451 4\.3\.0/);
  });
});

// A real Postfix that asks by socketmap: whom it refuses while the sender is there, whom it puts off, and which way it delivers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
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
      lookup: { listen: [{ host: '127.0.0.1', port: 0 }], transport: { domains: ['direct.example'] } },
      backends: Object.fromEntries(
        Object.values(backends).map(({ name, address }) => [name, { lmtp: address, mupdate: false }]),
      ),
    });
    await rookery.start('run', 'lmtp', 'lookup');
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
  async function rcpt(...addresses: string[]): Promise<string[]> {
    const smtp = await Mta.greet(postfix.smtp).catch(() => undefined);
    assert.ok(smtp);
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

  test('at SMTP time: 250 for the known, 550 for the unknown by proof', async () => {
    const replies = await rcpt('ada@example.org', 'ada+lists@example.org', 'nobody@example.org', 'six@direct.example');
    console.error(replies);
    assert.match(replies.join('\n'), /^250 .*\n250 .*\n550 5\.1\.1 .*User unknown.*\n250 /);
  });
});

// TLS, AUTH, XFORWARD and the PROXY protocol as those speak them that we did not write: swaks, Postfix, haproxy.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Networks } from '../../services/listening/networks.ts';
import type { LmtpSettings } from '../../services/lmtp/settings.ts';
import { certificateFile, certificateOf } from '../harness/certificates.ts';
import { startHaproxy } from '../harness/haproxy.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { runProxy, type ProxyRun, type ProxySetup } from '../harness/lmtp-proxy.ts';
import { withoutHaproxy, withoutPostfix, withoutSwaksTls } from '../harness/peers.ts';
import { startPostfix } from '../harness/postfix.ts';
import { until } from '../harness/until.ts';

const run = promisify(execFile);

interface Stage {
  proxy: ProxyRun;
  backend: FakeBackend;
  host: string;
  port: number;
}

async function stage(t: TestContext, setup: Pick<ProxySetup, 'listening' | 'door'>): Promise<Stage> {
  const backend = await new FakeBackend().listen();
  t.after(() => backend.close());
  const proxy = await runProxy(t, { backends: { mail1: backend }, users: { ann: 'mail1' }, ...setup });
  assert.ok('port' in proxy.address);
  return { proxy, backend, ...proxy.address };
}

const nobody = new Networks([]);
/** Nobody gets in without AUTH. */
const strict: Partial<LmtpSettings> = {
  ...{ preauth_networks: nobody, users: new Map([['mta1', 'r1ght']]), failedloginpause: 50 },
  lmtp_admins: new Set(['mta1', 'mta1.test']),
};
const startTls = { tls: 'starttls', certificate: certificateOf('server', { ca: true }) } as const;

describe('swaks', { skip: withoutSwaksTls() }, () => {
  const swaks = async ({ host, port }: Stage, ...more: string[]): Promise<string> => {
    const args = ['--server', host, '--port', String(port), '--protocol', 'LMTP', '--from', 's@x', '--to', 'ann@x'];
    return run('swaks', [...args, ...more]).then(
      ({ stdout }) => stdout,
      (error: unknown) => (error as { stdout: string }).stdout,
    );
  };
  const login = ['--auth', 'PLAIN', '--auth-user', 'mta1', '--auth-password'];

  test('AUTH PLAIN over STARTTLS, and over TLS from the first byte', async (t) => {
    const offered = await stage(t, { listening: strict, door: startTls });
    const implicit = await stage(t, { listening: strict, door: { ...startTls, tls: 'implicit' } });
    for (const [where, tls] of [
      [offered, '-tls'],
      [implicit, '--tls-on-connect'],
    ] as const) {
      const said = await swaks(where, tls, ...login, 'r1ght');
      assert.match(said, /<~ {2}235 2\.7\.0 Authenticated/);
      assert.match(said, /<~ {2}250 2\.1\.5 <ann@x> Ok/);
      assert.match(where.backend.messages[0]?.raw ?? '', /\(Rookery\) with LMTPSA id /);
      assert.match(await swaks(where, tls, ...login, 'wrong'), /<~\* 535 5\.7\.8/);
      assert.match(await swaks(where, tls), /<~\* 430 4\.7\.0 Authentication required/);
    }
  });

  test('no password in the clear', async (t) => {
    const where = await stage(t, { listening: strict, door: startTls });
    assert.doesNotMatch(await swaks(where, ...login, 'r1ght'), /235|AUTH PLAIN/);
    assert.equal(where.backend.messages.length, 0);
  });
});

describe('Postfix', { skip: withoutPostfix() }, () => {
  test('lmtp_tls_security_level = secure, a client certificate, and XFORWARD', async (t) => {
    const where = await stage(t, { listening: strict, door: startTls });
    const [folder, password] = [await mkdtemp(join(tmpdir(), 'rookery-tls-')), 'sasl'];
    t.after(() => rm(folder, { recursive: true }));
    await chmod(folder, 0o755);
    for (const name of ['ca.crt', 'client.crt', 'client.key'])
      await copyFile(certificateFile(name), join(folder, name));
    await writeFile(join(folder, password), `[127.0.0.1]:${where.port} mta1:r1ght\n`);
    const postfix = await startPostfix({
      lmtp: `inet:[127.0.0.1]:${where.port}`,
      options: [
        'lmtp_tls_security_level = secure',
        'lmtp_tls_secure_cert_match = mx.test',
        `lmtp_tls_CAfile = ${folder}/ca.crt`,
        'lmtp_send_xforward_command = yes',
        'lmtp_sasl_auth_enable = yes',
        `lmtp_sasl_password_maps = texthash:${folder}/${password}`,
        'lmtp_sasl_security_options = noanonymous',
      ],
    });
    t.after(() => postfix.stop());
    await postfix.submit('s@example.net', ['ann@example.org'], 'Subject: x\r\n\r\nhello\r\n');
    const [, queueId] = await postfix.logged(/([0-9A-F]+): to=<ann@example\.org>.*status=sent/);
    await until('it is logged', () => where.proxy.outcomes.length === 1);
    assert.deepEqual(
      where.proxy.outcomes.map(({ tls, mta_queue_id }) => [tls, mta_queue_id]),
      [[true, queueId]],
    );
    assert.match(where.backend.messages[0]?.raw ?? '', /with LMTPSA id /);
  });

  test('without AUTH the mail stays in its queue: soft_noauth', async (t) => {
    const where = await stage(t, { listening: strict });
    const postfix = await startPostfix({ lmtp: `inet:[127.0.0.1]:${where.port}` });
    t.after(() => postfix.stop());
    await postfix.submit('s@example.net', ['ann@example.org'], 'Subject: x\r\n\r\nhello\r\n');
    await postfix.logged(/status=deferred .*430 4\.7\.0 Authentication required/);
    assert.equal(await postfix.queued(), 1);
  });
});

describe('haproxy', { skip: withoutHaproxy() }, () => {
  test('send-proxy: we see who is behind it; a client of its own is turned away', async (t) => {
    const listening = { preauth_networks: new Networks(['127.0.0.7']), handshake_timeout: 500 };
    const where = await stage(t, { listening, door: { proxy_protocol: true } });
    const haproxy = await startHaproxy(where);
    t.after(() => haproxy.kill());
    const { port } = haproxy.address;
    const converse = async (localAddress: string, at: number): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port: at, localAddress });
      let heard = '';
      socket.on('data', (more) => (heard += more.toString())).on('error', () => undefined);
      socket.write('LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n');
      await new Promise((closed) => socket.on('close', closed));
      return heard;
    };
    assert.match(await converse('127.0.0.7', port), /250 2\.1\.5 <ann> Ok/);
    assert.match(where.backend.messages.at(-1)?.raw ?? '', /^Received: from c \(\[127\.0\.0\.7\]\)/);
    assert.match(await converse('127.0.0.8', port), /430 4\.7\.0/);
    // Past the proxy: no header, no session.
    assert.equal(await converse('127.0.0.1', where.port), '');
  });
});

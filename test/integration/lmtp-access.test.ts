// Who may deliver, and by which protocols: TLS, AUTH, trusted networks, the PROXY header.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from '../../services/backends/registry.ts';
import { Networks } from '../../services/listening/networks.ts';
import { LmtpListener, type Log } from '../../services/lmtp/listener.ts';
import { lmtpDefaults, plainDoor, type Door, type LmtpSettings } from '../../services/lmtp/settings.ts';
import { certificateOf, pem } from '../harness/certificates.ts';
import { LmtpStore } from '../harness/lmtp-store.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { until } from '../harness/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-access-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const nobody = new Networks([]);
const strict: Partial<LmtpSettings> = {
  ...{ preauth_networks: nobody, xforward_networks: nobody, failedloginpause: 20 },
  users: new Map([
    ['mta1', 'r1ght'],
    ['reader', 'r1ght'],
  ]),
  lmtp_admins: new Set(['mta1', 'mta1.test', 'mta1@test']),
};

interface Setup {
  settings?: Partial<LmtpSettings>;
  door?: Partial<Door>;
  at?: Address;
  log?: Log;
}

interface Running {
  listener: LmtpListener;
  store: LmtpStore;
  address: Address;
}

async function run(t: TestContext, { settings, door, at, log = quietLog }: Setup): Promise<Running> {
  const store = new LmtpStore();
  const listener = new LmtpListener({
    ...{ servername: 'mx.test', settings: { ...lmtpDefaults, ...settings }, handler: store, log },
  });
  t.after(() => listener.close(0));
  const address = await listener.listen(at ?? { host: '127.0.0.1', port: 0 }, { ...plainDoor, ...door });
  return { listener, store, address };
}

/** A client that reads replies one by one. */
class Client {
  socket: Socket;
  #heard = '';
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen();
  }

  #listen(): void {
    this.socket.on('error', () => undefined);
    this.socket.on('data', (more) => {
      this.#heard += more.toString('latin1');
      this.#wake();
    });
    this.socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\n]*\r\n)*\d{3} [^\n]*\r\n/.exec(this.#heard)?.[0];
      if (whole !== undefined) {
        this.#heard = this.#heard.slice(whole.length);
        return whole.slice(0, -2).replaceAll('\r\n', '\n');
      }
      if (this.#closed) return `closed ${this.#heard}`;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  async say(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`, 'latin1');
    return this.reply();
  }

  /** After STARTTLS has been answered. */
  async secure(options: ConnectionOptions = {}): Promise<TLSSocket> {
    this.socket.removeAllListeners('data').removeAllListeners('close');
    const tls = connectTls({ socket: this.socket, ca: pem('ca.crt'), servername: 'mx.test', ...options });
    this.socket = tls;
    await once(tls, 'secureConnect');
    this.#listen();
    return tls;
  }
}

async function dial(address: Address, localAddress?: string): Promise<Client> {
  const client = new Client(
    connect('path' in address ? address : { ...address, ...(localAddress !== undefined && { localAddress }) }),
  );
  await client.reply();
  return client;
}

async function dialTls(address: Address, options: ConnectionOptions = {}): Promise<Client> {
  assert.ok('port' in address);
  const socket = connectTls({ ...address, ca: pem('ca.crt'), servername: 'mx.test', ...options });
  const client = new Client(socket);
  await client.reply();
  return client;
}

const plain = (name: string, password: string, as = ''): string =>
  Buffer.from(`${as}\0${name}\0${password}`).toString('base64');

test('who has not authenticated is put off or refused, and AUTH PLAIN lets him in', async (t) => {
  const { address, store } = await run(t, { settings: { ...strict, allowplaintext: true } });
  const client = await dial(address);
  assert.match(await client.say('AUTH PLAIN'), /^503 5\.5\.1 Send LHLO first/);
  assert.match(await client.say('LHLO c'), /\n250-AUTH PLAIN\n250-IGNOREQUOTA\n250 TRACE$/);
  assert.equal(await client.say('MAIL FROM:<>'), '430 4.7.0 Authentication required');
  assert.match(await client.say('XFORWARD IDENT=x'), /^550 5\.7\.0 /);
  assert.match(await client.say('AUTH CRAM-MD5'), /^504 5\.5\.4 /);
  assert.match(await client.say('AUTH'), /^501 5\.5\.4 /);
  assert.match(await client.say('AUTH PLAIN x y'), /^501 5\.5\.4 /);
  assert.equal(await client.say('AUTH PLAIN !!'), '501 5.5.2 Not base64');
  assert.equal(await client.say('AUTH PLAIN'), '334 ');
  assert.equal(await client.say('*'), '501 5.7.0 Authentication cancelled');
  assert.equal(await client.say(`AUTH PLAIN ${plain('mta1', 'wrong')}`), '535 5.7.8 Authentication failed');
  assert.equal(await client.say(`AUTH PLAIN ${plain('nobody', '')}`), '535 5.7.8 Authentication failed');
  assert.equal(await client.say(`AUTH PLAIN ${plain('mta1', 'r1ght', 'joe')}`), '535 5.7.8 Authentication failed');
  // A user who is none of lmtp_admins.
  assert.equal(await client.say(`AUTH PLAIN ${plain('reader', 'r1ght')}`), '535 5.7.8 Authentication failed');
  assert.equal(await client.say('auth plain'), '334 ');
  assert.equal(await client.say(plain('mta1', 'r1ght')), '235 2.7.0 Authenticated');
  assert.match(await client.say('AUTH PLAIN'), /^503 5\.5\.1 /);
  assert.doesNotMatch(await client.say('LHLO c'), /AUTH/);
  await client.say('MAIL FROM:<> AUTH=joe');
  await client.say('RCPT TO:<a> IGNOREQUOTA');
  await client.say('DATA');
  assert.match(await client.say('.'), /^250 /);
  const [kept] = store.kept;
  assert.deepEqual([kept?.session.user, kept?.sender.auth, kept?.recipients[0]?.ignoreQuota], ['mta1', 'joe', true]);
  client.socket.destroy();
});

test('failed guesses are slow, counted, logged without the password, and end the session', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = { ...quietLog, info: (fields: object) => void lines.push({ ...fields }) };
  const settings = { ...strict, allowplaintext: true, bad_commands_limit: 3 };
  const { address } = await run(t, { settings, log });
  const client = await dial(address);
  await client.say('LHLO c');
  assert.match(await client.say(`AUTH PLAIN ${plain('mta1', 's3cret')}`), /^535/);
  assert.match(await client.say(`AUTH PLAIN ${plain('mta1', 's3cret')}`), /^535/);
  assert.match(await client.say(`AUTH PLAIN ${plain('mta1', 's3cret')}`), /^421 4\.7\.0/);
  assert.equal(lines[0]?.['why'], 'wrong credentials for user "mta1"');
  assert.doesNotMatch(JSON.stringify(lines), /s3cret|AG10YTE/);
  client.socket.destroy();
});

test('no password in the clear, unless allowed; soft_noauth off refuses', async (t) => {
  const { address } = await run(t, { settings: { ...strict, soft_noauth: false } });
  const client = await dial(address);
  assert.doesNotMatch(await client.say('LHLO c'), /AUTH|XFORWARD/);
  assert.match(await client.say(`AUTH PLAIN ${plain('mta1', 'r1ght')}`), /^538 5\.7\.11 /);
  assert.equal(await client.say('MAIL FROM:<>'), '530 5.7.0 Authentication required');
  client.socket.destroy();
});

test('a Unix socket is trusted; so are trusted networks, and no others', async (t) => {
  const path = join(folder, 'lmtp');
  const local = await run(t, { settings: strict, at: { path } });
  const client = await dial(local.address);
  assert.match(await client.say('LHLO c'), /AUTH PLAIN[^]*XFORWARD NAME/);
  assert.equal(await client.say('MAIL FROM:<>'), '250 2.1.0 Ok');
  client.socket.destroy();

  const networks = { preauth_networks: new Networks(['127.0.0.2']), xforward_networks: new Networks(['127.0.0.3/32']) };
  const { address } = await run(t, { settings: { ...strict, ...networks } });
  const first = await dial(address, '127.0.0.2');
  assert.doesNotMatch(await first.say('LHLO c'), /XFORWARD/);
  assert.equal(await first.say('MAIL FROM:<>'), '250 2.1.0 Ok');
  const second = await dial(address, '127.0.0.3');
  assert.match(await second.say('LHLO c'), /XFORWARD/);
  assert.match(await second.say('MAIL FROM:<>'), /^430/);
  first.socket.destroy();
  second.socket.destroy();
});

test('where AUTH is optional a stranger may deliver, and is not believed', async (t) => {
  const { address, store } = await run(t, { settings: strict, door: { auth: 'optional' } });
  const client = await dial(address);
  await client.say('LHLO c');
  await client.say('MAIL FROM:<s@x> AUTH=admin');
  await client.say('RCPT TO:<a> IGNOREQUOTA');
  await client.say('DATA');
  assert.match(await client.say('.'), /^250/);
  assert.deepEqual([store.kept[0]?.sender.auth, store.kept[0]?.recipients[0]?.ignoreQuota], ['<>', false]);
  client.socket.destroy();
});

const startTls: Partial<Door> = { tls: 'starttls', certificate: certificateOf('server', { ca: true }) };

test('STARTTLS: in its place, once, and nothing said before counts', async (t) => {
  const { address, store } = await run(t, { settings: strict, door: startTls });
  const client = await dial(address);
  assert.match(await client.say('LHLO before'), /STARTTLS/);
  assert.equal(await client.say('STARTTLS now'), '501 5.5.4 STARTTLS takes no argument');
  await client.say('TRACE before');
  // What is sent behind STARTTLS in the clear is dropped (CVE-2011-0411).
  client.socket.write('STARTTLS\r\nLHLO injected\r\nMAIL FROM:<evil>\r\n');
  assert.equal(await client.reply(), '220 2.0.0 Ready to start TLS');
  const tls = await client.secure();
  assert.ok(tls.authorized);
  assert.match(await client.say('MAIL FROM:<>'), /^503 5\.5\.1 Send LHLO first/);
  const offered = await client.say('LHLO after');
  assert.match(offered, /AUTH PLAIN/);
  assert.doesNotMatch(offered, /STARTTLS|EXTERNAL/);
  assert.equal(await client.say('STARTTLS'), '503 5.5.1 TLS is active already');
  assert.match(await client.say('AUTH EXTERNAL ='), /^504/);
  assert.match(await client.say(`AUTH PLAIN ${plain('mta1', 'r1ght')}`), /^235/);
  assert.match(await client.say('MAIL FROM:<>'), /^250/);
  assert.equal(await client.say('STARTTLS'), '503 5.5.1 TLS is active already');
  await client.say('RCPT TO:<a>');
  await client.say('DATA');
  assert.match(await client.say('.'), /^250/);
  const { session } = store.kept[0] ?? {};
  assert.deepEqual([session?.lhlo, session?.tls, session?.traceId], ['after', true, '']);
  client.socket.destroy();
  const other = await dial(address);
  await other.say('LHLO c');
  other.socket.destroy();
});

test('STARTTLS in the midst of a transaction is out of place, and unknown where there is no certificate', async (t) => {
  const { address } = await run(t, { door: startTls });
  const client = await dial(address);
  await client.say('LHLO c');
  await client.say('MAIL FROM:<>');
  assert.equal(await client.say('STARTTLS'), '503 5.5.1 STARTTLS comes before MAIL');
  assert.equal(await client.say('AUTH PLAIN'), '500 5.5.2 Command not recognized');
  client.socket.destroy();
  const bare = await run(t, {});
  const other = await dial(bare.address);
  await other.say('LHLO c');
  assert.equal(await other.say('STARTTLS'), '500 5.5.2 Command not recognized');
  other.socket.destroy();
});

test('EXTERNAL: by the names of a certificate that a known CA has signed, and only those that may submit', async (t) => {
  const { address, store } = await run(t, {
    settings: strict,
    door: { tls: 'implicit', certificate: certificateOf('server', { ca: true }) },
  });
  const client = await dialTls(address, { cert: pem('client.crt'), key: pem('client.key') });
  assert.match(await client.say('LHLO c'), /AUTH PLAIN EXTERNAL/);
  const as = (name: string): string => Buffer.from(name).toString('base64');
  assert.match(await client.say(`AUTH EXTERNAL ${as('mta1.alias.test')}`), /^535/);
  assert.equal(await client.say('AUTH EXTERNAL'), '334 ');
  assert.match(await client.say(as('mta1@test')), /^235/);
  await client.say('MAIL FROM:<>');
  await client.say('RCPT TO:<a>');
  await client.say('DATA');
  assert.match(await client.say('.'), /^250/);
  assert.equal(store.kept[0]?.session.user, 'mta1@test');
  client.socket.destroy();

  const again = await dialTls(address, { cert: pem('client.crt'), key: pem('client.key') });
  await again.say('LHLO c');
  assert.match(await again.say('AUTH EXTERNAL ='), /^235/);
  again.socket.destroy();
  // Signed by nobody, though it says the right name; and signed, but not one of those who may submit.
  for (const name of ['other', 'stranger']) {
    const forged = await dialTls(address, { cert: pem(`${name}.crt`), key: pem(`${name}.key`) });
    assert.match(await forged.say('LHLO c'), /AUTH PLAIN\n/);
    assert.match(await forged.say('AUTH EXTERNAL ='), /^504/);
    forged.socket.destroy();
  }
});

test('implicit TLS: old versions, silence and nonsense end without harm to others, and closing does not wait', async (t) => {
  const { address, listener } = await run(t, {
    settings: { handshake_timeout: 300 },
    door: { tls: 'implicit', certificate: { ...certificateOf('server'), minVersion: 'TLSv1.3' } },
  });
  assert.ok('port' in address);
  const old = connectTls({ ...address, ca: pem('ca.crt'), servername: 'mx.test', maxVersion: 'TLSv1.2' });
  await assert.rejects(once(old, 'secureConnect'));
  const nonsense = connect(address);
  nonsense.on('error', () => undefined);
  nonsense.write('LHLO c\r\nMAIL FROM:<>\r\n');
  nonsense.resume();
  await once(nonsense, 'close');
  const silent = connect(address);
  silent.on('error', () => undefined).resume();
  await once(silent, 'close');
  // A byte now and then does not make it longer.
  const slow = connect(address);
  slow.on('error', () => undefined).resume();
  const drip = setInterval(() => slow.write('\x16'), 50);
  await once(slow, 'close');
  clearInterval(drip);
  const good = await dialTls(address);
  assert.match(await good.say('LHLO c'), /^250-mx\.test/);
  const halfWay = connect(address);
  halfWay.on('error', () => undefined).resume();
  await until('all are there', () => listener.sessions === 2);
  const closed = listener.close(60_000);
  assert.equal(await good.reply(), '421 4.3.2 Shutting down');
  good.socket.end();
  await closed;
});

test('a new certificate is for sessions to come; those that are open go on', async (t) => {
  const { address, listener, store } = await run(t, { door: startTls });
  const cn = async (): Promise<string> => {
    const client = await dial(address);
    await client.say('LHLO c');
    await client.say('STARTTLS');
    const tls = await client.secure();
    const { subject } = tls.getPeerCertificate();
    client.socket.destroy();
    return String(subject.CN);
  };
  assert.equal(await cn(), 'mx.test');
  const open = await dial(address);
  await open.say('LHLO c');
  await open.say('STARTTLS');
  await open.secure();
  await open.say('LHLO c');
  listener.reload({ settings: { ...lmtpDefaults, size_limit: 77 }, handler: store }, [certificateOf('renewed')]);
  assert.equal(await cn(), 'mx2.test');
  assert.match(await open.say('LHLO c'), /SIZE 77/);
  open.socket.destroy();
});

test('PROXY: the client behind the proxy is whom it names', async (t) => {
  const settings: Partial<LmtpSettings> = {
    ...strict,
    preauth_networks: new Networks(['192.0.2.0/24', '2001:db8::/32']),
  };
  const { address, store } = await run(t, { settings, door: { proxy_protocol: true } });
  const headers: [string, string, RegExp][] = [
    ['PROXY TCP4 192.0.2.1 198.51.100.1 65535 24\r\n', '192.0.2.1', /^250/],
    ['PROXY TCP6 2001:db8::1 2001:db8::2 4000 24\r\n', '2001:db8::1', /^250/],
    ['PROXY TCP4 192.0.3.1 198.51.100.1 4000 24\r\n', '', /^430/],
    // The proxy itself, checking on us.
    ['PROXY UNKNOWN\r\n', '', /^430/],
    ['PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', '', /^430/],
  ];
  for (const [header, name, answer] of headers) {
    const client = new Client(connect(address));
    // In two pieces, and with commands right behind it.
    client.socket.write(header.slice(0, 9));
    await new Promise((next) => setTimeout(next, 10));
    client.socket.write(`${header.slice(9)}LHLO c\r\n`);
    assert.match(await client.reply(), /^220/);
    assert.match(await client.reply(), /^250-/);
    assert.match(await client.say('MAIL FROM:<>'), answer);
    if (name !== '') {
      await client.say('RCPT TO:<a>');
      await client.say('DATA');
      await client.say('.');
      assert.equal(store.kept.pop()?.session.client, name);
    }
    client.socket.destroy();
  }
});

test('PROXY: what is no header, is late or comes from a stranger ends the connection', async (t) => {
  const settings: Partial<LmtpSettings> = { handshake_timeout: 200, proxy_networks: new Networks(['127.0.0.1']) };
  const { address, listener } = await run(t, { settings, door: { proxy_protocol: true } });
  const bad = [
    'LHLO c\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 4000\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 4000 65536\r\n',
    'PROXY TCP4 2001:db8::1 2001:db8::2 4000 24\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 04000 24\r\n',
    'PROXY TCP4 999.0.2.1 198.51.100.1 4000 24\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 4000 24 x\r\n',
    'proxy TCP4 192.0.2.1 198.51.100.1 4000 24\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 4000 24\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
    'PROXY'.repeat(30),
    // Version 2.
    '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\0\x10\0',
    // Nothing, or half of it, in time.
    '',
    'PROXY TCP4 192.0.2.1',
  ];
  await Promise.all(
    bad.map(async (header) => {
      const socket = connect(address);
      let heard = '';
      socket.on('data', (more) => (heard += more.toString())).on('error', () => undefined);
      socket.write(header, 'latin1');
      await once(socket, 'close');
      assert.equal(heard, '', header);
    }),
  );
  assert.ok('port' in address);
  const stranger = new Client(connect({ ...address, localAddress: '127.0.0.9' }));
  assert.equal(await stranger.reply(), '421 4.7.0 This address is for proxies only');
  const silent = connect(address);
  silent.on('error', () => undefined).resume();
  await until('it is counted', () => listener.sessions === 1);
  await listener.close(60_000);
});

test('PROXY, then TLS', async (t) => {
  const door: Partial<Door> = { proxy_protocol: true, tls: 'implicit', certificate: certificateOf('server') };
  const { address } = await run(t, { door });
  const raw = connect(address);
  raw.write('PROXY TCP4 192.0.2.1 198.51.100.1 4000 24\r\n');
  const client = new Client(connectTls({ socket: raw, ca: pem('ca.crt'), servername: 'mx.test' }));
  assert.match(await client.reply(), /^220/);
  assert.match(await client.say('LHLO c'), /^250-/);
  client.socket.destroy();
});

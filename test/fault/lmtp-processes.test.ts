// `rookery run lmtp` as a supervisor has to do with it: several processes on one port, killed, reloaded, stopped.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Address } from '../../services/backends/registry.ts';
import { certificateFile, pem } from '../harness/certificates.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { startRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const stored = '250 2.1.5 <ann> Ok SESSIONID=<fake>';
const anyPort = { host: '127.0.0.1', port: 0 };

interface Setup {
  rookery: Rookery;
  backend: FakeBackend;
  tcp: { host: string; port: number };
  unix: Address;
  config: (more?: object, others?: object) => object;
}

async function setUp(t: TestContext, lmtp: object = {}): Promise<Setup> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const backend = await new FakeBackend().listen();
  t.after(() => backend.close());
  const directory = await openScratchDirectory(redis.socket);
  const as = { session: 'test', server: 'mail1', admin: false, push: true };
  await directory.directory.write({ verb: 'ACTIVATE', name: 'user.ann', location: 'mail1!default', acl: '' }, as);
  await directory.close();
  const rookery = await Rookery.layOut({});
  t.after(() => rookery.stop());
  const unix = { path: join(rookery.folder, 'lmtp.sock') };
  const config = (more: object = {}, others: object = {}) => ({
    redis: { url: redis.socket },
    lmtp: { listen: [anyPort, unix], workers: 2, ...lmtp, ...more },
    backends: { mail1: { lmtp: backend.address, mupdate: false } },
    api: { listen: anyPort },
    ...others,
  });
  await rookery.configure(config());
  await rookery.start('run', 'lmtp', 'api');
  const tcp = rookery.address('LMTP');
  return { rookery, backend, tcp, unix, config };
}

/** The process that serves a connection, by its end of it. */
function processOf(rookery: Rookery, mta: Mta): number {
  const port = mta.socket.localPort?.toString(16).toUpperCase().padStart(4, '0') ?? '';
  const children = readFileSync(`/proc/${rookery.pid}/task/${rookery.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number);
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find((fields) => fields[2]?.endsWith(`:${port}`) && fields[3] === '01');
  const inode = line?.[9];
  const { readdirSync, readlinkSync } = process.getBuiltinModule('node:fs');
  const found = children.find((pid) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    }),
  );
  assert.ok(found, `nobody of ${children.join()} has port ${port}`);
  return found;
}

async function metrics({ rookery }: Setup): Promise<string> {
  const { host, port } = rookery.address('HTTP');
  return (await fetch(`http://${host}:${port}/metrics`)).text();
}

test('two processes share the port and the Unix socket; one that is killed is replaced, and the other goes on', async (t) => {
  const setup = await setUp(t);
  const { rookery, tcp, unix, backend } = setup;
  const mtas: Mta[] = [];
  const byProcess = new Map<number, Mta[]>();
  await until('both have sessions', async () => {
    const mta = await Mta.greet(tcp);
    mtas.push(mta);
    const pid = processOf(rookery, mta);
    byProcess.set(pid, [...(byProcess.get(pid) ?? []), mta]);
    return byProcess.size === 2;
  });
  const local = await Mta.greet(unix);
  assert.deepEqual(await local.send(['<ann>']), [stored]);
  assert.match(await metrics(setup), new RegExp(`^rookery_lmtp_sessions ${mtas.length + 1}$`, 'm'));
  assert.match(await metrics(setup), /^rookery_lmtp_processes 2$/m);
  await local.quit();

  const [[victim, lost] = [], [, kept] = []] = [...byProcess];
  assert.ok(victim !== undefined && lost && kept);
  await kept[0]?.envelope(['<ann>']);
  process.kill(victim, 'SIGKILL');
  await until('its sessions are lost', () => lost.every((mta) => mta.socket.closed));
  assert.deepEqual(await kept[0]?.body('hello\r\n', 1), [stored]);
  await until('it is replaced', async () => /^rookery_lmtp_processes 2$/m.test(await metrics(setup)), 30_000);
  const after = await metrics(setup);
  assert.match(after, /^rookery_lmtp_process_deaths_total 1$/m);
  assert.match(after, /^rookery_directory_trusted \d$/m);
  // The new one takes its part.
  await until('it has sessions', async () => !byProcess.has(processOf(rookery, await Mta.greet(tcp))));
  const again = await Mta.greet(unix);
  assert.deepEqual(await again.send(['<ann>']), [stored]);
  assert.ok(rookery.log.some((line) => line['pid'] === rookery.pid && line['ending'] === 'SIGKILL'));
  assert.equal(backend.messages.filter((message) => message.whole).length, 3);

  // Asked to stop: the idle are told at once, what is under way is finished.
  const busy = kept[0];
  await busy?.envelope(['<ann>']);
  const ended = rookery.end('SIGTERM');
  assert.equal(await again.reply(), '421 4.3.2 Shutting down');
  assert.deepEqual(await busy?.body('hello\r\n', 1), [stored]);
  assert.equal(await busy?.reply(), '421 4.3.2 Shutting down');
  assert.equal(await ended, 0);
});

async function subject({ host, port }: { host: string; port: number }): Promise<string> {
  const tls = connectTls({ host, port, ca: pem('ca.crt'), servername: 'mx.test' });
  await once(tls, 'secureConnect');
  const name = String(tls.getPeerCertificate().subject.CN);
  tls.destroy();
  return name;
}

for (const workers of [1, 2]) {
  test(`SIGHUP with ${workers} process(es): settings and certificates, whole or not at all`, async (t) => {
    const folder = await Rookery.layOut({});
    t.after(() => folder.stop());
    const [cert, key] = [join(folder.folder, 'c.pem'), join(folder.folder, 'k.pem')];
    const certify = (name: string): void => {
      copyFileSync(certificateFile(`${name}.crt`), cert);
      copyFileSync(certificateFile(`${name}.key`), key);
    };
    certify('server');
    const files = { tls_server_cert: cert, tls_server_key: key };
    const listen = [{ ...anyPort, tls: 'implicit' }, anyPort];
    const setup = await setUp(t, { ...files, listen, workers });
    const { rookery, config } = setup;
    const [, second] = /^LMTP +\S+:\d+, \S+:(\d+)/m.exec(rookery.out) ?? [];
    const plain = { host: '127.0.0.1', port: Number(second) };
    const reloads = () =>
      rookery.log.filter((line) => line['event'] === 'reload' && line['pid'] === rookery.pid).length;
    const reload = async (more: object, others: object = {}): Promise<void> => {
      const before = reloads();
      await rookery.configure(config(more, others));
      process.kill(rookery.pid, 'SIGHUP');
      await until('it is told', () => reloads() > before);
    };
    const open = await Mta.greet(plain);

    // A new certificate in the same files, a new limit, and what needs a restart.
    certify('renewed');
    await reload({ size_limit: 1234 }, { servername: 'other.test' });
    for (let count = 0; count < 6; count += 1) assert.equal(await subject(setup.tcp), 'mx2.test');
    assert.match(await open.say('LHLO c'), /SIZE 1234/);
    assert.ok(rookery.log.some((line) => String(line['restart']) === 'servername'));

    // A key that does not fit: not even the limit changes. Then nonsense.
    copyFileSync(certificateFile('client.key'), key);
    await reload({ size_limit: 99 });
    certify('renewed');
    await reload({ size_limit: -1, nonsense: 1 });
    const refused = rookery.log.filter((line) => Array.isArray(line['problems']));
    const keys = refused.map((line) => (line['problems'] as { key: string }[]).map((problem) => problem.key));
    assert.deepEqual(keys, [['lmtp.tls_server_key'], ['lmtp.size_limit', 'lmtp.nonsense']]);
    for (let count = 0; count < 6; count += 1) assert.match(await (await Mta.greet(plain)).say('LHLO c'), /SIZE 1234/);
    writeFileSync(rookery.configFile, ': [ no yaml');
    process.kill(rookery.pid, 'SIGHUP');
    await until('it is told', () => rookery.log.filter((line) => Array.isArray(line['problems'])).length === 3);
    assert.deepEqual(await open.send(['<ann>']), [stored]);
    open.socket.destroy();
    assert.equal(await rookery.end('SIGTERM'), 0);
  });
}

for (const workers of [1, 2]) {
  test(`asked to stop, with ${workers} process(es): what was taken, but not told when the grace ended, is not taken again`, async (t) => {
    const { rookery, backend, tcp } = await setUp(t, { workers, shutdown_grace: 1, reply_timeout: 2 });
    const { after } = backend.behaviour;
    backend.behaviour.after = () => 'HANG';
    const [mta, late] = [await Mta.greet(tcp), await Mta.greet(tcp)];
    await mta.envelope(['<ann>', '<ann>']);
    mta.socket.write('Subject: one\r\n.\r\n');
    await until('the backend has it', () => backend.messages.at(-1)?.whole === true);
    // For the first of two; the other reply never comes.
    backend.say('250 2.1.5 taken');
    await sleep(200);
    const ended = rookery.end('SIGTERM');
    assert.match(await late.reply(), /^421 /);
    await assert.rejects(mta.reply());
    assert.equal(await ended, 0);

    backend.behaviour.after = after;
    await rookery.start('run', 'lmtp');
    const again = await Mta.greet(rookery.address('LMTP'));
    assert.deepEqual(await again.send(['<ann>', '<ann>'], 'Subject: one\r\n'), ['250 2.1.5 taken', stored]);
    assert.deepEqual(
      backend.messages.map(({ rcpts }) => rcpts),
      [['<ann>', '<ann>'], ['<ann>']],
    );
  });
}

test('asked to stop, it listens to a backend that answers too late for the MTA', async (t) => {
  const { rookery, backend, tcp } = await setUp(t, { workers: 1, reply_timeout: 1 });
  const { after } = backend.behaviour;
  backend.behaviour.after = () => 'HANG';
  const mta = await Mta.greet(tcp);
  assert.match((await mta.send(['<ann>'], 'Subject: one\r\n'))[0] ?? '', /^451 /);
  await mta.quit();
  const ended = rookery.end('SIGTERM');
  await sleep(500);
  backend.say('250 2.1.5 taken');
  assert.equal(await ended, 0);
  backend.behaviour.after = after;
  await rookery.start('run', 'lmtp');
  const again = await Mta.greet(rookery.address('LMTP'));
  assert.deepEqual(await again.send(['<ann>'], 'Subject: one\r\n'), ['250 2.1.5 taken']);
  assert.equal(backend.messages.length, 1);
});

test('an address that is taken is told by the one that keeps the processes', async (t) => {
  const { rookery, tcp, config } = await setUp(t);
  const second = await Rookery.layOut(config({ listen: [tcp] }));
  t.after(() => second.stop());
  const { code, err } = await second.command('run', 'lmtp');
  assert.equal(code, 69);
  assert.match(err, /could not start: lmtp\.listen: 127\.0\.0\.1:\d+ is taken/);
  const socket = connect(tcp);
  await once(socket, 'data');
  socket.destroy();
  assert.equal(await rookery.end('SIGINT'), 0);
});

// The socketmap server over the real directory: what each state of a name is answered, and clients of every kind.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Registry } from '../../services/backends/registry.ts';
import type { Address } from '../../services/backends/registry.ts';
import type { Directory, Verb } from '../../services/directory/directory.ts';
import type { RecipientSettings } from '../../services/address/recipient.ts';
import { policyOf } from '../../services/directory/rules.ts';
import { Router } from '../../services/lmtp/router.ts';
import type { Autocreate } from '../../services/lmtp/router.ts';
import type { Closing } from '../../services/lookup/connection.ts';
import { patient } from '../../services/directory/patience.ts';
import { Maps } from '../../services/lookup/maps.ts';
import type { TransportSettings } from '../../services/lookup/maps.ts';
import { SocketmapServer } from '../../services/lookup/server.ts';
import { lookupDefaults } from '../../services/lookup/settings.ts';
import type { LookupSettings } from '../../services/lookup/settings.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { netstring, SocketmapClient } from '../harness/socketmap.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;

before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());
beforeEach(async () => {
  await redisSays(redis.socket, 'FLUSHALL');
});

const backend = (name: string, address: Address) => {
  return { name, mupdate: true, imap: undefined, lmtp: { addresses: [address], connections: 5, waiting: 5 } };
};

interface Setup {
  settings?: Partial<LookupSettings>;
  addresses?: Partial<RecipientSettings>;
  transport?: Partial<TransportSettings>;
  autocreate?: Autocreate;
  /** In place of the directory's own lookup. */
  lookup?: Directory['lookup'];
}

interface Run {
  directory: Directory;
  server: SocketmapServer;
  address: Address;
  answers: string[];
  closings: Closing[];
  client: () => Promise<SocketmapClient>;
  /** One question over a connection of its own. */
  ask: (map: string, key: string) => Promise<string | undefined>;
  write: (verb: Verb, name: string, server?: string, acl?: string) => Promise<string>;
}

async function run(t: TestContext, setup: Setup = {}): Promise<Run> {
  const policy = policyOf('strict', { reservationMaxAge: 3_600_000, reservationGrace: 60_000, tombstoneGrace: 60_000 });
  const scratch = await openScratchDirectory(redis.socket, { policy });
  const { directory } = scratch;
  const registry = new Registry([
    backend('mail1', { host: '10.0.0.1', port: 24 }),
    backend('mail2', { host: '2001:db8::2', port: 2400 }),
    backend('mail3', { path: '/run/mail3/lmtp.sock' }),
    { name: 'mail4', mupdate: true, imap: undefined, lmtp: undefined },
  ]);
  const addresses: RecipientSettings = {
    ...({ virtdomains: 'off', defaultdomain: 'internal', postuser: '' } as const),
    ...{ unixhierarchysep: true, lmtp_downcase_rcpt: true, lmtp_strict_rfc2821: true },
    ...setup.addresses,
  };
  const asked: Pick<Directory, 'lookup' | 'nearby'> = {
    lookup: setup.lookup ?? ((names) => directory.lookup(names)),
    nearby: (domain, isNear) => directory.nearby(domain, isNear),
  };
  const maps = new Maps({
    router: new Router(patient(asked, 500), registry, addresses, setup.autocreate),
    transport: { service: 'lmtp', domains: new Set(['example.org']), firstMessage: undefined, ...setup.transport },
    ...{ registry, addresses },
  });
  const [answers, closings]: [string[], Closing[]] = [[], []];
  const server = new SocketmapServer({
    ...{ settings: { ...lookupDefaults, ...setup.settings }, log: quietLog, ask: (request) => maps.ask(request) },
    measure: {
      answer: ({ map = 'none', answer }) => answers.push(`${map} ${answer.status}`),
      closed: (why) => closings.push(why),
    },
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(async () => {
    await server.close(0);
    await scratch.close();
  });
  let sessions = 0;
  const client = async () => {
    const one = await SocketmapClient.connect(address);
    t.after(() => {
      one.close();
    });
    return one;
  };
  return {
    ...{ directory, server, address, answers, closings, client },
    ask: async (map, key) => {
      const one = await client();
      const answer = await one.ask(map, key);
      one.close();
      return answer;
    },
    write: async (verb, name, server = 'mail1', acl = 'x') => {
      const location = verb === 'DELETE' ? '' : `${server}!default`;
      const writer = { session: `s-${(sessions += 1)}`, server, admin: false, push: false };
      const { ok } = await directory.write({ verb, name, location, acl: verb === 'ACTIVATE' ? acl : '' }, writer);
      assert.ok(ok, `${verb} ${name}`);
      return writer.session;
    },
  };
}

test('every state of a name: OK where mail is delivered, NOTFOUND by proof alone, TEMP else', async (t) => {
  const { directory, write, ask, answers } = await run(t);
  await write('ACTIVATE', 'user.ada');
  await write('ACTIVATE', 'user.six', 'mail2');
  await write('ACTIVATE', 'user.sock', 'mail3');
  await write('ACTIVATE', 'user.far', 'mail4');
  await write('ACTIVATE', 'user.lost', 'mail9');
  await write('RESERVE', 'user.new');
  await write('ACTIVATE', 'user.gone');
  await write('DELETE', 'user.gone');
  await write('ACTIVATE', 'user.way');
  await write('DEACTIVATE', 'user.way');
  await write('ACTIVATE', 'user.leased');
  assert.ok(await directory.lease('user.leased', { destination: 'mail2', token: 'x' }, 60_000));
  await write('ACTIVATE', 'news.local', 'mail1', 'anyone\tp\t');
  await write('ACTIVATE', 'news.some', 'mail1', 'anyone\tlrs\tjoe\tp\t');
  await write('ACTIVATE', 'news.none', 'mail1', 'anyone\tlrs\t');

  assert.match(String(await ask('mailbox', 'nobody@example.org')), /^TEMP 4\.4\.3 Directory cannot tell yet/);
  assert.match(String(await ask('transport', 'nobody@example.org')), /^TEMP 4\.4\.3 /);
  await directory.vouch('test');

  const table: [key: string, mailbox: RegExp, transport: RegExp][] = [
    ['ada@example.org', /^OK user\.ada mail1!default$/, /^OK lmtp:inet:\[10\.0\.0\.1\]:24$/],
    ['Ada+Lists@Example.ORG', /^OK user\.ada /, /^OK lmtp:inet:\[10/],
    ['six@example.org', /^OK user\.six /, /^OK lmtp:inet:\[2001:db8::2\]:2400$/],
    ['sock@example.org', /^OK user\.sock /, /^OK lmtp:unix:\/run\/mail3\/lmtp\.sock$/],
    ['+news/local@example.org', /^OK news\.local /, /^OK lmtp:inet:/],
    // Who sends is not told: it is there for whoever may post, and for LMTP to judge.
    ['+news/some@example.org', /^OK news\.some /, /^OK lmtp:inet:/],
    ['+news/none@example.org', /^NOTFOUND $/, /^NOTFOUND $/],
    ['far@example.org', /^TEMP .*mail4/, /^TEMP .*mail4/],
    ['lost@example.org', /^TEMP .*mail9/, /^TEMP .*mail9/],
    ['new@example.org', /^TEMP .*reserved/, /^TEMP .*reserved/],
    ['gone@example.org', /^TEMP .*deleted/, /^TEMP .*deleted/],
    ['way@example.org', /^TEMP .*reserved/, /^TEMP .*reserved/],
    ['leased@example.org', /^TEMP .*moved/, /^TEMP .*moved/],
    ['nobody@example.org', /^NOTFOUND $/, /^NOTFOUND $/],
    // What is no address of a mailbox.
    ['@example.org', /^NOTFOUND $/, /^NOTFOUND $/],
    ['*', /^NOTFOUND $/, /^NOTFOUND $/],
    ['', /^NOTFOUND $/, /^NOTFOUND $/],
    ['example.org', /^NOTFOUND $/, /^NOTFOUND $/],
    ['.org', /^NOTFOUND $/, /^NOTFOUND $/],
    // A word alone: a user to the one, a domain to the other.
    ['ada', /^OK user\.ada /, /^NOTFOUND $/],
    // Postfix asks which way other people's addresses go, too.
    ['ada@example.net', /^OK user\.ada /, /^NOTFOUND $/],
    ['ada@mail.example.org', /^OK user\.ada /, /^NOTFOUND $/],
  ];
  for (const [key, mailbox, transport] of table) {
    assert.match(String(await ask('mailbox', key)), mailbox, `mailbox ${key}`);
    assert.match(String(await ask('transport', key)), transport, `transport ${key}`);
  }
  assert.match(String(await ask('aliases', 'ada')), /^PERM there is no map aliases: there are mailbox and transport$/);
  assert.equal(answers.at(-1), 'none PERM');
});

test('a user without a domain, where domains are parts of names', async (t) => {
  const { directory, write, ask } = await run(t, {
    addresses: { virtdomains: 'userid', defaultdomain: 'example.org' },
  });
  await write('ACTIVATE', 'user.ada');
  await write('ACTIVATE', 'example.net!user.eve');
  await directory.vouch('test');
  assert.match(String(await ask('mailbox', 'ada@example.org')), /^OK user\.ada /);
  assert.match(String(await ask('mailbox', 'eve@example.net')), /^OK example\.net!user\.eve /);
  assert.equal(await ask('mailbox', 'ada@example.net'), 'NOTFOUND ');
  assert.match(String(await ask('mailbox', 'ada')), /^TEMP /);
  assert.equal(await ask('mailbox', 'eve'), 'NOTFOUND ');
});

test('whom a first message makes exists, and is made by none of the questions', async (t) => {
  const autocreate = { wants: (name: string) => name === 'user.new', make: () => Promise.resolve(false) };
  const firstMessage = { host: '127.0.0.1', port: 2003 };
  const { directory, ask } = await run(t, { autocreate, transport: { firstMessage } });
  assert.match(String(await ask('mailbox', 'new@example.org')), /^TEMP /);
  await directory.vouch('test');
  assert.equal(await ask('mailbox', 'new@example.org'), 'OK user.new');
  assert.equal(await ask('transport', 'new@example.org'), 'OK lmtp:inet:[127.0.0.1]:2003');
  assert.equal(await ask('mailbox', 'old@example.org'), 'NOTFOUND ');
  assert.equal((await directory.lookup(['user.new'])).entries[0], undefined);
});

test('without domains there is no map transport', async (t) => {
  const { ask } = await run(t, { transport: { domains: new Set() } });
  assert.match(String(await ask('transport', 'ada@example.org')), /^PERM .*lookup\.transport\.domains/);
});

test('a directory that is away, or silent, is no proof', async (t) => {
  const { ask } = await run(t, { lookup: () => Promise.reject(new Error('gone')) });
  assert.match(String(await ask('mailbox', 'ada@example.org')), /^TEMP 4\.4\.3 Directory is not available$/);
  // What needs no directory is answered without it: mail to others goes on.
  assert.equal(await ask('transport', 'eve@example.net'), 'NOTFOUND ');
  const silent = await run(t, { lookup: () => new Promise<never>(() => undefined) });
  assert.match(String(await silent.ask('mailbox', 'ada@example.org')), /^TEMP 4\.4\.3 /);
});

test('questions that come at once are answered in order', async (t) => {
  const { directory, write, client } = await run(t);
  for (let user = 0; user < 20; user += 1) await write('ACTIVATE', `user.u${user}`);
  await directory.vouch('test');
  const one = await client();
  const order = Array.from({ length: 3000 }, (_, index) => (index * 7) % 40);
  one.send(order.map((user) => netstring(`mailbox u${user}@example.org`)).join(''));
  for (const user of order) {
    const answer = String(await one.answer());
    assert.equal(answer, user < 20 ? `OK user.u${user} mail1!default` : 'NOTFOUND ');
  }
  // One that has said all it had to say hears the answer still.
  one.send(netstring('mailbox u1@example.org'));
  one.socket.end();
  assert.match(String(await one.answer()), /^OK user\.u1 /);
  assert.equal(await one.answer(), undefined);
});

test('what is no netstring is told so and hung up on; a wrong request only told so', async (t) => {
  const { client, closings, server } = await run(t, { settings: { request_limit: 512 } });
  const http = await client();
  http.send('GET / HTTP/1.1\r\n\r\n');
  assert.match(String(await http.answer()), /^PERM a request begins with its length/);
  assert.equal(await http.answer(), undefined);
  const long = await client();
  long.send(`513:${'x'.repeat(513)},`);
  assert.match(String(await long.answer()), /^PERM a request is at most 512 octets long/);
  assert.equal(await long.answer(), undefined);
  const wrong = await client();
  wrong.send(netstring('word'));
  assert.match(String(await wrong.answer()), /^PERM a request is the name of a map, a space and a key/);
  assert.match(String(await wrong.ask('mailbox', 'ada@example.org')), /^TEMP /);
  assert.deepEqual(closings, ['malformed', 'malformed']);
  wrong.close();
  http.close();
  long.close();
  await until('nobody is connected', () => server.connections === 0);
});

test('a crowd of garbage takes nobody his answers', async (t) => {
  const { directory, write, client, ask, server } = await run(t, { settings: { connections_limit: 20 } });
  await write('ACTIVATE', 'user.ada');
  await directory.vouch('test');
  const postfix = await client();
  assert.match(String(await postfix.ask('mailbox', 'ada@example.org')), /^OK /);
  const garbage = ['', '\0', '5', '999999999:', 'EHLO x\r\n', '100:mailbox a', '\xff'.repeat(70_000)];
  const crowd: SocketmapClient[] = [];
  for (let one = 0; one < 300; one += 1) {
    const member = await client();
    member.send(garbage[one % garbage.length] ?? '');
    crowd.push(member);
    assert.ok(server.connections <= 20);
    if (one % 50 !== 0) continue;
    // Who asks stays; and who comes anew finds room.
    assert.match(String(await postfix.ask('mailbox', 'ada@example.org')), /^OK /);
    assert.match(String(await ask('mailbox', 'ada@example.org')), /^OK /);
  }
  for (const member of crowd) member.close();
});

test('when all are at work a further one is turned away, and nobody loses his answer', async (t) => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let asked = 0;
  const lookup = async () => {
    asked += 1;
    await gate;
    throw new Error('gone');
  };
  const { client, closings } = await run(t, { settings: { connections_limit: 2 }, lookup });
  const [one, two] = [await client(), await client()];
  const answers = Promise.all([one.ask('mailbox', 'a@example.org'), two.ask('mailbox', 'b@example.org')]);
  await until('both are at work', () => asked === 2);
  const three = await client();
  assert.equal(await three.ask('mailbox', 'c@example.org'), undefined);
  assert.deepEqual(closings, ['limit']);
  release();
  for (const answer of await answers) assert.match(String(answer), /^TEMP /);
});

test('whoever asks nothing whole in time is hung up on, also one that dribbles', async (t) => {
  const { client, closings } = await run(t, { settings: { idle_timeout: 300 } });
  const [idle, dribbler] = [await client(), await client()];
  const timer = setInterval(() => {
    dribbler.send('1');
  }, 50);
  dribbler.send('20:');
  assert.equal(await idle.answer(), undefined);
  assert.equal(await dribbler.answer(), undefined);
  clearInterval(timer);
  assert.ok(closings.includes('timeout'));
});

test('one that reads no answers is not asked for more, and is hung up on', async (t) => {
  const { client, answers, closings, server } = await run(t, { settings: { idle_timeout: 500 } });
  const one = await client();
  one.socket.pause();
  // Answered in as many octets: more than the system's buffers take.
  const [question, questions] = [netstring(`${'m'.repeat(4000)} key`), 10_000];
  for (let sent = 0; sent < questions; sent += 100) one.send(question.repeat(100));
  await until('it is hung up on', () => server.connections === 0);
  assert.deepEqual(closings, ['timeout']);
  assert.ok(answers.length < questions, `${answers.length} were answered`);
});

test('stopping answers what was asked, and ends the others at once', async (t) => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let asked = 0;
  const lookup = async () => {
    asked += 1;
    await gate;
    throw new Error('gone');
  };
  const { client, server, address } = await run(t, { lookup });
  const [idle, busy] = [await client(), await client()];
  const answer = busy.ask('mailbox', 'a@example.org');
  await until('it is at work', () => asked === 1);
  const stopped = server.close(10_000);
  assert.equal(await idle.answer(), undefined);
  release();
  assert.match(String(await answer), /^TEMP /);
  busy.close();
  await stopped;
  const late = await SocketmapClient.connect(address).catch((error: unknown) => error);
  assert.match(String(late), /ECONNREFUSED/);
});

test('a Unix socket has the mode that was asked for', async (t) => {
  const { server } = await run(t, { settings: { socket_mode: 0o660 } });
  const folder = await mkdtemp(join(tmpdir(), 'rookery-lookup-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'lookup.sock');
  await server.listen({ path });
  assert.equal((await stat(path)).mode & 0o777, 0o660);
  const client = await SocketmapClient.connect({ path });
  assert.match(String(await client.ask('mailbox', 'a@example.org')), /^TEMP /);
  client.close();
  await once(client.socket, 'close');
});

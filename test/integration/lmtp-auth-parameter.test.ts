// `MAIL ... AUTH=` from the MTA through to the backend: who is believed, what it lets him post to, and what the backend is told.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Door, LmtpSettings } from '../../services/lmtp/settings.ts';
import { Networks } from '../../services/listening/networks.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';

/** Who the client is. */
interface Client {
  listening?: Partial<LmtpSettings>;
  door?: Partial<Door>;
  /** Said before MAIL. */
  login?: string;
}

const nobody = new Networks([]);
const plain = `AUTH PLAIN ${Buffer.from('\0mta\0geheim').toString('base64')}`;
const users = { users: new Map([['mta', 'geheim']]), lmtp_admins: new Set(['mta']), allowplaintext: true };
const clients = {
  trusted: {},
  authenticated: { listening: { ...users, preauth_networks: nobody }, login: plain },
  stranger: { listening: { preauth_networks: nobody }, door: { auth: 'optional' as const } },
} satisfies Record<string, Client>;

async function stand(t: TestContext, { listening = {}, door = {}, login }: Client) {
  const [keen, plainly] = [
    await new FakeBackend({ keywords: ['PIPELINING', 'AUTH PLAIN'] }).listen(),
    await new FakeBackend({ keywords: ['PIPELINING'] }).listen(),
  ];
  t.after(() => Promise.all([keen.close(), plainly.close()]));
  const setup = { backends: { keen, plainly }, users: { ann: 'keen', bob: 'plainly' }, listening, door };
  const proxy = await runProxy(t, setup);
  const folder = (name: string, acl: string) =>
    proxy.rows.set(name, { name, state: 'active', location: 'keen!default', acl, version: 1 });
  folder('news', 'anyone\tlrsp\t');
  folder('team', 'anyone\tlrs\tjoe\tlrsp\tj+o\tlrsp\t');
  folder('secret', 'joe\tlrsp\t');
  const mta = await Mta.greet(proxy.address);
  if (login !== undefined) assert.match(await mta.say(login), /^235/);
  return { mta, keen, plainly };
}

const [ok, denied, unknown] = ['250', '550 5.7.1', '550 5.1.1'];

/** Who sends, the parameter, what +news, +team and +secret say to him, and AUTH= at the backend that offers it. */
const table: [keyof typeof clients, string, [string, string, string], string][] = [
  ['trusted', '', [ok, denied, unknown], '<>'],
  ['trusted', ' AUTH=<>', [ok, denied, unknown], '<>'],
  ['trusted', ' AUTH=joe', [ok, ok, ok], 'joe'],
  ['trusted', ' auth=joe SIZE=10', [ok, ok, ok], 'joe'],
  ['trusted', ' AUTH=j+6Fe', [ok, ok, ok], 'j+6Fe'],
  ['trusted', ' AUTH=j+2Bo', [ok, ok, unknown], 'j+2Bo'],
  ['trusted', ' AUTH=ann', [ok, denied, unknown], 'ann'],
  ['authenticated', '', [ok, denied, unknown], '<>'],
  ['authenticated', ' AUTH=joe', [ok, ok, ok], 'joe'],
  ['stranger', '', [ok, denied, unknown], '<>'],
  ['stranger', ' AUTH=<>', [ok, denied, unknown], '<>'],
  ['stranger', ' AUTH=joe', [ok, denied, unknown], '<>'],
];

for (const [client, parameter, said, told] of table) {
  test(`${client} client, MAIL FROM:<s@x>${parameter}`, async (t) => {
    const { mta, keen, plainly } = await stand(t, clients[client]);
    const replies = await mta.envelope(['<ann>', '<bob>', '<+news>', '<+team>', '<+secret>'], `<s@x>${parameter}`);
    for (const [at, reply] of [ok, ok, ...said].entries()) assert.ok(replies[at]?.startsWith(reply), replies.join());
    const taken = replies.filter((reply) => reply.startsWith('250')).length;
    for (const reply of await mta.body('Subject: x\r\n\r\nhello\r\n', taken)) assert.match(reply, /^250 2\.1\.5 </);
    assert.equal(keen.messages[0]?.mail, `MAIL FROM:<s@x> AUTH=${told}`);
    assert.equal(plainly.messages[0]?.mail, 'MAIL FROM:<s@x>');
    // A folder is asked for by name, so that the backend judges by the very same user.
    assert.deepEqual(keen.messages[0].rcpts.length, taken - 1);
  });
}

test('what is neither xtext nor <> is refused, and the transaction not begun', async (t) => {
  const { mta, keen } = await stand(t, clients.trusted);
  for (const wrong of ['AUTH', 'AUTH=', 'AUTH=jo=e', 'AUTH=j+6fe', 'AUTH=j+', 'AUTH=\xe4', 'AUTH=a AUTH=b'])
    assert.match(await mta.say(`MAIL FROM:<s@x> ${wrong}`), /^501 5\.5\.4 AUTH /, wrong);
  assert.match(await mta.say('RCPT TO:<ann>'), /^503/);
  assert.equal(keen.connections, 0);
});

test('one message does not lend its user to the next', async (t) => {
  const { mta, keen } = await stand(t, clients.trusted);
  assert.match((await mta.envelope(['<+secret>'], '<s@x> AUTH=joe'))[0] ?? '', /^250/);
  await mta.body('x\r\n', 1);
  assert.match((await mta.envelope(['<+secret>', '<ann>'], '<s@x>'))[0] ?? '', /^550 5\.1\.1/);
  await mta.body('x\r\n', 1);
  assert.deepEqual(
    keen.messages.map(({ mail }) => mail),
    ['MAIL FROM:<s@x> AUTH=joe', 'MAIL FROM:<s@x> AUTH=<>'],
  );
});

// The MUPDATE client against servers that refuse, are silent, talk nonsense or go away: it always says what happened.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { until } from '../harness/until.ts';

const banner = '* AUTH PLAIN\r\n* OK MUPDATE "m" "x" "1" "(master)"\r\n';

/** A server that says these texts, the next one each time it is told something. */
async function scripted(t: TestContext, ...texts: string[]): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    const left = [...texts];
    const say = (): void => {
      const text = left.shift();
      if (text === 'close') socket.end();
      else if (text !== undefined) socket.write(text, 'latin1');
    };
    socket.on('data', say);
    say();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

function connect(port: number, timeout = 10_000): Promise<MupdateClient> {
  return MupdateClient.connect({ address: { host: '127.0.0.1', port }, username: 'u', password: 'p', timeout });
}

test('a server that refuses, is silent, closes or is not there is named', async (t) => {
  await assert.rejects(
    connect(await scripted(t, banner, 'R1 NO "no such user"\r\n')),
    /127\.0\.0\.1:\d+ refused u: no such user/,
  );
  await assert.rejects(connect(await scripted(t), 50), /waited 50 ms for the greeting/);
  await assert.rejects(connect(await scripted(t, banner), 50), /waited 50 ms for the reply to AUTHENTICATE/);
  await assert.rejects(connect(await scripted(t, 'close')), /closed the connection/);
  await assert.rejects(connect(await scripted(t, '* BYE "Server Unable"\r\n')), /says BYE: Server Unable/);
  await assert.rejects(connect(1), /ECONNREFUSED/);
});

test('a server that talks nonsense is left', async (t) => {
  await assert.rejects(
    connect(await scripted(t, '220 mail.example.org ESMTP\r\n\r\n')),
    /no line of MUPDATE: Need command/,
  );
  await assert.rejects(connect(await scripted(t, 'x'.repeat(200_000))), /no line of MUPDATE: line too long/);
});

test('data lines come with the reply, quoted or literal; unquoted texts and untagged lines do no harm', async (t) => {
  const data = 'R2 MAILBOX "user.a" {7+}\r\nmail1!d "a\tlrs\t"\r\nR2 RESERVE "user.b" "mail1!d"\r\n* STARTTLS\r\n';
  const client = await connect(await scripted(t, banner, 'R1 OK "in"\r\n', `${data}R2 OK all of it\r\n`, 'close'));
  assert.deepEqual(await client.send('LIST', ['mail1!']), {
    ...{ status: 'OK', text: 'all of it' },
    data: [
      { state: 'active', name: 'user.a', location: 'mail1!d', acl: 'a\tlrs\t' },
      { state: 'reserved', name: 'user.b', location: 'mail1!d', acl: '' },
    ],
  });
  await assert.rejects(client.send('NOOP'), /closed the connection/);
  await assert.rejects(client.send('NOOP'), /closed the connection/);
});

test('a stream goes on after the OK', async (t) => {
  const mupdate = await ScratchMupdate.start(t);
  const follower = await mupdate.client('mup-frontend');
  const writer = await mupdate.client('mup-mail1');
  const seen: string[] = [];
  assert.equal((await follower.send('UPDATE', [], ({ state, name }) => seen.push(`${state} ${name}`))).status, 'OK');
  await writer.send('RESERVE', ['user.a', 'mail1!d']);
  await writer.send('DELETE', ['user.a']);
  await until('both changes have come', () => seen.length === 2);
  assert.deepEqual(seen, ['reserved user.a', 'absent user.a']);
  await follower.logout();
  await writer.logout();
});

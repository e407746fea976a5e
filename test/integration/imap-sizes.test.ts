// Sizes of many trees asked of an IMAP server: answers in their order, and what a server may do wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { destroy, fakeImap, silence } from '../harness/imap-fake.ts';
import type { Reaction } from '../harness/imap-fake.ts';

async function admin(t: TestContext, reaction: Reaction, verb = 'GETQUOTA', timeout = 5000) {
  let logins = 0;
  const imap = await fakeImap(t, {
    // The first GETQUOTA is the question whether the user is an administrator.
    GETQUOTA: (socket) => {
      const line = imap.heard.at(-1) ?? '';
      logins += 1;
      if (logins === 1) socket.write(`${line.split(' ')[0] ?? ''} NO Quota root does not exist\r\n`);
      else act(line, socket);
    },
    ...(verb === 'LIST' && {
      LIST: (socket) => {
        act(imap.heard.at(-1) ?? '', socket);
      },
    }),
  });
  const act = (line: string, socket: Parameters<Exclude<Reaction, string>>[0]) => {
    if (typeof reaction !== 'string') reaction(socket);
    else {
      const name = /"([^"]+)"/.exec(line.replace('LIST ""', ''))?.[1] ?? '';
      socket.write(reaction.replaceAll('%', line.split(' ')[0] ?? '').replaceAll('NAME', name));
    }
  };
  const access = { host: '127.0.0.1', port: imap.port, username: 'cyrus', password: 's3cret' };
  const connected = await ImapAdmin.connect(access, { timeout });
  t.after(() => connected.close());
  return { connected, imap };
}

const quota = '* QUOTA "NAME" (STORAGE 5 10)\r\n% OK Completed\r\n';

test('quotas: each at its place, none for names that no server has', async (t) => {
  const { connected } = await admin(t, quota);
  const size = { octets: 5120 };
  const names = ['user.a', 'user.a b', 'user.\xff', 'user.x*', 'example.org!user.y^z'];
  assert.deepEqual(await connected.quotaSizes(names), [size, size, undefined, undefined, size]);
  assert.deepEqual(await connected.quotaSizes([]), []);
  const many = await connected.quotaSizes(Array.from({ length: 200 }, (_, at) => `user.u${at}`));
  assert.ok(many.length === 200 && many.every((one) => one?.octets === 5120));
});

test('quotas: of another name, without storage, none at all', async (t) => {
  for (const answer of [
    '* QUOTA "user/other" (STORAGE 5 10)\r\n% OK Completed\r\n',
    '* QUOTA "NAME" (MESSAGE 5 10)\r\n% OK Completed\r\n',
    '% NO Quota root does not exist\r\n',
    '% OK Completed\r\n',
  ]) {
    const { connected } = await admin(t, answer);
    assert.deepEqual(await connected.quotaSizes(['user.a', 'user.b']), [undefined, undefined], answer);
  }
});

test('counted: mailboxes added up, and nothing where one does not tell', async (t) => {
  const line = (name: string) => `* LIST (\\HasNoChildren) "/" "${name}"\r\n`;
  const status = (name: string) => `* STATUS "${name}" (MESSAGES 3 SIZE 2000)\r\n`;
  const whole = `${line('NAME')}${status('NAME')}${line('NAME/a (b)')}${status('NAME/a (b)')}% OK Completed\r\n`;
  const { connected, imap } = await admin(t, whole, 'LIST');
  assert.deepEqual(await connected.countedSizes(['user.a', 'news']), [
    { octets: 4000, messages: 6 },
    { octets: 4000, messages: 6 },
  ]);
  const [user, shared] = imap.heard.filter((one) => one.includes('LIST'));
  assert.match(user ?? '', /LIST "" \("user\/a" "user\/a\/\*"\) RETURN \(STATUS \(SIZE MESSAGES\)\)$/);
  assert.match(shared ?? '', /LIST "" \("news"\) RETURN/);
  for (const answer of [
    `${line('NAME')}${line('NAME/x')}${status('NAME')}% OK Completed\r\n`,
    '% OK Completed\r\n',
    `${line('NAME')}${status('NAME')}% NO sorry\r\n`,
  ]) {
    const other = await admin(t, answer, 'LIST');
    assert.deepEqual(await other.connected.countedSizes(['user.a']), [undefined]);
  }
});

test('a server that dies, is silent, or answers another command is away', async (t) => {
  const dead = await admin(t, destroy);
  await assert.rejects(dead.connected.quotaSizes(['user.a', 'user.b']), { kind: 'away' });
  const silent = await admin(t, silence, 'GETQUOTA', 300);
  await assert.rejects(silent.connected.quotaSizes(['user.a']), {
    kind: 'away',
    message: /waited 300 ms for the quotas/,
  });
  const wrong = await admin(t, 'R999 OK Completed\r\n');
  await assert.rejects(wrong.connected.quotaSizes(['user.a']), { kind: 'away', message: /answers with/ });
});

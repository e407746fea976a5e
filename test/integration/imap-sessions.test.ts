// Sessions that are kept for the next question: used again while they are good, and never by two at a time.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ImapSession } from '../../services/backends/imap-session.ts';
import { ImapSessions } from '../../services/backends/imap-sessions.ts';
import type { Question } from '../../services/backends/imap-sessions.ts';
import type { Registry } from '../../services/backends/registry.ts';
import { fakeImap, silence } from '../harness/imap-fake.ts';
import type { Reaction } from '../harness/imap-fake.ts';
import { until } from '../harness/until.ts';

async function sessionsOf(t: TestContext, script: Record<string, Reaction> = {}, timeout = 2000) {
  const imap = await fakeImap(t, { NOOP: '% OK Completed\r\n', XFER: '% OK Completed\r\n', ...script });
  const access = { host: '127.0.0.1', port: imap.port, username: 'cyrus', password: 's3cret' };
  const known = { mail1: access };
  const find = (name: string) => (name === 'mail1' ? { imap: known.mail1 } : undefined) as ReturnType<Registry['find']>;
  const sessions = new ImapSessions({ registry: { find }, timeout });
  t.after(() => sessions.close());
  const logins = () => imap.heard.filter((line) => line.includes('AUTHENTICATE')).length;
  return { imap, sessions, known, logins };
}

const signal = new AbortController().signal;

function xfer(more: Partial<Question<string>> = {}): Question<string> {
  const ask = async (session: ImapSession) => (await session.command('XFER user.a mail2')).status;
  return { what: 'the XFER', ask, signal, ...more };
}

test('the next question goes on the session of the last one, and none is left when all is closed', async (t) => {
  const { imap, sessions, logins } = await sessionsOf(t);
  for (let times = 0; times < 3; times += 1) assert.equal(await sessions.ask('mail1', xfer()), 'OK');
  assert.deepEqual([logins(), imap.open()], [1, 1]);
  await sessions.close();
  assert.ok(imap.heard.at(-1)?.includes('LOGOUT'));
  await until('it is closed', () => imap.open() === 0);
});

test('two at a time have two', async (t) => {
  const { sessions, logins } = await sessionsOf(t);
  await Promise.all([sessions.ask('mail1', xfer()), sessions.ask('mail1', xfer())]);
  assert.equal(logins(), 2);
  await Promise.all([sessions.ask('mail1', xfer()), sessions.ask('mail1', xfer())]);
  assert.equal(logins(), 2);
});

test('one that is not good any more is not kept: by what came of it, a failure, or whoever gave up', async (t) => {
  let isSilent = false;
  const { imap, sessions, logins } = await sessionsOf(t, {
    XFER: (socket) => {
      if (!isSilent) socket.write(`${imap.heard.at(-1)?.split(' ')[0] ?? ''} OK Completed\r\n`);
    },
  });
  await sessions.ask('mail1', xfer({ isGoodAfter: () => false }));
  await sessions.ask('mail1', xfer());
  assert.equal(logins(), 2);
  await assert.rejects(sessions.ask('mail1', xfer({ ask: () => Promise.reject(new Error('odd')) })), /odd/);
  await sessions.ask('mail1', xfer());
  assert.equal(logins(), 3);
  isSilent = true;
  const abort = new AbortController();
  const asked = sessions.ask('mail1', xfer({ signal: abort.signal }));
  const told = assert.rejects(asked, { kind: 'away', message: /nobody waits any more for the XFER/ });
  await until('it was asked', () => imap.heard.filter((line) => line.includes('XFER')).length === 4);
  abort.abort();
  await told;
  isSilent = false;
  await sessions.ask('mail1', xfer());
  assert.equal(logins(), 4);
});

test('one whose server has closed it is noticed before anything is asked', async (t) => {
  let isGone = false;
  const { sessions, logins, imap } = await sessionsOf(t, {
    NOOP: (socket) => {
      if (isGone) socket.destroy();
      else socket.write(`${imap.heard.at(-1)?.split(' ')[0] ?? ''} OK Completed\r\n`);
    },
  });
  await sessions.ask('mail1', xfer());
  isGone = true;
  assert.equal(await sessions.ask('mail1', xfer()), 'OK');
  assert.equal(logins(), 2);
});

test('other access is another session', async (t) => {
  const { sessions, known, logins } = await sessionsOf(t);
  await sessions.ask('mail1', xfer());
  known.mail1 = { ...known.mail1 };
  await sessions.ask('mail1', xfer());
  assert.equal(logins(), 2);
});

test('a server that nobody knows is refused, one that is silent is away', async (t) => {
  const { sessions } = await sessionsOf(t, { XFER: silence });
  await assert.rejects(sessions.ask('mail9', xfer()), { kind: 'refused' });
  await assert.rejects(sessions.ask('mail1', xfer()), { kind: 'away', message: /waited 2000 ms for the XFER/ });
});

test('an answer that breaks off is not waited for as long as one that has not begun', async (t) => {
  const script = { XFER: '* OK USER a\r\n', BREAKS: '* OK USER a\r\n* OK US' };
  const { imap, sessions } = await sessionsOf(t, script, 3_600_000);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const ask = (command: string) =>
    sessions.ask('mail1', xfer({ ask: async (one) => (await one.command(command)).status }));
  const ends: string[] = [];
  const asked = (name: string, command: string): void => {
    ask(command).catch((error: unknown) => ends.push(`${name}: ${String(error)}`));
  };
  asked('waits', 'XFER user.a mail2');
  asked('breaks off', 'BREAKS');
  while (imap.heard.filter((line) => /XFER|BREAKS/.test(line)).length < 2) await turn();
  for (let minutes = 0; minutes < 50 && ends.length === 0; minutes += 1) {
    for (let turns = 0; turns < 100; turns += 1) await turn();
    t.mock.timers.tick(60_000);
    await turn();
  }
  assert.equal(ends.length, 1);
  assert.match(ends[0] ?? '', /^breaks off: .*silent for 30000 ms in the middle of an answer/);
  t.mock.timers.reset();
});

test('whether the other machine is still there is asked while an answer is waited for', async (t) => {
  const { imap, sessions } = await sessionsOf(t, { XFER: silence });
  const asked = assert.rejects(sessions.ask('mail1', xfer()));
  await until('it was asked', () => imap.heard.some((line) => line.includes('XFER')));
  const hex = imap.port.toString(16).toUpperCase().padStart(4, '0');
  // proc_net_tcp(5): of what is connected to that port, the timer that is set; 2 is the one that keeps alive.
  const timerIs = async () => {
    const lines = (await readFile('/proc/net/tcp', 'latin1')).split('\n').map((line) => line.trim().split(/\s+/));
    return lines.some(
      ([, , far, state, , timer]) => far?.endsWith(`:${hex}`) && state === '01' && timer?.startsWith('02'),
    );
  };
  await until('the system looks after it', timerIs);
  await asked;
});

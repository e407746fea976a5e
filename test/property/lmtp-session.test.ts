// Mutated sessions: whatever a client sends, in whatever pieces, the session does not crash, does not hang, and says nothing
// but replies; and as many of them after a message as there were recipients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LmtpServer } from '../../services/lmtp/listener-server.ts';
import { lmtpDefaults, plainDoor } from '../../services/lmtp/settings.ts';
import { LmtpStore } from '../harness/lmtp-store.ts';
import { MemorySocket } from '../harness/memory-socket.ts';
import { quietLog } from '../harness/quiet-log.ts';

/** One million in `npm run proof`. */
const sessions = Number(process.env['ROOKERY_TEST_SESSIONS'] ?? 4000);
const seed = Number(process.env['ROOKERY_TEST_SEED'] ?? 20_260_101);

/** mulberry32: chance that can be had again. */
function chanceOf(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const commands = [
  'LHLO c',
  'LHLO [IPv6:::1]',
  'EHLO c',
  'MAIL FROM:<>',
  'MAIL FROM:<s@example.org> SIZE=10 BODY=8BITMIME AUTH=<> SMTPUTF8',
  'MAIL FROM:<s@example.org> SIZE=99999',
  'MAIL FROM:<\xc3\xbc@x> SMTPUTF8',
  'RCPT TO:<a>',
  'RCPT TO:<full> IGNOREQUOTA',
  'RCPT TO:<"a b\\""@[127.0.0.1]>',
  'RCPT TO:<nobody>',
  'RCPT TO:<throws>',
  'RCPT TO:<late>',
  'DATA',
  'RSET',
  'NOOP x',
  'VRFY x',
  'XFORWARD NAME=a ADDR=1.2.3.4 IDENT=x',
  'TRACE abc',
  'AUTH PLAIN AG10YTEAcjFnaHQ=',
  'AUTH PLAIN',
  '*',
  'AG10YTEAcjFnaHQ=',
  'STARTTLS',
  'BDAT 5 LAST',
  'QUIT',
];
const bodies = [
  '',
  'x\r\n',
  '..\r\n',
  '\0\r\n',
  'a\nb\r\n',
  '\n.\r\n',
  '\r\n.\n',
  `${'x'.repeat(3000)}\r\n`,
  '\r.\r\n',
];
const ends = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r', '\0\r\n', ''];
const noise = ['\0', '\r', '\n', '\r\n', '.', '\r\n.\r\n', ' ', '<', '>', '"', '\xff', '\t', '=', ':', 'x'.repeat(600)];

type Chance = (below: number) => number;

function oneOf<T>(list: readonly T[], chance: Chance): T {
  return list[chance(list.length)] as T;
}

/** Mostly what an MTA would say, in its order. */
function sensible(chance: Chance): string {
  const line = (text: string): string => text + (chance(30) === 0 ? oneOf(ends, chance) : '\r\n');
  let text = line('LHLO c');
  for (let message = chance(3); message >= 0; message -= 1) {
    text += line(oneOf(commands.slice(3, 7), chance));
    for (let count = chance(4); count >= 0; count -= 1) text += line(oneOf(commands.slice(7, 13), chance));
    text += `${line('DATA')}${Array.from({ length: chance(4) }, () => oneOf(bodies, chance)).join('')}.\r\n`;
  }
  return text + line('QUIT');
}

function anything(chance: Chance): string {
  const length = 1 + chance(16);
  return Array.from({ length }, () => oneOf(commands, chance) + oneOf(ends, chance)).join('');
}

function mutated(text: string, chance: Chance): string {
  let out = text;
  for (let count = chance(4); count > 0; count -= 1) {
    const at = chance(out.length + 1);
    const to = at + chance(12);
    const kind = chance(5);
    if (kind === 0) out = out.slice(0, at) + out.slice(to);
    else if (kind === 1) out = out.slice(0, at) + oneOf(noise, chance) + out.slice(at);
    else if (kind === 2) out = out.slice(0, at) + String.fromCharCode(chance(256)) + out.slice(at + 1);
    else if (kind === 3) out = out.slice(0, to) + out.slice(at);
    else out = out.slice(0, at);
  }
  return out;
}

function piecesOf(text: string, chance: Chance): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const cuts = Array.from({ length: chance(4) }, () => chance(bytes.length + 1)).sort((one, other) => one - other);
  return [0, ...cuts]
    .map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
    .filter((piece) => piece.length > 0);
}

/** Replies and nothing else, the last one of each whole. */
const legal = /^(?:(?:(\d{3})-[^\r\n]*\r\n)*[2-5][0-5]\d(?: [^\r\n]*)\r\n)+$/;

async function play(server: LmtpServer, id: string, pieces: readonly Buffer[], ending: number): Promise<string> {
  const client = new MemorySocket();
  const closed = new Promise<void>((resolve) => client.once('close', resolve));
  server.connect(client.socket, { id });
  for (const piece of pieces) {
    if (client.destroyed) break;
    client.push(piece);
    await new Promise((next) => setImmediate(next));
  }
  // The client goes, hangs up, or falls silent.
  if (ending === 0) client.destroy();
  else if (ending === 1) client.beSilent();
  if (!client.destroyed) client.push(null);
  await closed;
  return client.heard;
}

test(`${sessions} mutated sessions, seed ${seed}`, async () => {
  const store = new LmtpStore();
  const settings = {
    ...{ ...lmtpDefaults, size_limit: 2000, recipients_limit: 3, command_limit: 512, failedloginpause: 1 },
    ...{ users: new Map([['mta1', 'r1ght']]), lmtp_admins: new Set(['mta1']), allowplaintext: true },
  };
  const facts = { servername: 'mx.test', settings, handler: store, log: quietLog };
  const server = new LmtpServer(facts, () => true, plainDoor);
  const chance = chanceOf(seed);
  let whole = 0;
  let told = 0;
  /** What was kept of each session's messages. */
  const keptOf = (id: string) => store.kept.filter(({ session }) => session.id === id);
  const one = async (number: number): Promise<void> => {
    const text = mutated(chance(3) === 0 ? anything(chance) : sensible(chance), chance);
    const pieces = piecesOf(text, chance);
    const ending = chance(20);
    const heard = await play(server, String(number), pieces, ending);
    const shown = () => `session ${number} of seed ${seed}: ${JSON.stringify(text)} -> ${JSON.stringify(heard)}`;
    assert.match(heard, legal, shown());
    assert.ok(heard.startsWith('220 '), shown());
    const verdicts = heard.match(/^(?:250 2\.1\.5 Stored for|452 4\.2\.2 Over quota)/gm)?.length ?? 0;
    if (verdicts > 0) told += 1;
    // Where one is `late` all are told 451, and whoever hangs up may not hear it.
    const owed = keptOf(String(number))
      .filter(({ ended, recipients }) => ended === 'whole' && recipients.every(({ path }) => path.local !== 'late'))
      .reduce((sum, { recipients }) => sum + recipients.length, 0);
    if (ending !== 0) assert.equal(verdicts, owed, shown());
  };
  const width = 50;
  for (let number = 0; number < sessions; number += width) {
    await Promise.all(Array.from({ length: Math.min(width, sessions - number) }, (_, index) => one(number + index)));
    whole += store.kept.filter((kept) => kept.ended === 'whole').length;
    for (const kept of store.kept.splice(0)) assert.ok(kept.raw.length <= 2000 + 3000 * 4, 'no more than was sent');
  }
  assert.equal(server.sessions, 0);
  // The sessions are no mere nonsense.
  assert.ok(told > sessions / 20 && whole > sessions / 20, `${told} were told of a message kept, ${whole} messages`);
});

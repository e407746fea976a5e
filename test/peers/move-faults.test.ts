// A move between real Cyrus servers, struck in each of its steps by each fault while mail comes: it ends with a reason, tried
// again it is done, and each message is there once, at one server, and nobody was bounced.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Move } from '../../services/moves/move.ts';
import { CYRUS_PASSWORD } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { isRightCount, MailRound } from '../harness/mail-round.ts';
import type { Brought } from '../harness/mail-round.ts';
import { makeUsers } from '../harness/mail-users.ts';
import type { MailUser } from '../harness/mail-users.ts';
import { strikes, struckSections } from '../harness/move-strikes.ts';
import type { Strike, StrikeName } from '../harness/move-strikes.ts';
import { FULL } from '../harness/murder.ts';
import type { Backend, Murder } from '../harness/murder.ts';
import { MurderMoves } from '../harness/murder-moves.ts';
import { MurderParts } from '../harness/murder-parts.ts';
import type { Fate } from '../harness/network-relay.ts';
import { withoutCyrus } from '../harness/peers.ts';

const MESSAGES = FULL ? 400 : 200;
const FOLDERS = ['Sent', 'Work'];
/** How often somebody tries again what has ended otherwise than wanted. */
const RETRIES = 5;

/** `handing`, `telling`: within the cut, when the source says that it hands over, and the destination that it has it. */
const steps = [
  'check',
  'copy',
  'hold',
  'manifest',
  'cut',
  'handing',
  'telling',
  'verify',
  'release',
  'observe',
] as const;
type StepName = (typeof steps)[number];

/** What a server answers to the verbs of replication, in those steps in which it is asked by them. */
const answers = {
  'nonsense for an answer': 'garble',
  'half an answer': 'halve',
} satisfies Record<string, Fate>;
type AnswerName = keyof typeof answers;
/** Who is asked, and what. */
const asked = {
  copy: ['mail1', 'SYNCGET USER'],
  manifest: ['mail1', 'SYNCGET FULLMAILBOX'],
  verify: ['mail2', 'SYNCGET FULLMAILBOX'],
} as const;
type AskingStep = keyof typeof asked;

type Case = readonly [StepName, StrikeName] | readonly [AskingStep, AnswerName];

/** Every day those that have the most to lose; all of them in the long proof. */
const everyDay: readonly Case[] = [
  ['copy', 'XFER swallowed'],
  ['manifest', 'source killed'],
  ['manifest', 'nonsense for an answer'],
  ['cut', 'IMAP of the worker reset'],
  ['handing', 'source killed'],
  ['handing', 'directory killed'],
  ['handing', 'worker stands still'],
  ['telling', 'everything of ours killed'],
  ['telling', 'worker killed'],
  ['telling', 'Redis killed'],
  ['telling', 'destination killed'],
  ['telling', 'MUPDATE of the destination cut'],
  ['verify', 'destination stands still'],
];

const only = process.env['ROOKERY_TEST_FAULTS'];
const all: readonly Case[] = [
  ...steps.flatMap((step) => (Object.keys(strikes) as StrikeName[]).map((name) => [step, name] as const)),
  ...(Object.keys(asked) as AskingStep[]).flatMap((step) =>
    (Object.keys(answers) as AnswerName[]).map((name) => [step, name] as const),
  ),
];
const cases = (FULL ? all : everyDay).filter(([step, name]) => !only || new RegExp(only).test(`${step}: ${name}`));
const users: MailUser[] = [...cases.keys(), 'laid', 'undone'].map((at) => ({
  ...{ inbox: `user.f${at}`, folders: FOLDERS, messages: MESSAGES, storageKiB: 1_000_000 },
}));

describe('a move that is struck', { skip: withoutCyrus() }, () => {
  let parts: MurderParts;
  let murder: Murder;
  let moves: MurderMoves;

  before(async () => {
    parts = await MurderParts.start(struckSections);
    ({ murder } = parts);
    moves = new MurderMoves(murder, { socket: parts.redis.socket, carrier: () => parts.worker.pid });
    await moves.begun();
    await makeUsers(murder.cyrus.node('mail1'), users);
  });
  after(async () => {
    await moves.close();
    await parts.stop();
  });

  for (const [at, one] of cases.entries()) {
    test(one.join(': '), async (t) => {
      const inbox = users[at]?.inbox ?? '';
      const begun = Date.now();
      const round = new MailRound(() => parts.door, [loginOf(inbox)], 1, 100);
      const ends: Move[] = [];
      const struck = await struckMove(inbox, one, ends).finally(async () => {
        await round.stop(120_000);
        await parts.leaveOneWorker();
      });
      await whole(inbox, round.messages);
      const put = round.messages.filter(({ replies }) => replies.some((reply) => reply.startsWith('4'))).length;
      const told = ends.map(({ state, note, attempts }) => `${state} after ${attempts} cuts (${note})`).join(', then ');
      const took = ((Date.now() - begun) / 1000).toFixed(1);
      t.diagnostic(`struck in ${struck}: ${told}; ${round.messages.length} messages, ${put} put off; ${took} s`);
    });
  }

  test('the destination dies while it lays what it has got into another partition', async () => {
    const inbox = 'user.flaid';
    await moves.order(inbox, 'mail1', 'mail2', 'u2');
    const laying = { verb: 'ACTIVATE', name: inbox, at: 'mail2', location: 'mail2!u2' } as const;
    assert.ok(await moves.strikeAt(laying, () => murder.cyrus.node('mail2').kill9()));
    await murder.startBackend('mail2');
    const { state, note } = await moves.over(inbox, asAsked);
    assert.deepEqual([state, note], ['done', 'moved; compared, and whole']);
    await whole(inbox, []);
    const [rows, held] = [await murder.rows(), await murder.holdings('mail2')];
    for (const name of [inbox, ...FOLDERS.map((folder) => `${inbox}.${folder}`)])
      assert.deepEqual([rows.get(name)?.partition, held.get(name)?.partition], ['u2', 'u2'], name);
  });

  test('what is undone leaves a copy that is known, and takes no name that the owner has given up', async () => {
    const inbox = 'user.fundone';
    await moves.order(inbox, 'mail1', 'mail2');
    await moves.strikeIn('manifest', inbox, () => moves.cancel(inbox));
    const { state } = await moves.over(inbox, asAsked);
    assert.equal(state, 'back');
    const left = (await moves.findings()).filter(({ tree }) => tree === inbox);
    assert.deepEqual(
      left.map(({ kind, server, at, names }) => [kind, server, at, names.length]),
      [['left-over', 'mail2', 'mail1', 1 + FOLDERS.length]],
    );
    await murder.admin('mail1', (imap) => imap.ok(`SETACL ${inbox}.Work cyrus lrswipkxtecda`));
    await murder.admin('mail1', (imap) => imap.ok(`RENAME ${inbox}.Work ${inbox}.Done`));
    await murder.restart('mail2');
    const rows = await murder.rows();
    assert.equal(rows.get(`${inbox}.Work`), undefined, 'the old copy has not got the name');
    assert.deepEqual([rows.get(`${inbox}.Done`)?.server, rows.get(inbox)?.server], ['mail1', 'mail1']);
    await moves.order(inbox, 'mail1', 'mail2');
    const again = await moves.over(inbox, asAsked);
    assert.deepEqual([again.state, again.note], ['done', 'moved; compared, and whole']);
    assert.equal((await murder.rows()).get(`${inbox}.Done`)?.server, 'mail2');
  });

  async function struckMove(inbox: string, one: Case, ends: Move[]): Promise<string> {
    const struck = isAnswer(one) ? await misanswered(inbox, one) : await hit(inbox, one);
    for (let tries = 0; tries < RETRIES; tries += 1) {
      const move = await moves.over(inbox, asAsked);
      ends.push(move);
      assert.ok(move.note.length > 5, JSON.stringify(move));
      if (move.state === 'done') return struck;
      await moves.order(inbox, 'mail1', 'mail2');
    }
    throw new Error(`${inbox} is not moved: ${JSON.stringify(ends.map(({ state, note }) => [state, note]))}`);
  }

  async function hit(inbox: string, [step, name]: readonly [StepName, StrikeName]): Promise<string> {
    const { strike, heal }: Strike = strikes[name];
    const target = { parts, moves, inbox };
    await moves.order(inbox, 'mail1', 'mail2');
    const struck = await struckIn(step, inbox, async () => strike(target));
    await heal(target);
    return struck;
  }

  /** Gives the step in which it came to that. */
  async function misanswered(inbox: string, [step, name]: readonly [AskingStep, AnswerName]): Promise<string> {
    const [server, question] = asked[step];
    const relay = parts.imap[server];
    const given = Promise.withResolvers<string>();
    relay.rule = async (said) => {
      if (!said.includes(question) || (await moves.read(inbox))?.step !== step) return 'pass';
      relay.rule = undefined;
      given.resolve(step);
      return answers[name];
    };
    await moves.order(inbox, 'mail1', 'mail2');
    const over = moves.over(inbox, asAsked).then(() => 'nothing, for it was over');
    return Promise.race([given.promise, over]).finally(() => {
      relay.rule = undefined;
    });
  }

  async function struckIn(step: StepName, inbox: string, strike: () => Promise<void>): Promise<string> {
    if (step !== 'handing' && step !== 'telling') return moves.strikeIn(step, inbox, strike);
    const said = step === 'handing' ? { verb: 'DEACTIVATE', at: 'mail1' } : { verb: 'ACTIVATE', at: 'mail2' };
    const isStruck = await moves.strikeAt({ ...(said as { verb: string; at: Backend }), name: inbox }, strike);
    return isStruck ? step : 'nothing, for it was over';
  }

  /** A person does what a move asks for. */
  async function asAsked(note: string): Promise<void> {
    const [, server] = /restart Cyrus on (mail1)|(mail2) has it marked as moving: restart it/.exec(note) ?? [];
    if (server === 'mail1' || server === 'mail2') await murder.restart(server);
  }

  /** Its user has all of it, once, where the directory says; what is elsewhere is known as left over. */
  async function whole(inbox: string, brought: readonly Brought[]): Promise<void> {
    const tree = [inbox, ...FOLDERS.map((folder) => `${inbox}.${folder}`)];
    const rows = await murder.rows();
    assert.deepEqual(
      tree.map((name) => [name, rows.get(name)?.state, rows.get(name)?.server]),
      tree.map((name) => [name, 'active', 'mail2']),
    );
    const left = new Set(
      (await moves.findings()).filter(({ server }) => server === 'mail1').flatMap(({ names }) => names),
    );
    const [source, destination] = [await murder.holdings('mail1'), await murder.holdings('mail2')];
    for (const name of tree) {
      assert.ok(destination.has(name), `${name} is at its destination`);
      assert.ok(!source.has(name) || left.has(name), `${name} is left over at its source, and nobody knows`);
    }
    const counts = await idCounts(inbox);
    const wrong = brought.flatMap((one) => {
      const count = counts.get(one.id) ?? 0;
      const isTaken = one.taken !== undefined || one.unclear;
      return isTaken && isRightCount(one, count) ? [] : `${one.id}: ${count} times, ${one.replies.join(' | ')}`;
    });
    assert.deepEqual(wrong, []);
    const bounced = brought.filter(({ replies }) => replies.some((reply) => reply.startsWith('5')));
    assert.deepEqual(bounced, []);
    // One was expunged when the user was made.
    const before = [...counts].filter(([id]) => id.endsWith('.INBOX@test'));
    assert.equal(before.length, MESSAGES - 1);
    assert.deepEqual(
      before.filter(([, count]) => count !== 1),
      [],
    );
  }

  async function idCounts(inbox: string): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const imap = await ImapClient.connect(murder.cyrus.node('mail2').imap);
    try {
      await imap.login('mailproxy', CYRUS_PASSWORD.mailproxy, loginOf(inbox));
      await imap.ok('EXAMINE INBOX');
      for (const line of await imap.ok('UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]')) {
        const id = /Message-ID: <([^>]*)>/i.exec(line)?.[1];
        if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      for (const folder of FOLDERS) {
        const [status = ''] = await imap.ok(`STATUS INBOX.${folder} (MESSAGES)`);
        assert.match(status, /MESSAGES 2\b/);
      }
      return counts;
    } finally {
      imap.close();
    }
  }
});

function isAnswer(one: Case): one is readonly [AskingStep, AnswerName] {
  return Object.hasOwn(answers, one[1]);
}

function loginOf(inbox: string): string {
  return inbox.slice('user.'.length);
}

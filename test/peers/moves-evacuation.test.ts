// A backend is emptied on real Cyrus servers, by a plan, while mail comes for everybody and people read; then, all being back,
// once more while everything is killed in turn. Each message is where its user is, once, and nobody was bounced.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { syncMessages, syncSession, syncTree } from '../../services/backends/imap-sync.ts';
import { differences, remarks } from '../../services/moves/manifest-comparison.ts';
import type { Manifest, MailboxManifest } from '../../services/moves/manifest.ts';
import { CYRUS_PASSWORD } from '../harness/cyrus.ts';
import { idCounts } from '../harness/id-counts.ts';
import { ImapClient } from '../harness/imap.ts';
import { isRightCount, MailRound } from '../harness/mail-round.ts';
import type { Brought } from '../harness/mail-round.ts';
import { makeUsers, population } from '../harness/mail-users.ts';
import { FULL, Murder } from '../harness/murder.ts';
import type { Backend } from '../harness/murder.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const USERS = FULL ? 500 : 24;
const LARGE = FULL ? 10_000 : 600;
/** How long a run may take, in milliseconds. */
const PATIENCE = FULL ? 3_600_000 : 240_000;
/** How often somebody has what failed under faults tried again. */
const RETRIES = 10;
/** How long all goes well between two faults, at least and at most, in milliseconds. */
const [CALM, CALMEST] = FULL ? [3000, 9000] : [1500, 3500];

const users = population(USERS, LARGE);

describe('a backend is emptied', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  /** What each user had before anything was moved. */
  let had: Map<string, Manifest>;

  before(async () => {
    murder = await Murder.start({
      more: ['mail3'],
      sections: {
        placement: { serverlist_select_mode: 'random' },
        workers: { lost_after: 5, concurrency: 8 },
        moves: { observe: 1, limits: { total: 4, per_source: 4, per_destination: 4, per_partition: 4 }, attempts: 20 },
      },
    });
    await makeUsers(murder.cyrus.node('mail1'), users);
    had = await manifests(murder, ['mail1']);
  });
  after(() => murder.stop());

  const rookery = (...words: string[]) => murder.rookery.command(...words);

  async function plan(name: string, ...what: string[]): Promise<string> {
    const settled = async () => (await rookery('directory', 'cases', '-f', 'json')).out.trim() === '';
    await until('what moves have left in doubt is looked into', settled, 60_000);
    const file = join(murder.rookery.folder, name);
    const made = await rookery('move', 'plan', ...what, '--output', file);
    assert.equal(made.code, 0, made.err);
    const { moves, left_out } = JSON.parse(await readFile(file, 'utf8')) as { moves: unknown[]; left_out: unknown[] };
    assert.deepEqual(left_out, []);
    assert.ok(moves.length > 0);
    return file;
  }

  /** Runs it to its end, `meanwhile` going on beside; what failed is tried again. Gives what the report says. */
  async function run(
    file: string,
    meanwhile: (over: AbortSignal) => Promise<void>,
  ): Promise<{ report: string; retries: number }> {
    const started = await rookery('move', 'start', file, '--yes');
    assert.equal(started.code, 0, started.err);
    const id = /run ([\w-]+)/i.exec(started.out)?.[1] ?? '';
    const over = new AbortController();
    const beside = meanwhile(over.signal);
    let retries = 0;
    try {
      await until(
        'the run is over',
        async () => {
          const { out } = await rookery('move', 'show', id, '-f', 'json');
          const { state } = JSON.parse(out === '' ? '{"state":""}' : out) as { state: string };
          if (state === 'stopped') await rookery('move', 'resume', id);
          if (state === 'done') {
            if (retries >= RETRIES || (await rookery('move', 'retry', id)).code !== 0) return true;
            retries += 1;
          }
          await sleep(1000);
          return false;
        },
        PATIENCE,
      );
      let report = '';
      const isTold = async () => {
        const { code, out } = await rookery('move', 'report', id, '-f', 'csv');
        report = out;
        return code === 0;
      };
      await until('there is a report', isTold, 60_000);
      return { report, retries };
    } finally {
      over.abort();
      await beside;
    }
  }

  /** What else than mail Cyrus has lost in a copy that broke off stands in the `report` of the move. */
  async function agreeing(t: TestContext, brought: readonly Brought[], from: Backend, report: string): Promise<void> {
    const rows = await murder.rows();
    const holdings = new Map<Backend, ReadonlyMap<string, unknown>>();
    for (const name of murder.backends) holdings.set(name, await murder.holdings(name));
    for (const { inbox, folders } of users) {
      for (const name of [inbox, ...folders.map((folder) => `${inbox}.${folder}`)]) {
        const row = rows.get(name);
        const holders = murder.backends.filter((backend) => holdings.get(backend)?.has(name));
        assert.equal(row?.state, 'active', name);
        assert.deepEqual(holders, [row.server], name);
        assert.notEqual(row.server, from);
      }
    }
    const now = await manifests(murder, murder.backends);
    const lacking = [...had].flatMap(([name, manifest]) => {
      const found = now.get(name);
      if (!found) return [`${name} is nowhere`];
      const told = report.split('\n').find((line) => line.startsWith(`${name},`)) ?? '';
      const silent = remarks(manifest, found).filter((remark) => !told.includes(remark));
      return [...differences(manifest, found), ...silent];
    });
    assert.deepEqual(lacking, []);
    await delivered(t, brought);
  }

  async function delivered(t: TestContext, brought: readonly Brought[]): Promise<void> {
    const bounced = brought.filter(({ replies }) => replies.some((reply) => reply.startsWith('5')));
    assert.deepEqual(bounced, []);
    const byUser = Map.groupBy(brought, ({ user }) => user);
    let twice = 0;
    const wrong: string[] = [];
    const rows = await murder.rows();
    for (const [user, messages] of byUser) {
      const server = (rows.get(`user.${user}`)?.server ?? 'mail1') as Backend;
      const counts = await idCounts(murder.cyrus.node(server).imap, user);
      for (const one of messages) {
        const count = counts.get(one.id) ?? 0;
        if (count > 1) twice += 1;
        if (!isRightCount(one, count)) wrong.push(`${one.id} of ${user}: ${count} times, ${one.replies.join(' | ')}`);
      }
    }
    assert.deepEqual(wrong, []);
    const put = brought.filter(({ replies }) => replies.some((reply) => reply.startsWith('4'))).length;
    const untaken = brought.filter(({ taken, unclear }) => taken === undefined && !unclear).length;
    assert.equal(untaken, 0, 'messages that were put off are taken in the end');
    t.diagnostic(`${brought.length} messages, ${put} of them put off meanwhile, 0 bounced, none lost, ${twice} twice`);
  }

  const all = (report: string): void => {
    assert.equal(report.split('\n').filter((line) => /,done,/.test(line)).length, USERS, report);
  };

  test(`${USERS} users leave mail1 while mail comes and people read`, async (t) => {
    const file = await plan('out.json', '--evacuate', 'mail1');
    const round = new MailRound(() => murder.rookery.address('LMTP'), users.map(loginOf), 4, FULL ? 50 : 100);
    const begun = Date.now();
    const { report, retries } = await run(file, (over) => reading(murder, over)).finally(() => round.stop());
    t.diagnostic(`${USERS} users moved in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    assert.equal(retries, 0);
    assert.doesNotMatch(report, /otherwise than before/);
    all(report);
    await agreeing(t, round.messages, 'mail1', report);
  });

  test('all of them come back', async (t) => {
    const begun = Date.now();
    all((await run(await plan('back.json', '--pattern', 'user.u*', '--to', 'mail1'), () => Promise.resolve())).report);
    t.diagnostic(`${USERS} users moved in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  });

  test('they leave once more with everything killed in turn', async (t) => {
    const file = await plan('again.json', '--evacuate', 'mail1');
    const round = new MailRound(() => murder.rookery.address('LMTP'), users.map(loginOf), 2, 200);
    const faults: string[] = [];
    const meanwhile = async (over: AbortSignal): Promise<void> => {
      await Promise.all([killing(murder, faults, over), reading(murder, over)]);
    };
    const begun = Date.now();
    const { report, retries } = await run(file, meanwhile).finally(() => round.stop(120_000));
    const counts = [...Map.groupBy(faults, (fault) => fault)].map(([fault, { length }]) => `${fault}: ${length}`);
    t.diagnostic(`${USERS} users moved in ${((Date.now() - begun) / 1000).toFixed(1)} s, retries: ${retries}`);
    t.diagnostic(`${faults.length} faults: ${counts.join(', ')}`);
    assert.ok(faults.length > 0);
    await until('what was rung for is settled', async () => (await rookery('directory', 'status')).code === 0, 60_000);
    all(report);
    const otherwise = report.split('\n').filter((line) => line.includes('otherwise than before'));
    t.diagnostic(`told apart, without a loss: ${otherwise.length}${otherwise.map((line) => `\n  ${line}`).join('')}`);
    await agreeing(t, round.messages, 'mail1', report);
  });
});

function loginOf({ inbox }: { inbox: string }): string {
  return inbox.slice('user.'.length);
}

/** People who look into their mail through the frontend, as long as that goes on; that it fails at times is no matter. */
async function reading(murder: Murder, over: AbortSignal): Promise<void> {
  const people = Array.from({ length: 3 }, async () => {
    while (!over.aborted) {
      const { inbox } = users[Math.floor(Math.random() * users.length)] ?? { inbox: '' };
      try {
        const imap = await ImapClient.connect(murder.frontend.imap);
        await imap.login('cyrus', CYRUS_PASSWORD.cyrus, inbox.slice('user.'.length));
        await imap.command('EXAMINE INBOX');
        await imap.command('UID FETCH 1:20 (FLAGS)');
        imap.close();
      } catch {
        // He tries again.
      }
      await sleep(200, undefined, { signal: over }).catch(() => undefined);
    }
  });
  await Promise.all(people);
}

/** Kills, stops and cuts, one after the other, and lets all come back, until it is over. */
async function killing(murder: Murder, faults: string[], over: AbortSignal): Promise<void> {
  const rest = (ms: number) => sleep(ms, undefined, { signal: over }).catch(() => undefined);
  const node = (name: Backend) => murder.cyrus.node(name);
  const all: [string, () => Promise<void>][] = [
    [
      'rookery killed',
      async () => {
        await murder.killDirectory();
        await murder.startDirectory();
      },
    ],
    ...(['mail2', 'mail1', 'mail3'] as const).map((name): [string, () => Promise<void>] => [
      `${name} killed`,
      async () => {
        await node(name).kill9();
        await rest(500);
        await murder.startBackend(name);
      },
    ]),
    ...(['mail2', 'mail1'] as const).map((name): [string, () => Promise<void>] => [
      `MUPDATE of ${name} cut`,
      async () => {
        murder.relays[name].rule = () => 'cut';
        await rest(1500);
        murder.relays[name].rule = undefined;
      },
    ]),
  ];
  const most = FULL ? 1000 : all.length;
  await rest(CALM);
  for (let at = 0; at < most && !over.aborted; at += 1) {
    const [what, fault] = all[at % all.length] ?? ['', () => Promise.resolve()];
    await fault();
    faults.push(what);
    await rest(CALM + Math.random() * (CALMEST - CALM));
  }
}

/** All that the servers have of the users, by INBOX. */
async function manifests(murder: Murder, backends: readonly Backend[]): Promise<Map<string, Manifest>> {
  const found = new Map<string, Manifest>();
  for (const server of backends) {
    const has = await murder.holdings(server);
    const { imap } = murder.cyrus.node(server);
    const access = { ...imap, username: 'cyrus', password: CYRUS_PASSWORD.cyrus };
    const session = await syncSession(access, { timeout: 60_000, server });
    for (const { inbox } of users) {
      if (!has.has(inbox)) continue;
      const manifest = await session.asks(`all of ${inbox}`, async () => {
        const tree = await syncTree(session, inbox);
        const names = tree.mailboxes.map((mailbox) => mailbox.name);
        const messages = await syncMessages(session, names);
        const mailboxes = tree.mailboxes.map((mailbox, at): MailboxManifest => ({
          ...mailbox,
          messages: messages[at] ?? [],
        }));
        return { ...tree, mailboxes, at: Date.now(), server };
      });
      found.set(inbox, manifest);
    }
    await session.close();
  }
  return found;
}

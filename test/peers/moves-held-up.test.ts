// What keeps moves between real Cyrus servers from going on: a user on two servers, mail that is put off, a server that has
// become slow. Each is told with its reason, what was begun comes to its end, and what was not is where it was.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MailRound } from '../harness/mail-round.ts';
import type { Fate } from '../harness/mupdate-relay.ts';
import { makeUsers } from '../harness/mail-users.ts';
import { Murder } from '../harness/murder.ts';
import { MurderMoves } from '../harness/murder-moves.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { signalGroup } from '../harness/process-group.ts';
import { until } from '../harness/until.ts';

const USERS = 6;
/** What a run of them is waited for, in milliseconds. */
const PATIENCE_MS = 120_000;

interface Shown {
  state: string;
  why: string;
  counts: Record<string, number>;
}

describe('moves that are held up', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let moves: MurderMoves;

  before(async () => {
    murder = await Murder.start({
      sections: {
        placement: { serverlist_select_mode: 'random' },
        workers: { lost_after: 5, imap_timeout: 20 },
        moves: { observe: 0, lease: 3 },
      },
    });
    moves = new MurderMoves(murder);
    await moves.begun();
  });
  after(async () => {
    await moves.close();
    await murder.stop();
  });

  const rookery = (...words: string[]) => murder.rookery.command(...words);

  async function serversOf(names: readonly string[]): Promise<(string | undefined)[]> {
    const rows = await murder.rows();
    return names.map((name) => rows.get(name)?.server);
  }

  test('a user on two servers waits until a person has seen to that', async () => {
    const name = 'user.twice';
    await murder.create('mail1', [name, `${name}.Sent`], 20);
    await murder.say('mail2', `LOCALCREATE ${name}`);
    await murder.loseDirectory();
    await murder.restart('mail1', 'mail2');
    assert.match((await rookery('mailbox', 'where', name)).err, /contested/);
    const plan = await rookery('move', 'plan', name, '--to', 'mail2', '--output', '-');
    assert.match(plan.out, /is on two servers/);

    await moves.order(name, 'mail1', 'mail2');
    await until('it is told', async () => /it is contested/.test((await moves.read(name))?.note ?? ''), PATIENCE_MS);
    assert.equal((await moves.read(name))?.state, 'open');
    for (const server of ['mail1', 'mail2'] as const) assert.ok((await murder.holdings(server)).has(name), server);

    await murder.say('mail2', `LOCALDELETE ${name}`);
    await murder.restart('mail2');
    const { state, note } = await moves.over(name, () => Promise.resolve());
    assert.deepEqual([state, note], ['done', 'moved; compared, and whole']);
    assert.deepEqual(await serversOf([name, `${name}.Sent`]), ['mail2', 'mail2']);
    assert.equal((await murder.messageIds(name)).size, 20);
  });

  /** The file of a plan of these to mail2. */
  async function planned(names: readonly string[]): Promise<string> {
    const list = join(murder.rookery.folder, 'names');
    await writeFile(list, names.join('\n'));
    const file = join(murder.rookery.folder, `${names[0] ?? ''}.plan`);
    const { code, err } = await rookery('move', 'plan', '--file', list, '--to', 'mail2', '--output', file);
    assert.equal(code, 0, err);
    return file;
  }

  /** Its run, of so many at a time. */
  async function begun(plan: string, limit: number, stopWhen: string): Promise<string> {
    const limits = ['--limit', `total=${limit}`, '--stop-when', stopWhen];
    const { code, out, err } = await rookery('move', 'start', plan, '--yes', ...limits);
    assert.equal(code, 0, err);
    return /run ([\w-]+)/i.exec(out)?.[1] ?? assert.fail(out);
  }

  async function shown(run: string): Promise<Shown> {
    const { code, out, err } = await rookery('move', 'show', run, '-f', 'json');
    assert.equal(code, 0, err);
    return JSON.parse(out) as Shown;
  }

  /** What is under way ends, and nothing else is begun; cancelled, what was not begun is where it was. */
  async function stayedStopped(run: string, names: readonly string[]): Promise<void> {
    const underWay = async () => {
      const found = await Promise.all(names.map((name) => moves.read(name)));
      return found.filter((move) => move?.state === 'open').length;
    };
    await until('what was begun is over', async () => (await underWay()) === 0, PATIENCE_MS);
    const moved = (await serversOf(names)).filter((server) => server === 'mail2').length;
    assert.ok(moved < names.length, `${moved} are moved`);
    await sleep(3_000);
    assert.equal((await shown(run)).state, 'stopped');
    assert.equal(await underWay(), 0);
    assert.equal((await rookery('move', 'cancel', run)).code, 0);
    await until('the run is over', async () => (await shown(run)).state === 'cancelled', PATIENCE_MS);
    const report = (await rookery('move', 'report', run, '-f', 'csv')).out.trim().split('\n').slice(1);
    assert.equal(report.filter((line) => /,done,/.test(line)).length, moved, report.join('\n'));
    assert.deepEqual((await serversOf(names)).toSorted(), [
      ...Array.from({ length: names.length - moved }, () => 'mail1'),
      ...Array.from({ length: moved }, () => 'mail2'),
    ]);
  }

  async function made(prefix: string): Promise<string[]> {
    const names = Array.from({ length: USERS }, (_, at) => `user.${prefix}${at}`);
    const about = { folders: ['Sent'], messages: 20, storageKiB: 100_000 };
    await makeUsers(
      murder.cyrus.node('mail1'),
      names.map((inbox) => ({ inbox, ...about })),
    );
    return names;
  }

  test('a run stops by itself when a server becomes slow', async () => {
    const names = await made('slow');
    const plan = await planned(names);
    const { pid = assert.fail('mail1 does not run') } = murder.cyrus.node('mail1');
    signalGroup(pid, 'SIGSTOP');
    const run = await begun(plan, 3, 'latency=0.2,failed=0,percent=0').finally(async () => {
      await sleep(6_000);
      signalGroup(pid, 'SIGCONT');
    });
    await until('it has stopped', async () => (await shown(run)).state !== 'running', PATIENCE_MS);
    const { state, why } = await shown(run);
    assert.equal(state, 'stopped');
    assert.match(why, /^mail1 takes \d+\.\d s to answer; more than 0\.2 s stop it$/);
    await stayedStopped(run, names);
  });

  test('a run stops by itself when too much mail is put off for it', async () => {
    const names = await made('mail');
    const plan = await planned(names);
    const letGo = Promise.withResolvers<undefined>();
    murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? letGo.promise.then((): Fate => 'pass') : 'pass');
    const logins = names.map((name) => name.slice('user.'.length));
    const round = new MailRound(() => murder.rookery.address('LMTP'), logins, 2, 50);
    try {
      const run = await begun(plan, 1, 'deferred=5,failed=0,percent=0');
      await until('it has stopped', async () => (await shown(run)).state === 'stopped', PATIENCE_MS);
      assert.match((await shown(run)).why, /^\d+ messages were put off for moves within a minute; 5 stop it$/);
      letGo.resolve(undefined);
      await stayedStopped(run, names);
    } finally {
      letGo.resolve(undefined);
      murder.relays.mail1.rule = undefined;
      await round.stop(PATIENCE_MS);
    }
    const replies = round.messages.flatMap((message) => message.replies);
    assert.ok(replies.filter((reply) => reply.startsWith('451')).length >= 5);
    assert.deepEqual(
      round.messages.filter(
        ({ taken, replies: said }) => taken === undefined || said.some((reply) => /^5/.test(reply)),
      ),
      [],
    );
    const ids = new Set((await Promise.all(names.map((name) => murder.messageIds(name)))).flatMap((set) => [...set]));
    assert.deepEqual(
      round.messages.filter(({ id }) => !ids.has(id)),
      [],
    );
  });
});

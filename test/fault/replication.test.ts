// The replication worker against a sync_client that does as it is told: what each end of it means for the job.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Standing } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import type { JobFailure } from '../../services/events/failure.ts';
import type { ReplicaAccess } from '../../services/replication/sync-client.ts';
import { SyncClient } from '../../services/replication/sync-client.ts';
import { ReplicaGate } from '../../workers/replica-gate.ts';
import { replicationProcessor } from '../../workers/replication.ts';
import type { ReplicationOptions } from '../../workers/replication.ts';
import { keptLog, quietDesk } from '../harness/events.ts';
import { fakeSyncClient } from '../harness/sync-client-fake.ts';
import { until } from '../harness/until.ts';

const row = (name: string, location = 'mail1!default', state: Entry['state'] = 'active'): Entry => ({
  ...{ name, location, state, acl: '', version: 1 },
});

const trusted: Standing = {
  ...{ epoch: 1, lost: undefined, doubt: undefined, heard: ['mail1'], vouched: undefined },
  ...{ settled: true, blank: false },
};

interface Stage {
  rows?: readonly Entry[];
  standing?: Partial<Standing>;
  access?: Partial<ReplicaAccess>;
}

async function set(t: TestContext, { rows = [], standing = {}, access = {} }: Stage = {}) {
  const fake = await fakeSyncClient(access);
  const stopping = new AbortController();
  const log = keptLog();
  t.after(async () => {
    stopping.abort();
    await fake.remove();
  });
  const sync = new SyncClient(fake.access);
  const look = async (signal: AbortSignal) => {
    const { is, note } = await sync.reaches(signal);
    return is === 'well' ? undefined : note;
  };
  const gate = new ReplicaGate({
    ...{ backend: 'mail1', look, pause: { first: 20, longest: 50 }, stopped: stopping.signal, log },
  });
  const options: ReplicationOptions = {
    ...{ backend: 'mail1', sync, gate, witnesses: { pushing: ['mail1'], silent: [] }, unixhierarchysep: true },
    directory: {
      tree: () => Promise.resolve([...rows]),
      standing: () => Promise.resolve({ ...trusted, ...standing }),
      case: () => Promise.resolve(undefined),
    },
  };
  const process = replicationProcessor(options);
  const job = (tree: string, signal: AbortSignal = new AbortController().signal) =>
    process({ tree }, signal, quietDesk);
  const words = async () => (await fake.calls()).map((call) => call.slice(2));
  return { fake, job, words, log, folder: fake.access.folder };
}

const failure = (kind: string, message: RegExp) => (error: JobFailure) => {
  assert.equal(error.kind, kind, error.message);
  assert.match(error.message, message);
  return true;
};

test('a user is brought up by one run, and his name is a word of its own, whatever is in it', async (t) => {
  const { fake, job, words } = await set(t, { access: { options: ['-S', 'other'] } });
  for (const tree of ['user.ann', 'example.org!user.j^doe', 'user.-A', 'user.$(touch x);`id` "\' &-*']) {
    assert.deepEqual(await job(tree), { is: 'done', note: 'the replica is up to it' });
  }
  const run = (user: string) => ['-S', 'other', '-v', '-u', '--', user];
  assert.deepEqual(await words(), [
    ...[run('ann'), run('j.doe@example.org'), run('-A'), run('$(touch x);`id` "\' &-*')],
  ]);
  assert.deepEqual((await fake.calls())[0]?.slice(0, 2), ['-C', fake.access.config]);
});

test('what can be no user of Cyrus is refused at once', async (t) => {
  const { job, words } = await set(t);
  for (const tree of ['news', 'user.j\xf6', 'user.a\nb'])
    await assert.rejects(job(tree), failure('refused', /no user/));
  assert.deepEqual(await words(), []);
});

test('a run that fails is followed by a replay of what the directory has there, which renames', async (t) => {
  const rows = [row('user.ann'), row('user.ann.Sent'), row('user.ann.Elsewhere', 'mail2!default')];
  const { fake, job, words, folder } = await set(t, { rows });
  await fake.does({ user: 'echo "Error from sync_do_user(ann): bailing out!" >&2; exit 1' });
  assert.deepEqual(await job('user.ann'), { is: 'done', note: 'by a replay' });
  const [, , replay] = await words();
  assert.deepEqual(replay?.slice(0, 4), ['-v', '-v', '-r', '-f']);
  assert.equal(replay.at(-1), 'MAILBOX "user.ann"\nMAILBOX "user.ann.Sent"\nUSER "ann"');
  assert.deepEqual(await readdir(folder), []);
});

test('who is refused then is refused for good, with the words of sync_client', async (t) => {
  const { fake, job } = await set(t);
  const no = 'echo "m/sync_client[1]: MAILBOX received NO response: IMAP_MAILBOX_MOVED x" >&2; exit 24';
  await fake.does({ user: 'exit 1', replay: no });
  const reason = /^ann is refused: sync_client ended with 24: MAILBOX received NO response: IMAP_MAILBOX_MOVED x$/;
  await assert.rejects(job('user.ann'), failure('refused', reason));
  await fake.does({ user: 'exit 1', replay: 'echo "sync_client[1]: IMAP_MAILBOX_LOCKED" >&2; exit 24' });
  await assert.rejects(job('user.ann'), failure('busy', /LOCKED/));
});

test('where everybody is refused it is the replica: they are tried again, until one goes well', async (t) => {
  const { fake, job } = await set(t);
  await fake.does({ user: 'exit 1', replay: 'echo "sync_client[1]: No space left on device" >&2; exit 24' });
  for (const user of ['a', 'b', 'c', 'd', 'e', 'e'])
    await assert.rejects(job(`user.${user}`), failure('refused', /space/));
  await assert.rejects(job('user.f'), failure('away', /refuses 6 users in a row, f among them: .*No space left/));
  await fake.does({});
  await job('user.g');
  await fake.does({ user: 'exit 1', replay: 'exit 24' });
  await assert.rejects(job('user.a'), failure('refused', /ended with 24/));
});

test('while the replica is away all jobs wait, and go on when it answers', async (t) => {
  const { fake, job, words, log } = await set(t);
  const away = `echo "Can not connect to server 'replica', retrying in 15 seconds" >&2; sleep 60`;
  await fake.does({ user: away, reaches: away });
  const jobs = ['user.a', 'user.b', 'user.c'].map((tree) => job(tree));
  await until(
    'the replica is looked for',
    async () => (await words()).filter((call) => call.at(-1) === '-u').length > 2,
  );
  const stopping = new AbortController();
  const given = job('user.d', stopping.signal);
  stopping.abort(new Error('the worker stops'));
  await assert.rejects(given, /the worker stops/);
  await fake.does({});
  assert.deepEqual(
    (await Promise.all(jobs)).map(({ is }) => is),
    ['done', 'done', 'done'],
  );
  assert.equal((await words()).filter((call) => call.at(-1) === 'd').length, 0);
  assert.deepEqual(
    log.lines.map(({ text }) => text),
    ['replication waits: the replica does not answer', 'replication goes on'],
  );
});

test('a run that broke off because the replica went away is no refusal', async (t) => {
  const { fake, job, words } = await set(t);
  await fake.does({ user: 'exit 1', reaches: 'exit 1' });
  const waiting = job('user.a');
  await until('it is looked for', async () => (await words()).filter((call) => call.at(-1) === '-u').length > 2);
  await fake.does({});
  assert.equal((await waiting).is, 'done');
  assert.equal((await words()).filter((call) => call.includes('-r')).length, 0);
});

test('for whom a replica is away that answers each look makes way for others, and looks come ever more seldom', async (t) => {
  const { fake, job, words, log } = await set(t);
  const pauses = () => log.lines.flatMap(({ pause }) => (typeof pause === 'number' ? [pause] : []));
  await fake.does({ user: `case "$*" in *bad) echo "Can not connect to server 'replica'" >&2; exit 1 ;; esac` });
  const away = failure('away', /^bad: sync_client.*: Can not connect to server 'replica'$/);
  await assert.rejects(job('user.bad'), away);
  await assert.rejects(job('user.bad'), away);
  assert.equal((await words()).filter((call) => call.at(-1) === 'bad').length, 4);
  assert.deepEqual(pauses(), [20, 40, 50, 50]);
  assert.equal((await job('user.good')).is, 'done');
  await assert.rejects(job('user.bad'), away);
  assert.deepEqual(pauses().slice(4), [20, 40]);
});

test('a sync_client that is not there is waited for as well', async (t) => {
  const { job, log } = await set(t, { access: { command: ['/nowhere/sync_client'] } });
  const stopping = new AbortController();
  const waiting = job('user.a', stopping.signal);
  await until('it is said', () => log.lines.length > 0);
  assert.match(String(log.lines[0]?.['why']), /spawn \/nowhere\/sync_client ENOENT/);
  stopping.abort(new Error('the worker stops'));
  await assert.rejects(waiting, /the worker stops/);
});

test('what takes too long is ended with all that it has started, also where it will not hear of it', async (t) => {
  const { fake, job } = await set(t, { access: { timeout: 300 } });
  const children = join(fake.access.folder, 'pids');
  await fake.does({ user: `trap '' TERM; sleep 300 & echo "$! $$" >"${children}"; wait; sleep 300` });
  await assert.rejects(job('user.a'), failure('fault', /^sync_client was ended after 0\.3 s/));
  const pids = (await readFile(children, 'utf8')).trim().split(' ').map(Number);
  assert.equal(pids.length, 2);
  await until('they are gone', () => pids.every((pid) => !runs(pid)));
});

test('who is gone from the backend goes from the replica, what is kept of him is renamed there', async (t) => {
  const kept = 'DELETED.user.ann.6B098E75';
  const { fake, job, words } = await set(t, { rows: [row(kept), row('user.ann', 'mail2!default')] });
  await fake.does({ user: 'echo "Does not exist locally ann"' });
  assert.deepEqual(await job('user.ann'), { is: 'done', note: 'he is gone, and so is his replica' });
  assert.equal((await words()).at(-1)?.at(-1), `MAILBOX "${kept}"\nUNUSER "ann"`);
});

test('but not where the directory still has him there, or proves nothing: the copy may be the last one', async (t) => {
  const absent = 'echo "Does not exist locally ann"';
  for (const state of ['active', 'created', 'handed', 'contested', 'tombstone'] as const) {
    const claimed = await set(t, { rows: [row('user.ann.Sent', 'mail1!default', state)] });
    await claimed.fake.does({ user: absent });
    const why = new RegExp(`mail1 does not have ann, but the directory has user\\.ann\\.Sent there \\(${state}\\)`);
    await assert.rejects(claimed.job('user.ann'), failure('busy', why));
    assert.equal((await claimed.words()).length, 1);
  }
  for (const [standing, why] of [
    [{ epoch: 0 }, /it has lost its data/],
    [{ heard: [] }, /not heard from mail1/],
    [{ doubt: 'it is a replica' }, /it is a replica/],
  ] as const) {
    const doubted = await set(t, { standing });
    await doubted.fake.does({ user: absent });
    const outcome = await doubted.job('user.ann');
    assert.equal(outcome.is, 'later');
    assert.match(outcome.note, why);
    assert.equal((await doubted.words()).length, 1);
  }
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

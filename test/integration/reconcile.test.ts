// The reconcile worker on a real directory, with backends whose mailboxes the test knows: what is certain is put right, what
// is not waits and says for what, and nothing is taken away that somebody holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ImapAdmin } from '../../services/backends/imap-admin.ts';
import { reasons } from '../../services/directory/case.ts';
import { Registry } from '../../services/backends/registry.ts';
import type { Directory, Verb, Writer } from '../../services/directory/directory.ts';
import type { Holding } from '../../services/directory/reconciliation.ts';
import { policyOf } from '../../services/directory/rules.ts';
import type { Move } from '../../services/moves/move.ts';
import type { Outcome } from '../../services/events/processor.ts';
import { reconcileProcessor } from '../../workers/reconcile.ts';
import { quietDesk } from '../harness/events.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisOfFile } from '../harness/redis.ts';

const redis = redisOfFile();

const times = { reservationMaxAge: 3_600_000, reservationGrace: 1, tombstoneGrace: 1 };

/** A directory, and backends that hold what `holds` says; those in `silent` answer nothing. */
class World {
  readonly directory: Directory;
  readonly holds = new Map<string, Set<string>>([
    ['mail1', new Set()],
    ['mail2', new Set()],
  ]);
  readonly moving = new Set<string>();
  readonly silent = new Set<string>();
  /** Those that speak no MUPDATE. */
  readonly untelling = new Set<string>();
  /** What is being moved. */
  move: Move | undefined;
  /** Called before each question. */
  asked: () => Promise<void> | void = () => undefined;
  #sessions = 0;

  constructor(directory: Directory) {
    this.directory = directory;
  }

  /** A new session of a backend. */
  session(server: string, push = false): Writer {
    this.#sessions += 1;
    return { session: `test-${this.#sessions}`, server, admin: false, push };
  }

  async send(writer: Writer, verb: Verb, name: string): Promise<boolean> {
    const location = verb === 'DELETE' ? '' : `${writer.server ?? 'mail1'}!default`;
    return (await this.directory.write({ verb, name, location, acl: '' }, writer)).ok;
  }

  async create(server: string, name: string): Promise<void> {
    this.holds.get(server)?.add(name);
    assert.ok(await this.send(this.session(server), 'ACTIVATE', name));
  }

  async work(name: string): Promise<Outcome> {
    const registry = new Registry(
      ['mail1', 'mail2'].map((server) => ({
        ...{ name: server, lmtp: undefined, imap: undefined },
        mupdate: !this.untelling.has(server),
      })),
    );
    const log = { info: () => undefined, warn: () => undefined };
    const admins = { ask: this.#ask };
    const moves = { read: () => Promise.resolve(this.move && { move: this.move, text: '' }) };
    const known = { directory: this.directory, registry, admins, moves };
    const process = reconcileProcessor({ ...known, times, log, secondLook: 1 });
    return process({ name }, new AbortController().signal, quietDesk);
  }

  async row(name: string): Promise<string> {
    const [entry] = (await this.directory.lookup([name])).entries;
    return entry ? `${entry.state} ${entry.location}` : 'absent';
  }

  readonly #ask = async <Answer>(server: string, question: (admin: ImapAdmin) => Promise<Answer>): Promise<Answer> => {
    await this.asked();
    if (this.silent.has(server)) throw new Error(`${server} is silent`);
    const holds = (name: string): Promise<Holding> => {
      if (this.moving.has(`${server} ${name}`)) return Promise.resolve('moving');
      return Promise.resolve(this.holds.get(server)?.has(name) === true ? 'has' : 'lacks');
    };
    const push = async (name: string): Promise<void> => {
      if (!(await this.send(this.session(server), 'ACTIVATE', name))) throw new Error('NO');
    };
    return question({ holds, push } as unknown as ImapAdmin);
  };
}

async function world(t: TestContext): Promise<World> {
  const scratch = await openScratchDirectory(redis.socket, { policy: policyOf('strict', times) });
  t.after(() => scratch.close());
  const { directory } = scratch;
  // The first population is over.
  await directory.vouch('operator');
  return new World(directory);
}

test('a RENAME that was cut: the old name comes back, is found to be gone, and goes', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.old');
  const backend = w.session('mail1');
  await w.send(backend, 'DELETE', 'user.old');
  await w.directory.end(backend.session, 'cut');
  assert.equal(await w.row('user.old'), 'active mail1!default');
  w.holds.get('mail1')?.delete('user.old');
  assert.deepEqual(await w.work('user.old'), { is: 'done', note: 'remove' });
  assert.equal(await w.row('user.old'), 'absent');
  assert.deepEqual(await w.directory.cases(), []);
  const causes = (await w.directory.history('user.old', 10)).map(({ cause, by }) =>
    by === '' ? cause : `${cause} by ${by}`,
  );
  assert.deepEqual(causes, ['reconcile by reconcile', 'reconcile by reconcile', 'cut', 'DELETE', 'ACTIVATE']);
});

test('a backend did not know a mailbox at a delivery: it is asked, and what it says then holds', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.there');
  await w.create('mail1', 'user.moved');
  await w.create('mail1', 'user.gone');
  w.holds.get('mail1')?.delete('user.moved');
  w.holds.get('mail1')?.delete('user.gone');
  w.holds.get('mail2')?.add('user.moved');
  for (const name of ['user.there', 'user.moved', 'user.gone']) {
    await w.directory.suspect(name, reasons.unknownThere, 'lmtp-1');
    assert.equal((await w.directory.case(name))?.reason, reasons.unknownThere);
    await w.work(name);
  }
  assert.equal(await w.row('user.there'), 'active mail1!default');
  assert.equal(await w.row('user.moved'), 'active mail2!default');
  assert.equal(await w.row('user.gone'), 'absent');
  assert.deepEqual(await w.directory.cases(), []);
});

test('a mailbox that is made again between two looks is not taken away', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.old');
  const backend = w.session('mail1');
  await w.send(backend, 'DELETE', 'user.old');
  await w.directory.end(backend.session, 'cut');
  w.holds.get('mail1')?.delete('user.old');
  let questions = 0;
  w.asked = async () => {
    questions += 1;
    // After the last question before the removal, as it happens: the row is handed by then.
    if (questions === 8) await w.create('mail1', 'user.old');
  };
  await w.work('user.old');
  assert.equal(await w.row('user.old'), 'active mail1!default');
});

test('an XFER that was lost after its source had deleted: the destination is told to push', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.moved');
  const source = w.session('mail1');
  await w.send(source, 'DEACTIVATE', 'user.moved');
  w.holds.get('mail1')?.delete('user.moved');
  w.holds.get('mail2')?.add('user.moved');
  await w.send(w.session('mail2', true), 'ACTIVATE', 'user.moved');
  assert.match(
    (await w.work('user.moved')).note,
    /its session goes on/,
    'while the source may still act nobody else does',
  );
  await w.directory.end(source.session, 'cut');
  assert.deepEqual(await w.work('user.moved'), { is: 'done', note: 'active at mail2' });
  assert.equal(await w.row('user.moved'), 'active mail2!default');
  assert.deepEqual(await w.directory.cases(), []);
});

test('an XFER that broke off while the source still had it waits for the source', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.half');
  const source = w.session('mail1');
  await w.send(source, 'DEACTIVATE', 'user.half');
  await w.directory.end(source.session, 'cut');
  w.moving.add('mail1 user.half');
  w.holds.get('mail2')?.add('user.half');
  const outcome = await w.work('user.half');
  assert.deepEqual([outcome.is, await w.row('user.half')], ['open', 'handed mail1!default']);
  assert.match((await w.directory.case('user.half'))?.waiting ?? '', /mail1 is in the midst of moving it/);
  // Its next push takes the mailbox back.
  w.moving.clear();
  await w.send(w.session('mail1', true), 'ACTIVATE', 'user.half');
  assert.equal(await w.row('user.half'), 'active mail1!default');
});

test('two copies wait for an operator, and are one case until one of them is gone', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.twice');
  w.holds.get('mail2')?.add('user.twice');
  assert.equal(await w.send(w.session('mail2', true), 'ACTIVATE', 'user.twice'), false);
  assert.equal((await w.work('user.twice')).is, 'open');
  const [open] = await w.directory.cases();
  assert.match(open?.waiting ?? '', /mail1 and mail2 hold it: claim it for one/);
  assert.deepEqual(
    open?.rivals.map(({ server, kind }) => `${server} ${kind}`),
    ['mail2 duplicate'],
  );
  w.holds.get('mail2')?.delete('user.twice');
  assert.deepEqual(await w.work('user.twice'), { is: 'done', note: 'active at mail1' });
  assert.deepEqual([await w.row('user.twice'), await w.directory.cases()], ['active mail1!default', []]);
});

test('a copy of what was deleted elsewhere does not come back by itself, and is not unknown either', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.gone');
  w.holds.get('mail2')?.add('user.gone');
  await w.send(w.session('mail2', true), 'ACTIVATE', 'user.gone');
  const owner = w.session('mail1');
  await w.send(owner, 'DELETE', 'user.gone');
  await w.directory.end(owner.session, 'logout');
  w.holds.get('mail1')?.delete('user.gone');
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await w.send(w.session('mail2', true), 'ACTIVATE', 'user.gone'), false);
  const { entries, concerns } = await w.directory.lookup(['user.gone']);
  assert.deepEqual([entries[0], concerns[0]?.kind], [undefined, 'reconciliation']);
  assert.match((await w.work('user.gone')).note, /mail2 holds a copy of what was deleted/);
  w.holds.get('mail2')?.delete('user.gone');
  assert.deepEqual(await w.work('user.gone'), { is: 'done', note: 'close' });
});

test('what a session that named no server has deleted is put back, or goes, as its server says', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.there');
  await w.create('mail1', 'user.gone');
  const nobody: Writer = { session: 'test-nobody', admin: false, push: false };
  for (const name of ['user.there', 'user.gone']) assert.ok(await w.send(nobody, 'DELETE', name));
  const { rung } = await w.directory.end(nobody.session, 'logout');
  assert.deepEqual(rung, ['user.gone', 'user.there']);
  w.holds.get('mail1')?.delete('user.gone');
  for (const name of rung) assert.equal((await w.work(name)).is, 'done');
  assert.deepEqual([await w.row('user.there'), await w.row('user.gone')], ['active mail1!default', 'absent']);
});

test('while one server is silent nothing is decided, and the case says so', async (t) => {
  const w = await world(t);
  await w.create('mail1', 'user.a');
  const source = w.session('mail1');
  await w.send(source, 'DEACTIVATE', 'user.a');
  await w.directory.end(source.session, 'cut');
  w.holds.get('mail1')?.delete('user.a');
  w.silent.add('mail2');
  assert.deepEqual(await w.work('user.a'), { is: 'open', note: 'mail2 could not be asked' });
  assert.equal(await w.row('user.a'), 'handed mail1!default');
  w.silent.clear();
  assert.deepEqual(await w.work('user.a'), { is: 'done', note: 'remove' });
});

test('a reservation that came to nothing goes after its time', async (t) => {
  const w = await world(t);
  const failed = w.session('mail1');
  await w.send(failed, 'RESERVE', 'user.half');
  await w.directory.end(failed.session, 'logout');
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(await w.work('user.half'), { is: 'done', note: 'remove' });
  assert.equal(await w.row('user.half'), 'absent');
});

test('a name with no open case is nothing to do', async (t) => {
  const w = await world(t);
  assert.deepEqual(await w.work('user.x'), { is: 'done', note: 'settled' });
});

test('the row of a server that speaks no MUPDATE stands, though its writer was cut off and the server cannot be asked', async (t) => {
  const w = await world(t);
  w.untelling.add('mail1');
  w.silent.add('mail1');
  const worker = w.session('mail1');
  await w.send(worker, 'ACTIVATE', 'user.told');
  await w.directory.end(worker.session, 'cut');
  assert.equal((await w.work('user.told')).is, 'done');
  assert.equal(await w.row('user.told'), 'active mail1!default');
  assert.deepEqual(await w.directory.cases(), []);
});

test('a case of a tree that is being moved waits for the move, once something was cut', async (t) => {
  const w = await world(t);
  const move: Move = {
    ...{ name: 'user.ann', from: { server: 'mail1', partition: '' }, to: { server: 'mail2', partition: '' } },
    ...{ by: 'test', since: 1, state: 'open', cancelled: false, attempts: 1, octets: 0, messages: 0 },
    ...{ times: {}, step: 'cut', note: '' },
  };
  const xfer = w.session('mail1');
  await w.send(w.session('mail1'), 'ACTIVATE', 'user.ann.Sent');
  await w.send(xfer, 'DEACTIVATE', 'user.ann.Sent');
  await w.directory.end(xfer.session, 'cut');
  w.holds.get('mail2')?.add('user.ann.Sent');
  w.move = move;
  const outcome = await w.work('user.ann.Sent');
  assert.deepEqual(outcome, { is: 'open', note: 'it is being moved from mail1 to mail2' });
  assert.equal(await w.row('user.ann.Sent'), 'handed mail1!default');
  w.move = { ...move, state: 'stopped' };
  assert.equal((await w.work('user.ann.Sent')).is, 'done');
  assert.equal(await w.row('user.ann.Sent'), 'active mail2!default');
});

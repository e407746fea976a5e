// The Lua script and the model in memory obey the same table: every answer, every row and every change alike.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { reasons } from '../../services/directory/case.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { policyOf } from '../../services/directory/rules.ts';
import type { PolicyName } from '../../services/directory/rules.ts';
import type { Change, Directory, Ending, Resolution, Write, Writer } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

/** How many operations in all; `npm run proof` sets more. */
const operations = Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000);
const historyLength = 250;

let redis: ScratchRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

const names = [
  ...['user.a', 'user.a.Sent', 'user.a.Sent.old', 'user.a-b', 'DELETED.user.a.6B02', 'example.org!user.a^b'],
  ...['example.org!user.a^b.with space', 'news', 'news.local', 'user.q"uo\\te', 'user.\xc3\xa9', 'odd..name', 'user'],
];
const servers = ['mail1', 'mail2', 'mail10'];

const place = fc
  .tuple(fc.constantFrom(...servers), fc.constantFrom('!default', '!u2', '!', ''))
  .map((pair) => pair.join(''));
const write: fc.Arbitrary<Write> = fc.record({
  verb: fc.constantFrom('RESERVE', 'ACTIVATE', 'DEACTIVATE', 'DELETE'),
  name: fc.constantFrom(...names),
  location: place,
  acl: fc.constantFrom('', 'a\tlrs\t', 'a\tlrs\t\x00\xff\t'),
});
const writer: fc.Arbitrary<Writer> = fc.oneof(
  { weight: 6, arbitrary: bound(false) },
  { weight: 2, arbitrary: bound(true) },
  { weight: 1, arbitrary: session().map((one) => ({ session: one, admin: true, push: false })) },
  { weight: 1, arbitrary: session().map((one) => ({ session: one, admin: false, push: false })) },
);

function session() {
  return fc.integer({ min: 1, max: 4 }).map((number) => `s-${number}`);
}

function bound(push: boolean): fc.Arbitrary<Writer> {
  return fc
    .tuple(session(), fc.constantFrom(...servers))
    .map(([one, server]) => ({ session: one, server, admin: false, push }));
}

/** One thing done to a directory; `pause` milliseconds pass before it. */
type Step = { pause: number } & (
  | { do: 'write'; write: Write; writer: Writer }
  | { do: 'end'; session: string; how: Ending }
  | { do: 'bind'; session: string; server: string }
  | { do: 'heard'; server: string; ago: number }
  | { do: 'lease'; name: string; token: string; destination: string }
  | { do: 'release'; name: string; token: string }
  | { do: 'copy'; name: string; destination: string; made: boolean }
  | { do: 'copied'; name: string }
  | { do: 'note'; name: string }
  | { do: 'suspect'; name: string }
  | { do: 'resolve'; name: string; action: Resolution['action']; forget: string[]; location: string; stale: boolean }
);
const pause = fc.constantFrom(0, 1, 500, 70_000);
const server = fc.constantFrom(...servers);
const name = fc.constantFrom(...names);
const token = fc.constantFrom('m1', 'm2');
const how = fc.constantFrom<Ending>('logout', 'cut', 'refused');
const action = fc.constantFrom<Resolution['action']>('close', 'restore', 'remove', 'hand', 'claim');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ do: fc.constant('write'), pause, write, writer }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('end'), pause, session: session(), how }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bind'), pause, session: session(), server }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('heard'), pause, server, ago: fc.constantFrom(0, 600, 90_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lease'), pause, name, token, destination: server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release'), pause, name, token }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('copy'), pause, name, destination: server, made: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copied'), pause, name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('note'), pause, name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('suspect'), pause, name }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('resolve'), pause, name, action, location: place, stale: fc.boolean() },
      forget: fc.subarray(servers),
    }),
  },
);

for (const name of ['strict', 'cyrus'] satisfies PolicyName[]) {
  test(`script and model agree under policy ${name}`, async () => {
    const runs = Math.ceil(operations / 2 / historyLength);
    const history = fc.array(step, { minLength: historyLength, maxLength: historyLength, size: 'max' });
    await fc.assert(
      fc.asyncProperty(history, (steps) => agree(steps, name)),
      { numRuns: runs, endOnFailure: true, reporter: told },
    );
  });
}

/** Plays one history against both, on an empty directory. */
async function agree(steps: readonly Step[], name: PolicyName): Promise<void> {
  let now = 1_000_000;
  const clock = () => now;
  const policy = policyOf(name, { reservationMaxAge: 60_000, reservationGrace: 400, tombstoneGrace: 100_000 });
  const model = new MemoryDirectory({ policy, clock });
  await redisSays(redis.socket, 'FLUSHALL');
  const scratch = await openScratchDirectory(redis.socket, { policy, clock });
  try {
    const inModel = heard(model);
    for (const one of steps) {
      now += one.pause;
      const text = JSON.stringify(one);
      assert.deepEqual(await done(scratch.directory, one, clock), await done(model, one, clock), text);
      if (one.do === 'write') continue;
      const [got, expected] = await Promise.all([scratch.directory.lookup(names), model.lookup(names)]);
      assert.deepEqual([got.entries, got.concerns], [expected.entries, expected.concerns], text);
      assert.deepEqual(await scratch.directory.cases(), await model.cases(), text);
    }
    await readsAgree(scratch.directory, model);
    assert.deepEqual(await changes(scratch.directory), inModel);
  } finally {
    await scratch.close();
  }
}

/** Does it, and gives what there was to hear of it. */
async function done(directory: Directory, one: Step, clock: () => number): Promise<unknown> {
  switch (one.do) {
    case 'write':
      return directory.write(one.write, one.writer);
    case 'end':
      return directory.end(one.session, one.how);
    case 'bind':
      return directory.bind(one.session, one.server);
    case 'heard':
      return directory.heard(one.server, ['mail1', 'mail2'], clock() - one.ago);
    case 'lease':
      return directory.lease(one.name, { token: one.token, destination: one.destination }, 80_000);
    case 'release':
      return directory.release(one.name, one.token);
    case 'copy':
      return directory.copies[one.made ? 'made' : 'begin'](one.name, one.destination, 80_000);
    case 'copied':
      return directory.copies.end(one.name);
    case 'note':
      return directory.note(one.name, 'somebody');
    case 'suspect':
      return directory.suspect(one.name, reasons.unknownThere, 'lmtp-1');
    case 'resolve': {
      const { name, action, forget, location, stale } = one;
      const tree = await directory.tree(name);
      const expected = stale ? undefined : tree.find((entry) => entry.name === name);
      const rung = (await directory.case(name))?.rung;
      const rest = { rung, forget, at: { location, acl: 'r\tlrs\t' }, session: 'worker', by: 'reconcile' };
      return directory.resolve({ name, expected, action, ...rest });
    }
  }
}

async function readsAgree(script: Directory, model: Directory): Promise<void> {
  assert.deepEqual((await script.lookup(names)).entries, (await model.lookup(names)).entries);
  const [got, expected] = await Promise.all([script.snapshot(), model.snapshot()]);
  assert.deepEqual(got.entries.map(rowOf), expected.entries.map(rowOf));
  assert.deepEqual(
    got.at.map(({ seq }) => seq),
    expected.at.map(({ seq }) => seq),
  );
  for (const name of [undefined, 'user.a']) {
    assert.deepEqual((await script.history(name, 50)).map(withoutNonce), await model.history(name, 50));
  }
  for (const prefix of ['mail1', 'mail1!', 'mail2!u', 'x']) {
    assert.deepEqual(await script.list(prefix), await model.list(prefix));
  }
  for (const name of names) assert.deepEqual(await script.tree(name), await model.tree(name));
  for (const name of names) assert.deepEqual(await script.copies.known(name), await model.copies.known(name));
}

function heard(directory: Directory): Change[] {
  const list: Change[] = [];
  directory.follow([], { change: (change) => list.push(change), lost: unexpected });
  return list;
}

/** Every change from the log's beginning, without the links of its chain. */
async function changes(directory: Directory): Promise<Change[]> {
  const list: Change[] = [];
  const change = (one: Change & { previous?: string }) => {
    const { previous, ...rest } = one;
    assert.equal(previous, last, 'each change follows from the one before');
    last = one.nonce;
    list.push(withoutNonce(rest));
  };
  let last = '';
  const feed = directory.follow([], { change, lost: unexpected });
  await feed.reached(await directory.head());
  feed.close();
  return list;
}

/** A row as the log tells it: rows of the log know neither flags nor how their session ended. */
function rowOf({ name, state, location, acl, version }: Entry): object {
  return { name, state, location, acl, version };
}

function withoutNonce(change: Change): Change {
  return { ...change, nonce: '' };
}

function unexpected(reason: string): void {
  throw new Error(reason);
}

/** The disagreement itself, not the history of hundreds of steps around it; the seed plays it again. */
function told(run: fc.RunDetails<[Step[]]>): void {
  if (run.failed) throw new Error(`seed ${run.seed}: ${String(run.errorInstance)}`);
}

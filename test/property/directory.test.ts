// The Lua script and the model in memory obey the same table: every answer, every row and every change alike.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { policyOf } from '../../services/directory/rules.ts';
import type { PolicyName } from '../../services/directory/rules.ts';
import type { Change, Directory, Ending, Write, Writer } from '../../services/directory/directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { startRedis } from '../harness/redis.ts';
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

interface Step {
  write: Write;
  writer: Writer;
  /** Milliseconds that pass before the write. */
  pause: number;
  /** How the writer's session ends after the write, if it does. */
  ending: Ending | undefined;
}
const step: fc.Arbitrary<Step> = fc.record({
  write,
  writer,
  pause: fc.constantFrom(0, 1, 500, 70_000),
  ending: fc.constantFrom(undefined, undefined, undefined, 'logout', 'cut', 'refused'),
});

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
  const scratch = await openScratchDirectory(redis.socket, { policy, clock });
  try {
    await scratch.redis.flushall();
    const inModel = heard(model);
    for (const { write, writer, pause, ending } of steps) {
      now += pause;
      const text = `${write.verb} ${write.name} ${write.location}, then ${ending ?? 'on'}`;
      assert.deepEqual(await scratch.directory.write(write, writer), await model.write(write, writer), text);
      if (ending === undefined) continue;
      const session = writer.session;
      assert.deepEqual(await scratch.directory.end(session, ending), await model.end(session, ending), text);
      const [got, expected] = await Promise.all([scratch.directory.lookup(names), model.lookup(names)]);
      assert.deepEqual(got.entries, expected.entries, text);
    }
    await readsAgree(scratch.directory, model);
    assert.deepEqual(await changes(scratch.directory), inModel);
  } finally {
    await scratch.close();
  }
}

async function readsAgree(script: Directory, model: Directory): Promise<void> {
  assert.deepEqual((await script.lookup(names)).entries, (await model.lookup(names)).entries);
  assert.deepEqual(await script.snapshot(), await model.snapshot());
  for (const prefix of ['mail1', 'mail1!', 'mail2!u', 'x']) {
    assert.deepEqual(await script.list(prefix), await model.list(prefix));
  }
  for (const name of names) assert.deepEqual(await script.tree(name), await model.tree(name));
}

function heard(directory: Directory): Change[] {
  const list: Change[] = [];
  directory.follow([0], { change: (change) => list.push(change), lost: unexpected });
  return list;
}

/** Every change from the log's beginning, without the links of its chain. */
async function changes(directory: Directory): Promise<Change[]> {
  const list: Change[] = [];
  const change = (one: Change & { nonce?: string; previous?: string }) => {
    const { nonce, previous, ...rest } = one;
    assert.equal(previous, last, 'each change follows from the one before');
    last = nonce ?? '';
    list.push(rest);
  };
  let last = '';
  const feed = directory.follow([0], { change, lost: unexpected });
  await feed.reached(await directory.head());
  feed.close();
  return list;
}

function unexpected(reason: string): void {
  throw new Error(reason);
}

/** The disagreement itself, not the history of hundreds of steps around it; the seed plays it again. */
function told(run: fc.RunDetails<[Step[]]>): void {
  if (run.failed) throw new Error(`seed ${run.seed}: ${String(run.errorInstance)}`);
}

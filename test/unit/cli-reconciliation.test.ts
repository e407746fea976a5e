// The operator's words about what is in doubt: cases, claim, log, and what a mailbox's row does not say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Surroundings } from '../../services/cli/surroundings.ts';
import type { Verb } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { rookery } from '../harness/cli.ts';

const [one, two] = ['mail1.example.org', 'mail2.example.org'];

/** A mailbox at the first server of which the second one has a copy, and one that only the first has. */
async function inDoubt(): Promise<{ directory: MemoryDirectory; world: Partial<Surroundings> }> {
  const directory = new MemoryDirectory();
  await directory.vouch('operator');
  const send = async (server: string, verb: Verb, name: string, push = false): Promise<void> => {
    const writer = { session: `s-${server}`, server, admin: false, push, by: server };
    await directory.write({ verb, name, location: `${server}!default`, acl: 'x\tlrs\t' }, writer);
  };
  await send(one, 'ACTIVATE', 'user.twice');
  await send(one, 'ACTIVATE', 'user.plain');
  await send(two, 'ACTIVATE', 'user.twice', true);
  return { directory, world: { openDirectory: () => Promise.resolve(directory) } };
}

async function serverOf(directory: MemoryDirectory, name: string): Promise<string | undefined> {
  return (await directory.lookup([name])).entries[0]?.location.split('!')[0];
}

test('directory cases lists what is open, as a table and as JSON; and says so when nothing is', async () => {
  const { directory, world } = await inDoubt();
  await directory.note('user.twice', 'both hold it');
  const table = await rookery(['directory', 'cases'], world);
  assert.equal(table.code, 0);
  assert.match(
    table.out[1] ?? '',
    /^user\.twice +0 s +claimed by another server +mail2\.example\.org!default \(duplicate\) +both hold it$/,
  );
  const json = await rookery(['directory', 'cases', '-f', 'json'], world);
  const [open] = json.out.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([open?.['name'], open?.['waiting']], ['user.twice', 'both hold it']);
  const none = await rookery(['directory', 'cases'], { openDirectory: () => Promise.resolve(new MemoryDirectory()) });
  assert.deepEqual(none.out, ['no case is open']);
});

test('mailbox show tells state, session, age, history, and what reconciliation waits for', async () => {
  const { directory, world } = await inDoubt();
  const { code, out } = await rookery(['mailbox', 'show', 'user.twice'], world);
  assert.equal(code, 0);
  for (const line of [
    /^state +active$/,
    /^reconciliation +claimed by another server$/,
    /^ +also held by +mail2\.example\.org!default \(duplicate\)$/,
    /^ +waits for +a look by the worker$/,
    /^0:1 +\S+Z +user\.twice +ACTIVATE +active mail1\.example\.org!default +mail1\.example\.org +s-mail1\.example\.org$/,
  ]) {
    assert.ok(
      out.some((one) => line.test(one)),
      `${String(line)} in\n${out.join('\n')}`,
    );
  }
  const json = await rookery(['mailbox', 'show', 'user.twice', '-f', 'json'], world);
  const shown = JSON.parse(json.out[0] ?? '') as { waiting: string; history: object[] };
  assert.deepEqual([shown.waiting, shown.history.length], ['claimed by another server', 1]);
  await directory.write(
    { verb: 'DEACTIVATE', name: 'user.plain', location: `${one}!default`, acl: '' },
    { session: 's-9', server: one, admin: false, push: false },
  );
  const handed = await rookery(['mailbox', 'show', 'user.plain'], world);
  assert.ok(
    handed.out.some((line) => /^session +s-9$/.test(line)) &&
      handed.out.some((line) => /^since +\S+Z \(0 s\)$/.test(line)),
  );
});

test('mailbox show of a name without a row tells what is known all the same', async () => {
  const { directory, world } = await inDoubt();
  const owner = { session: 's-8', server: one, admin: false, push: false };
  await directory.write({ verb: 'DELETE', name: 'user.twice', location: '', acl: '' }, owner);
  await directory.end(owner.session, 'logout');
  const grave = await rookery(['mailbox', 'show', 'user.twice'], world);
  assert.equal(grave.code, 0, 'a moment ago it was there');
  const nobody = await rookery(['mailbox', 'show', 'user.nobody'], world);
  assert.deepEqual([nobody.code, nobody.err], [67, ['rookery: user.nobody: there is no such mailbox']]);
  assert.ok(nobody.out.some((line) => /^state +absent$/.test(line)));
});

test('mailbox claim gives a mailbox to a server that has said that it holds it, and says who did so', async () => {
  const { directory, world } = await inDoubt();
  const args = ['mailbox', 'claim', 'user.*', '--from', one, '--to', two];
  const dry = await rookery([...args, '--dry-run'], world);
  assert.equal(dry.code, 75, 'one would be left');
  assert.match(dry.out.join('\n'), /^user\.twice +would claim +it has said so in a push$/m);
  assert.equal(await serverOf(directory, 'user.twice'), one);
  const rung: string[] = [];
  const ring = (_config: unknown, names: readonly string[]) => Promise.resolve(void rung.push(...names));
  const { code, out } = await rookery(args, { ...world, ring });
  assert.equal(code, 75, 'one was left');
  assert.deepEqual(rung, ['user.twice'], 'for the copy that lost');
  assert.match(out.join('\n'), /^user\.plain +left +nobody knows that mail2\.example\.org holds it: see --unseen$/m);
  assert.match(out.join('\n'), /^user\.twice +claimed +it has said so in a push$/m);
  assert.deepEqual([await serverOf(directory, 'user.twice'), await serverOf(directory, 'user.plain')], [two, one]);
  const [last] = await directory.history('user.twice', 1);
  assert.deepEqual([last?.cause, last?.by, last?.location], ['claim', 'postmaster', `${two}!default`]);
  const [left] = await directory.cases();
  assert.deepEqual(
    left?.rivals.map(({ server }) => server),
    [one],
    'the one that lost has a copy still',
  );
  const unseen = await rookery([...args, '--unseen'], world);
  assert.equal(unseen.code, 0);
  assert.match(unseen.err.join(), /^rookery: the workers are not rung for, and look within a minute: Redis does not/);
  assert.equal(await serverOf(directory, 'user.plain'), two);
});

test('mailbox claim refuses servers that are none', async () => {
  const { world } = await inDoubt();
  const wrong = await rookery(['mailbox', 'claim', 'user.x', '--from', two, '--to', 'mail3'], world);
  assert.equal(wrong.code, 64);
  assert.match(
    wrong.err[0] ?? '',
    /'mail3' is none of the backends: there are mail1\.example\.org, mail2\.example\.org/,
  );
  assert.equal((await rookery(['mailbox', 'claim', 'user.x', '--from', two, '--to', two], world)).code, 64);
  const nothing = await rookery(['mailbox', 'claim', 'user.x', '--from', 'gone', '--to', two], world);
  assert.deepEqual(
    [nothing.code, nothing.out],
    [67, ['nothing at gone matches']],
    'rows may be left of a server that is none any more',
  );
});

test('directory log shows the newest changes first, of one name or of all', async () => {
  const { world } = await inDoubt();
  const all = await rookery(['directory', 'log'], world);
  assert.match(all.out[1] ?? '', /^0:2 .* user\.plain +ACTIVATE/);
  const some = await rookery(['directory', 'log', 'user.twice', '-f', 'json'], world);
  const [change] = some.out.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([change?.['seq'], change?.['cause'], change?.['by']], [1, 'ACTIVATE', one]);
  for (const limit of ['0', 'x', '1000000']) {
    assert.equal((await rookery(['directory', 'log', '--limit', limit], world)).code, 64);
  }
});

test('directory trust wants a second word where data were lost, for what is not back would be refused', async () => {
  const { directory, world } = await inDoubt();
  const standing = directory.standing.bind(directory);
  directory.standing = async () => ({ ...(await standing()), vouched: undefined, lost: 'it was at change 5' });
  const blind = await rookery(['directory', 'trust'], world);
  assert.equal(blind.code, 75);
  assert.match(
    blind.err[0] ?? '',
    /data were lost \(it was at change 5\), and it has 2 mailboxes now: .* --yes says so/,
  );
  assert.equal((await rookery(['directory', 'trust', '--yes'], world)).code, 0);
});

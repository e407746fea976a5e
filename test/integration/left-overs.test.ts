// What audits have found, kept in a real Redis; and the doors to it, each for whom it is, where no server can be asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../services/moves/audit.ts';
import { FindingStore } from '../../services/moves/finding-store.ts';
import type { AuditedValue, FindingValue } from '../../services/operations/left-over-operations.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { fillDirectory } from '../harness/directory.ts';
import { operator } from '../harness/operator.ts';
import { redisOfFile, redisSays } from '../harness/redis.ts';

const redis = redisOfFile();

async function store(t: { after(done: () => void): void }): Promise<FindingStore> {
  const connection = commandConnection({
    place: { socket: redis.socket },
    commandTimeout: 5000,
    onError: () => undefined,
  });
  t.after(() => {
    connection.disconnect();
  });
  await connected(connection, 5000);
  return new FindingStore(connection);
}

const leftOver = (tree: string, server: string): Finding => ({
  kind: 'left-over',
  tree,
  server,
  at: 'mail2',
  names: [tree],
});

test('findings keep their age over looks by many at once, names are bytes, and what is no finding is none', async (t) => {
  const kept = await store(t);
  const name = 'user.b\xc3\xb6b\xff"\\';
  const looks = Array.from({ length: 8 }, (_, at) =>
    kept.looked(name, [leftOver(name, `m${at}`)], new Set([`m${at}`]), 100 + at),
  );
  await Promise.all(looks);
  const all = await kept.of(name);
  assert.deepEqual(all.map(({ server }) => server).sort(), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7']);
  assert.ok(all.every(({ tree, names }) => tree === name && names[0] === name));
  const [again] = (await kept.looked(name, [leftOver(name, 'm0')], new Set(['m0']), 500)).filter(
    (one) => one.server === 'm0',
  );
  assert.deepEqual([again?.since, again?.seen], [100, 500]);
  await kept.looked(name, [], new Set(Array.from({ length: 8 }, (_, at) => `m${at}`)), 600);
  assert.deepEqual(await kept.all(), []);
  assert.deepEqual(await redisSays(redis.socket, 'EXISTS rookery:{moves}:findings'), [':0']);
  await redisSays(redis.socket, 'HSET rookery:{moves}:findings user.x "[{}]"');
  assert.deepEqual([await kept.of('user.x'), await kept.all()], [[], []]);
});

test('by the API and by command: found, told, and kept for want of proof; before its time for administrators only', async (t) => {
  const program = await startApi(redis.socket, ['run', 'api'], { backends: { mail1: {}, mail2: {} } });
  t.after(() => program.stop());
  await fillDirectory(redis.socket, [['user.ann', 'mail2!default']]);
  const ask = async (role: Role, method: string, path: string, body?: object): Promise<[number, unknown]> => {
    const response = await fetch(`${apiBase(program)}${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens[role]}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return [response.status, await response.json()];
  };
  const kept = await store(t);
  await kept.looked('user.ann', [leftOver('user.ann', 'mail1')], new Set(['mail1']), 1000);

  const names = { names: ['user.ann'] };
  assert.equal((await ask('read', 'POST', '/v1/moves/audit', names))[0], 403);
  assert.equal((await ask('operate', 'POST', '/v1/moves/audit', {}))[0], 400);
  assert.equal((await ask('operate', 'POST', '/v1/moves/audit', { ...names, server: 'mail1' }))[0], 400);
  assert.equal((await ask('operate', 'POST', '/v1/moves/audit', { run: 'r9' }))[0], 404);
  assert.equal((await ask('operate', 'POST', '/v1/moves/audit', { server: 'mail9' }))[0], 404);
  const [status, audited] = await ask('operate', 'POST', '/v1/moves/audit', names);
  const { trees, silent, findings } = audited as AuditedValue;
  assert.deepEqual([status, trees, silent], [200, 1, ['mail2: mail2 has no imap in the configuration']]);
  assert.deepEqual(
    findings.map(({ kind, server, since }) => [kind, server, since]),
    [['left-over', 'mail1', '1970-01-01T00:00:01.000Z']],
    'who says nothing is not forgotten',
  );
  const [, found] = await ask('read', 'GET', '/v1/moves/findings?kind=left-over');
  assert.deepEqual((found as { findings: FindingValue[] }).findings, findings);

  const discard = { name: 'user.ann', server: 'mail1' };
  assert.equal((await ask('read', 'POST', '/v1/moves/discard', discard))[0], 403);
  assert.equal((await ask('operate', 'POST', '/v1/moves/discard', { ...discard, now: 'space' }))[0], 403);
  assert.equal((await ask('operate', 'POST', '/v1/moves/discard', { ...discard, deleted: 'he left' }))[0], 403);
  for (const role of ['operate', 'admin'] as const) {
    const [refused, problem] = await ask(role, 'POST', '/v1/moves/discard', { ...discard, dry_run: false });
    assert.deepEqual(
      [refused, (problem as ProblemValue).detail],
      [503, 'mail1 could not be asked: mail1 has no imap in the configuration'],
    );
  }
  const listed = await operator(program.configFile, 'move', 'leftovers');
  assert.match(listed.out, /^left-over +user\.ann +mail1 +mail2 +1 +1970/m);
  const unasked = { ...leftOver('user.dan', 'mail1'), kind: 'unasked' as const };
  await kept.looked('user.dan', [unasked], new Set(['mail1']), 2000);
  const missing = { ...leftOver('user.eve', 'mail1'), kind: 'missing' as const };
  await kept.looked('user.eve', [missing], new Set(['mail1']), 3000);
  const [some, every] = [
    await operator(program.configFile, 'move', 'leftovers'),
    await operator(program.configFile, 'move', 'leftovers', '--all'),
  ];
  assert.match(some.out, /^unasked +user\.dan +mail1 /m);
  assert.doesNotMatch(some.out, /user\.eve/);
  assert.match(every.out, /^missing +user\.eve /m);
  const audit = await operator(program.configFile, 'move', 'audit', 'user.ann');
  assert.equal(audit.code, 65);
  assert.match(
    audit.out,
    /silent: mail2[^]*without being in the list of mailboxes of its server is not seen over IMAP/,
  );
  assert.equal((await operator(program.configFile, 'move', 'audit')).code, 64);
  const nobody = await operator(program.configFile, 'move', 'audit', 'user.nobody', '-f', 'json');
  assert.deepEqual([nobody.code, (JSON.parse(nobody.out) as AuditedValue).nowhere], [65, ['user.nobody']]);
  const misspelt = await operator(program.configFile, 'move', 'audit', 'user.nobody');
  assert.match(misspelt.out, /^user\.nobody: neither the directory nor any server has it/m);
  const dry = await operator(program.configFile, 'move', 'discard', 'user.ann', '--server', 'mail9', '--dry-run');
  assert.equal(dry.code, 65);
});

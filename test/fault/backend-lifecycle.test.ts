// What operators say of backends, by command and over the API of whole programs, each for whom it is: obeyed by every proxy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import type { RetiredValue } from '../../services/operations/backend-operations.ts';
import type { BackendValue } from '../../services/operations/backend-value.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import type { RouteValue } from '../../services/operations/route-operations.ts';
import { openUsersNow } from '../../services/process/open-users.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { fillDirectory, openScratchDirectory } from '../harness/directory.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { operator } from '../harness/operator.ts';
import { redisOfFile } from '../harness/redis.ts';
import type { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

/** Two programs on one Redis, each a proxy and an API; ann is at mail1, bob at mail2. */
async function twoPrograms(t: TestContext) {
  const [mail1, mail2] = [await new FakeBackend().listen(), await new FakeBackend().listen()];
  const lmtp = ({ address }: FakeBackend) => ({ lmtp: address, mupdate: false });
  const backends = { mail1: lmtp(mail1), mail2: lmtp(mail2) };
  await fillDirectory(redis.socket, [
    ['user.ann', 'mail1!default'],
    ['user.bob', 'mail2!default'],
  ]);
  // One process of LMTP each, so that it surely remembers whom it was asked about before Redis went.
  const lmtpRole = { listen: [{ host: '127.0.0.1', port: 0 }], workers: 1 };
  const programs: Rookery[] = [];
  t.after(async () => {
    await Promise.all([...programs.map((one) => one.stop()), mail1.close(), mail2.close()]);
  });
  for (let at = 0; at < 2; at += 1) {
    programs.push(await startApi(redis.socket, ['run', 'lmtp', 'api'], { backends, lmtp: lmtpRole }));
  }
  return programs;
}

async function told(program: Rookery, rcpt: string): Promise<string> {
  const mta = await Mta.greet(program.address('LMTP'));
  await mta.say('MAIL FROM:<>');
  const reply = await mta.say(`RCPT TO:<${rcpt}>`);
  mta.socket.destroy();
  return reply;
}

async function asked(
  program: Rookery,
  role: Role,
  method: string,
  path: string,
  body?: object,
): Promise<[number, unknown]> {
  const response = await fetch(`${apiBase(program)}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[role]}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return [response.status, await response.json()];
}

const isFenced = /^451 4\.2\.1 Nothing is delivered to mail1 for now$/;

test('a fence by one API is obeyed by every proxy, told by every door, and holds while Redis is away', async (t) => {
  const programs = await twoPrograms(t);
  const [one, other] = programs as [Rookery, Rookery];
  for (const program of programs) assert.match(await told(program, 'ann'), /^250/);
  const wish = { reason: 'a disk' };
  assert.equal((await asked(one, 'read', 'POST', '/v1/backends/mail1/fence', wish))[0], 403);
  assert.equal((await asked(one, 'operate', 'POST', '/v1/backends/mail1/fence', {}))[0], 400, 'without a reason');
  const [status, said] = await asked(one, 'operate', 'POST', '/v1/backends/mail1/fence', wish);
  const { fenced, fence: kept } = said as BackendValue;
  assert.deepEqual([status, fenced, kept?.reason, kept?.by], [200, true, 'a disk', 'ops']);
  for (const program of programs) {
    await until('it is obeyed', async () => isFenced.test(await told(program, 'ann')));
    assert.match(await told(program, 'bob'), /^250/);
    const [, route] = await asked(program, 'read', 'GET', '/v1/route?recipient=ann');
    assert.equal((route as RouteValue).reason, 'fence');
    assert.match((route as RouteValue).steps.join('\n'), /mail1 is fenced/);
    const ready = (await (await fetch(`${apiBase(program)}/readyz`)).json()) as { notes: Record<string, string> };
    assert.equal(ready.notes['lifecycle'], 'mail1 fenced');
    const metrics = await (await fetch(`${apiBase(program)}/metrics`)).text();
    assert.match(metrics, /rookery_backend_fenced\{backend="mail1"\} [1-9]/);
    assert.match(metrics, /rookery_backend_state\{backend="mail1",state="active"\} 1/);
  }
  const explained = await operator(other.configFile, 'route', 'explain', 'ann');
  assert.match(explained.out, /mail1 is fenced/, 'by command, from Redis');
  await redis.kill9();
  for (const program of programs) assert.match(await told(program, 'ann'), isFenced);
  await redis.restart();
  const unfenced = await operator(other.configFile, 'backend', 'unfence', 'mail1');
  assert.deepEqual([unfenced.code, unfenced.out], [0, 'mail1: active\n'], unfenced.err);
  for (const program of programs)
    await until('mail goes on', async () => (await told(program, 'ann')).startsWith('250'));
});

test('retire is refused while anything points to it, each named; then nothing goes there, and its keys are told', async (t) => {
  const [program] = (await twoPrograms(t)) as [Rookery, Rookery];
  const retire = (body: object = {}) => asked(program, 'admin', 'POST', '/v1/backends/mail1/retire', body);
  const refusal = async () => {
    const [status, problem] = await retire();
    assert.equal(status, 409);
    return (problem as ProblemValue).detail;
  };
  assert.equal((await asked(program, 'operate', 'POST', '/v1/backends/mail1/retire', {}))[0], 403);
  assert.match(
    await refusal(),
    /mail1 is not retired, for there point to it: 1 mailbox in the directory \(user\.ann\)$/,
  );
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const { directory } = scratch;
  const writer = { session: 's', server: 'mail1', admin: true, push: false };
  await directory.write({ verb: 'DELETE', name: 'user.ann', location: '', acl: '' }, writer);
  await directory.end('s', 'logout');
  assert.match(await refusal(), /mail1: it is active: drain it first$/);
  const [, drained] = await asked(program, 'operate', 'POST', '/v1/backends/mail1/drain', {});
  assert.deepEqual((drained as { next: string[] }).next, ['rookery backend retire mail1']);
  const [, moved] = await asked(program, 'admin', 'POST', '/v1/backends/mail1/drain', { move: true });
  const { next, run } = moved as { next: string[]; run?: string };
  assert.deepEqual(
    [run, next],
    [undefined, ['rookery backend show mail1', 'rookery backend retire mail1']],
    'nobody is there',
  );
  const shown = await program.command('backend', 'show', 'mail1');
  assert.match(shown.out, /^emptying +empty, after 0 runs: nothing is left there; whoever comes is moved, too$/m);

  await directory.lease('user.bob', { destination: 'mail1', token: 'move-1' }, 600_000);
  const users = await openUsersNow(loadConfig({ env: {}, file: program.configFile }));
  t.after(() => {
    users.close();
  });
  const order = { begun: false, made: false, passed: [], note: '', by: 'x', since: 1, state: 'open' } as const;
  await users.orders.place({ name: 'user.new', wish: { is: 'create', server: 'mail1' }, ...order });
  await users.promises.take(
    { token: 'user.p', server: 'mail1', partition: 'default', KiB: 1, lifetime: 600_000 },
    undefined,
  );
  const [dry, pointers] = await retire({ dry_run: true });
  assert.equal(dry, 200);
  assert.deepEqual(
    (pointers as RetiredValue).pointers.map(({ what, count, examples }) => [what, count, examples]),
    [
      ['leases of moves to it', 1, ['user.bob']],
      ['open orders of users', 1, ['user.new']],
      ['users promised to it', 1, []],
    ],
  );
  assert.match(
    await refusal(),
    /1 lease of moves to it \(user\.bob\); 1 open order of users \(user\.new\); 1 user promised/,
  );

  await directory.release('user.bob', 'move-1');
  const kept = await users.orders.read('user.new');
  assert.ok(kept);
  await users.orders.replace(kept, { ...kept.order, state: 'cancelled' });
  await users.promises.release('user.p');
  const [status, done] = await retire();
  const { backend, remove } = done as RetiredValue;
  assert.deepEqual([status, backend.state, backend.fenced, remove], [200, 'retired', true, ['backends.mail1']]);
  const again = await operator(program.configFile, 'backend', 'fence', 'mail9', '--reason', 'x');
  assert.equal(again.code, 65);
  assert.match(again.err, /there is no backend mail9 in the configuration: there are mail1, mail2/);
  assert.equal((await operator(program.configFile, 'backend', 'activate', 'mail1')).code, 75);
  const list = await operator(program.configFile, 'backend', 'list');
  assert.match(list.out, /^mail1 +retired +yes +0 +0 /m);
  // What is wrong with it (it cannot be asked by IMAP) is no more than doubtful for one that speaks no MUPDATE.
  const added = await operator(program.configFile, 'backend', 'add', 'mail1', '--canary', '--share', '2');
  assert.deepEqual([added.code, added.out.split('\n').at(-2)], [0, 'mail1: canary, for 2% of new users'], added.out);
});

test('one that fails its checks stays out: nobody is placed there, until it passes', async (t) => {
  const nobody = { lmtp: { host: '127.0.0.1', port: 1 }, mupdate: false };
  const program = await startApi(redis.socket, ['run', 'api'], { backends: { mail1: nobody, mail2: nobody } });
  t.after(() => program.stop());
  await fillDirectory(redis.socket, [['user.bob', 'mail2!default']]);
  const [, added] = await asked(program, 'operate', 'POST', '/v1/backends/mail1/add', {});
  const { passed, backend } = added as { passed: boolean; backend: BackendValue };
  assert.deepEqual([passed, backend.state], [false, 'new']);
  const inUse = await operator(program.configFile, 'backend', 'add', 'mail2');
  assert.equal(inUse.code, 65, 'what is in use already stays so');
  assert.match(inUse.out, /LMTP +wrong [^]*\nmail2: active\n$/);
});

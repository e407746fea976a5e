// How full backends are: asked of servers that answer, lie, are silent or gone; kept in a real Redis, also when that breaks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ImapAdmins } from '../../services/backends/imap-admins.ts';
import { Registry } from '../../services/backends/registry.ts';
import type { Backend } from '../../services/backends/registry.ts';
import { configSchema } from '../../services/config/schema.ts';
import { UsageHistory } from '../../services/placement/usage-history.ts';
import { askUsage } from '../../services/placement/usage.ts';
import type { UsageFigure } from '../../services/placement/usage.ts';
import { registryOf } from '../../services/process/settings.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { usageProcessor } from '../../workers/usage.ts';
import { fakeImap, silence } from '../harness/imap-fake.ts';
import type { Reaction } from '../harness/imap-fake.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

const folder = '/shared/vendor/cmu/cyrus-imapd/freespace';
const says = (total: string): Record<string, Reaction> => ({
  GETMETADATA: `* METADATA "" ("${folder}/total" "${total}" "${folder}/percent/most" "40;60")\r\n% OK Completed\r\n`,
});

async function backend(t: TestContext, script: Record<string, Reaction>): Promise<Backend> {
  const { port } = await fakeImap(t, script);
  const imap = { host: '127.0.0.1', port, username: 'cyrus', password: 's3cret' };
  return { name: 'mail1', lmtp: undefined, imap, mupdate: true };
}

function sources(t: TestContext, backends: Backend[], timeout = 60_000) {
  const registry = new Registry(backends);
  const admins = new ImapAdmins(registry, timeout);
  t.after(() => admins.close());
  return { registry, admins, now: 1234 };
}

async function history(t: TestContext, length: number): Promise<{ history: UsageHistory; redis: ScratchRedis }> {
  const redis = await startRedis();
  const settings = { place: { socket: redis.socket }, commandTimeout: 10_000, onError: () => undefined };
  const connection = commandConnection(settings);
  t.after(async () => {
    connection.disconnect();
    await redis.stop();
  });
  await connected(connection, 10_000);
  return { history: new UsageHistory(connection, length), redis };
}

test('a Cyrus backend says its sum and its emptiest partition', async (t) => {
  const figure = await askUsage('mail1', sources(t, [await backend(t, says('50;100'))]));
  assert.deepEqual(figure, {
    ...{ server: 'mail1', at: 1234, answered: true, partitions: [] },
    total: { availableKiB: 50, totalKiB: 100 },
    emptiest: { availableKiB: 40, totalKiB: 60 },
  });
});

test('who lies, is silent, or is not to be reached has a figure that says why', async (t) => {
  const lacking: [Backend[], RegExp][] = [
    [[await backend(t, says('101;100'))], /mail1 \(.*\): .*"101;100" has more available than there is/],
    [[await backend(t, { GETMETADATA: silence })], /waited 300 ms for its free space/],
    [[await backend(t, { greeting: silence })], /waited 300 ms for the login of cyrus/],
    [[{ name: 'mail1', lmtp: undefined, imap: undefined, mupdate: false }], /mail1 has no imap in the configuration/],
    [[], /mail1 is no backend in the configuration/],
  ];
  for (const [backends, reason] of lacking) {
    const { error, ...figure } = await askUsage('mail1', sources(t, backends, 300));
    assert.match(error ?? '', reason);
    assert.deepEqual(figure, { server: 'mail1', at: 1234, answered: false, partitions: [] });
  }
});

test('nobody is believed to have more than usage.most_space', async (t) => {
  const { port } = await fakeImap(t, says('50;100'));
  const imap = { host: '127.0.0.1', port, username: 'cyrus', password: 's3cret' };
  const backends = { mail1: { imap, mupdate: false } };
  const figure = async (usage: object) => {
    const registry = registryOf(configSchema.parse({ servername: 'frontend1', backends, usage }));
    return askUsage('mail1', { ...sources(t, registry.all()), registry });
  };
  assert.match((await figure({ most_space: 99 })).error ?? '', /"50;100" is more than usage\.most_space, 99 KiB/);
  assert.equal((await figure({ most_space: 100 })).answered, true);
  assert.equal((await figure({})).answered, true);
});

test('what the configuration says of partitions is the figure, those on one filesystem counted once', async (t) => {
  const partitions = {
    a: { available: 10, total: 100, filesystem: 'disk' },
    b: { available: 10, total: 100, filesystem: 'disk' },
    c: { available: 5, total: 20 },
  };
  const config = configSchema.parse({ servername: 'frontend1', backends: { mail1: { placement: { partitions } } } });
  const figure = await askUsage('mail1', { ...sources(t, []), registry: registryOf(config) });
  assert.deepEqual(figure, {
    ...{ server: 'mail1', at: 1234, answered: true },
    partitions: [
      { name: 'a', availableKiB: 10, totalKiB: 100, filesystem: 'disk' },
      { name: 'b', availableKiB: 10, totalKiB: 100, filesystem: 'disk' },
      { name: 'c', availableKiB: 5, totalKiB: 20 },
    ],
    total: { availableKiB: 15, totalKiB: 120 },
    emptiest: { availableKiB: 5, totalKiB: 20 },
  });
});

test('a configured figure that cannot be true is refused', () => {
  for (const [key, room] of [
    ['available', { available: 11, total: 10 }],
    ['available', { available: -1, total: 10 }],
    ['total', { available: 0, total: 0 }],
    ['total', { available: 0, total: 'lots' }],
  ] as const) {
    const backends = { mail1: { placement: { partitions: { default: room } } } };
    const { error } = configSchema.safeParse({ servername: 'frontend1', backends });
    assert.deepEqual(error?.issues[0]?.path, ['backends', 'mail1', 'placement', 'partitions', 'default', key]);
  }
});

const answer = (server: string, at: number): UsageFigure => ({
  ...{ server, at, answered: true, partitions: [{ name: 'a', availableKiB: 1, totalKiB: 2, filesystem: 'x' }] },
  ...{ total: { availableKiB: 1, totalKiB: 2 }, emptiest: { availableKiB: 1, totalKiB: 2 } },
});
const silent = (server: string, at: number): UsageFigure => ({
  ...{ server, at, answered: false, partitions: [], error: 'gone' },
});

test('a history is bounded, by server, newest first; who is silent is marked and his last answer is known', async (t) => {
  const { history: kept } = await history(t, 3);
  for (let at = 1; at <= 5; at += 1) await kept.add(answer('mail1', at));
  for (let at = 6; at <= 9; at += 1) await kept.add(silent('mail1', at));
  await kept.add(answer('mail2', 1));
  assert.deepEqual(await kept.history('mail1', 10), [silent('mail1', 9), silent('mail1', 8), silent('mail1', 7)]);
  assert.deepEqual(await kept.history('mail1', 1), [silent('mail1', 9)]);
  assert.deepEqual(await kept.history('mail1', 0), []);
  assert.deepEqual(await kept.history('mail9', 5), []);
  assert.deepEqual(await kept.latest(['mail2', 'mail1', 'mail9']), [
    { server: 'mail2', figure: answer('mail2', 1), silent: false, answer: answer('mail2', 1) },
    { server: 'mail1', figure: silent('mail1', 9), silent: true, answer: answer('mail1', 5) },
    { server: 'mail9', figure: undefined, silent: true, answer: undefined },
  ]);
});

test('what others have written there is no figure', async (t) => {
  const { history: kept, redis } = await history(t, 10);
  await kept.add(answer('mail1', 1));
  const other = commandConnection({
    place: { socket: redis.socket },
    commandTimeout: 10_000,
    onError: () => undefined,
  });
  t.after(() => {
    other.disconnect();
  });
  await connected(other, 10_000);
  for (const text of [
    '{',
    '{}',
    '"x"',
    JSON.stringify({ ...answer('mail1', 2), total: { availableKiB: -1, totalKiB: 1 } }),
  ])
    await other.lpush('rookery:{usage}:figures:mail1', text);
  assert.deepEqual(await kept.history('mail1', 10), [answer('mail1', 1)]);
  const [latest] = await kept.latest(['mail1']);
  assert.deepEqual(latest, { server: 'mail1', figure: undefined, silent: true, answer: answer('mail1', 1) });
});

test('the worker keeps answers and silences; Redis away is an error, a backend away is none', async (t) => {
  const { history: kept, redis } = await history(t, 10);
  const warned: object[] = [];
  const log = { warn: (fields: object) => void warned.push(fields) };
  const script = says('50;100');
  const process = usageProcessor({ ...sources(t, [await backend(t, script)]), history: kept, log });
  const ever = new AbortController().signal;
  const note = '50 of 100 KiB available';
  assert.deepEqual(await process({ server: 'mail1' }, ever), { is: 'done', note });
  assert.equal((await kept.latest(['mail1']))[0]?.silent, false);

  const gone = usageProcessor({ ...sources(t, [await backend(t, { greeting: '* BYE no\r\n' })]), history: kept, log });
  const outcome = await gone({ server: 'mail1' }, ever);
  assert.match(`${outcome.is} ${outcome.note}`, /^open mail1 \(.*\): says BYE: no$/);
  assert.equal(warned.length, 1);
  const [latest] = await kept.latest(['mail1']);
  assert.deepEqual([latest?.silent, latest?.answer?.total?.availableKiB], [true, 50]);

  assert.deepEqual(await process({ server: 'mail9' }, ever), { is: 'done', note: 'no backend of this name' });
  await assert.rejects(process({ server: 'mail1' }, AbortSignal.abort()), { name: 'AbortError' });
  assert.equal((await kept.history('mail1', 10)).length, 2);

  await redis.kill9();
  await assert.rejects(process({ server: 'mail1' }, ever));
});

// `rookery usage`, as an operator meets it, on a real Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../services/config/schema.ts';
import { openUsage } from '../../services/process/open-usage.ts';
import { startRedis } from '../harness/redis.ts';
import { operator } from '../harness/operator.ts';
import { Rookery } from '../harness/rookery.ts';

test('the last answers and the silent ones are shown, the history of one, and what is not there', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const settings = { redis: { url: redis.socket }, backends: { mail1: {}, mail2: {}, mail3: {} } };
  const rookery = await Rookery.layOut(settings);
  t.after(() => rookery.stop());
  const opened = await openUsage(configSchema.parse({ servername: 'frontend1', ...settings }));
  t.after(() => opened.close());
  const { usage } = opened;
  const room = { availableKiB: 25, totalKiB: 100 };
  const figure = { server: 'mail1', at: 0, answered: true, partitions: [], total: room, emptiest: room };
  await usage.add(figure);
  await usage.add({ ...figure, server: 'mail2' });
  const silent = { server: 'mail2', at: 60_000, answered: false, partitions: [], error: 'mail2: gone' };
  await usage.add(silent);

  const rows = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
  const shown = await operator(rookery.configFile, 'usage', 'show');
  assert.deepEqual([shown.code, shown.err], [0, '']);
  const epoch = '1970-01-01T00:00:00.000Z';
  assert.deepEqual(rows(shown.out), [
    ['SERVER', 'ASKED', 'USED', 'AVAILABLE KIB', 'TOTAL KIB', 'NOTE'],
    ['mail1', epoch, '75%', '25', '100'],
    ['mail2', epoch, '75%', '25', '100', 'silent: mail2: gone'],
    ['mail3', 'never', '?', '?', '?', 'silent: not asked yet'],
  ]);
  const json = await operator(rookery.configFile, 'usage', 'show', 'mail2', '-n', '1', '-f', 'json');
  assert.deepEqual(JSON.parse(json.out), silent);
  assert.equal((await operator(rookery.configFile, 'usage', 'show', 'mail3')).out.trim(), 'no figure is there');
  const unknown = await operator(rookery.configFile, 'usage', 'show', 'mail9');
  assert.equal(unknown.code, 65);
  assert.match(unknown.err, /there is no backend mail9: there are mail1, mail2, mail3/);

  await redis.kill9();
  const away = await operator(rookery.configFile, 'usage', 'show');
  assert.equal(away.code, 69);
  assert.match(away.err, /the figures cannot be read: Redis does not answer at/);
});

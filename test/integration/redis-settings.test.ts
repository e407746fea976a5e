// Settings of an own Redis with which what is acknowledged may be lost: eviction is refused, a lazy disk is told of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import { openDirectory } from '../../services/process/open-directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';

test('a Redis that throws keys away is refused, one that does not force writes to disk is told of', async (t) => {
  const redis = await startRedis({ appendfsync: 'always' });
  t.after(() => redis.stop());
  const config = loadConfig({ env: { ROOKERY_REDIS__URL: redis.socket } });
  const doubtsOf = async () => {
    const doubts: string[] = [];
    const directory = await openDirectory(config, { onDoubt: (doubt) => doubts.push(doubt) });
    await directory.close();
    return doubts;
  };
  assert.deepEqual(await doubtsOf(), []);
  await redisSays(redis.socket, 'CONFIG SET appendfsync everysec');
  assert.match((await doubtsOf()).join(), /^appendfsync is everysec, not always/);
  await redisSays(redis.socket, 'CONFIG SET appendonly no');
  assert.match((await doubtsOf()).join(), /^appendonly is no/);
  await redisSays(redis.socket, 'CONFIG SET maxmemory-policy allkeys-lru');
  await assert.rejects(openDirectory(config), /maxmemory-policy allkeys-lru.*it may be noeviction/);
});

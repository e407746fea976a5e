// All trees one after the other, in Redis and in memory: each once, whole, also what of it is elsewhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Directory } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { walkTrees } from '../../services/directory/tree-walk.ts';
import { openScratchDirectory, writer } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

let redis: ScratchRedis;
before(async () => (redis = await startRedis()));
after(() => redis.stop());

const rows: [name: string, location: string][] = [
  ...Array.from({ length: 450 }, (_, at): [string, string] => [`user.u${at}`, `mail${at % 2}!default`]),
  ...([
    ['user.u1.Sent', 'mail1!default'],
    ['user.u1.Old', 'mail0!default'],
    ['DELETED.user.u1.x.65F', 'mail1!b'],
  ] as never[]),
  ...Array.from({ length: 600 }, (_, at): [string, string] => [`news.n${at}`, at < 590 ? 'mail0!n' : 'mail1!n']),
  ['example.org!user.b\xff', 'mail1!default'],
];

async function walked(directory: Directory, server?: string): Promise<Map<string, string[]>> {
  const trees = new Map<string, string[]>();
  for await (const { tree, rows: found } of walkTrees(directory, server)) {
    assert.ok(!trees.has(tree), tree);
    trees.set(tree, found.map(({ name, location }) => `${name} ${location}`).sort());
  }
  return new Map([...trees].sort());
}

test('the same trees in Redis, with one shard or several, as in memory', async () => {
  for (const shards of [1, 4]) {
    await redisSays(redis.socket, 'FLUSHALL');
    const scratch = await openScratchDirectory(redis.socket, { shards });
    const memory = new MemoryDirectory();
    try {
      for (const directory of [scratch.directory, memory]) {
        for (const [name, location] of rows)
          await directory.write({ verb: 'ACTIVATE', name, location, acl: '' }, writer);
      }
      for (const server of [undefined, 'mail0', 'mail1', 'mail7']) {
        assert.deepEqual(
          await walked(scratch.directory, server),
          await walked(memory, server),
          `${shards} shards, ${server ?? 'all'}`,
        );
      }
      const one = await walked(scratch.directory, 'mail1');
      assert.equal(one.get('user.u1')?.length, 4, 'also what is elsewhere');
      assert.equal(one.get('news')?.length, 600);
      assert.equal(one.size, 227);
    } finally {
      await scratch.close();
    }
  }
});

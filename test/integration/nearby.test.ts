// Names that are near to another, in the real directory: users are leapt over, and what is no proof of absence is among them.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { folded } from '../../services/address/fuzzy-match.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Directory, Nearby } from '../../services/directory/directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

let redis: ScratchRedis;
before(async () => (redis = await startRedis()));
after(() => redis.stop());
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

const domains = ['', 'a.org!', 'example.org!', 'example.org.uk!', 'zz.example!'];
const shared = ['news', 'NEWS.local', 'News-x', 'news x.y', 'user', 'user-x', 'users.all', 'DELETED.news.5F', '~z'];

async function write(directory: Directory, verb: 'ACTIVATE' | 'DELETE', name: string, session = 's1'): Promise<void> {
  const location = verb === 'DELETE' ? '' : 'mail1!default';
  const writer = { session, server: 'mail1', admin: false, push: false };
  const { ok, text } = await directory.write({ verb, name, location, acl: '' }, writer);
  assert.ok(ok, text);
}

function near(directory: Directory, domain: string, root: string): Promise<Nearby> {
  return directory.nearby(domain, (component) => folded(component) === folded(root));
}

test('as the model has them, in every domain and shard', async (t) => {
  const scratch = await openScratchDirectory(redis.socket, { shards: 3 });
  t.after(() => scratch.close());
  const model = new MemoryDirectory();
  const users = Array.from({ length: 450 }, (_, at) => `user.u${at}`);
  const names = domains.flatMap((domain) =>
    [...shared, 'user.a.news', 'DELETED.user.a.5F'].map((name) => domain + name),
  );
  for (const name of [...names, ...users, ...users.map((user) => `example.org!${user}`)]) {
    await write(scratch.directory, 'ACTIVATE', name);
    await write(model, 'ACTIVATE', name);
  }
  for (const domain of [...domains, 'nosuch.org!', 'example!']) {
    for (const root of ['news', 'NEWS-X', 'user', 'User_x', 'users', 'deleted', '~Z', 'nosuch', '']) {
      const found = (await near(scratch.directory, domain, root)).names.sort();
      assert.deepEqual(found, (await near(model, domain, root)).names.sort(), `${domain}${root}`);
      if (root === 'news') assert.equal(found.length, domains.includes(domain) ? 2 : 0);
    }
  }
});

test('what was deleted a moment ago is among them, and with them comes the standing of all shards', async (t) => {
  const scratch = await openScratchDirectory(redis.socket, { shards: 3 });
  t.after(() => scratch.close());
  const { directory } = scratch;
  for (const name of ['News', 'news.cut', 'user.news']) await write(directory, 'ACTIVATE', name);
  await write(directory, 'DELETE', 'News', 's2');
  assert.deepEqual((await near(directory, '', 'news')).names.sort(), ['News', 'news.cut']);
  await directory.end('s2', 'logout');
  const { names, standing } = await near(directory, '', 'news');
  assert.deepEqual(names.sort(), ['News', 'news.cut']);
  assert.equal(standing.doubt, undefined);
  await directory.distrust('test');
  assert.match(String((await near(directory, '', 'news')).standing.lost), /test$/);
});

test('many at once are answered one after the other', async (t) => {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  await write(scratch.directory, 'ACTIVATE', 'News');
  const all = await Promise.all(Array.from({ length: 50 }, () => near(scratch.directory, '', 'news')));
  assert.ok(all.every(({ names }) => names.join() === 'News'));
});

test('more ways of writing one name than anybody needs are no answer', async (t) => {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  for (let at = 0; at < 128; at++) {
    const name = Array.from('newspap', (char, bit) => ((at >> bit) & 1 ? char.toUpperCase() : char)).join('');
    await write(scratch.directory, 'ACTIVATE', name);
  }
  await assert.rejects(near(scratch.directory, '', 'newspap'), /more than 100 trees have nearly the same name/);
});

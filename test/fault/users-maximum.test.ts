// An import of more users than a server may have, on the real program: placed, written, counted, and never too many.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { redisFolder } from '../../services/redis/redis-folder.ts';
import { redisSays } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };
const partitions = { default: { available: 500_000_000, total: 1_000_000_000 } };
const backend = (placement: object) => ({ mupdate: false, placement: { partitions, ...placement } });

test('a burst of new users gives a server as many as it may have, whoever of them is counted yet', async (t) => {
  const rookery = await Rookery.layOut({
    ...{ directory: { listen: [anyPort] }, lmtp: { listen: [anyPort] }, api: { listen: anyPort } },
    backends: { mail1: backend({ maximum_users: 10 }), mail2: backend({}) },
    placement: { serverlist_select_mode: 'random', partition_select_mode: 'random' },
  });
  t.after(() => rookery.stop());
  await rookery.start('up');
  assert.equal((await rookery.command('directory', 'trust', '--yes')).code, 0);
  const made = async (prefix: string, count: number) => {
    const file = join(rookery.folder, prefix);
    writeFileSync(file, Array.from({ length: count }, (_, at) => `${prefix}${at}`).join('\n'));
    const { out } = await rookery.command('user', 'import', file);
    assert.equal(out, `${count} of ${count} users are there, 0 were refused, 0 are not done yet\n`);
  };
  const holds = async () => {
    const { out } = await rookery.command('mailbox', 'list', '-f', 'json');
    const lines = (server: string) => out.split('\n').filter((line) => line.includes(`"${server}"`)).length;
    return [lines('mail1'), lines('mail2')];
  };
  await made('a', 40);
  assert.deepEqual(await holds(), [10, 30]);
  const { socket } = redisFolder(`${rookery.folder}/data`);
  const promised = () => redisSays(socket, 'HGETALL rookery:{placement}:users');
  await until('all are counted, and promised no longer', async () => (await promised()).join(' ') === '*0', 60_000);
  await made('b', 20);
  assert.deepEqual(await holds(), [10, 50]);
  const alone = await rookery.command('user', 'create', 'alone', '--server', 'mail2');
  assert.match(alone.out, /at mail2!default: its server has no imap .*only its row is written; make the mailbox there/);
});

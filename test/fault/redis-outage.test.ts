// What the program's log says while its Redis is away: that it is, that it is back, and nothing over and over.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { redisSays, startRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };

test('an outage of Redis is a line at its begin and one at its end, without stacks', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    directory: { listen: [anyPort], users: { mail1: { password: 'geheim', server: 'mail1' } } },
    ...{ backends: { mail1: {} }, lmtp: { listen: [anyPort] }, api: { listen: anyPort } },
  });
  t.after(() => rookery.stop());
  await rookery.start('up');
  const { host, port } = rookery.address('HTTP');
  const isReady = async () => (await fetch(`http://${host}:${port}/readyz`)).ok;
  const lines = (text: RegExp) => rookery.log.filter(({ msg }) => text.test(String(msg)));
  // Some connections come about after it is ready: one that does so while Redis is killed would be back for a moment.
  const counts: (number | undefined)[] = [];
  await until('all its connections have come about', async () => {
    counts.push((await redisSays(redis.socket, 'CLIENT LIST')).join('').match(/ cmd=/g)?.length);
    return counts.length > 30 && new Set(counts.slice(-30)).size === 1;
  });
  const before = rookery.log.length;
  for (let outage = 1; outage <= 2; outage += 1) {
    await redis.kill9();
    await until('both are said to be away', () => lines(/: Redis is away$/).length === 2 * outage);
    // Somebody asks for something meanwhile, and connections are tried again.
    const asking = connect(rookery.address('MUPDATE'));
    asking.write(
      `A AUTHENTICATE "PLAIN" "${Buffer.from('\0mail1\0geheim').toString('base64')}"\r\nB FIND "user.a"\r\n`,
    );
    let answer = '';
    asking.on('data', (data: Buffer) => (answer += data.toString()));
    await until('he is told no', () => /^B NO /m.test(answer));
    asking.destroy();
    for (let look = 0; look < 5; look += 1) assert.equal(await isReady(), false);
    await redis.restart();
    await until('both are said to be back', () => lines(/: Redis is back$/).length === 2 * outage);
    await until('it is ready again', isReady);
  }
  const said = rookery.log.slice(before);
  assert.deepEqual(
    said.map((line) => JSON.stringify(line)).filter((line) => line.includes('"stack"')),
    [],
  );
  assert.deepEqual([lines(/: Redis is away$/).length, lines(/: Redis is back$/).length], [4, 4]);
});

// What the log says of Redis when it goes away and comes back, for connections that notice it at different moments.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RedisOutages } from '../../services/process/redis-outages.ts';
import { keptLog } from '../harness/events.ts';

const refused = new Error('connect ECONNREFUSED /x/redis.sock');
const closed = new Error('Connection is closed.');

test('a line when the first connection fails, a line when the first is back, for each group', () => {
  const log = keptLog();
  let now = 1000;
  const outages = new RedisOutages(log, () => now);
  const directory = outages.of('directory');
  const said = () => log.lines.splice(0).filter(({ level }) => level !== 'debug');
  // A connection that is made for the first time is nothing to tell.
  directory.onReady();
  assert.deepEqual(said(), []);
  directory.onError(refused);
  directory.onError(closed);
  outages.of('directory').onError(refused);
  outages.met('directory', closed);
  assert.deepEqual(said(), [{ level: 'error', text: 'directory: Redis is away', reason: refused.message }]);
  outages.of('events').onError(refused);
  assert.deepEqual(said(), [{ level: 'error', text: 'events: Redis is away', reason: refused.message }]);
  now += 1500;
  directory.onReady();
  directory.onReady();
  assert.deepEqual(said(), [{ level: 'info', text: 'directory: Redis is back', away_ms: 1500 }]);
  directory.onError(closed);
  assert.deepEqual(said(), [{ level: 'error', text: 'directory: Redis is away', reason: closed.message }]);
});

test('a connection that is not back yet is no new outage, whatever it says', () => {
  const log = keptLog();
  const { onError, onReady } = new RedisOutages(log).of('directory');
  const [first, second] = [{}, {}];
  for (const one of [first, second]) onError(refused, one);
  onReady(first);
  onError(closed, second);
  const told = () => log.lines.filter(({ level }) => level !== 'debug').length;
  assert.equal(told(), 2);
  onReady(second);
  onError(closed, second);
  assert.equal(told(), 3);
});

test('what is no outage is told of whole', () => {
  const log = keptLog();
  const fault = new TypeError('no such property');
  new RedisOutages(log).met('directory', fault);
  assert.deepEqual(log.lines, [{ level: 'error', text: 'directory', err: fault }]);
});

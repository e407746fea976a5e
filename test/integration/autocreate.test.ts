// Users made by their first message: how long one message is held for all of them, and for whom it is not.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import { madeByFirstMessage } from '../../services/process/first-look.ts';
import { Autocreate, type AutocreateOptions } from '../../services/users/autocreate.ts';
import type { Order } from '../../services/users/order.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { until } from '../harness/until.ts';

const beingMade = '451 4.2.1 Mailbox is being created';

/** A proxy whose users may all be made, by nobody as long as the test does not do it. */
async function makingProxy(t: TestContext, options: Partial<AutocreateOptions>) {
  const orders = new Map<string, Order>();
  const reads: string[] = [];
  const ordering: AutocreateOptions['ordering'] = {
    read: (name) => {
      reads.push(name);
      return Promise.resolve(orders.get(name));
    },
    place: (name, wish, by) => {
      const order = { name, wish, by, since: 0, state: 'open', begun: false, made: false, note: '' } as const;
      orders.set(name, { ...order, passed: [] });
      return Promise.resolve({ is: 'placed' });
    },
  };
  const autocreate = new Autocreate({
    ...{ ordering, wants: () => true, rate: 1000, hold: 60_000, log: quietLog },
    ...options,
  });
  const mail1 = await new FakeBackend().listen();
  t.after(() => mail1.close());
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, autocreate });
  const placed = () => [...orders.keys()];
  const made = (user: string): void => {
    const name = `user.${user}`;
    proxy.rows.set(name, { name, state: 'active', location: 'mail1!default', acl: '', version: 1 });
    orders.set(name, { ...(orders.get(name) as Order), state: 'done' });
  };
  return { proxy, orders, reads, placed, made };
}

const recipients = (count: number) => Array.from({ length: count }, (_, at) => `user.new${at}`);

function rcpts(names: readonly string[]): string {
  return names.map((name) => `RCPT TO:<${name.slice('user.'.length)}>\r\n`).join('');
}

test('a message is held once for all its recipients: who comes later is ordered, and put off at once', async (t) => {
  const { proxy, reads, placed } = await makingProxy(t, { hold: 400 });
  const mta = await Mta.greet(proxy.address);
  await mta.say('MAIL FROM:<s@example.org>');
  const names = recipients(20);
  mta.socket.write(rcpts(names));
  for (const name of names) assert.equal(await mta.reply(), beingMade, name);
  assert.deepEqual(placed(), names);
  assert.ok(reads.filter((name) => name === names[0]).length > 1, 'the first one was waited for');
  for (const name of names.slice(1)) assert.deepEqual([name, reads.filter((one) => one === name).length], [name, 1]);
  assert.equal(await mta.say('RCPT TO:<ann>'), '250 2.1.5 Ok', 'whoever is there has his message all the same');
  await mta.quit();
});

test('the next message of the same session is held anew', async (t) => {
  const { proxy, placed, made } = await makingProxy(t, {});
  const mta = await Mta.greet(proxy.address);
  for (const user of ['one', 'two']) {
    await mta.say('MAIL FROM:<s@example.org>');
    mta.socket.write(`RCPT TO:<${user}>\r\n`);
    await until('it is ordered', () => placed().includes(`user.${user}`));
    made(user);
    assert.equal(await mta.reply(), '250 2.1.5 Ok');
    await mta.say('RSET');
  }
  await mta.quit();
});

test('once the client is gone nobody more is ordered, and its message is held no longer', async (t) => {
  for (const leave of ['destroy', 'end'] as const) {
    const { proxy, placed } = await makingProxy(t, {});
    const mta = await Mta.greet(proxy.address);
    await mta.say('MAIL FROM:<s@example.org>');
    mta.socket.write(rcpts(recipients(5)));
    await until('one is ordered', () => placed().length > 0);
    mta.socket[leave]();
    await until('the session is over', () => proxy.listener.sessions === 0);
    assert.deepEqual(placed(), ['user.new0'], leave);
  }
});

test('orders that nobody takes are asked for once in a message', async (t) => {
  let asked = 0;
  const away = (): Promise<never> => {
    asked += 1;
    return Promise.reject(new Error('Redis does not answer'));
  };
  const { proxy } = await makingProxy(t, { ordering: { read: away, place: away } });
  const mta = await Mta.greet(proxy.address);
  const replies = await mta.envelope(['<a>', '<b>', '<c>', '<ann>']);
  assert.deepEqual(replies, [beingMade, beingMade, beingMade, '250 2.1.5 Ok']);
  assert.equal(asked, 1);
});

test("whom no server can have is unknown at once, and takes nobody's place in the rate", async (t) => {
  const env = { ROOKERY_USERS__AUTOCREATE__NAMES: '["user.first%"]' };
  const wants = madeByFirstMessage(loadConfig({ env }));
  assert.ok(wants);
  const { proxy, placed } = await makingProxy(t, { wants, rate: 1, hold: 0 });
  const mta = await Mta.greet(proxy.address);
  const unfit = ['first/x', 'first%x', 'first&x', 'first{x', `first${'x'.repeat(100)}`];
  const replies = await mta.envelope([...unfit, 'other', 'first'].map((name) => `<${name}>`));
  const unknown = '550 5.1.1 User unknown';
  assert.deepEqual(replies, [...unfit.map(() => unknown), unknown, beingMade]);
  assert.deepEqual(placed(), ['user.first']);
});

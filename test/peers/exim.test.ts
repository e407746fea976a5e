// Exim in front, two Dovecots behind: many recipients a message, bounces only with proof, and a queue that loses nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Dovecot } from '../harness/dovecot.ts';
import { Exim } from '../harness/exim.ts';
import { Frontend } from '../harness/frontend.ts';
import { withoutDovecot, withoutExim } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const USERS_EACH = 30;
const LOAD = 40;
const PATIENCE_MS = 60_000;
const names = (server: string): string[] => Array.from({ length: USERS_EACH }, (_, index) => `${server}-${index}`);
const address = (user: string): string => `${user}@example.org`;
const message = (id: string): string =>
  `From: s@example.net\r\nMessage-ID: <${id}>\r\nSubject: x\r\n\r\n..two dots\r\n.\r\ncaf\xe9\r\nlast\r\n`;

describe('Exim through Rookery to Dovecot', { skip: withoutExim() || withoutDovecot() }, () => {
  const backends: Record<string, Dovecot> = {};
  let frontend: Frontend;
  let exim: Exim;

  before(async () => {
    for (const server of ['one', 'two']) {
      backends[server] = await Dovecot.start({ users: Object.fromEntries(names(server).map((user) => [user, ''])) });
    }
    frontend = await Frontend.start({
      backends: Object.fromEntries(Object.entries(backends).map(([server, { lmtp }]) => [server, lmtp])),
      users: Object.fromEntries(Object.keys(backends).flatMap((server) => names(server).map((user) => [user, server]))),
    });
    exim = await Exim.start(frontend.lmtp);
  });
  after(async () => {
    await exim.stop();
    await frontend.stop();
    for (const dovecot of Object.values(backends)) await dovecot.stop();
  });

  /** A user's copies of the message with this id. */
  async function copies(user: string, id: string): Promise<string[]> {
    const inbox = (await backends[user.slice(0, 3)]?.inbox(user)) ?? [];
    return inbox.filter((text) => text.includes(`Message-ID: <${id}>`));
  }

  /** Queue runs until the queue is empty. */
  async function drained(): Promise<void> {
    const empty = async (): Promise<boolean> => {
      await exim.flush();
      return (await exim.queued()) === 0;
    };
    await until('the queue is empty', empty, PATIENCE_MS);
  }

  test('one message for sixty recipients at two backends is one transaction, and arrives once with each', async () => {
    const everybody = [...names('one'), ...names('two')];
    await exim.submit('s@example.net', everybody.map(address), Buffer.from(message('sixty'), 'latin1'));
    await exim.logged(/ Completed$/m);
    const transactions = new Set<string | undefined>();
    for (const user of everybody) {
      const [stored = '', ...more] = await copies(user, 'sixty');
      assert.equal(more.length, 0);
      assert.ok(stored.endsWith('\n\n..two dots\n.\ncaf\xe9\nlast\n'), stored);
      transactions.add(/by frontend \(Rookery\) with LMTP id ([^;]+);/.exec(stored)?.[1]);
    }
    assert.equal(transactions.size, 1);
    // Exim logs the reply of each recipient: it is Dovecot's, whole.
    const log = await exim.log();
    assert.match(
      log,
      / [-=]> two-7@example\.org R=rookery T=rookery_lmtp .* C="250 2\.0\.0 <two-7@example\.org> \S+ Saved"/,
    );
    assert.equal(await exim.queued(), 0);
  });

  test('an unknown recipient waits in the queue until his absence is proven, and is bounced then; the other is served', async () => {
    await exim.submit('s@example.net', [address('one-0'), address('nobody')], message('proof'));
    await exim.logged(/ == nobody@example\.org .* 451 4\./);
    await until('the other one is served', async () => (await copies('one-0', 'proof')).length === 1);
    assert.equal(await exim.queued(), 1);
    await exim.flush();
    assert.equal(await exim.queued(), 1);
    assert.doesNotMatch(await exim.log(), / \*\* /);
    await frontend.vouch();
    await drained();
    assert.match(await exim.log(), / \*\* nobody@example\.org R=rookery T=rookery_lmtp .* 550 5\.1\.1 /);
    assert.equal((await copies('one-0', 'proof')).length, 1);
  });

  test('a backend killed under load: its mail waits in the queue and comes when it is back; nothing is bounced or lost', async () => {
    const bounced = ((await exim.log()).match(/ \*\* /g) ?? []).length;
    const ids = Array.from({ length: LOAD }, (_, index) => `load-${index}`);
    const to = ['one-1', 'two-1', 'one-2', 'two-2'];
    for (const [index, id] of ids.entries()) {
      if (index === LOAD / 4) await backends['two']?.kill();
      await exim.submit('s@example.net', to.map(address), message(id));
    }
    await exim.logged(/ == two-1@example\.org .* 451 4\.4\./);
    for (const id of ids) {
      const served = async (): Promise<boolean> => (await copies('one-2', id)).length > 0;
      await until(`${id} is at the backend that lives`, served, PATIENCE_MS);
    }
    assert.ok((await exim.queued()) > 0);
    await backends['two']?.start();
    await drained();
    for (const id of ids) {
      for (const user of ['one-1', 'one-2']) assert.equal((await copies(user, id)).length, 1, `${id} for ${user}`);
      // What it had stored, and was killed before it could say so, comes twice.
      for (const user of ['two-1', 'two-2']) assert.ok((await copies(user, id)).length > 0, `${id} for ${user}`);
    }
    assert.equal(((await exim.log()).match(/ \*\* /g) ?? []).length, bounced);
  });
});

// Plans of moves on real Cyrus backends: what their users really take, by quota and counted, and a server evacuated on paper.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readPlan } from '../../services/moves/plan-file.ts';
import { BACKENDS, Murder } from '../harness/murder.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

for (const dotted of [false, true]) {
  describe(`plans of moves${dotted ? ', with / between levels and domains' : ''}`, { skip: withoutCyrus() }, () => {
    let murder: Murder;
    const bob = dotted ? 'example.org!user.bob^x' : 'user.bob';

    before(async () => {
      murder = await Murder.start({ dotted });
      await murder.create('mail1', [bob, `${bob}.Work`, `${bob}.a b`], 20);
      await murder.create('mail1', ['user.quota', 'user.quota.Sent'], 30);
      await murder.create('mail1', ['user.empty', 'news', 'news.local']);
      await murder.create('mail2', ['user.other'], 10);
      await murder.admin('mail1', async (imap) => {
        await imap.ok('SETQUOTA ', { literal: murder.imapName('user.quota') }, ' (STORAGE 100000 MESSAGE 1000)');
        // What the owner's ACL leaves to an administrator: nothing.
        for (const name of [bob, `${bob}.Work`]) {
          await imap.ok('SETACL ', { literal: murder.imapName(name) }, ' cyrus ""');
        }
      });
      await until('all are known', async () => (await murder.rows()).size >= 9);
    });
    after(() => murder.stop());

    async function planned(...words: string[]) {
      const said = await murder.rookery.command('move', 'plan', ...words, '-f', 'json');
      assert.deepEqual([said.code, said.err], [0, ''], said.out);
      return readPlan(said.out);
    }

    /** Octets and messages, as the server tells its administrator mailbox by mailbox. */
    async function really(...names: string[]): Promise<[octets: number, messages: number]> {
      return murder.admin('mail1', async (imap) => {
        const sums: [number, number] = [0, 0];
        for (const name of names) {
          const literal = murder.imapName(name);
          await imap.ok('SETACL ', { literal }, ' cyrus lrswipkxtecdan');
          const told = (await imap.ok('STATUS ', { literal }, ' (SIZE MESSAGES)')).join();
          sums[0] += Number(/SIZE (\d+)/.exec(told)?.[1]);
          sums[1] += Number(/MESSAGES (\d+)/.exec(told)?.[1]);
        }
        return sums;
      });
    }

    test('all of a server, with the sizes that it has, whatever the administrator may read', async () => {
      const plan = await planned('--evacuate', 'mail1');
      const found = new Map(plan.moves.map((move) => [move.name, move]));
      assert.deepEqual([...found.keys()].sort(), [bob, 'news', 'news.local', 'user.empty', 'user.quota'].sort());
      assert.ok(plan.moves.every(({ from, to }) => from.server === 'mail1' && to.server === 'mail2'));
      assert.deepEqual(plan.leftOut, []);
      const counted = await really(bob, `${bob}.Work`, `${bob}.a b`);
      const { octets = 0, messages, sized } = found.get(bob) ?? {};
      assert.deepEqual([octets, messages, sized], [...counted, 'counted']);
      assert.equal(messages, 60);
      const quota = found.get('user.quota');
      const [exact] = await really('user.quota', 'user.quota.Sent');
      assert.deepEqual([quota?.sized, quota?.messages], ['quota', 60]);
      assert.ok(Math.abs((quota?.octets ?? 0) - exact) < 1024, `${quota?.octets} of ${exact}`);
      assert.deepEqual([found.get('user.empty')?.octets, found.get('news.local')?.octets], [0, 0]);
      assert.deepEqual(new Set(plan.servers), new Set(BACKENDS));
    });

    test('named users, to a partition; both servers tell their sizes', async () => {
      const login = dotted ? 'bob.x@example.org' : 'bob';
      const plan = await planned(login, 'other', 'nobody', '--to', 'mail2!u2');
      assert.deepEqual(
        plan.moves.map(({ name, from, to, messages }) => [name, from.server, `${to.server}!${to.partition}`, messages]),
        [
          [bob, 'mail1', 'mail2!u2', 60],
          ['user.other', 'mail2', 'mail2!u2', 10],
        ],
      );
      assert.deepEqual(
        plan.leftOut.map(({ name }) => name),
        ['user.nobody'],
      );
    });
  });
}

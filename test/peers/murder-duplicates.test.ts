// Mailboxes that two real Cyrus backends have at once, made on purpose and pushed in both orders, with mail flowing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BACKENDS, Murder } from '../harness/murder.ts';
import type { Backend } from '../harness/murder.ts';
import { Scenarios, type Outcome } from '../harness/murder-scenario.ts';
import { withoutCyrus } from '../harness/peers.ts';

describe('duplicates', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let scenarios: Scenarios;
  before(async () => {
    murder = await Murder.start();
    scenarios = await Scenarios.begin(murder);
  });
  after(() => scenarios.end());

  const orders: (readonly Backend[])[] = [BACKENDS, ['mail2', 'mail1']];

  /** A user at mail1 who gets mail, and of whom mail2 has a copy that it has told nobody about. */
  async function play(name: string, operation: string, body: (copied: string) => Promise<Outcome>): Promise<void> {
    await murder.create('mail1', [`user.${name}`], 5);
    await scenarios.mailTo({ [`user.${name}`]: name }, 5);
    const whole = async (): Promise<Outcome> => body(await murder.say('mail2', `LOCALCREATE user.${name}`));
    await scenarios.play(operation, whole).finally(() => scenarios.noMailTo(name));
  }

  /** The copy goes, as an operator would see to it. */
  async function resolved(name: string): Promise<void> {
    await scenarios.play('LOCALDELETE of the copy', async () => ({
      answer: await murder.say('mail2', `LOCALDELETE user.${name}`),
      gone: [`DELETED.user.${name}`],
    }));
    assert.equal((await murder.rows()).get(`user.${name}`)?.server, 'mail1');
    assert.equal((await murder.holdings('mail2')).has(`user.${name}`), false);
  }

  for (const order of orders) {
    test(`a copy that the directory does not know, ${order.join(' before ')}`, async () => {
      const name = `known${order[0] ?? ''}`;
      await play(name, `copy at mail2 of a mailbox of mail1, ${order.join(' then ')} push`, (answer) =>
        Promise.resolve({ answer, order }),
      );
      assert.equal((await murder.rows()).get(`user.${name}`)?.server, 'mail1');
      await resolved(name);
    });
  }

  for (const order of orders) {
    test(`first population with a copy, ${order.join(' before ')}`, async () => {
      const name = `first${order[0] ?? ''}`;
      await play(name, `copy at mail2, directory lost, ${order.join(' then ')} push`, async (answer) => {
        await murder.loseDirectory();
        await murder.restart(...order);
        return { answer, order };
      });
    });
  }

  test('ctl_mboxlist -m -a at the backend with the copy', async () => {
    await play('claimed', 'copy at mail2, ctl_mboxlist -m -a there', async (copied) => {
      const { code } = await murder.cyrus.node('mail2').run('ctl_mboxlist', '-m', '-a');
      return { answer: `${copied}; exit code ${code}` };
    });
    assert.equal((await murder.rows()).get('user.claimed')?.server, 'mail1');
  });

  test('DELETE of the copy, as if it were the mailbox', async () => {
    await play('wrong', 'copy at mail2, DELETE there', async (copied) => {
      await murder.say('mail2', 'SETACL user.wrong cyrus lrswipkxtecdan');
      return { answer: `${copied}; ${await murder.say('mail2', 'DELETE user.wrong')}` };
    });
    assert.equal((await murder.rows()).get('user.wrong')?.server, 'mail1');
  });

  test('MUPDATEPUSH of the copy', async () => {
    await play('pushed', 'copy at mail2, MUPDATEPUSH there', async (copied) => ({
      answer: `${copied}; ${await murder.say('mail2', 'MUPDATEPUSH user.pushed')}`,
    }));
    assert.equal((await murder.rows()).get('user.pushed')?.server, 'mail1');
  });

  test('XFER onto the copy', async () => {
    await play('onto', 'copy at mail2, XFER of the mailbox onto it', async (copied) => ({
      answer: `${copied}; ${await murder.say('mail1', 'XFER user.onto mail2')}`,
    }));
  });
});

// XFER between real Cyrus backends under our directory, every way there is, with mail flowing all the time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Murder } from '../harness/murder.ts';
import { Scenarios, type Outcome } from '../harness/murder-scenario.ts';
import { withoutCyrus } from '../harness/peers.ts';

describe('moves of mailboxes', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let scenarios: Scenarios;
  before(async () => {
    murder = await Murder.start();
    scenarios = await Scenarios.begin(murder);
  });
  after(() => scenarios.end());

  /** A user at mail1 with a folder, who gets mail. */
  async function user(name: string, messages = 50): Promise<void> {
    await murder.create('mail1', [`user.${name}`, `user.${name}.sub`], messages);
    await scenarios.mailTo({ [`user.${name}`]: name }, messages);
  }

  /** Plays a move of a user of its own, who gets mail meanwhile. */
  async function play(name: string, operation: string, body: () => Promise<Outcome>): Promise<void> {
    await user(name);
    await scenarios.play(operation, body).finally(() => scenarios.noMailTo(name));
  }

  test('XFER, said to the backend', async () => {
    await play('direct', 'XFER user at the source', async () => ({
      answer: await murder.say('mail1', 'XFER user.direct mail2'),
    }));
    assert.equal((await murder.rows()).get('user.direct')?.server, 'mail2');
  });

  test('XFER to a partition, and back', async () => {
    await user('there');
    await scenarios.play('XFER user to a partition', async () => ({
      answer: await murder.say('mail1', 'XFER user.there mail2 u2'),
    }));
    assert.equal((await murder.rows()).get('user.there.sub')?.partition, 'u2');
    await scenarios.play('XFER user back to another partition', async () => ({
      answer: await murder.say('mail2', 'XFER user.there mail1 default'),
      order: ['mail2', 'mail1'],
    }));
    await scenarios.noMailTo('there');
    assert.equal((await murder.rows()).get('user.there.sub')?.server, 'mail1');
  });

  test('a move said to the frontend', async () => {
    await play('fore', 'RENAME user user mail2!u2 at the frontend', async () => ({
      answer: await murder.say('frontend', 'RENAME user.fore user.fore mail2!u2'),
    }));
    assert.equal((await murder.rows()).get('user.fore')?.server, 'mail2');
  });

  test('a shared mailbox', async () => {
    await murder.create('mail1', ['shared', 'shared.info', 'shared.info.deep', 'shared.news']);
    await scenarios.play('RENAME of a shared mailbox to the other backend', async () => ({
      answer: await murder.say('mail1', 'RENAME shared.info shared.info mail2'),
    }));
    // With a partition the frontend would say XFER: see below.
    await scenarios.play('RENAME of a shared mailbox to the other backend, at the frontend', async () => ({
      answer: await murder.say('frontend', 'RENAME shared.news shared.news mail2'),
    }));
    const rows = await murder.rows();
    assert.equal(rows.get('shared.info')?.server, 'mail2');
    assert.equal(rows.get('shared.info.deep')?.server, 'mail1');
    assert.equal(rows.get('shared.news')?.server, 'mail2');
  });

  test('a shared mailbox by XFER, which kills the imapd of Cyrus 3.6.1 when it has handed the name over', async () => {
    await murder.create('mail1', ['common', 'common.info']);
    await scenarios.play('XFER of a shared mailbox', async () => ({
      answer: await murder.say('mail1', 'XFER common.info mail2'),
    }));
  });

  test('while the destination is stopped', async () => {
    await play('early', 'XFER while the destination is stopped', async () => {
      await murder.cyrus.node('mail2').stop();
      const answer = await murder.say('mail1', 'XFER user.early mail2');
      await murder.startBackend('mail2');
      return { answer };
    });
    assert.equal((await murder.rows()).get('user.early')?.server, 'mail1');
  });

  test('while the directory is stopped', async () => {
    await play('alone', 'XFER while the directory is stopped', async () => {
      await murder.rookery.end();
      const answer = await murder.say('mail1', 'XFER user.alone mail2');
      await murder.startDirectory();
      return { answer };
    });
    assert.equal((await murder.rows()).get('user.alone')?.server, 'mail1');
  });

  test('to a partition that the destination does not have', async () => {
    await play('nowhere', 'XFER to a partition that is not there', async () => ({
      answer: await murder.say('mail1', 'XFER user.nowhere mail2 nosuch'),
    }));
  });

  for (const [order, what] of [
    [['mail1', 'mail2'], 'source started first'],
    [['mail2', 'mail1'], 'destination started first'],
  ] as const) {
    test(`the destination's ACTIVATE is refused, ${what}`, async () => {
      const name = `refused${order[0]}`;
      await play(name, `XFER, ACTIVATE of the destination refused, ${what}`, async () => {
        murder.relays.mail2.rule = ({ verb }) => (verb === 'ACTIVATE' ? 'refuse' : 'pass');
        return { answer: await murder.say('mail1', `XFER user.${name} mail2`), order };
      });
    });
  }

  test("the source's DEACTIVATE is refused", async () => {
    await play('kept', 'XFER, DEACTIVATE refused', async () => {
      murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'refuse' : 'pass');
      return { answer: await murder.say('mail1', 'XFER user.kept mail2') };
    });
    assert.equal((await murder.rows()).get('user.kept')?.server, 'mail1');
  });

  test('the answer to the ACTIVATE is lost', async () => {
    await play('unheard', "XFER, answer to the destination's ACTIVATE lost", async () => {
      murder.relays.mail2.rule = ({ verb }) => (verb === 'ACTIVATE' ? 'swallow' : 'pass');
      return { answer: await murder.say('mail1', 'XFER user.unheard mail2') };
    });
  });
});

// RENAME and DELETE at real Cyrus backends under our directory: granted, refused, cut at every step, slow.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { Murder } from '../harness/murder.ts';
import { Scenarios, type Outcome } from '../harness/murder-scenario.ts';
import type { Fate } from '../harness/mupdate-relay.ts';
import { withoutCyrus } from '../harness/peers.ts';

/** How long a slow command is held: long enough for several messages through each door. */
const SLOW_MS = 3000;

describe('renames', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let scenarios: Scenarios;
  before(async () => {
    murder = await Murder.start();
    scenarios = await Scenarios.begin(murder, { mail1: ['user.other1'], mail2: ['user.taken'] });
  });
  after(() => scenarios.end());

  /** A user at mail1 with a folder, who gets mail. */
  async function user(name: string): Promise<void> {
    await murder.create('mail1', [`user.${name}`, `user.${name}.sub`], 5);
    await scenarios.mailTo({ [`user.${name}`]: name }, 5);
  }

  /** Plays something with a user of its own, who gets mail meanwhile. */
  async function play(name: string, operation: string, body: () => Promise<Outcome>): Promise<void> {
    await user(name);
    await scenarios.play(operation, body).finally(() => scenarios.noMailTo(name, `${name}new`));
  }

  async function says(name: string, command: string): Promise<string> {
    return murder.say('mail1', `${command} user.${name} user.${name}new`);
  }

  async function state(mailbox: string): Promise<string> {
    const row = (await murder.rows()).get(mailbox);
    return row === undefined ? 'absent' : `${row.state} ${row.server}`;
  }

  test('granted', async () => {
    await play('granted', 'RENAME of a user', async () => {
      // Whoever renames a user on purpose means the old address to be unknown.
      await scenarios.noMailTo('granted');
      const answer = await says('granted', 'RENAME');
      await scenarios.mailTo({ 'user.grantednew': 'grantednew' }, 5);
      return { answer, gone: ['user.granted'] };
    });
    assert.equal(await state('user.grantednew.sub'), 'active mail1');
  });

  test('of a folder', async () => {
    await play('folder', 'RENAME of a folder', async () => ({
      answer: await murder.say('mail1', 'RENAME user.folder.sub user.folder.new'),
      gone: ['user.folder.sub'],
    }));
    assert.equal(await state('user.folder.new'), 'active mail1');
  });

  test('said to the frontend', async () => {
    await play('fore', 'RENAME of a folder at the frontend', async () => ({
      answer: await murder.say('frontend', 'RENAME user.fore.sub user.fore.new'),
      gone: ['user.fore.sub'],
    }));
    assert.equal(await state('user.fore.new'), 'active mail1');
  });

  test('refused, for the other backend has that name', async () => {
    await play('refused', 'RENAME onto a name of the other backend', async () => ({
      answer: await murder.say('mail1', 'RENAME user.refused user.taken'),
    }));
    assert.equal(await state('user.refused'), 'active mail1');
    assert.equal(await state('user.taken'), 'active mail2');
  });

  const cuts: [verb: string, fate: Fate, what: string][] = [
    ['DELETE', 'cut', 'before the DELETE is heard'],
    ['DELETE', 'swallow', 'after the DELETE'],
    ['DELETE', 'refuse', 'DELETE refused'],
    ['RESERVE', 'cut', 'before the RESERVE is heard'],
    ['RESERVE', 'swallow', 'after the RESERVE'],
    ['ACTIVATE', 'cut', 'before the ACTIVATE is heard'],
    ['ACTIVATE', 'swallow', 'after the ACTIVATE'],
    // A NO to RESERVE or ACTIVATE that the directory did not say is left out: it could not know of the roll-back.
  ];
  for (const [verb, fate, what] of cuts) {
    test(`cut: ${what}`, async () => {
      const name = `${verb}${fate}`.toLowerCase();
      await play(name, `RENAME of a user, ${what}`, async () => {
        let heard = 0;
        // Only the first: what Cyrus says to undo it is not hindered.
        murder.relays.mail1.rule = (command) => (command.verb === verb && (heard += 1) === 1 ? fate : 'pass');
        return { answer: await says(name, 'RENAME') };
      });
    });
  }

  test('slow, and granted', async () => {
    await play('slow', 'RENAME, RESERVE held for 3 s, then granted', async () => {
      murder.relays.mail1.rule = async ({ verb }): Promise<Fate> => {
        if (verb !== 'RESERVE') return 'pass';
        await sleep(SLOW_MS);
        await scenarios.noMailTo('slow');
        return 'pass';
      };
      return { answer: await says('slow', 'RENAME'), gone: ['user.slow'] };
    });
    assert.equal(await state('user.slownew'), 'active mail1');
  });

  test('slow, and refused', async () => {
    await play('slowly', 'RENAME, RESERVE held for 3 s, then refused', async () => {
      murder.relays.mail1.rule = async ({ verb }): Promise<Fate> => {
        if (verb === 'RESERVE') await sleep(SLOW_MS);
        return 'pass';
      };
      return { answer: await murder.say('mail1', 'RENAME user.slowly user.taken') };
    });
    assert.equal(await state('user.slowly'), 'active mail1');
  });

  test('slow, and cut by kill -9 of the backend', async () => {
    await play('killed', 'RENAME, kill -9 of the backend after the DELETE', async () => {
      const [asked, reserve] = gate();
      murder.relays.mail1.rule = ({ verb }) => (verb === 'RESERVE' ? asked() : 'pass');
      const answer = says('killed', 'RENAME');
      await reserve;
      await murder.cyrus.node('mail1').kill9();
      const said = await answer;
      // It had the new name before it told anybody: the RENAME may stand, and nobody is to blame for the old one then.
      await scenarios.noMailTo('killed');
      await murder.startBackend('mail1');
      const left = (await murder.holdings('mail1')).has('user.killed') ? 'killed' : 'killednew';
      await scenarios.mailTo({ [`user.${left}`]: left }, 5);
      return { answer: `${said}; it is user.${left}` };
    });
  });

  test('slow, and cut by kill -9 of the directory', async () => {
    await play('left', 'RENAME, kill -9 of the directory after the DELETE', async () => {
      const [asked, reserve] = gate();
      murder.relays.mail1.rule = ({ verb }) => (verb === 'RESERVE' ? asked() : 'pass');
      const answer = says('left', 'RENAME');
      await reserve;
      await murder.killDirectory();
      murder.relays.mail1.rule = undefined;
      const said = await answer;
      await murder.startDirectory();
      return { answer: said };
    });
  });
});

/** A rule that cuts when it is asked, and a promise that says so a moment before. */
function gate(): [asked: () => Promise<Fate>, reached: Promise<void>] {
  let arrived: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (arrived = resolve));
  const asked = async (): Promise<Fate> => {
    arrived();
    await sleep(500);
    return 'cut';
  };
  return [asked, reached];
}

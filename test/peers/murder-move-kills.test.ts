// kill -9 of everybody who takes part in an XFER, at every stage of it, with mail flowing all the time.
import { after, before, describe, test } from 'node:test';
import { countFiles } from '../harness/files.ts';
import { FULL, Murder } from '../harness/murder.ts';
import type { Backend } from '../harness/murder.ts';
import { Scenarios, type Outcome } from '../harness/murder-scenario.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const MESSAGES = FULL ? 3000 : 400;

const victims = ['source', 'destination', 'directory'] as const;
type Victim = (typeof victims)[number];

/** Messages are being copied; one of two mailboxes is handed over; the destination is about to say that it has it. */
const stages = ['copying', 'handing over', 'activating'] as const;
type Stage = (typeof stages)[number];

describe('moves of mailboxes that are cut short', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let scenarios: Scenarios;
  before(async () => {
    murder = await Murder.start();
    scenarios = await Scenarios.begin(murder);
  });
  after(() => scenarios.end());

  async function kill(victim: Victim): Promise<void> {
    if (victim === 'directory') await murder.killDirectory();
    else await murder.cyrus.node(victim === 'source' ? 'mail1' : 'mail2').kill9();
  }

  async function revive(victim: Victim): Promise<void> {
    if (victim === 'directory') await murder.startDirectory();
    else await murder.startBackend(victim === 'source' ? 'mail1' : 'mail2');
  }

  /** Resolves when the move has come so far; from then on it is held, until the returned function is called. */
  async function reached(stage: Stage): Promise<() => void> {
    let release: () => void = () => undefined;
    const held = new Promise<'pass'>((resolve) => {
      release = () => {
        resolve('pass');
      };
    });
    if (stage === 'copying') {
      const spool = `${murder.cyrus.node('mail2').folder}/spool`;
      const before = countFiles(spool);
      await until('a part of the messages is copied', () => countFiles(spool) > before + MESSAGES / 4, 30_000);
      return release;
    }
    await new Promise<void>((arrived) => {
      let handed = 0;
      const [relay, verb, last] =
        stage === 'activating' ? [murder.relays.mail2, 'ACTIVATE', 1] : [murder.relays.mail1, 'DEACTIVATE', 2];
      relay.rule = (heard) => {
        if (heard.verb !== verb || (handed += 1) < last) return 'pass';
        arrived();
        return held;
      };
    });
    return release;
  }

  async function cutShort(name: string, victim: Victim, stage: Stage, order: readonly Backend[]): Promise<void> {
    await murder.create('mail1', [`user.${name}`], MESSAGES);
    await murder.create('mail1', [`user.${name}.sub`]);
    await scenarios.mailTo({ [`user.${name}`]: name }, MESSAGES);
    const operation = `XFER, kill -9 of the ${victim} while ${stage}, ${order.join(' then ')} restarted`;
    const body = async (): Promise<Outcome> => {
      const far = reached(stage);
      const answer = murder.say('mail1', `XFER user.${name} mail2`);
      const release = await far;
      await kill(victim);
      release();
      const said = await answer;
      await revive(victim);
      return { answer: said, order };
    };
    await scenarios.play(operation, body).finally(() => scenarios.noMailTo(name));
  }

  for (const victim of victims) {
    for (const stage of stages) {
      const name = `${victim}${stages.indexOf(stage)}`;
      test(`kill -9 of the ${victim} while ${stage}`, () => cutShort(name, victim, stage, ['mail1', 'mail2']));
    }
    test(`kill -9 of the ${victim} while activating, and the destination starts first`, () =>
      cutShort(`${victim}9`, victim, 'activating', ['mail2', 'mail1']));
  }
});

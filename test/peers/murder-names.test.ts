// Real Cyrus backends under our directory in their every-day life: first population, restarts, odd names, CREATE, DELETE,
// partitions, expiry and wrong settings, with mail flowing all the time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BACKENDS, FULL, Murder } from '../harness/murder.ts';
import { Scenarios } from '../harness/murder-scenario.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const MAILBOXES = FULL ? 2000 : 200;

/** Neighbours in Cyrus' order that stand otherwise in that of bytes: what a push or a frontend's merge may trip over. */
const odd = [
  '',
  '.sub',
  '.sub.deep',
  '.sub-b',
  '.sub+c',
  '.sub d',
  '.Sub',
  '.sub^e',
  '.sub&APY-',
  '-b',
  '+c',
  ' d',
  '^e',
];

describe('names', { skip: withoutCyrus() }, () => {
  let murder: Murder;
  let scenarios: Scenarios;

  before(async () => {
    murder = await Murder.start({ dotted: true });
    scenarios = await Scenarios.begin(murder, {
      mail1: ['example.org!user.a^b', ...many(1)],
      mail2: ['example.org!user.a-b', ...many(2)],
    });
    await scenarios.mailTo({
      'example.org!user.a^b': 'a.b@example.org',
      'example.org!user.a-b': 'a-b@example.org',
    });
  });
  after(() => scenarios.end());

  /** Half of all mailboxes: users with odd folders, in two domains, and plain ones. */
  function many(half: number): string[] {
    const odds = odd.flatMap((tail) => [`user.odd${half}${tail}`, `example.org!user.odd${half}${tail}`]);
    // A folder of `user.odd1 d` or `user.odd1-b` is none of user.odd1; both are users of their own.
    const plain = Array.from({ length: MAILBOXES / 2 - odds.length }, (_, at) => `user.plain${half}x${at}`);
    return [...odds, ...plain];
  }

  async function trusted(): Promise<boolean> {
    const { out } = await murder.rookery.command('directory', 'status', '-f', 'json');
    return out.includes('"trusted":true');
  }

  test('first population, and nobody is bounced before it is over', async () => {
    await scenarios.play('directory lost, both backends push', async () => {
      await murder.loseDirectory();
      assert.equal(await trusted(), false);
      const halfway = murder.flow.deliveries.length;
      await murder.restart('mail1');
      await until('mail comes in meanwhile', () => murder.flow.deliveries.length > halfway + 10);
      await murder.restart('mail2');
      assert.equal(await trusted(), true);
      return { answer: `${(await murder.rows()).size} rows` };
    });
  });

  test('restarts change nothing', async () => {
    const before = await murder.rows();
    for (const order of [BACKENDS, ['mail2', 'mail1']] as const) {
      await scenarios.play(`restart of ${order.join(' and ')}`, () => Promise.resolve({ answer: '-', order }));
    }
    assert.deepEqual(await murder.rows(), before);
  });

  test('kill -9 of a backend and of the frontend', async () => {
    await scenarios.play('kill -9 of mail1, started again', async () => {
      await murder.cyrus.node('mail1').kill9();
      await murder.startBackend('mail1');
      return { answer: '-' };
    });
    await scenarios.play('kill -9 of the frontend, started again', async () => {
      await murder.frontend.kill9();
      await murder.frontend.start();
      return { answer: '-' };
    });
  });

  test('kill -9 of the directory, which comes back with its rows', async () => {
    const before = await murder.rows();
    await scenarios.play('kill -9 of the directory, started again', async () => {
      await murder.killDirectory();
      await murder.startDirectory();
      assert.deepEqual(await murder.rows(), before);
      return { answer: '-' };
    });
  });

  test('a row without a partition, as RENAME leaves it', async () => {
    await murder.create('mail1', ['user.bare', 'user.bare.old']);
    await scenarios.mailTo({ 'user.bare': 'bare' });
    await scenarios.play('restart with a row `mail1!`', async () => {
      const answer = await murder.say('mail1', 'RENAME user/bare/old user/bare/new');
      assert.equal((await murder.rows()).get('user.bare.new')?.partition, '');
      return { answer, gone: ['user.bare.old'] };
    });
    assert.equal((await murder.rows()).get('user.bare.new')?.partition, 'default');
    await scenarios.noMailTo('bare');
  });

  test('CREATE of a name that the other backend has', async () => {
    await scenarios.play('CREATE of a name of the other backend', async () => ({
      answer: await murder.say('mail2', 'CREATE user/steady1'),
    }));
    assert.equal((await murder.rows()).get('user.steady1')?.server, 'mail1');
  });

  test('CREATE that the directory grants and then refuses', async () => {
    await scenarios.play('CREATE, ACTIVATE refused; then at the other backend', async () => {
      murder.relays.mail1.rule = ({ verb }) => (verb === 'ACTIVATE' ? 'refuse' : 'pass');
      const first = await murder.say('mail1', 'CREATE user/twice');
      murder.relays.mail1.rule = undefined;
      return { answer: `${first}; then mail2: ${await murder.say('mail2', 'CREATE user/twice')}` };
    });
  });

  test('SETACL and a move to another partition', async () => {
    await scenarios.play('move to another partition', async () => ({
      answer: await murder.say('mail1', 'RENAME user/steady1 user/steady1 u2'),
    }));
    assert.equal((await murder.rows()).get('user.steady1')?.partition, 'u2');
  });

  for (const other of BACKENDS) {
    test(`DELETE at mail1, and CREATE at ${other} at once`, async () => {
      const name = `again${other}`;
      await murder.create('mail1', [`user.${name}`, `user.${name}.sub`], 3);
      await scenarios
        .play(`DELETE at mail1, CREATE at ${other} at once`, async () => {
          const deleted = await murder.say('mail1', `DELETE user/${name}`);
          const created = await murder.say(other, `CREATE user/${name}`);
          await scenarios.mailTo({ [`user.${name}`]: name });
          return { answer: `${deleted}; ${created}`, gone: [`user.${name}`] };
        })
        .finally(() => scenarios.noMailTo(name));
      assert.equal((await murder.rows()).get(`user.${name}`)?.server, other);
    });
  }

  test('cyr_expire', async () => {
    await murder.create('mail1', ['user.expired', 'user.expired.sub']);
    await scenarios.play('DELETE, then cyr_expire', async () => {
      const answer = await murder.say('mail1', 'DELETE user/expired');
      const gone = ['user.expired', 'DELETED.user.expired'];
      const { code } = await murder.cyrus.node('mail1').run('cyr_expire', '-E', '1', '-D', '0', '-X', '0');
      return { answer: `${answer}; exit code ${code}`, gone: [...gone, 'DELETED.'] };
    });
    const left = [...(await murder.rows()).keys()].filter((name) => name.includes('expired'));
    assert.deepEqual(left, []);
  });

  test('delete_mode: immediate', async () => {
    await murder.configure('mail1', 'delete_mode', 'immediate');
    await murder.restart('mail1');
    await murder.create('mail1', ['user.immediate', 'user.immediate.sub']);
    await scenarios.play('DELETE with delete_mode: immediate', async () => ({
      answer: await murder.say('mail1', 'DELETE user/immediate'),
      gone: ['user.immediate'],
    }));
    await murder.configure('mail1', 'delete_mode', undefined);
    assert.equal((await murder.rows()).get('user.immediate'), undefined);
  });

  test('ctl_mboxlist while all runs: dry, and authoritative', async () => {
    for (const flags of [['-m', '-w'], ['-m'], ['-m', '-a']]) {
      await scenarios.play(`ctl_mboxlist ${flags.join(' ')} on both`, async () => {
        const codes = [];
        for (const name of BACKENDS) codes.push((await murder.cyrus.node(name).run('ctl_mboxlist', ...flags)).code);
        return { answer: `exit codes ${codes.join(', ')}` };
      });
    }
  });

  test('a changed servername', async () => {
    await scenarios.play('mail2 started as mail9, then as mail2 again', async () => {
      const node = murder.cyrus.node('mail2');
      await murder.configure('mail2', 'servername', 'mail9');
      await node.stop();
      const answer = await murder.startBackend('mail2').then(
        () => 'it starts',
        () => 'it does not start',
      );
      await node.stop();
      await murder.configure('mail2', 'servername', 'mail2');
      await murder.startBackend('mail2');
      return { answer };
    });
  });
});

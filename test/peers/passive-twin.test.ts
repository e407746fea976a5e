// Two real Cyrus servers of one servername with our master: the passive one starts, and neither it nor its twin loses a mailbox.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { ImapClient } from '../harness/imap.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

/**
 * Both nodes call themselves `pair`. Each reaches the master from 127.0.0.1, so they are told apart by users: `pair-a` is
 * whoever is in charge, `pair-b` the other. How an address tells them is tried in test/integration/mupdate-server.test.ts.
 */
const twin = ['servername: pair', 'mupdate_username: pair-a', 'mupdate_authname: pair-a'];

describe('Two Cyrus servers of one servername', { skip: withoutCyrus() }, () => {
  const ends: (() => Promise<void> | void)[] = [];
  let master: ScratchMupdate;
  let cyrus: Cyrus;

  before(async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const scratch = await openScratchDirectory(redis.socket);
    ends.push(() => scratch.close());
    master = await ScratchMupdate.start({ after: (end) => void ends.push(end) }, { directory: scratch.directory });
    const options = { 'twin-a': twin, 'twin-b': twin };
    const mupdate = { host: '127.0.0.1', port: master.port };
    cyrus = await startCyrus({ mupdate, nodes: Object.keys(options), options, start: false });
    ends.push(() => cyrus.stop());
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function admin(node: string): Promise<ImapClient> {
    const client = await ImapClient.connect(cyrus.node(node).imap);
    ends.push(() => {
      client.close();
    });
    return client.login('cyrus', CYRUS_PASSWORD.cyrus);
  }

  async function becomePassive(node: string): Promise<void> {
    const file = join(cyrus.node(node).folder, 'imapd.conf');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('pair-a', 'pair-b'));
  }

  async function mailboxes(node: string): Promise<string[]> {
    const client = await admin(node);
    const listed = await client.ok('LIST "" *');
    client.close();
    return listed.map((line) => line.slice(line.lastIndexOf(' ') + 1)).sort();
  }

  async function rows(): Promise<string[]> {
    const entries = await master.directory.list('');
    return entries.map(({ name, state, location, acl }) => `${name} ${state} ${location} ${acl}`);
  }

  /** Starts a node, which comes up only if its `ctl_mboxlist -m` ends well, and waits for what its log says of that. */
  async function pushed(node: string): Promise<void> {
    const { log } = cyrus.node(node);
    const earlier = log.length;
    await cyrus.node(node).start();
    await until('its push is over', () => log.slice(earlier).some((line) => line.includes('done populating mupdate')));
  }

  const old = ['user.ada', 'user.gone', 'user.gone.Sent'];
  const people = ['user.ada', 'user.ada.Sent', 'user.ben', 'user.cas'];

  test('one is in charge and makes mailboxes; the other takes its place with those of its own', async () => {
    await pushed('twin-b');
    const first = await admin('twin-b');
    for (const name of old) await first.ok(`CREATE ${name}`);
    first.close();
    assert.deepEqual(
      (await rows()).map((row) => row.split(' ')[0]),
      old,
    );
    await cyrus.node('twin-b').stop();
    await becomePassive('twin-b');

    await pushed('twin-a');
    await until('it is heard', async () => (await master.directory.standing()).heard.includes('pair'));
    const second = await admin('twin-a');
    for (const name of people) await second.ok(`CREATE ${name}`);
    second.close();
    assert.deepEqual(
      (await rows()).map((row) => row.split(' ').slice(0, 3).join(' ')),
      people.map((name) => `${name} active pair!default`),
    );
  });

  for (const time of ['starts', 'starts again']) {
    test(`the passive one ${time}, with mailboxes too many and too few: all stays as it is`, async () => {
      const known = await rows();
      const told = master.logged.length;
      await pushed('twin-b');
      assert.deepEqual(await mailboxes('twin-b'), old);
      assert.deepEqual(await rows(), known);
      assert.deepEqual(await mailboxes('twin-a'), people);
      const lines = master.logged.slice(told);
      assert.ok(lines.includes('info mupdate: passive host'));
      assert.ok(!lines.some((line) => line.includes('push')), 'it is no push');
      if (time === 'starts') await cyrus.node('twin-b').stop();
    });
  }

  test('the passive one can create nothing, and change no row', async () => {
    const known = await rows();
    const passive = await admin('twin-b');
    for (const name of ['user.dora', 'user.ben', 'user.ada.New']) {
      assert.equal((await passive.command(`CREATE ${name}`)).status, 'NO', name);
    }
    for (const command of ['RENAME user.gone user.dora', 'SETACL user.ada ben lrs', 'DELETE user.ada']) {
      await passive.command(command);
    }
    passive.close();
    assert.deepEqual(await rows(), known);
    assert.deepEqual(await mailboxes('twin-a'), people);
  });

  test('the active one starts again, is heard, and has lost nothing', async () => {
    const known = await rows();
    const complete = () => master.logged.filter((line) => line.endsWith('push complete')).length;
    const earlier = complete();
    await cyrus.node('twin-a').stop();
    await pushed('twin-a');
    await until('it is heard', () => complete() > earlier);
    assert.deepEqual(await mailboxes('twin-a'), people);
    assert.deepEqual(await rows(), known);
  });
});

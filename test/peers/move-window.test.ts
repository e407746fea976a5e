// The dangerous window of an XFER (the source has deleted, the directory does not know the destination yet), with a real
// Cyrus master, where it costs the only copy, and with ours, where it does not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CYRUS_MASTER, CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { bulkId, Murder } from '../harness/murder.ts';
import { MurderMoves } from '../harness/murder-moves.ts';
import { MupdateRelay } from '../harness/mupdate-relay.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const MESSAGES = 20;

async function asAdmin<T>(cyrus: Cyrus, name: string, work: (imap: ImapClient) => Promise<T>): Promise<T> {
  const imap = await ImapClient.connect(cyrus.node(name).imap);
  try {
    await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
    return await work(imap);
  } finally {
    imap.close();
  }
}

async function has(cyrus: Cyrus, name: string, mailbox: string): Promise<boolean> {
  return asAdmin(cyrus, name, async (imap) => (await imap.command(`MYRIGHTS ${mailbox}`)).status === 'OK');
}

describe('plain XFER under a Cyrus master', { skip: withoutCyrus() }, () => {
  let cyrus: Cyrus;
  let relay: MupdateRelay;
  before(async () => {
    relay = await MupdateRelay.listen();
    const own = `mupdate_server: ${relay.address.host}:${relay.address.port}`;
    // With the default, delayed, it would be kept under DELETED. until the next cyr_expire.
    cyrus = await startCyrus({ options: { mail2: [own, 'delete_mode: immediate'] }, start: false });
    relay.target = cyrus.node(CYRUS_MASTER).mupdate;
    for (const name of [CYRUS_MASTER, 'mail1', 'mail2']) await cyrus.node(name).start();
  });
  after(async () => {
    await cyrus.stop();
    relay.close();
  });

  test('the start-up command of the destination deletes the only copy', async () => {
    await asAdmin(cyrus, 'mail1', async (imap) => {
      await imap.ok('CREATE user.window');
      await imap.ok('SETACL user.window cyrus lrswipkxtecdan');
      for (let at = 0; at < MESSAGES; at += 1)
        await imap.ok('APPEND user.window ', { literal: `From: <a@b.test>\r\nSubject: ${at}\r\n\r\n${at}\r\n` });
    });
    // The master never hears that the destination has it.
    relay.rule = ({ verb }) => (verb === 'ACTIVATE' ? 'cut' : 'pass');
    const answer = await asAdmin(cyrus, 'mail1', (imap) => imap.command('XFER user.window mail2'));
    relay.rule = undefined;
    // It says that all is well.
    assert.equal(answer.status, 'OK');
    assert.deepEqual(
      [await has(cyrus, 'mail1', 'user.window'), await has(cyrus, 'mail2', 'user.window')],
      [false, true],
    );
    await cyrus.node('mail2').restart();
    assert.deepEqual(
      [await has(cyrus, 'mail1', 'user.window'), await has(cyrus, 'mail2', 'user.window')],
      [false, false],
    );
    const left = await asAdmin(cyrus, 'mail2', (imap) => imap.command('LIST "" *window*'));
    assert.deepEqual(left.untagged, []);
  });
});

describe('our move, under our directory', { skip: withoutCyrus() }, () => {
  const inbox = 'user.window';
  let murder: Murder;
  let moves: MurderMoves;
  before(async () => {
    murder = await Murder.start({ sections: { moves: { observe: 1, lease: 3 } } });
    moves = new MurderMoves(murder);
    await moves.begun();
    await murder.configure('mail2', 'delete_mode', 'immediate');
    await murder.restart('mail2');
  });
  after(async () => {
    await moves.close();
    await murder.stop();
  });

  test('the same fault costs nothing: the move is done, and all is there', async () => {
    await murder.create('mail1', [inbox, `${inbox}.Work`], MESSAGES);
    const relay = murder.relays.mail2;
    // The directory never hears that the destination has it, whoever tells it to say so.
    let unheard = 0;
    relay.rule = ({ verb, name }) => {
      if (verb !== 'ACTIVATE' || !name.startsWith(inbox)) return 'pass';
      unheard += 1;
      return 'cut';
    };
    await moves.order(inbox, 'mail1', 'mail2');
    await until('the source has deleted it', async () => unheard > 0 && !(await murder.holdings('mail1')).has(inbox));
    await murder.cyrus.node('mail2').stop();
    relay.rule = undefined;
    const row = (await murder.rows()).get(inbox);
    assert.deepEqual([row?.state, row?.server], ['reserved', 'mail1'], 'the directory still points to the source');
    // Its start-up command, ctl_mboxlist -m, is in it.
    await murder.startBackend('mail2');
    const { state, note } = await moves.over(inbox, () => Promise.resolve());
    assert.deepEqual([state, note], ['done', 'moved; compared, and whole']);
    const now = await murder.rows();
    for (const name of [inbox, `${inbox}.Work`]) {
      assert.deepEqual([now.get(name)?.state, now.get(name)?.server], ['active', 'mail2'], name);
      assert.ok((await murder.holdings('mail2')).has(name), name);
    }
    const ids = Array.from({ length: MESSAGES }, (_, at) => bulkId(at));
    assert.deepEqual([...(await murder.messageIds(inbox))].sort(), ids.sort());
  });
});

// The driver of moves between real Cyrus servers: what it finds, copies, cuts, and what it says where that cannot be done.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapAdmins } from '../../services/backends/imap-admins.ts';
import { Registry } from '../../services/backends/registry.ts';
import { withCure } from '../../services/moves/cure.ts';
import { CyrusXfer } from '../../services/moves/cyrus-xfer.ts';
import {
  countNumberedAnew,
  differences,
  remarks,
  strictDifferences,
} from '../../services/moves/manifest-comparison.ts';
import { decodeManifest, encodeManifest } from '../../services/moves/manifest-codec.ts';
import { sizeOf } from '../../services/moves/manifest.ts';
import type { Manifest } from '../../services/moves/manifest.ts';
import type { Move, Place } from '../../services/moves/move.ts';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { makeUsers } from '../harness/mail-users.ts';
import { MupdateRelay } from '../harness/mupdate-relay.ts';
import type { Rule } from '../harness/mupdate-relay.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';
import { killXfer, XferRelay } from '../harness/xfer-relay.ts';

const patience = new AbortController().signal;

describe('moves between real Cyrus servers by XFER', { skip: withoutCyrus() }, () => {
  /** What is to be ended, the last first; also when the beginning has failed half-way. */
  const ends: (() => Promise<void> | void)[] = [];
  let master: ScratchMupdate;
  let relay: MupdateRelay;
  let cyrus: Cyrus;
  let admins: ImapAdmins;
  let registry: Registry;
  let driver: CyrusXfer;

  before(async () => {
    master = await ScratchMupdate.start({ after: (end) => void ends.push(end) });
    relay = await MupdateRelay.listen();
    relay.target = { host: '127.0.0.1', port: master.port };
    ends.push(() => {
      relay.close();
    });
    const names = ['unixhierarchysep: yes', 'virtdomains: userid'];
    const through = `mupdate_server: ${relay.address.host}:${relay.address.port}`;
    cyrus = await startCyrus({
      mupdate: relay.target,
      options: { mail1: [...names, through], mail2: names },
    });
    ends.push(() => cyrus.stop());
    const imap = (node: string) => ({
      ...{ ...cyrus.node(node).imap, username: 'cyrus', password: CYRUS_PASSWORD.cyrus },
    });
    registry = new Registry(
      ['mail1', 'mail2'].map((name) => ({ name, lmtp: undefined, imap: imap(name), mupdate: true })),
    );
    admins = new ImapAdmins(registry, 30_000);
    ends.push(() => admins.close());
    driver = fresh();
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  function fresh(): CyrusXfer {
    const made = new CyrusXfer({ registry, admins, copies: master.directory.copies, timeout: 60_000, margin: 1 });
    ends.push(() => made.close());
    return made;
  }

  async function as<Result>(node: string, login: string, work: (imap: ImapClient) => Promise<Result>): Promise<Result> {
    const imap = await ImapClient.connect(cyrus.node(node).imap);
    try {
      if (login === 'cyrus') await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
      else await imap.login('mailproxy', CYRUS_PASSWORD.mailproxy, login);
      return await work(imap);
    } finally {
      imap.close();
    }
  }

  function move(name: string, to: Partial<Place> = {}, more: Partial<Move> = {}): Move {
    return {
      ...{ name, from: { server: 'mail1', partition: 'default' }, to: { server: 'mail2', partition: '', ...to } },
      ...{ by: 'test', since: 0, state: 'open', cancelled: false, attempts: 0, octets: 0, messages: 0 },
      ...{ times: {}, step: '', note: '', ...more },
    };
  }

  async function taken(server: string, name: string): Promise<Manifest> {
    const manifest = await driver.manifest(server, name, patience);
    assert.ok(manifest, `${server} has nothing of ${name}`);
    return manifest;
  }

  async function rows(name: string): Promise<string[]> {
    const found = await master.directory.tree(name);
    return found.map(({ name: one, state, location }) => `${one} ${state} ${location}`).sort();
  }

  async function isWhole(before: Manifest, server = 'mail2'): Promise<Manifest> {
    const root = before.mailboxes[0]?.name ?? '';
    const found = await taken(server, root);
    assert.deepEqual(strictDifferences(before, found), []);
    // Nobody has done anything: it is the very same, also the other way round.
    assert.deepEqual(strictDifferences(found, before), []);
    assert.deepEqual(sizeOf(found), sizeOf(before));
    return found;
  }

  const odd = 'example.org!user.jane^doe';

  test('a user with all that users have, by odd names, is whole at the other server', async () => {
    const folders = ['Sent', 'with space', 'T&APY-st', 'a^b', 'a^b.deep', 'F.G.H', 'Gone'];
    const user = { inbox: odd, folders, messages: 40, storageKiB: 123_456, script: 'keep;\r\n' };
    await makeUsers(cyrus.node('mail1'), [user], '/');
    await as('mail1', 'jane.doe@example.org', (imap) => imap.ok('DELETE INBOX/Gone'));
    const wanted = move(odd, { partition: 'u2' });
    assert.equal(await driver.check(wanted), undefined);

    const manifest = await taken('mail1', odd);
    const names = manifest.mailboxes.map(({ name }) => name).sort();
    assert.ok(names.includes(`${odd}.#sieve`), 'the scripts');
    assert.ok(
      names.some((name) => name.startsWith('example.org!DELETED.user.jane^doe.Gone.')),
      names.join(),
    );
    for (const folder of folders.slice(0, -1)) assert.ok(names.includes(`${odd}.${folder}`), folder);
    const inbox = manifest.mailboxes.find(({ name }) => name === odd);
    assert.equal(inbox?.messages.length, 40);
    assert.deepEqual(inbox.messages[0]?.flags, ['$Label1', '$Later', '\\Answered', '\\Seen']);
    assert.equal(inbox.messages[1]?.expunged, true);
    assert.deepEqual(
      [...manifest.quotas],
      [
        [
          odd,
          new Map([
            ['STORAGE', 123_456],
            ['MESSAGE', 100_000],
          ]),
        ],
      ],
    );
    assert.equal(manifest.subscriptions.length, folders.length);
    assert.deepEqual(await decodeManifest(await encodeManifest(manifest)), manifest);

    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    const found = await isWhole(manifest);
    const kept = found.mailboxes.filter(({ partition }) => partition !== 'u2');
    assert.deepEqual(
      kept.map(({ name }) => name.includes('DELETED')),
      [true],
    );
    for (const row of await rows(odd))
      assert.match(row, row.includes('DELETED') ? /active mail2!default$/ : /active mail2!u2$/);
    assert.equal(await driver.holds('mail1', odd), 'lacks');
    assert.equal(await driver.manifest('mail1', odd, patience), undefined);
    // Told again, it says the same.
    assert.ok((await driver.cut(wanted, patience)).ok);
  });

  test('what Cyrus numbers anew, over a copy that broke off, is whole', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.half', folders: [], messages: 6, storageKiB: 10_000 }], '/');
    const manifest = await taken('mail1', 'user.half');
    const { untagged } = await as('mail1', 'cyrus', (imap) => imap.command('SYNCGET USER half'));
    const box = untagged.find((one) => one.includes(' MBOXNAME user.half ')) ?? assert.fail();
    // A mailbox with uids given out, and no message: so far a copy may come.
    const empty = box.replace(/^MAILBOX /, '').replace(/\)$/, ' RECORD ())');
    await as('mail2', 'cyrus', (imap) => imap.command(`SYNCAPPLY LOCAL_MAILBOX ${empty}`));
    assert.equal((await taken('mail2', 'user.half')).mailboxes[0]?.messages.length, 0);

    const { ok, said } = await driver.cut(move('user.half'), patience);
    assert.ok(ok, said);
    const found = await taken('mail2', 'user.half');
    const uids = found.mailboxes[0]?.messages.flatMap(({ uid, expunged }) => (expunged ? [] : [uid]));
    assert.deepEqual(uids, [7, 8, 9, 10, 11]);
    assert.deepEqual([strictDifferences(manifest, found), countNumberedAnew(manifest, found)], [[], 5]);
  });

  test('a copy ahead of the cut changes nothing, and leaves little to do', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.early', folders: ['A'], messages: 300, storageKiB: 100_000, script: 'stop;\r\n' }],
      '/',
    );
    const before = await taken('mail1', 'user.early');
    const wanted = move('user.early');
    assert.equal(await driver.copy(wanted, patience), true);
    assert.deepEqual(await rows('user.early'), [
      'user.early active mail1!default',
      'user.early.#sieve active mail1!default',
      'user.early.A active mail1!default',
    ]);
    await isWhole(before, 'mail1');
    await isWhole(before);
    assert.equal(await driver.check(wanted), undefined, 'a copy there is no objection');

    // Meanwhile the owner goes on; his copy does not know of it.
    await as('mail1', 'early', async (imap) => {
      await imap.ok('APPEND INBOX ', { literal: 'From: a@b\r\nSubject: late\r\n\r\nlate\r\n' });
      await imap.ok('RENAME INBOX/A INBOX/B');
      await imap.ok('SELECT INBOX');
      await imap.ok('UID STORE 5 +FLAGS (\\Flagged)');
    });
    const later = await taken('mail1', 'user.early');
    const stale = differences(later, await taken('mail2', 'user.early'));
    assert.equal(stale.filter((one) => one.includes('missing') || one.includes('flags')).length, 2, stale.join('\n'));
    // The destination starts anew, and pushes what it has.
    await cyrus.node('mail2').restart();
    // The connection that was kept is gone with it.
    await driver.holds('mail2', 'user.early').catch(() => undefined);
    const living = (await rows('user.early')).filter((row) => !row.includes(' tombstone '));
    assert.deepEqual(living, [
      'user.early active mail1!default',
      'user.early.#sieve active mail1!default',
      'user.early.B active mail1!',
    ]);

    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(later);
    const moved = (await rows('user.early')).filter((row) => !row.includes(' tombstone '));
    assert.equal(moved.length, living.length);
    assert.ok(moved.every((row) => row.includes('active mail2!default')));
  });

  test('a copy over an older one, of a folder with other rights since, is right at once', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.given', folders: ['A', 'B'], messages: 5, storageKiB: 100_000 }],
      '/',
    );
    assert.equal(await driver.copy(move('user.given'), patience), true);
    await as('mail1', 'given', async (imap) => {
      await imap.ok('SETACL INBOX/A early lrs');
      await imap.ok('RENAME INBOX/B INBOX/C');
    });
    assert.equal(await driver.copy(move('user.given'), patience), true);
  });

  test('what its owner and an administrator set between manifest and cut is told, and is no difference', async () => {
    const user = { inbox: 'user.sets', folders: ['A'], messages: 3, storageKiB: 100_000, script: 'keep;\r\n' };
    await makeUsers(cyrus.node('mail1'), [user], '/');
    await as('mail1', 'sets', (imap) => imap.ok('SUBSCRIBE INBOX/A'));
    const manifest = await taken('mail1', 'user.sets');
    await as('mail1', 'sets', (imap) => imap.ok('UNSUBSCRIBE INBOX/A'));
    await as('mail1', 'cyrus', (imap) => imap.ok('SETQUOTA user/sets (STORAGE 50000 MESSAGE 100000)'));
    const { ok, said } = await driver.cut(move('user.sets'), patience);
    assert.ok(ok, said);
    const found = await taken('mail2', 'user.sets');
    assert.deepEqual(differences(manifest, found), []);
    assert.deepEqual(remarks(manifest, found), [
      'the quota of user.sets: STORAGE is 50000, was 100000',
      'the subscription to user.sets.A is not there',
    ]);
  });

  test('a copy whose folders have changed names with each other is in the way until it is removed', async () => {
    const user = { inbox: 'user.swaps', folders: ['A', 'B'], messages: 5, storageKiB: 100_000 };
    await makeUsers(cyrus.node('mail1'), [user], '/');
    const wanted = move('user.swaps');
    assert.equal(await driver.copy(wanted, patience), true);
    await as('mail1', 'swaps', async (imap) => {
      for (const [from, to] of ['A T', 'B A', 'T B'].map((pair) => pair.split(' ')))
        await imap.ok(`RENAME INBOX/${from ?? ''} INBOX/${to ?? ''}`);
    });
    const { ok, said } = await driver.cut(wanted, patience);
    assert.equal(ok, false);
    assert.match(withCure(said, wanted), /rookery move discard user\.swaps --server mail2 --now REASON/);
    await driver.discard('mail2', 'user.swaps', () => Promise.resolve());
    const before = await taken('mail1', 'user.swaps');
    const again = await driver.cut(wanted, patience);
    assert.ok(again.ok, again.said);
    await isWhole(before);
  });

  test('whoever comes by hand to where his copy is has no copy any more', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.byhand', folders: ['A'], messages: 3, storageKiB: 100 }], '/');
    assert.equal(await driver.copy(move('user.byhand'), patience), true);
    assert.equal((await master.directory.copies.known('user.byhand'))?.destination, 'mail2');
    await as('mail1', 'cyrus', (imap) => imap.ok('XFER user/byhand mail2'));
    await until('it is there', async () => (await rows('user.byhand')).every((row) => row.includes(' active mail2!')));
    assert.equal(await master.directory.copies.known('user.byhand'), undefined);
    // What mail2 alone tells of, by a push, is believed again.
    await as('mail2', 'cyrus', async (imap) => {
      await imap.ok('LOCALCREATE user/byhand/New');
      await imap.ok('MUPDATEPUSH user/byhand/New');
    });
    assert.ok((await rows('user.byhand')).includes('user.byhand.New active mail2!default'));
  });

  test('a copy of a server that does not reach the directory is one to wait for', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.lonely', folders: [], messages: 5, storageKiB: 100_000 }],
      '/',
    );
    relay.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'cut' : 'pass');
    const kind = { kind: 'away', message: /no connection to server/ };
    await assert.rejects(driver.copy(move('user.lonely'), patience), kind).finally(() => (relay.rule = undefined));
    assert.equal(await driver.copy(move('user.lonely'), patience), true);
    assert.deepEqual(await rows('user.lonely'), ['user.lonely active mail1!default']);
  });

  test('a shared mailbox goes without those below it', async () => {
    await as('mail1', 'cyrus', async (imap) => {
      for (const name of ['pub', 'pub/below']) {
        await imap.ok('CREATE ', { literal: name });
        await imap.ok('SETACL ', { literal: name }, ' cyrus lrswipkxtecda');
        await imap.ok('APPEND ', { literal: name }, ' ', { literal: 'From: a@b\r\nSubject: x\r\n\r\nx\r\n' });
      }
      await imap.ok('SETQUOTA pub (STORAGE 5000)');
    });
    const wanted = move('pub', { partition: 'u2' });
    assert.equal(await driver.check(wanted), undefined);
    assert.equal(await driver.copy(wanted, patience), true);
    const before = await taken('mail1', 'pub');
    assert.equal(before.mailboxes.length, 1);
    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(before);
    assert.deepEqual(await rows('pub'), ['pub active mail2!u2', 'pub.below active mail1!default']);
  });

  test('to another partition of the same server', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.stays', folders: ['A', 'B'], messages: 10, storageKiB: 100_000 }],
      '/',
    );
    const before = await taken('mail1', 'user.stays');
    const wanted = move('user.stays', { server: 'mail1', partition: 'u2' });
    assert.equal(await driver.check(wanted), undefined);
    assert.equal(await driver.copy(wanted, patience), false);
    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(before, 'mail1');
    assert.ok((await rows('user.stays')).every((row) => row.endsWith('active mail1!u2')));
    assert.ok((await driver.cut(wanted, patience)).ok, 'told again');
    assert.match((await driver.check(wanted))?.why ?? '', /already$/);
  });

  test('what cannot come about is said before anything is begun', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.no', folders: ['A'], messages: 5, storageKiB: 100_000 }], '/');
    await as('mail1', 'cyrus', async (imap) => {
      await imap.ok('CREATE full');
      await imap.ok('CREATE full/more');
    });
    await as('mail2', 'cyrus', async (imap) => {
      await imap.ok('LOCALCREATE full');
      await imap.ok('SETQUOTA full (STORAGE 10)');
    });
    const objections: [Move, RegExp][] = [
      [move('user.no', { partition: 'nosuch' }), /^never: mail2 has no partition nosuch$/],
      [move('user.no', { server: 'mail1', partition: 'nosuch' }), /^never: mail1 has no partition nosuch$/],
      [move('user.no', { server: 'mail1' }), /^never: user.no is at mail1 already$/],
      [move('user.nobody'), /^never: mail1 has no user.nobody$/],
      [move('user.no.A'), /^never: user.no.A is a part of a user: only all of user.no can be moved$/],
      [move('user.no', {}, { octets: 1e15 }), /^now: mail2 has \d+ KiB left, and \d+ are needed/],
      [move('full.more', {}, { octets: 50_000 }), /^now: it comes under the quota of full there: 0 of 10 KiB are used/],
    ];
    for (const [one, expected] of objections) {
      const objection = await driver.check(one);
      assert.match(objection ? `${objection.is}: ${objection.why}` : 'none', expected);
    }
    await assert.rejects(driver.check(move('user.no', { server: 'mail9' })), { kind: 'away' });
    // No imapd had to die for it.
    const died = /exited, (?:status [1-9]|signal)|assertion failed/;
    for (const node of ['mail1', 'mail2'])
      assert.deepEqual(
        cyrus.node(node).log.filter((line) => died.test(line)),
        [],
      );
    // Nothing of the look is left.
    assert.deepEqual(await as('mail2', 'cyrus', (imap) => imap.ok('LIST "" rookery*')), []);
    assert.deepEqual(await master.directory.tree('rookery-probe'), []);
  });

  test('the partition that a tree goes to must have the room, beside what earlier moves will take of it', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.big', folders: [], messages: 5, storageKiB: 9000 }], '/');
    const all = registry.all().map((backend) => ({
      ...backend,
      space: [
        { name: 'default', availableKiB: 1000, totalKiB: 1_000_000 },
        { name: 'u2', availableKiB: 9000, totalKiB: 1_000_000 },
      ],
    }));
    const { copies } = master.directory;
    const begun = { octets: 700_000, times: { begun: 1 } };
    const open = () => Promise.resolve([move('user.before', {}, begun)]);
    const spaced = new CyrusXfer({ registry: new Registry(all), admins, copies, timeout: 60_000, margin: 1, open });
    const asked = new CyrusXfer({ registry, admins, copies, timeout: 60_000, margin: 1e12, open });
    ends.push(
      () => spaced.close(),
      () => asked.close(),
    );
    const said = async (octets: number, partition: string, by = spaced) =>
      (await by.check(move('user.big', { partition }, { octets })))?.why ?? 'fits';
    // Handed over under the name of its own partition, it passes through that.
    assert.match(
      await said(5_000_000, 'u2'),
      /^mail2 has 1000 KiB left on default, 752 of it for 1 moves before this one/,
    );
    assert.match(await said(500_000, ''), /^mail2 has 1000 KiB left on default, 752 of it/, 'the default, unnamed');
    assert.equal(await said(100_000, ''), 'fits');
    assert.equal(await said(100_000, 'u2'), 'fits');
    const within = move('user.big', { server: 'mail1', partition: 'u2' }, { octets: 5_000_000 });
    assert.equal(await spaced.check(within), undefined, 'within its server it does not');
    assert.match(
      (await spaced.check({ ...within, octets: 9e6 }))?.why ?? '',
      /^mail1 has 9000 KiB left on u2, and 96\d\d /,
    );
    assert.match(
      await said(100, '', asked),
      /^mail2 has \d+ KiB left, 752 of it for 1 moves before this one, and 1000/,
    );
  });

  /** Holds the first command of a kind that mail1 says, until it is let go. */
  function held(verb: string): { reached: Promise<void>; letGo: () => void } {
    let letGo: () => void = () => undefined;
    const gone = new Promise<'pass'>((resolve) => {
      letGo = () => {
        resolve('pass');
      };
    });
    const reached = new Promise<void>((arrived) => {
      const rule: Rule = (heard) => {
        if (heard.verb !== verb) return 'pass';
        arrived();
        return gone;
      };
      relay.rule = rule;
    });
    return { reached, letGo };
  }

  test('an XFER that broke off before the hand-over is told again, and finishes', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.broken', folders: ['A'], messages: 50, storageKiB: 100_000 }],
      '/',
    );
    const before = await taken('mail1', 'user.broken');
    const wanted = move('user.broken');
    const { reached, letGo } = held('DEACTIVATE');
    const first = driver.cut(wanted, patience);
    const failed = assert.rejects(first, { kind: 'away' });
    await reached;
    await killXfer(cyrus.node('mail1'));
    letGo();
    relay.rule = undefined;
    await failed;
    assert.equal(await driver.holds('mail1', 'user.broken'), 'has');
    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(before);
  });

  test('nobody waits longer than he wants, and the copy that goes on at the server is no cut', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.slow', folders: [], messages: 50, storageKiB: 100_000 }], '/');
    const before = await taken('mail1', 'user.slow');
    const wanted = move('user.slow');
    const { reached, letGo } = held('DEACTIVATE');
    const giveUp = new AbortController();
    const copy = driver.copy(wanted, giveUp.signal);
    const failed = assert.rejects(copy, { kind: 'away', message: /nobody waits any more/ });
    await reached;
    giveUp.abort();
    await failed;
    // The manifest waits for the XFER that goes on.
    let waits = true;
    const manifest = taken('mail1', 'user.slow').finally(() => (waits = false));
    await sleep(500);
    assert.ok(waits);
    letGo();
    relay.rule = undefined;
    assert.deepEqual(differences(before, await manifest), []);
    assert.deepEqual(await rows('user.slow'), ['user.slow active mail1!default']);
    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(before);
  });

  test('killed in the middle of the cut it is moving, until its server starts anew', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.torn', folders: ['A'], messages: 20, storageKiB: 100_000 }],
      '/',
    );
    const before = await taken('mail1', 'user.torn');
    const wanted = move('user.torn', { partition: 'u2' });
    let handed = 0;
    relay.rule = ({ verb }) => {
      if (verb === 'DEACTIVATE') handed += 1;
      return 'pass';
    };
    let said = 0;
    // The second thing it says after it has handed both over: by then it has marked them.
    const between = await XferRelay.between(cyrus.node('mail1'), cyrus.node('mail2'), () =>
      Promise.resolve(handed >= 2 && (said += 1) > 2),
    );
    // The session of an earlier XFER has its connection to mail2 already, past whoever is between now.
    const failed = assert.rejects(fresh().cut(wanted, patience), { kind: 'away' });
    await until('it is silent', () => between.silent);
    await until('it is marked', async () => (await driver.holds('mail1', 'user.torn')) === 'moving');
    await killXfer(cyrus.node('mail1'));
    await failed;
    between.close();
    relay.rule = undefined;
    assert.match((await driver.check(wanted))?.why ?? '', /has marked user.torn as moving/);
    const refused = await driver.cut(wanted, patience);
    assert.equal(refused.ok, false);
    assert.match(refused.said, /must be restarted/);
    await assert.rejects(driver.manifest('mail1', 'user.torn', patience), { kind: 'busy' });

    await between.restoreNames();
    await cyrus.node('mail1').restart();
    await driver.holds('mail1', 'user.torn').catch(() => undefined);
    // Moved under the name of its own partition, it is where it was.
    await isWhole(before, 'mail1');
    const answer = await driver.cut(wanted, patience);
    assert.ok(answer.ok, answer.said);
    await isWhole(before);
    assert.ok((await rows('user.torn')).every((row) => row.endsWith('active mail2!u2')));
  });

  test('a server that was restarted since the last move is found anew', async () => {
    const names = ['user.one', 'user.two', 'user.three'];
    const small = names.map((inbox) => ({ inbox, folders: [], messages: 3, storageKiB: 100_000 }));
    await makeUsers(cyrus.node('mail1'), small, '/');
    const going = fresh();
    for (const [at, name] of names.entries()) {
      const restarted = at === 1 ? 'mail2' : 'mail1';
      if (at > 0) await cyrus.node(restarted).restart();
      // The first answer of the others' connection is that it is over.
      await going.holds(restarted, name).catch(() => undefined);
      const before = await taken('mail1', name);
      const { ok, said } = await going.cut(move(name), patience);
      assert.ok(ok, said);
      await isWhole(before);
    }
  });

  test('the row that nobody has activated is pushed by whoever has the mailbox', async () => {
    await makeUsers(cyrus.node('mail1'), [{ inbox: 'user.lost', folders: [], messages: 3, storageKiB: 100_000 }], '/');
    await driver.cut(move('user.lost'), patience);
    const writer = { session: 'x', admin: true, push: false };
    const location = 'mail1!default';
    await master.directory.write({ verb: 'ACTIVATE', name: 'user.lost', location, acl: '' }, writer);
    await master.directory.write({ verb: 'DEACTIVATE', name: 'user.lost', location, acl: '' }, writer);
    await driver.push('mail2', ['user.lost']);
    assert.deepEqual(await rows('user.lost'), ['user.lost active mail2!default']);
  });

  test('a copy is forgotten with all that belongs to it, and nobody hears of it', async () => {
    await makeUsers(
      cyrus.node('mail1'),
      [{ inbox: 'user.twice', folders: ['A'], messages: 3, storageKiB: 100_000, script: 'keep;\r\n' }],
      '/',
    );
    await driver.copy(move('user.twice'), patience);
    assert.equal(await driver.holds('mail2', 'user.twice'), 'has');
    const before = await rows('user.twice');
    const lost = () => Promise.reject(new Error('the lease was lost'));
    await assert.rejects(driver.discard('mail2', 'user.twice', lost), /the lease was lost/);
    assert.ok(await driver.manifest('mail2', 'user.twice', patience), 'no order was given');
    let confirmed = 0;
    const confirm = () => Promise.resolve(void (confirmed += 1));
    await driver.discard('mail2', 'user.twice', confirm);
    assert.equal(confirmed, 1);
    assert.equal(await driver.holds('mail2', 'user.twice'), 'lacks');
    assert.equal(await driver.manifest('mail2', 'user.twice', patience), undefined);
    await driver.discard('mail2', 'user.twice', confirm);
    assert.deepEqual(await rows('user.twice'), before);
    await as('mail2', 'cyrus', async (imap) => {
      assert.deepEqual(await imap.ok('SYNCGET META twice'), []);
    });
  });

  test('a copy of a shared mailbox is forgotten, also where there are others below it, which stay', async () => {
    await as('mail1', 'cyrus', async (imap) => {
      for (const name of ['hall', 'hall/room']) await imap.ok('CREATE ', { literal: name });
      await imap.ok('SETQUOTA hall (STORAGE 5000)');
    });
    for (const name of ['hall', 'hall.room']) assert.equal(await driver.copy(move(name), patience), true);
    const before = await rows('hall');
    const confirm = () => Promise.resolve();
    await driver.discard('mail2', 'hall', confirm);
    assert.equal(await driver.holds('mail2', 'hall'), 'lacks');
    assert.equal(await driver.holds('mail2', 'hall.room'), 'has');
    await driver.discard('mail2', 'hall', confirm);
    assert.deepEqual(await rows('hall'), before);
  });

  test('who is no administrator gets no manifest', async () => {
    await as('mail1', 'early', async (imap) => {
      assert.deepEqual(await imap.command('SYNCGET USER early').then(({ status }) => status), 'BAD');
    });
  });
});

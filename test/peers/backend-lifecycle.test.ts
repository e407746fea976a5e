// The life of a real Cyrus backend: added with its checks, fenced, a canary, drained, refused to be retired; and what a move
// that came to nothing has left over: found, kept until it has waited and is proven whole elsewhere, removed with proof.
import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { AddedValue, DrainedValue } from '../../services/operations/backend-operations.ts';
import type { AuditedValue } from '../../services/operations/left-over-operations.ts';
import { leftOverOperations } from '../../services/operations/left-over-operations.ts';
import { loadConfig } from '../../services/config/load.ts';
import { lookedAt } from '../../services/process/open-directory.ts';
import { openLeftOvers } from '../../services/process/open-left-overs.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { Murder } from '../harness/murder.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const day = 86_400_000;

describe('backends and left-overs', { skip: withoutCyrus() }, () => {
  let murder: Murder;

  before(async () => {
    murder = await Murder.start({
      directory: { tombstone_grace: 1 },
      sections: { placement: { serverlist_select_mode: 'random' }, moves: { observe: 1, lease: 3 } },
    });
  });
  after(() => murder.stop());

  const rookery = (...words: string[]) => murder.rookery.command(...words);

  /** What a recipient is told. */
  async function said(to: string): Promise<string> {
    const mta = await Mta.greet(murder.rookery.address('LMTP'));
    await mta.say('MAIL FROM:<>');
    const reply = await mta.say(`RCPT TO:<${to}>`);
    mta.socket.destroy();
    return reply;
  }

  async function serverOf(name: string): Promise<string | undefined> {
    return (await murder.rows()).get(name)?.server;
  }

  /** Makes users and gives their servers. */
  async function made(...names: string[]): Promise<(string | undefined)[]> {
    for (const name of names) {
      const created = await rookery('user', 'create', name);
      assert.equal(created.code, 0, created.err);
    }
    return Promise.all(names.map((name) => serverOf(`user.${name}`)));
  }

  test('add tells what a backend is; one that is not what it should be stays out', async () => {
    const added = await rookery('backend', 'add', 'mail2', '-f', 'json');
    assert.deepEqual([added.code, added.err], [0, ''], added.out);
    const { checks, passed, backend } = JSON.parse(added.out) as AddedValue;
    assert.deepEqual([passed, backend.state, backend.health], [true, 'active', 'well']);
    const found = new Map(checks.map(({ what, is, note }) => [what, `${is}: ${note}`]));
    assert.match(found.get('LMTP') ?? '', /^well/);
    assert.match(found.get('LMTP login') ?? '', /^well: as mailproxy/);
    assert.match(found.get('IMAP') ?? '', /^well: lets cyrus in/);
    assert.match(found.get('version') ?? '', /^well: Cyrus IMAPD 3\./);
    assert.match(found.get('X-REPLICATION') ?? '', /^well/);
    assert.match(found.get('partitions') ?? '', /^well: \d+ of \d+ KiB free/);
    assert.match(found.get('MUPDATE') ?? '', /^well: it has told what it has/);
    const list = await rookery('backend', 'list');
    assert.match(list.out, /^NAME +STATE[^]*\nmail1 +active +no[^]*\nmail2 +active +no .* well\n$/);
  });

  test('a fence is obeyed within a second, and taken away as fast', async () => {
    await murder.create('mail1', ['user.fenced']);
    assert.match(await said('fenced'), /^250/);
    const fenced = await rookery('backend', 'fence', 'mail1', '--for', '1h', '--reason', 'a new disk');
    assert.deepEqual([fenced.code, fenced.out], [0, 'mail1: active, fenced\n'], fenced.err);
    await until('the fence is obeyed', async () =>
      /^451 4\.2\.1 Nothing is delivered to mail1/.test(await said('fenced')),
    );
    assert.match((await rookery('backend', 'show', 'mail1')).out, /^fence +a new disk \(/m);
    assert.equal((await rookery('backend', 'unfence', 'mail1')).code, 0);
    await until('mail is delivered again', async () => /^250/.test(await said('fenced')));
  });

  test('a canary gets whom it is to get, one that drains nobody; its mail goes on, and it is not retired', async () => {
    assert.equal((await rookery('backend', 'canary', 'mail2', '--share', '0')).code, 0);
    assert.deepEqual(await made('share0', 'share1', 'share2'), ['mail1', 'mail1', 'mail1']);
    assert.equal((await rookery('user', 'create', 'named', '--server', 'mail2')).code, 0);
    assert.equal(await serverOf('user.named'), 'mail2');
    assert.equal((await rookery('backend', 'canary', 'mail2', '--share', '100')).code, 0);
    await until('the worker has heard', async () => (await made(`all${Date.now()}`))[0] === 'mail2');
    const drained = await rookery('backend', 'drain', 'mail2');
    assert.deepEqual([drained.code, drained.err], [0, '']);
    assert.match(drained.out, /^mail2: draining; it has \d+ trees\nnext:\n {2}rookery move plan --evacuate mail2 /);
    // Also where the command asks by the configuration, and not by the API.
    const planned = await rookery('move', 'plan', 'share0', '--to', 'mail2');
    assert.match(planned.out, /mail2 drains, and is a destination by your word/);
    await until('the worker has heard', async () => (await made(`none${Date.now()}`))[0] === 'mail1');
    assert.match(await said('named'), /^250/);
    const kept = await rookery('backend', 'retire', 'mail2');
    assert.equal(kept.code, 75, kept.out);
    assert.match(kept.err, /mail2 is not retired, for there point to it: \d+ mailboxes in the directory \(user\./);
    const back = await rookery('backend', 'undrain', 'mail2');
    assert.equal(back.out, 'mail2: canary, for 100% of new users\n');
    assert.equal((await rookery('backend', 'activate', 'mail2')).out, 'mail2: active\n');
  });

  /** Audits by command. */
  async function audit(...words: string[]): Promise<AuditedValue & { code: number | null }> {
    const { code, out, err } = await rookery('move', 'audit', ...words, '-f', 'json');
    assert.equal(err, '');
    return { code, ...(JSON.parse(out) as AuditedValue) };
  }

  /** The operations in this process, with what is left over to wait so long, in milliseconds. */
  async function operations(t: { after(done: () => unknown): void }, retention: number) {
    const means = await openLeftOvers(loadConfig({ env: {}, file: murder.rookery.configFile }));
    t.after(() => means.close());
    return leftOverOperations({ ...means, retention });
  }

  test('where all is well an audit finds nothing', async () => {
    const { code, findings, trees, silent } = await audit('--server', 'mail1');
    assert.deepEqual([code, findings, silent], [0, [], []]);
    assert.ok(trees >= 4);
  });

  test('drained with --move everybody goes, who comes later as well, which the audit finds well; then it is retired', async () => {
    const there = [...(await murder.rows())].filter(([, row]) => row.server === 'mail2').map(([name]) => name);
    assert.ok(there.includes('user.named'));
    const drained = await rookery('backend', 'drain', 'mail2', '--move', '-f', 'json');
    assert.deepEqual([drained.code, drained.err], [0, ''], drained.out);
    const { run = '', next } = JSON.parse(drained.out) as DrainedValue;
    assert.deepEqual(next, [
      ...[`rookery move watch ${run}`, 'rookery backend show mail2', 'rookery backend retire mail2'],
    ]);
    // An operator places him there by name, or IMAP does.
    assert.equal((await rookery('user', 'create', 'latecomer', '--server', 'mail2')).code, 0);
    const twice = await rookery('backend', 'drain', 'mail2', '--move');
    // Whichever is first: that run is named, or the one after it, or there is none any more.
    if (twice.code !== 0) assert.match(twice.err, /run \S+ moves trees from mail2, and is not over/);
    const watched = await rookery('move', 'watch', run);
    assert.equal(watched.code, 0, watched.out + watched.err + (await rookery('move', 'report', run)).out);
    for (const name of there) assert.equal(await serverOf(name), 'mail1', name);
    await until('the latecomer is moved, too', async () => (await serverOf('user.latecomer')) === 'mail1', 60_000);
    const emptied = /^emptying +empty, after \d+ runs?: nothing is left there/m;
    await until('it is empty', async () => emptied.test((await rookery('backend', 'show', 'mail2')).out), 120_000);
    const found = await audit('--run', run);
    assert.deepEqual([found.code, found.findings, found.later], [0, [], []]);
    assert.equal(found.trees, there.filter((name) => /^user\.[^.]+$/.test(name)).length);
    assert.equal((await rookery('move', 'audit', '--run', '20200101-000000-0000')).code, 65);
    // Each XFER is looked into afterwards: such cases are closed by the worker.
    await until('nothing points to it any more', async () => (await rookery('backend', 'retire', 'mail2')).code === 0);
    assert.match((await rookery('backend', 'list')).out, /^mail2 +retired /m);
    assert.match(await said('named'), /^250/);
  });

  test('a plan that is printed is started as it is', async () => {
    const active = await rookery('backend', 'add', 'mail2');
    assert.equal(active.code, 0, active.err);
    const program = join(import.meta.dirname, '../../services/cli/rookery');
    const line = `"${program}" move plan fenced share1 --to mail2 -o - | "${program}" move start - --yes --watch --stop-when failed=1,latency=2.5`;
    const env = { ...process.env, ROOKERY_CONFIG: murder.rookery.configFile };
    // It rejects where the line ends with anything but 0; the relays to the directory are this process, and go on.
    const { stdout, stderr } = await promisify(exec)(line, { env });
    assert.match(stdout, /done: 2 of 2 are moved\n$/);
    assert.match(stderr, /^plan +2 named to mail2$/m);
    assert.equal(await serverOf('user.share1'), 'mail2');
  });

  test('a copy left by an XFER that was refused is found; removed when it has waited, and with proof', async (t) => {
    await murder.create('mail1', ['user.moved', 'user.moved.Sent'], 20);
    murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'refuse' : 'pass');
    const answer = await murder.say('mail1', 'XFER user.moved mail2');
    murder.relays.mail1.rule = undefined;
    t.diagnostic(`XFER whose DEACTIVATE is refused: ${answer}`);
    assert.ok((await murder.holdings('mail2')).has('user.moved'), 'the copy is there');
    const [found] = (await audit('user.moved')).findings;
    assert.deepEqual(
      [found?.kind, found?.server, found?.at, found?.mailboxes],
      ['left-over', 'mail2', 'mail1', ['user.moved', 'user.moved.Sent']],
    );
    const whole = await audit('--server', 'mail2');
    assert.deepEqual([whole.code, whole.findings], [65, [found]], 'the whole server shows the same, and as old');
    assert.match((await rookery('move', 'leftovers')).out, /\nleft-over +user\.moved +mail2 +mail1 +2 /);

    const waits = await operations(t, 7 * day);
    const choice = { server: 'mail2', dryRun: false, by: 'test' };
    await assert.rejects(waits.discard('user.moved', choice), /it has waited: no, 0\.0 days of 7\.0 days/);
    const { result, proof } = await waits.discard('user.moved', { ...choice, dryRun: true });
    assert.equal(result, 'kept');
    assert.deepEqual(
      proof.filter(({ is }) => !is).map(({ what }) => what),
      ['it has waited', 'the active copy has all of it'],
    );
    await assert.rejects(
      waits.discard('user.moved', { ...choice, server: 'mail1' }),
      /stays at mail1/,
      'not the mailbox',
    );
    const before = await murder.messageIds('user.moved');
    const done = await waits.discard('user.moved', { ...choice, now: 'space is short' });
    assert.deepEqual([done.result, done.at, done.messages, done.left], ['discarded', 'mail1', 40, []]);
    assert.equal((await murder.holdings('mail2')).has('user.moved'), false);
    assert.deepEqual(await murder.messageIds('user.moved'), before);
    assert.equal(await serverOf('user.moved'), 'mail1');
    assert.match(await said('moved'), /^250/);
    assert.equal((await rookery('move', 'leftovers')).out, 'nothing is known\n');
    assert.equal((await audit('user.moved')).code, 0);
  });

  test('a mailbox that only has the name, and one with a message more, are no copies: they stay', async (t) => {
    await murder.create('mail1', ['user.twin'], 3);
    assert.match(await murder.say('mail2', 'LOCALCREATE "user.twin"'), /^OK/);
    await audit('user.twin');
    const now = await operations(t, 0);
    const choice = { server: 'mail2', dryRun: false, by: 'test' };
    await assert.rejects(now.discard('user.twin', choice), /the active copy has all of it: no, \d+ differences/);
    assert.ok((await murder.holdings('mail2')).has('user.twin'));

    await murder.create('mail1', ['user.newer'], 3);
    murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'refuse' : 'pass');
    await murder.say('mail1', 'XFER user.newer mail2');
    murder.relays.mail1.rule = undefined;
    await murder.admin('mail2', (imap) =>
      imap.ok('APPEND user.newer ', { literal: 'Subject: only here\r\n\r\nx\r\n' }),
    );
    await audit('user.newer');
    await assert.rejects(now.discard('user.newer', choice), /\d differences: user\.newer: the last uid is 3, was 4/);
    assert.ok((await murder.holdings('mail2')).has('user.newer'));
  });

  test('a copy that is otherwise in a setting only stays, too: what a move tells is no proof that nothing is lost', async (t) => {
    await murder.create('mail1', ['user.limited'], 3);
    await murder.admin('mail1', (imap) => imap.ok('SETQUOTA user.limited (STORAGE 1000)'));
    murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'refuse' : 'pass');
    await murder.say('mail1', 'XFER user.limited mail2');
    murder.relays.mail1.rule = undefined;
    await murder.admin('mail2', (imap) => imap.ok('SETQUOTA user.limited (STORAGE 777)'));
    await audit('user.limited');
    const now = await operations(t, 0);
    const discard = () => now.discard('user.limited', { server: 'mail2', dryRun: false, by: 'test' });
    await assert.rejects(discard(), /1 differences: the quota of user\.limited: STORAGE is 1000, was 777/);
    assert.ok((await murder.holdings('mail2')).has('user.limited'));
    await murder.admin('mail2', (imap) => imap.ok('SETQUOTA user.limited (STORAGE 1000)'));
    assert.equal((await discard()).result, 'discarded');
  });

  test('a lease that is lost before the server is told keeps the copy; mail is put off meanwhile', async (t) => {
    await murder.create('mail1', ['user.lost'], 5);
    murder.relays.mail1.rule = ({ verb }) => (verb === 'DEACTIVATE' ? 'refuse' : 'pass');
    await murder.say('mail1', 'XFER user.lost mail2');
    murder.relays.mail1.rule = undefined;
    await audit('user.lost');
    const means = await openLeftOvers(loadConfig({ env: {}, file: murder.rookery.configFile }));
    t.after(() => means.close());
    const choice = { server: 'mail2', dryRun: false, by: 'test' };
    const { driver } = means;
    let token = '';
    const { directory } = means;
    const lease: typeof directory.lease = (name, one, ms) => {
      ({ token } = one);
      return directory.lease(name, one, ms);
    };
    const between = (lose: boolean) => ({
      ...{ ...means, retention: 0, lease: 1000 },
      directory: {
        ...{ copies: directory.copies, lease },
        tree: (name: string) => directory.tree(name),
        lookup: (names: readonly string[]) => directory.lookup(names),
        list: (prefix: string) => directory.list(prefix),
        release: (name: string, one: string) => directory.release(name, one),
        head: () => directory.head(),
      },
      driver: {
        manifest: driver.manifest.bind(driver),
        discard: async (server: string, name: string, confirm: () => Promise<void>) => {
          assert.match(await said('lost'), /^451 4\.2\.1/, 'put off while it is removed');
          if (lose) {
            // As another mover would have it after a pause of this process.
            await directory.release(name, token);
            assert.ok(await directory.lease(name, { destination: 'mail2', token: 'mover' }, 60_000));
          }
          await driver.discard(server, name, confirm);
        },
      },
    });
    const lost = leftOverOperations(between(true)).discard('user.lost', choice);
    await assert.rejects(lost, /^Refusal: the right to user\.lost was lost: nothing is removed$/);
    assert.ok((await murder.holdings('mail2')).has('user.lost'));
    await assert.rejects(leftOverOperations(between(false)).discard('user.lost', choice), /nobody moves it: no/);
    await directory.release('user.lost', 'mover');
    const done = await leftOverOperations(between(false)).discard('user.lost', choice);
    assert.deepEqual([done.result, done.left, done.note], ['discarded', [], undefined]);
    assert.equal((await murder.holdings('mail2')).has('user.lost'), false);
    assert.match(await said('lost'), /^250/);
  });

  test('the copy of a user who is deleted since goes by a word of its own, where a move has made it', async (t) => {
    await murder.create('mail1', ['user.left', 'user.left.Sent'], 10);
    const now = await operations(t, 0);
    const directory = await lookedAt(loadConfig({ env: {}, file: murder.rookery.configFile }));
    t.after(() => directory.close());
    // As a move has it that copies ahead, and is not done.
    await directory.copies.begin('user.left', 'mail2', 60_000);
    assert.match(await murder.say('mail1', 'XFER user.left mail2'), /NO USER left/);
    await directory.copies.made('user.left', 'mail2', 600_000);
    assert.ok((await murder.holdings('mail2')).has('user.left.Sent'), 'the copy is there');
    const deleted = await rookery('user', 'delete', 'left');
    assert.equal(deleted.code, 0, deleted.err + deleted.out);
    const words = ['user.left', '--server', 'mail2'];
    assert.equal((await audit('user.left')).findings[0]?.kind, 'unknown');
    assert.match((await rookery('move', 'leftovers')).out, /^unknown +user\.left +mail2 /m);
    assert.match(
      (await rookery('move', 'audit', 'user.left')).out,
      /move discard NAME --server SERVER --deleted REASON/,
    );
    const without = await rookery('move', 'discard', ...words);
    assert.equal(without.code, 75);
    assert.match(without.out, /NO +the directory does not know it, so nobody else has it: .*--deleted/);
    // A deletion is no proof before its grace is over.
    const choice = { server: 'mail2', by: 'test', deleted: 'he has left' };
    await until(
      'his absence is proven',
      async () => {
        const { result, messages, proof } = await now.discard('user.left', { ...choice, dryRun: true });
        t.diagnostic(proof.flatMap(({ what, is, note }) => (is ? [] : [`${what}: ${note}`])).join('; '));
        return result === 'would discard' && messages === 20;
      },
      60_000,
    );
    const waits = await rookery('move', 'discard', ...words, '--deleted', 'he has left');
    assert.match(waits.out, /it has waited +NO +0\.0 days of 7\.0 days/);
    const done = await now.discard('user.left', { ...choice, dryRun: false });
    assert.deepEqual([done.result, done.messages, done.left], ['discarded', 20, []]);
    assert.equal((await murder.holdings('mail2')).has('user.left'), false);
    assert.deepEqual((await audit('user.left')).findings, []);
  });

  test('what the directory does not know, and what a server has lost, is told apart from a left-over', async () => {
    assert.match(await murder.say('mail2', 'LOCALCREATE "user.stranger"'), /^OK/);
    await murder.create('mail1', ['user.gone', 'user.gone.Sent']);
    assert.match(await murder.say('mail1', 'LOCALDELETE "user.gone.Sent"'), /^OK/);
    const stranger = (await audit('user.stranger')).findings;
    assert.deepEqual(
      stranger.map(({ kind, server }) => [kind, server]),
      [['unknown', 'mail2']],
    );
    const gone = (await audit('--server', 'mail1')).findings;
    assert.deepEqual(
      gone.map(({ kind, tree, mailboxes }) => [kind, tree, mailboxes]),
      [['missing', 'user.gone', ['user.gone.Sent']]],
    );
    const discarded = await rookery(
      'move',
      'discard',
      'user.stranger',
      '--server',
      'mail2',
      '--deleted',
      'x',
      '--now',
      'x',
    );
    assert.equal(discarded.code, 75);
    assert.match(discarded.out, /a move has copied it there +NO +it may be the only copy: .* restart Cyrus on mail2/);
    assert.ok((await murder.holdings('mail2')).has('user.stranger'));
  });

  test('a server that does not answer is silent: nothing is found of it, and nothing forgotten', async () => {
    await murder.cyrus.node('mail2').stop();
    const { code, findings, silent } = await audit('user.twin');
    assert.equal(code, 65, 'what was found before is not forgotten');
    assert.deepEqual(
      findings.map(({ kind, server }) => [kind, server]),
      [['left-over', 'mail2']],
    );
    assert.match(silent.join(), /^mail2: /);
    await murder.startBackend('mail2');
  });
});

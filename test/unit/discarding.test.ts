// A left-over is removed under the right to its tree: proven anew when everybody has heard, and not without it.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { ImapFailure } from '../../services/backends/imap-failure.ts';
import { Registry } from '../../services/backends/registry.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Finding, KeptFinding, Listing } from '../../services/moves/audit.ts';
import { afterLook, isRemoving } from '../../services/moves/audit.ts';
import type { Manifest } from '../../services/moves/manifest.ts';
import type { Move } from '../../services/moves/move.ts';
import { discardLeftOver } from '../../services/operations/discarding.ts';
import type { DiscardMeans, DiscardValue, DiscardWish } from '../../services/operations/discarding.ts';
import { Refusal } from '../../services/operations/refusal.ts';

const tree = 'user.ann';
const day = 86_400_000;

/** Two servers and what they have, by name; a directory, and what is kept beside it. */
class Servers {
  readonly directory = new MemoryDirectory();
  /** The messages of the tree at each server. */
  readonly held = new Map<string, string[]>();
  readonly silent = new Set<string>();
  readonly removed: string[] = [];
  findings: KeptFinding[] = [];
  move: Move | undefined;
  /** Readers that have not heard yet. */
  behind = 0;
  lease = 60_000;
  /** What happens at some moment. */
  atManifest: (server: string) => Promise<void> | void = () => undefined;
  atOrder: () => Promise<void> | void = () => undefined;
  afterOrder: () => Promise<void> | void = () => undefined;

  static async of(rows: Readonly<Record<string, string>>): Promise<Servers> {
    const made = new Servers();
    for (const name of ['mail1', 'mail2']) await made.directory.heard(name, ['mail1', 'mail2'], 0);
    for (const [name, server] of Object.entries(rows)) await made.activate(name, server);
    return made;
  }

  async activate(name: string, server: string): Promise<void> {
    const writer = { session: `s-${name}-${server}`, server, admin: true, push: false };
    await this.directory.write({ verb: 'ACTIVATE', name, location: `${server}!default`, acl: '' }, writer);
  }

  found(kind: Finding['kind'], at?: string): void {
    const finding = { kind, tree, server: 'mail1', names: [tree], ...(at !== undefined && { at }) };
    this.findings = [{ ...finding, since: Date.now() - 8 * day, seen: 0 }];
  }

  async discard(wish: Partial<DiscardWish> = {}): Promise<DiscardValue> {
    return discardLeftOver(tree, { server: 'mail1', dryRun: false, ...wish }, this.#means());
  }

  #listing(server: string): Listing {
    if (this.silent.has(server)) return { is: 'silent', why: 'away' };
    return { is: 'told', names: this.held.has(server) ? [tree] : [] };
  }

  #manifest(server: string): Manifest {
    const messages = (this.held.get(server) ?? []).map((guid, at) => ({
      ...{ uid: at + 1, guid, modseq: 1, size: 10, flags: [], expunged: false },
    }));
    const mailbox = {
      ...{ name: tree, uniqueId: 'u', partition: 'p', uidValidity: 1, lastUid: 0, highestModseq: 1, acl: '' },
      ...{ folderModseq: 1, messages },
    };
    return { at: 0, server, mailboxes: [mailbox], quotas: new Map(), subscriptions: [], sieve: [] };
  }

  #means(): DiscardMeans {
    const { directory } = this;
    const guids = (manifest: Manifest) =>
      manifest.mailboxes.flatMap(({ messages }) => messages.map(({ guid }) => guid));
    return {
      ...{ directory, retention: 7 * day, lease: this.lease },
      routing: {
        held: async () => {
          const seen = (await directory.head()).map(({ seq }) => seq);
          this.behind = Math.max(0, this.behind - 1);
          return [{ reader: 'mx', seen: this.behind > 0 ? seen.map(() => 0) : seen }];
        },
      },
      registry: new Registry(
        ['mail1', 'mail2'].map((name) => ({ name, lmtp: undefined, imap: undefined, mupdate: true })),
      ),
      lists: {
        of: (server) => Promise.resolve(this.#listing(server)),
        all: (server) => Promise.resolve(this.#listing(server)),
        close: () => Promise.resolve(),
      },
      admins: { ask: () => Promise.reject(new Error('nobody is asked')) },
      findings: {
        of: () => Promise.resolve(this.findings),
        looked: (_tree, found, asked, now) =>
          Promise.resolve((this.findings = afterLook(this.findings, found, asked, now))),
        removing: (name, server, since) => {
          this.findings.push({ kind: 'removing', tree: name, server, names: [name], since, seen: since });
          return Promise.resolve();
        },
        removed: (_tree, server) => {
          this.findings = this.findings.filter((one) => !isRemoving(one, server));
          return Promise.resolve();
        },
      },
      moveOf: () => Promise.resolve(this.move),
      driver: {
        manifest: async (server) => {
          await this.atManifest(server);
          return this.held.has(server) ? this.#manifest(server) : undefined;
        },
        discard: async (server, _name, confirm) => {
          await this.atOrder();
          await confirm();
          this.held.delete(server);
          this.removed.push(server);
          await this.afterOrder();
        },
      },
      differences: (manifest, found) => guids(manifest).filter((guid) => !guids(found).includes(guid)),
    };
  }
}

async function leftOver(): Promise<Servers> {
  const servers = await Servers.of({ [tree]: 'mail2' });
  servers.held.set('mail1', ['a']).set('mail2', ['a', 'b']);
  servers.found('left-over', 'mail2');
  return servers;
}

async function refused(servers: Servers, why: RegExp, wish: Partial<DiscardWish> = {}): Promise<void> {
  const isSo = (error: unknown) => error instanceof Refusal && why.test(error.message);
  await assert.rejects(servers.discard(wish), (error) => isSo(error) || assert.fail(String(error)));
}

test('removed when everybody has heard, and nobody has the right to the tree afterwards', async () => {
  const servers = await leftOver();
  servers.behind = 3;
  let heldBack = 0;
  servers.atManifest = async () => {
    assert.equal(servers.behind, 0, 'compared before everybody has heard');
    heldBack += (await servers.directory.lookup([tree])).concerns[0]?.kind === 'lease' ? 1 : 0;
  };
  const { result, at, messages, left, note } = await servers.discard();
  assert.deepEqual([result, at, messages, left, note, heldBack], ['discarded', 'mail2', 1, [], undefined, 2]);
  assert.deepEqual([servers.removed, servers.findings], [['mail1'], []]);
  assert.deepEqual((await servers.directory.lookup([tree])).concerns, [undefined], 'given back');
});

test('what has come to the left-over until everybody had heard keeps it', async () => {
  const servers = await leftOver();
  assert.equal((await servers.discard({ dryRun: true })).result, 'would discard');
  servers.behind = 3;
  servers.atManifest = () => {
    servers.held.set('mail1', ['a', 'late']);
  };
  await refused(servers, /the active copy has all of it: no, 1 differences: late$/);
  assert.deepEqual(servers.removed, []);
});

test('rows, and moves, are looked at anew under the right', async () => {
  const taken = await leftOver();
  taken.atManifest = () => taken.activate(`${tree}.new`, 'mail1');
  await refused(taken, /it is active elsewhere: no, the directory has 1 mailboxes of the tree at mail1/);
  const moving = await leftOver();
  moving.atManifest = () => {
    moving.move = { state: 'open', step: 'copy' } as Move;
  };
  await refused(moving, /nobody moves it: no, a move of it is open: copy$/);
  const another = await leftOver();
  await another.directory.lease(tree, { destination: 'mail1', token: 'mover' }, 60_000);
  await refused(another, /nobody moves it: no, /);
  assert.deepEqual([...taken.removed, ...moving.removed, ...another.removed], []);
});

test('who has lost the right before the server is told removes nothing, and says so', async () => {
  const servers = await leftOver();
  servers.lease = 100;
  servers.atOrder = async () => {
    const lease = servers.directory.lease.bind(servers.directory);
    servers.directory.lease = () => Promise.resolve(false);
    await sleep(200);
    servers.directory.lease = lease;
  };
  await refused(servers, /^the right to user\.ann was lost: nothing is removed$/);
  assert.deepEqual(servers.removed, []);
  assert.ok(servers.held.has('mail1'));
});

test('lost while the server removes it: it is gone, and somebody has to look', async () => {
  const servers = await leftOver();
  servers.lease = 100;
  servers.afterOrder = async () => {
    servers.directory.lease = () => Promise.resolve(false);
    await sleep(200);
  };
  const { result, note } = await servers.discard();
  assert.equal(result, 'discarded');
  assert.match(
    note ?? '',
    /^the right to user\.ann was lost while mail1 removed it; see to it by: rookery move audit user/,
  );
});

test('a server that was told, and does not say what came of it, is asked what it has', async () => {
  const servers = await leftOver();
  servers.afterOrder = () => {
    throw new Error('mail1: the connection broke');
  };
  await refused(servers, /^mail1 was told to remove user\.ann: .* broke\. mail1 has nothing of it any more; see to it/);
  const silent = await leftOver();
  silent.afterOrder = () => {
    silent.silent.add('mail1');
    throw new Error('it broke');
  };
  await refused(silent, /mail1 cannot be asked what it still has; see to it by: rookery move audit user\.ann$/);
  assert.deepEqual((await silent.directory.lookup([tree])).concerns, [undefined], 'given back');
});

test('an order that is not answered stays open: no other is given until somebody says that it is over', async () => {
  const servers = await leftOver();
  servers.atOrder = () => {
    assert.deepEqual(removing(), [], 'nothing is written down before the proof');
  };
  const removing = () => servers.findings.filter(({ kind }) => kind === 'removing').map(({ server }) => server);
  servers.afterOrder = () => {
    assert.deepEqual(removing(), ['mail1'], 'written down before it is told');
    throw new Error('mail1: the connection broke');
  };
  await refused(servers, /^mail1 was told to remove user\.ann/);
  assert.deepEqual(removing(), ['mail1'], 'the audit after it does not end it');
  servers.held.set('mail1', ['a']);
  servers.found('left-over', 'mail2');
  await servers.discard({ dryRun: true, settled: 'restarted' });
  servers.findings.push({ kind: 'removing', tree, server: 'mail1', names: [tree], since: 1, seen: 1 });
  servers.atOrder = () => undefined;
  servers.afterOrder = () => undefined;
  await refused(servers, /no order of before is open: no, mail1 was told at 1970-.*, then: --settled REASON$/);
  await refused(servers, /no order of before is open: no/, { now: 'a reason' });
  const settled = await servers.discard({ settled: 'mail1 was restarted' });
  assert.deepEqual([settled.result, removing(), servers.held.has('mail1')], ['would discard', [], true]);
  assert.equal((await servers.discard()).result, 'discarded');
  assert.deepEqual(servers.findings, []);
});

test('a server that says no has answered', async () => {
  const servers = await leftOver();
  servers.afterOrder = () => {
    throw new ImapFailure('mail1: NO not now', 'busy');
  };
  await refused(servers, /NO not now/);
  assert.deepEqual(
    servers.findings.filter(({ kind }) => kind === 'removing'),
    [],
  );
});

test('while not everybody has heard, nothing is removed; also not when the right is lost meanwhile', async () => {
  const servers = await leftOver();
  servers.behind = Infinity;
  servers.lease = 100;
  const lease = servers.directory.lease.bind(servers.directory);
  let asked = 0;
  servers.directory.lease = (...given) => ((asked += 1) > 1 ? Promise.resolve(false) : lease(...given));
  await refused(servers, /the right to user\.ann was lost: nothing is removed/);
  assert.deepEqual(servers.removed, []);
});

/** A user who was deleted after a move had copied him to mail1. */
async function deleted(): Promise<Servers> {
  const servers = await Servers.of({});
  servers.held.set('mail1', ['a', 'b']);
  servers.found('unknown');
  await servers.directory.copies.keep(tree, 'mail1', 52 * day);
  return servers;
}

const word = { deleted: 'he has left' };

test('what the directory does not know stays without a word; with one it goes where a move has copied it there', async () => {
  const servers = await deleted();
  await refused(
    servers,
    /an audit has found it: no, the directory does not know it, .* removed by --deleted, with the reason/,
  );
  const dry = await servers.discard({ ...word, dryRun: true });
  assert.deepEqual([dry.result, dry.at, dry.messages, dry.octets], ['would discard', undefined, 2, 20]);
  assert.deepEqual(servers.removed, []);
  const done = await servers.discard(word);
  assert.deepEqual([done.result, done.messages, servers.removed, servers.findings], ['discarded', 2, ['mail1'], []]);
});

test('each thing that is not proven keeps what the directory does not know', async () => {
  const young = await deleted();
  young.findings = young.findings.map((one) => ({ ...one, since: Date.now() }));
  await refused(young, /it has waited: no, 0\.0 days of 7\.0 days/, word);
  const unproven = await deleted();
  await unproven.directory.copies.end(tree);
  await refused(
    unproven,
    /a move has copied it there: no, it may be the only copy: .* restart Cyrus on mail1, .* DELETE it there/,
    word,
  );
  const elsewhere = await deleted();
  elsewhere.held.set('mail2', ['a']);
  await refused(elsewhere, /no other backend has it: no, mail2 has user\.ann$/, word);
  const silent = await deleted();
  silent.silent.add('mail2');
  await refused(silent, /no other backend has it: no, mail2 could not be asked: away$/, word);
  const untrusted = await deleted();
  await untrusted.directory.distrust('a loss');
  await refused(untrusted, /the directory does not have it: no, directory not trusted: /, word);
  const suspected = await deleted();
  await suspected.directory.suspect(tree, 'doubt', 's');
  await refused(suspected, /the directory does not have it: no, reconciliation is open: /, word);
  const living = await deleted();
  await living.activate(`${tree}.x`, 'mail2');
  await refused(living, /the directory does not have it: no, user\.ann\.x is active at mail2!default$/, word);
  const making = await deleted();
  await making.directory.copies.begin(tree, 'mail1', 60_000);
  await refused(making, /a move has copied it there: no/, word);
  const fresh = await deleted();
  await fresh.activate(tree, 'mail2');
  const writer = { session: 'd', server: 'mail2', admin: false, push: false };
  await fresh.directory.write({ verb: 'DELETE', name: tree, location: '', acl: '' }, writer);
  await fresh.directory.end('d', 'logout');
  await refused(fresh, /the directory does not have it: no, user\.ann was deleted a moment ago$/, word);
  for (const one of [young, unproven, elsewhere, silent, untrusted, suspected, living, making, fresh])
    assert.deepEqual(one.removed, []);
});

test('a left-over is not removed by that word, nor what was not asked for yet by any', async () => {
  await refused(
    await leftOver(),
    /an audit has found it: no, no audit has found anything that the directory does not/,
    word,
  );
  const unasked = await leftOver();
  unasked.found('unasked');
  await refused(
    unasked,
    /an audit has found it: no, mail1 was silent when its move ended: rookery move audit user\.ann/,
  );
});

// The life of a backend: which word follows which, what holds beside the configuration, and whom placement may send there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intakeOf, spoken, stages, standingOf } from '../../services/backends/lifecycle.ts';
import type { BackendWish, Stage, Word } from '../../services/backends/lifecycle.ts';
import { Registry } from '../../services/backends/registry.ts';
import { decide } from '../../services/placement/decision.ts';
import { outgrown } from '../../services/placement/considering.ts';
import { abc, policyFor } from '../harness/placement.ts';

const speaker = { by: 'ops', now: 1000 };
const free = { drain: false, fence: false };
const said = (stage: Stage, more: Partial<Word> = {}): Word => ({ stage, by: 'ops', at: 1, ...more });

const wishes: BackendWish[] = [
  { is: 'add', stage: 'active' },
  { is: 'canary', share: 2 },
  { is: 'activate' },
  { is: 'drain' },
  { is: 'undrain' },
  { is: 'retire' },
];

test('each step from each state: where it leads, or that it is refused', () => {
  const table = stages.map((stage) => [
    stage,
    ...wishes.map((wish) => {
      const word = spoken(said(stage), wish, free, speaker);
      return typeof word === 'string' ? '-' : word.stage;
    }),
  ]);
  assert.deepEqual(table, [
    //           add       canary    activate  drain       undrain   retire
    ['new', 'active', 'canary', 'active', 'draining', '-', '-'],
    ['canary', 'active', 'canary', 'active', 'draining', '-', '-'],
    ['active', 'active', 'canary', 'active', 'draining', '-', '-'],
    ['draining', '-', '-', '-', 'draining', 'active', 'retired'],
    ['retired', 'active', '-', '-', '-', '-', 'retired'],
  ]);
  // Who was never spoken about is active.
  assert.equal((spoken(undefined, { is: 'drain' }, free, speaker) as Word).stage, 'draining');
  assert.match(spoken(undefined, { is: 'retire' }, free, speaker) as string, /drain it first/);
});

test('what drains is what it was when that is taken back, and a fence outlives every step', () => {
  const fence = { reason: 'disk', by: 'ann', since: 5 };
  const drained = spoken(said('canary', { share: 3, fence }), { is: 'drain' }, free, speaker) as Word;
  assert.deepEqual(drained, { ...said('draining', { before: { stage: 'canary', share: 3 }, fence }), at: 1000 });
  assert.equal(spoken(drained, { is: 'drain' }, free, speaker), drained, 'said twice');
  const back = spoken(drained, { is: 'undrain' }, free, speaker) as Word;
  assert.deepEqual([back.stage, back.share, back.fence], ['canary', 3, fence]);
  const open = spoken(back, { is: 'unfence' }, free, speaker) as Word;
  assert.deepEqual([open.stage, open.share, open.fence], ['canary', 3, undefined]);
  assert.match(spoken(open, { is: 'unfence' }, free, speaker) as string, /is not fenced/);
  assert.match(spoken(said('retired'), { is: 'unfence' }, free, speaker) as string, /retired/);
});

test('what is emptied is so until it drains no more, is retired, or is drained by the configuration alone', () => {
  const [plain, emptied] = [{ is: 'drain' } as const, { is: 'drain', empties: true } as const];
  const before = spoken(said('canary', { share: 3 }), plain, free, speaker) as Word;
  const word = spoken(before, emptied, free, speaker) as Word;
  assert.deepEqual([word.stage, word.empties, word.before], ['draining', true, { stage: 'canary', share: 3 }]);
  assert.equal(spoken(word, plain, free, speaker), word, 'drained once more it is emptied still');
  assert.equal(spoken(word, emptied, free, speaker), word);
  const fenced = spoken(word, { is: 'fence', reason: 'disk' }, free, speaker) as Word;
  assert.deepEqual([fenced.empties, (spoken(fenced, { is: 'unfence' }, free, speaker) as Word).empties], [true, true]);
  for (const wish of [{ is: 'undrain' }, { is: 'retire' }] as const)
    assert.equal((spoken(word, wish, free, speaker) as Word).empties, undefined);
  const configured = spoken(word, { is: 'undrain' }, { drain: true, fence: false }, speaker) as Word;
  assert.deepEqual(
    [configured.empties, standingOf(configured, { drain: true, fence: false }, 0).stage],
    [undefined, 'draining'],
  );
});

test('the configuration holds whatever is said, and the word whatever is configured', () => {
  const [drain, fence] = [
    { drain: true, fence: false },
    { drain: false, fence: true },
  ];
  assert.deepEqual(standingOf(undefined, free, 0), { stage: 'active', fenced: false });
  assert.deepEqual(standingOf(said('active'), drain, 0), { stage: 'draining', fenced: false });
  assert.deepEqual(standingOf(said('canary'), drain, 0), { stage: 'draining', fenced: false });
  assert.deepEqual(standingOf(said('new'), drain, 0), { stage: 'new', fenced: false }, 'stricter than to drain');
  assert.deepEqual(standingOf(said('draining'), free, 0), { stage: 'draining', fenced: false });
  assert.deepEqual(standingOf(said('active'), fence, 0), { stage: 'active', fenced: true });
  assert.deepEqual(standingOf(said('retired'), free, 0), { stage: 'retired', fenced: true });
  assert.match(spoken(said('draining'), { is: 'undrain' }, drain, speaker) as string, /configuration drains it/);
  assert.match(spoken(said('active'), { is: 'unfence' }, fence, speaker) as string, /configuration fences it/);
  assert.equal((spoken(undefined, { is: 'retire' }, drain, speaker) as Word).stage, 'retired', 'it drains by that');
});

test('a fence for a time ends by itself, by the clock of whoever asks', () => {
  let now = 1000;
  const registry = new Registry([{ name: 'mail1', lmtp: undefined, imap: undefined, mupdate: true }], () => now);
  const word = spoken(undefined, { is: 'fence', until: 2000, reason: 'r' }, free, speaker) as Word;
  registry.hear(new Map([['mail1', word]]));
  assert.equal(registry.isFenced('mail1'), true);
  now = 2000;
  assert.equal(registry.isFenced('mail1'), false);
});

test('of two words on a backend the later one holds, in whatever order they are heard; a reload forgets none', () => {
  const backend = { name: 'mail1', lmtp: undefined, imap: undefined, mupdate: true };
  const registry = new Registry([backend]);
  registry.hear(new Map([['mail1', said('draining', { at: 7 })]]));
  registry.hear(new Map([['mail1', said('active', { at: 6 })]]));
  assert.equal(registry.standing('mail1').stage, 'draining');
  registry.replace([{ ...backend, flags: { fence: true } }]);
  assert.deepEqual(registry.standing('mail1'), { stage: 'draining', fenced: true });
});

test('whom each may have', () => {
  const of = (stage: Stage, fenced = false) => intakeOf({ stage, fenced, share: 3 });
  assert.deepEqual(of('active'), { is: 'all' });
  assert.deepEqual(of('canary'), { is: 'share', percent: 3 });
  assert.deepEqual(of('draining'), { is: 'named', why: 'drains' });
  assert.deepEqual(of('active', true), { is: 'named', why: 'fenced' });
  assert.deepEqual([of('new').is, of('retired', true).is], ['nobody', 'nobody']);
});

test('a canary gets its share of new users and no more, always the same ones, before all others', () => {
  const policy = policyFor(abc, { backends: { C: { canary: 5 } } });
  const chosen = Array.from({ length: 4000 }, (_, at) => {
    const decision = decide({ name: `user.u${at}` }, { now: 1000, servers: abc }, policy, () => 0.5);
    return decision.chosen?.server;
  });
  const canaries = chosen.filter((server) => server === 'C').length;
  assert.ok(canaries > 4000 * 0.03 && canaries < 4000 * 0.07, String(canaries));
  const lucky = `user.u${chosen.indexOf('C')}`;
  const facts = { now: 1000, servers: abc };
  assert.equal(decide({ name: lucky }, facts, policy, () => 0.1).chosen?.server, 'C', 'again');
  assert.equal(outgrown({ server: 'C', partition: 'default' }, { name: lucky }, policy), undefined);
  const unlucky = `user.u${chosen.indexOf('A')}`;
  assert.match(outgrown({ server: 'C', partition: 'default' }, { name: unlucky }, policy) ?? '', /a canary, for 5%/);
  // Where the canary has not answered, he is somebody else's.
  const not = [{ server: 'C', is: 'silent', why: 'x' }] as const;
  assert.equal(decide({ name: lucky, not }, facts, policy, () => 0.1).chosen?.server, 'A');
  assert.equal(decide({ name: unlucky, server: 'C' }, facts, policy, () => 0.1).chosen?.server, 'C', 'by name anybody');
});

test('what rests gets only whom an operator names, what is shut nobody, and that is a clear no', () => {
  const facts = { now: 1000, servers: abc };
  const resting = policyFor(abc, { backends: { A: { rests: 'fenced' } } });
  assert.equal(decide({ name: 'u' }, facts, resting, () => 0).chosen?.server, 'B');
  assert.equal(decide({ name: 'u', server: 'A' }, facts, resting, () => 0).chosen?.server, 'A');
  const shut = policyFor(abc, { backends: { A: { shut: 'retired' } } });
  assert.equal(decide({ name: 'u' }, facts, shut, () => 0).chosen?.server, 'B');
  const named = decide({ name: 'u', server: 'A' }, facts, shut, () => 0);
  assert.deepEqual([named.chosen, named.refused, named.lasting], [undefined, 'A takes nobody: it is retired', true]);
  assert.equal(outgrown({ server: 'A', partition: 'default' }, { name: 'u', server: 'A' }, shut), 'retired');
});

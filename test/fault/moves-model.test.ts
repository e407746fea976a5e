// A move, with every fault at every step of it, and with many at random: no message is ever without a copy, the move ends with
// a reason, and tried again it comes to its end, with all that was acknowledged at one server that the directory names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movesProcessor } from '../../workers/moves.ts';
import { quietDesk } from '../harness/events.ts';
import { faults, Killed, root, World } from '../harness/move-world.ts';
import type { Fault } from '../harness/move-world.ts';
import { Dice } from '../property/world/dice.ts';

const histories = Number(process.env['ROOKERY_TEST_OPERATIONS'] ?? 100_000) / 500;

/** After so many looks in vain somebody puts right what is broken; after these he restarts Cyrus, as the move says. */
const healAfter = 4;
const mostLooks = 60;

/** A worker looks again and again, as the queue has it, until the move is over. */
async function work(world: World, between: (look: number) => Promise<void>): Promise<void> {
  for (let look = 1; look <= mostLooks; look += 1) {
    let pause = 15_000;
    try {
      const outcome = await movesProcessor(world.worker())({ name: root }, new AbortController().signal, quietDesk);
      if (outcome.is === 'later') pause = outcome.pause;
    } catch (error) {
      if (!(error instanceof Killed) && (error as { kind?: string }).kind !== 'away') throw error;
    }
    if (world.move?.state !== 'open') return;
    world.now += pause;
    await between(look);
    world.check(`after look ${look}`);
  }
}

async function healed(world: World, look: number): Promise<void> {
  if (look < healAfter) return;
  const restart = /restart Cyrus on mail1/.test(world.move?.note ?? '') ? [world.source] : [];
  await world.heal(restart);
}

/** To its end, and once more where it was not done; the story ends with everything at one place. */
async function play(world: World, story: string, between = (look: number) => healed(world, look)): Promise<string> {
  await world.begin();
  world.place();
  await work(world, between);
  const move = world.move ?? assert.fail(story);
  assert.notEqual(move.state, 'open', `${story}: ${JSON.stringify(move)}`);
  assert.ok(move.note.length > 5 && move.times.ended !== undefined, `${story}: ${JSON.stringify(move)}`);
  await world.leftOversAreKnown(`${story}: ${move.state}, ${move.note}`);
  await world.quiet();
  await world.heal();
  const told = `${story}: ${move.state}, ${move.note}`;
  if (world.findings.some(({ kind }) => kind === 'unasked')) {
    await movesProcessor(world.worker())({ name: root }, new AbortController().signal, quietDesk);
    assert.ok(!world.findings.some(({ kind }) => kind === 'unasked'), `${told}; asked again`);
  }
  await world.leftOversAreKnown(`${told}; asked again`);
  if (move.state !== 'stopped') assert.equal(await world.whole(told), move.state === 'done' ? 'mail2' : 'mail1', told);
  if (move.state === 'done') return 'done';
  const isSplit = move.state === 'stopped' && / is at the destination/.test(move.note);
  if (move.state === 'stopped') assert.ok(isSplit, told);
  if (isSplit) await world.join();
  world.place();
  await work(world, (look) => healed(world, look));
  const again = `${told}; again: ${world.move?.state ?? ''}, ${world.move?.note ?? ''}`;
  assert.equal(world.move?.state, 'done', again);
  assert.equal(await world.whole(again), 'mail2', again);
  return `${move.state}${isSplit ? ' in two parts' : ''}, then done`;
}

const kinds = [
  { kind: 'that speak MUPDATE', mupdate: true, partition: '' },
  { kind: 'whose rows we write', mupdate: false, partition: '' },
  { kind: 'that speak MUPDATE, into another partition', mupdate: true, partition: 'big' },
  { kind: 'whose rows we write, into another partition', mupdate: false, partition: 'big' },
];
/** What goes before its laying into another partition is struck without one. */
const laying = 50;
/** Every day each third step of the rarer kinds is struck; all of them in the long proof. */
const stride = process.env['ROOKERY_TEST_SCALE'] === 'full' ? 1 : 3;
for (const { kind, ...options } of kinds) {
  const { mupdate, partition } = options;
  const first = ({ points }: World) => (partition === '' ? 1 : Math.max(1, points - laying));
  test(`every fault at every step, between backends ${kind}`, async (t) => {
    const plain = new World(options);
    assert.equal(await play(plain, 'without a fault'), 'done');
    const ends = new Map<string, number>();
    for (const fault of faults) {
      for (let at = first(plain); at <= plain.points; at += mupdate && partition === '' ? 1 : stride) {
        const end = await play(new World({ ...options, strike: { at, fault } }), `${fault} at ${at}`);
        ends.set(end, (ends.get(end) ?? 0) + 1);
      }
    }
    t.diagnostic(`${plain.points} steps, ${faults.length} faults: ${JSON.stringify(Object.fromEntries(ends))}`);
  });
}

test('many faults at random', async (t) => {
  const first = Number(process.env['ROOKERY_TEST_SEED'] ?? 1);
  const ends = new Map<string, number>();
  for (let seed = first; seed < first + histories; seed += 1) {
    const dice = new Dice(seed);
    const strike = (): { at: number; fault: Fault } => ({
      at: dice.below(120),
      fault: dice.of(faults) ?? 'worker dies',
    });
    const partition = dice.permille(300) ? 'big' : '';
    const world = new World({ mupdate: dice.permille(800), partition, strike: strike() });
    const end = await play(world, `seed ${seed}`, async (look) => {
      if (look < 10 && dice.permille(600)) await world.strike(dice.of(faults) ?? 'worker dies');
      if (look >= 10 || dice.permille(400)) await healed(world, healAfter);
    });
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  t.diagnostic(`${histories} histories: ${JSON.stringify(Object.fromEntries(ends))}`);
});

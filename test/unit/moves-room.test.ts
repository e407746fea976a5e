// Whether a tree finds room: on the partitions that it will lie in, as far as they are told apart, beside earlier moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mostOfOne, roomFor } from '../../services/moves/cyrus-room.ts';
import type { RoomMeans } from '../../services/moves/cyrus-room.ts';
import type { PartitionPlan } from '../../services/moves/cyrus-partitions.ts';
import type { Move } from '../../services/moves/move.ts';
import type { FreeSpace } from '../../services/backends/imap-space.ts';
import type { PartitionSpace } from '../../services/backends/registry.ts';

const KiB = 1024;
const move = (name: string, size: number, more: Partial<Move> = {}): Move => ({
  ...{ name, from: { server: 'mail1', partition: 'default' }, to: { server: 'mail2', partition: '' } },
  ...{ by: 'test', since: 1, state: 'open', cancelled: false, attempts: 0, octets: size * KiB, messages: 0 },
  ...{ times: { begun: 100 }, step: '', note: '' },
  ...more,
});

interface World {
  /** What the operator says of partitions. */
  said?: readonly PartitionSpace[];
  /** What the server says; left out: it may not be asked. */
  free?: FreeSpace;
  plan?: PartitionPlan;
  open?: readonly Move[];
  margin?: number;
}

const space = (name: string, availableKiB: number, filesystem?: string): PartitionSpace => ({
  ...{ name, availableKiB, totalKiB: 1_000_000, ...(filesystem !== undefined && { filesystem }) },
});
const one = (availableKiB: number, totalKiB = 1_000_000) => ({ availableKiB, totalKiB });

async function room(wanted: Move, world: World): Promise<string> {
  const { said, free, plan = { handOver: undefined, into: ['default'] }, open = [], margin = 0 } = world;
  const means: RoomMeans = {
    registry: {
      find: () => ({
        ...{ name: 'mail2', lmtp: undefined, imap: undefined, mupdate: true, ...(said && { space: said }) },
      }),
    },
    admins: {
      ask: (_server, question) => {
        const freeSpace = () => (free ? Promise.resolve(free) : Promise.reject(new Error('it is not to be asked')));
        return question({ freeSpace, quota: () => Promise.resolve(undefined) } as never);
      },
    },
    partitions: { plan: () => Promise.resolve(plan) },
    ...{ margin, open: () => Promise.resolve(open) },
  };
  return (await roomFor(wanted, means))?.why ?? 'fits';
}

test('where partitions are told apart each one that it will lie in must have the room, and no other', async () => {
  const said = [space('default', 50), space('big', 10_000)];
  const big = { handOver: 'big', into: ['big'] };
  assert.equal(await room(move('user.a', 1000), { said, plan: big }), 'fits');
  const through = { handOver: undefined, into: ['default', 'big'] };
  assert.equal(
    await room(move('user.a', 1000), { said, plan: through }),
    'mail2 has 50 KiB left on default, and 1100 are needed (0 of it to be left)',
  );
  // The default, though nobody has named it.
  assert.match(await room(move('user.a', 1000), { said }), /^mail2 has 50 KiB left on default, /);
  assert.equal(await room(move('user.a', 40), { said }), 'fits');
  assert.match(await room(move('user.a', 40), { said, margin: 7 }), /and 51 are needed \(7 of it to be left\)$/);
  assert.equal(await room(move('user.a', 1000), { plan: { lacking: 'big' } }), 'fits', 'an objection of its own');
});

test('of a server that tells them together no more is believed than one filesystem may have', async () => {
  const two = { total: one(1000, 2_000_000), emptiest: one(700) };
  assert.deepEqual([mostOfOne(two), mostOfOne({ total: one(1000), emptiest: one(1000) })], [700, 1000]);
  assert.equal(mostOfOne({ total: one(1000, 3_000_000), emptiest: one(200) }), 800);
  assert.equal(await room(move('user.a', 600), { free: two }), 'fits');
  assert.match(
    await room(move('user.a', 800), { free: two }),
    /^mail2 has 700 KiB left on any one filesystem, and 88[01] /,
  );
  assert.match(await room(move('user.a', 1000), { free: two }), /^mail2 has 1000 KiB left, and 1100 are needed/);
  // One of its partitions is told by the operator, the other is not.
  const plan = { handOver: undefined, into: ['default', 'big'] };
  const said = [space('default', 5000)];
  assert.match(await room(move('user.a', 800), { said, free: two, plan }), /on any one filesystem/);
});

test('what earlier moves will still take is taken off, where they go to the same room', async () => {
  const free = { total: one(1000), emptiest: one(1000) };
  const mine = move('user.me', 500, { times: { begun: 100 } });
  const other = (more: Partial<Move>) => room(mine, { free, open: [mine, move('user.x', 500, more)] });
  const before = { begun: 50 };
  assert.equal(
    await other({ times: before }),
    'mail2 has 1000 KiB left, 550 of it for 1 moves before this one, and 550 are needed (0 of it to be left)',
  );
  assert.equal(await other({ times: { begun: 200 } }), 'fits', 'that one waits for this one');
  assert.equal(await other({ times: {} }), 'fits', 'nobody has looked at it yet');
  assert.match(await other({ times: { begun: 200, held: 210 } }), /for 1 moves before/, 'it is past its look');
  assert.equal(await other({ times: { begun: 100 } }), 'fits', 'at the same time, and behind by its name');
  assert.match(await room(mine, { free, open: [move('user.a', 500)] }), /for 1 moves before/, 'and before by its name');
  assert.equal(await other({ times: { ...before, copied: 60 } }), 'fits', 'its copy lies there');
  assert.equal(await other({ times: { ...before, held: 60, answered: 70 } }), 'fits', 'it is there');
  assert.equal(await other({ times: before, to: { server: 'mail3', partition: '' } }), 'fits');
  assert.equal(await other({ times: before, state: 'done' }), 'fits');
  assert.equal(await other({ times: before, cancelled: true }), 'fits', 'nothing will come of it');
  assert.match(await other({ times: before, cancelled: true, attempts: 1 }), /for 1 moves/, 'it is cut already');
  assert.equal(await other({ times: before, octets: 0 }), 'fits', 'of its size nobody knows anything');
});

test('beside other moves only what shares its filesystem counts', async () => {
  const said = [space('default', 1000, 'sda'), space('home', 1000, 'sda'), space('big', 1000, 'sdb')];
  const mine = move('user.me', 500);
  const goes = (to: string, from = 'default') => {
    const places = { from: { server: 'mail1', partition: from }, to: { server: 'mail2', partition: to } };
    return room(mine, { said, open: [move('user.x', 500, { times: { begun: 50 }, ...places })] });
  };
  assert.match(await goes('default'), /left on default, 550 of it for 1 moves/);
  assert.match(await goes('home'), /left on default, 550 of it/, 'another partition of the same filesystem');
  assert.equal(await goes('big'), 'fits');
  assert.equal(await goes('', 'big'), 'fits', 'to the partition of the same name');
  assert.match(await goes('', ''), /550 of it/, 'nobody knows where to');
  // What the operator has said does not change when something has come there.
  const there = move('user.x', 500, { times: { begun: 50, held: 60, answered: 70 } });
  assert.match(await room(mine, { said, open: [there] }), /550 of it/);
});

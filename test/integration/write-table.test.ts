// The write table, cell by cell, as it stands on paper: what each command is answered in each state a name can be in, and
// what the name is afterwards. The same table is played against the script and against the model.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Directory, Verb, Writer } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { policyOf } from '../../services/directory/rules.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

let redis: ScratchRedis;
let now = 1_000_000_000;
const policy = policyOf('strict', { reservationMaxAge: 3_600_000, reservationGrace: 60_000, tombstoneGrace: 60_000 });
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

const name = 'user.a';
let sessions = 0;

/** Who writes: of the server that has, or had, the name (mail1), of another one, and how. */
const writers: Readonly<Record<string, (handing: string) => Writer>> = {
  same: () => writer('mail1'),
  'same push': () => ({ ...writer('mail1'), push: true }),
  handing: (handing) => ({ ...writer('mail1'), session: handing }),
  other: () => writer('mail2'),
  'other push': () => ({ ...writer('mail2'), push: true }),
  third: () => writer('mail3'),
  'third push': () => ({ ...writer('mail3'), push: true }),
  admin: () => ({ ...writer(undefined), admin: true }),
  unbound: () => writer(undefined),
  'mail1 for mail2': () => writer('mail1'),
};

function writer(server: string | undefined): Writer {
  sessions += 1;
  return { session: `t-${sessions}`, admin: false, push: false, ...(server === undefined ? {} : { server }) };
}

async function send(
  directory: Directory,
  who: Writer,
  verb: Verb,
  server = who.server ?? 'mail1',
  partition = 'default',
) {
  const location = verb === 'DELETE' ? '' : `${server}!${partition}`;
  return directory.write({ verb, name, location, acl: verb === 'ACTIVATE' ? 'x' : '' }, who);
}

/** Brings the name into a state by real commands; gives the session that did the last of them. */
const states: Readonly<Record<string, (directory: Directory) => Promise<string>>> = {
  absent: () => Promise.resolve(''),
  // mail2 was on record as a duplicate when mail1 deleted the mailbox.
  duplicate: async (directory) => {
    await ready(directory, 'active');
    await send(directory, { ...writer('mail2'), push: true }, 'ACTIVATE');
    const owner = writer('mail1');
    await send(directory, owner, 'DELETE');
    await directory.end(owner.session, 'logout');
    return owner.session;
  },
  created: async (directory) => last(directory, 'RESERVE'),
  expired: async (directory) => {
    const session = await last(directory, 'RESERVE');
    await directory.end(session, 'logout');
    now += 60_001;
    return session;
  },
  handed: async (directory) => {
    await ready(directory, 'active');
    return last(directory, 'DEACTIVATE');
  },
  'handed, ended': async (directory) => {
    const session = await ready(directory, 'handed');
    await directory.end(session, 'cut');
    return session;
  },
  released: async (directory) => {
    const session = await ready(directory, 'handed, ended');
    await send(directory, { ...writer('mail1'), push: true }, 'DELETE');
    return session;
  },
  'leased to mail2': async (directory) => {
    const session = await ready(directory, 'handed');
    await directory.lease(name, { destination: 'mail2', token: 'm' }, 60_000);
    return session;
  },
  active: async (directory) => last(directory, 'ACTIVATE'),
  'active, leased to mail2': async (directory) => {
    const session = await ready(directory, 'active');
    await directory.lease(name, { destination: 'mail2', token: 'm' }, 60_000);
    return session;
  },
  'active, copied': async (directory) => {
    const session = await ready(directory, 'active');
    await directory.copies.begin(name, 'mail2', 60_000);
    return session;
  },
  'active, was copied': async (directory) => {
    const session = await ready(directory, 'active, copied');
    now += 60_001;
    return session;
  },
  'active, copy made': async (directory) => {
    const session = await ready(directory, 'active');
    await directory.copies.made(name, 'mail2', 60_000);
    return session;
  },
  'handed, copy made': async (directory) => {
    const session = await ready(directory, 'handed');
    await directory.copies.made(name, 'mail2', 60_000);
    return session;
  },
  'copy made and leased to it': async (directory) => {
    const session = await ready(directory, 'active, leased to mail2');
    await directory.copies.made(name, 'mail2', 60_000);
    return session;
  },
  'absent, copy made': async (directory) => {
    await directory.copies.made(name, 'mail2', 60_000);
    return '';
  },
  'active, copied, to be kept': async (directory) => {
    const session = await ready(directory, 'active, copied');
    await directory.copies.keep(name, 'mail2', 120_000);
    return session;
  },
  'active, was copied, kept': async (directory) => {
    const session = await ready(directory, 'active, copied, to be kept');
    now += 60_001;
    return session;
  },
  'absent, copy kept': async (directory) => {
    await directory.copies.made(name, 'mail2', 60_000);
    await directory.copies.keep(name, 'mail2', 120_000);
    // Of another one nothing is kept, nor ended.
    await directory.copies.keep(name, 'mail3', 600_000);
    await directory.copies.end(name, 'mail3');
    now += 60_001;
    return '';
  },
  'absent, copy was kept': async (directory) => {
    await ready(directory, 'absent, copy kept');
    now += 60_001;
    return '';
  },
  'absent, kept copy ended': async (directory) => {
    await ready(directory, 'absent, copy kept');
    await directory.copies.end(name, 'mail2');
    return '';
  },
  // Whoever has removed an earlier copy there says so; the one that is made meanwhile is to become no cut.
  'active, copied, an earlier copy ended': async (directory) => {
    const session = await ready(directory, 'active, copied');
    await directory.copies.end(name, 'mail2');
    return session;
  },
  'active, was copied, an earlier copy ended': async (directory) => {
    const session = await ready(directory, 'active, copied, to be kept');
    now += 60_001;
    await directory.copies.end(name, 'mail2');
    return session;
  },
  // The tree comes to live where its copy was, by whatever way: it is no copy any more.
  'taken where it was copied to': async (directory) => {
    const session = await ready(directory, 'handed, copy made');
    await send(directory, writer('mail2'), 'ACTIVATE');
    return session;
  },
  'made anew where it was copied to': async (directory) => {
    await ready(directory, 'absent, copy kept');
    await send(directory, writer('mail2'), 'ACTIVATE');
    return '';
  },
  'taken elsewhere than it was copied to': async (directory) => {
    const session = await ready(directory, 'handed, copy made');
    await send(directory, writer('mail3'), 'ACTIVATE');
    return session;
  },
  'given back by its source': async (directory) => {
    const session = await ready(directory, 'handed, copy made');
    await send(directory, writer('mail1'), 'ACTIVATE');
    return session;
  },
  'refused where it was copied to': async (directory) => {
    const session = await ready(directory, 'active, copy made');
    await send(directory, writer('mail2'), 'ACTIVATE');
    return session;
  },
  'made anew where it is being copied to': async (directory) => {
    await directory.copies.begin(name, 'mail2', 60_000);
    await send(directory, writer('mail2'), 'ACTIVATE');
    return '';
  },
  // The first population goes on: nobody was heard yet.
  populating: async (directory) => last(directory, 'ACTIVATE'),
  contested: async (directory) => {
    const session = await last(directory, 'ACTIVATE');
    await send(directory, { ...writer('mail2'), push: true }, 'ACTIVATE');
    return session;
  },
  buried: async (directory) => {
    await ready(directory, 'active');
    return last(directory, 'DELETE');
  },
  'buried, unbound': async (directory) => {
    await ready(directory, 'active');
    const nobody = writer(undefined);
    await send(directory, nobody, 'DELETE');
    await directory.end(nobody.session, 'logout');
    return nobody.session;
  },
};

async function last(directory: Directory, verb: Verb): Promise<string> {
  const who = writer('mail1');
  await send(directory, who, verb);
  return who.session;
}

async function ready(directory: Directory, state: string): Promise<string> {
  const bring = states[state];
  assert.ok(bring, state);
  return bring(directory);
}

/**
 * A line a cell: state, command, who; answer, the state afterwards, and where (`*`: reconciliation was rung). `=` stands
 * for the state before. A partition that is given goes with the command.
 */
const table = `
absent          | RESERVE    | same, other, admin    | OK | created
absent          | ACTIVATE   | same, same push       | OK | active mail1
absent          | ACTIVATE   | other, other push     | OK | active mail2
absent          | DEACTIVATE | same, same push, admin| NO | absent
absent          | DELETE     | same, same push, unbound, admin | OK | absent
duplicate       | ACTIVATE   | other push            | NO*| absent
duplicate       | ACTIVATE   | other                 | OK | active mail2
duplicate       | ACTIVATE   | same, same push       | OK | active mail1
duplicate       | RESERVE    | same, other           | OK | created
duplicate       | DELETE     | other push            | OK | absent
created         | RESERVE    | same, handing, same push | OK | created mail1
created         | RESERVE    | other, other push, admin at mail2 | NO | created mail1
created         | ACTIVATE   | same, handing, same push, admin | OK | active mail1
created         | ACTIVATE   | other, other push     | NO*| created mail1
created         | ACTIVATE   | admin at mail2        | OK | active mail2
created         | DEACTIVATE | same, other, same push| NO | created mail1
created         | DELETE     | handing               | OK | absent
created         | DELETE     | same, same push       | OK | tombstone mail1
created         | DELETE     | other                 | NO | created mail1
created         | DELETE     | other push            | OK*| created mail1
expired         | RESERVE    | other                 | OK*| created mail2
expired         | ACTIVATE   | other, other push     | OK*| active mail2
expired         | RESERVE    | same                  | OK | created mail1
handed          | RESERVE    | same, handing, same push | OK*| handed mail1
handed          | RESERVE    | other, admin at mail2 | NO | handed mail1
handed          | ACTIVATE   | same, handing, same push | OK | active mail1
handed          | ACTIVATE   | other                 | OK*| active mail2
handed          | ACTIVATE   | other push            | NO*| handed mail1
handed          | DEACTIVATE | same, handing         | OK | handed mail1
handed          | DEACTIVATE | other                 | NO | handed mail1
handed          | DELETE     | handing               | OK | absent
handed          | DELETE     | same, same push       | OK*| handed mail1
handed          | DELETE     | other                 | NO | handed mail1
handed          | DELETE     | other push            | OK*| handed mail1
handed, ended   | ACTIVATE   | same, same push       | OK*| active mail1
handed, ended   | ACTIVATE   | other                 | OK*| active mail2
handed, ended   | ACTIVATE   | other push            | NO*| handed mail1
released        | ACTIVATE   | other, other push     | OK | active mail2
released        | ACTIVATE   | same                  | OK*| active mail1
leased to mail2 | ACTIVATE   | other                 | OK*| active mail2
leased to mail2 | ACTIVATE   | third                 | NO | handed mail1
leased to mail2 | ACTIVATE   | admin at mail3        | OK | active mail3
active          | RESERVE    | same, same push, admin| OK | active mail1
active          | RESERVE    | other, other push, admin at mail2 | NO | active mail1
active          | ACTIVATE   | same, same push       | OK | active mail1
active          | ACTIVATE   | same at mail1!u2      | OK | active mail1!u2
active          | ACTIVATE   | same at mail1!        | OK | active mail1!default
active          | ACTIVATE   | other, other push     | NO*| active mail1
active          | ACTIVATE   | admin at mail2        | OK*| active mail2
active          | DEACTIVATE | same, admin           | OK | handed mail1
active          | DEACTIVATE | other, other push     | NO | active mail1
active          | DELETE     | same, same push, admin, unbound | OK | tombstone mail1
active          | DELETE     | other                 | NO | active mail1
active          | DELETE     | other push            | OK*| active mail1
active          | RESERVE    | mail1 for mail2       | NO | active mail1
absent          | RESERVE    | mail1 for mail2       | NO | absent
absent          | ACTIVATE   | mail1 for mail2       | NO | absent
active, leased to mail2 | ACTIVATE | other           | OK | active mail2
active, leased to mail2 | ACTIVATE | third, other push | NO*| active mail1
active, copied  | DEACTIVATE | same, same push, admin| NO | active mail1
active, copied  | RESERVE    | same                  | OK | active mail1
active, copied  | ACTIVATE   | same at mail1!u2      | OK | active mail1!u2
active, copied  | ACTIVATE   | other push            | NO | active mail1
active, copied  | DELETE     | same                  | OK | tombstone mail1
active, copy made | DEACTIVATE | same                | OK | handed mail1
absent, copy made | ACTIVATE   | other push          | NO | absent
active, copy made | ACTIVATE   | other, other push   | NO | active mail1
active, copy made | ACTIVATE   | third               | NO*| active mail1
active, copy made | ACTIVATE   | same                | OK | active mail1
copy made and leased to it | ACTIVATE | other       | NO | active mail1
handed, copy made | ACTIVATE   | other               | OK*| active mail2
absent, copy made | ACTIVATE   | other               | OK | active mail2
absent, copy made | ACTIVATE   | third push          | OK | active mail3
active, was copied | DEACTIVATE | same               | OK | handed mail1
active, copied, to be kept | DEACTIVATE | same         | NO | active mail1
active, copied, to be kept | ACTIVATE | other          | NO | active mail1
active, was copied, kept | DEACTIVATE | same           | OK | handed mail1
active, was copied, kept | ACTIVATE | other push       | NO | active mail1
absent, copy kept | ACTIVATE   | other push            | NO | absent
absent, copy kept | ACTIVATE   | third push            | OK | active mail3
absent, copy was kept | ACTIVATE | other push          | OK | active mail2
absent, kept copy ended | ACTIVATE | other push        | OK | active mail2
populating      | ACTIVATE   | other push            | NO*| contested mail1
populating      | ACTIVATE   | other                 | NO*| active mail1
contested       | RESERVE    | same, other, third    | NO | contested mail1
contested       | ACTIVATE   | same, same push, other| NO | contested mail1
contested       | ACTIVATE   | other push, third push| NO*| contested mail1
contested       | ACTIVATE   | admin at mail2        | OK*| active mail2
contested       | DEACTIVATE | same, other           | NO | contested mail1
contested       | DELETE     | same, other           | NO | contested mail1
contested       | DELETE     | same push             | OK | active mail2
contested       | DELETE     | other push            | OK | active mail1
contested       | DELETE     | third push            | OK*| contested mail1
buried          | RESERVE    | same, handing         | OK | created mail1
buried          | RESERVE    | other, third push     | NO | tombstone mail1
buried          | ACTIVATE   | handing               | OK | active mail1
buried          | ACTIVATE   | same, same push       | OK*| active mail1
buried          | ACTIVATE   | other, other push     | NO*| tombstone mail1
buried          | ACTIVATE   | admin at mail2        | OK | active mail2
buried          | DEACTIVATE | same, other           | NO | tombstone mail1
buried          | DELETE     | handing, other, other push | OK | tombstone mail1
buried          | DELETE     | same, same push, unbound | OK*| tombstone mail1
buried, unbound | RESERVE    | other                 | NO | tombstone mail1
buried, unbound | ACTIVATE   | same, same push       | OK*| active mail1
buried, unbound | DELETE     | same                  | OK*| tombstone mail1
`;

interface Cell {
  state: string;
  verb: Verb;
  who: string;
  at: string | undefined;
  answer: string;
  afterwards: string;
}

function cells(): Cell[] {
  return table
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [state = '', verb = '', whos = '', answer = '', afterwards = ''] = line
        .split('|')
        .map((part) => part.trim());
      return whos.split(', ').map((each) => {
        const [who = '', at] = each.trim().split(' at ');
        return { state, verb: verb as Verb, who, at, answer, afterwards };
      });
    });
}

async function play(directory: Directory, { state, verb, who, at, ...expected }: Cell): Promise<void> {
  const empty = state === 'populating' || state === 'contested';
  // But for these the first population is over.
  if (!empty) await directory.heard('mail1', [], now);
  const handing = await ready(directory, state);
  const make = writers[who];
  assert.ok(make, who);
  const speaker = make(handing);
  const server = who === 'mail1 for mail2' ? 'mail2' : (at?.split('!')[0] ?? speaker.server);
  const { ok, ring } = await send(directory, speaker, verb, server, at?.split('!')[1]);
  const [row] = await directory.tree(name);
  const place = expected.afterwards.includes('!') ? row?.location : row?.location.split('!')[0];
  const where = expected.afterwards.includes(' ') ? ` ${place ?? ''}` : '';
  assert.deepEqual(
    {
      answer: `${ok ? 'OK' : 'NO'}${ring === undefined ? '' : '*'}`,
      afterwards: `${row?.state ?? 'absent'}${row ? where : ''}`,
    },
    expected,
  );
  assert.equal((await directory.case(name)) !== undefined || ring === undefined, true, 'what is rung for is a case');
}

for (const cell of cells()) {
  const { state, verb, who, at } = cell;
  test(`${state}: ${verb} by ${who}${at === undefined ? '' : ` at ${at}`}`, async () => {
    const clock = () => now;
    await play(new MemoryDirectory({ policy, clock }), cell);
    await redisSays(redis.socket, 'FLUSHALL');
    const scratch = await openScratchDirectory(redis.socket, { policy, clock });
    try {
      await play(scratch.directory, cell);
    } finally {
      await scratch.close();
    }
  });
}

const copies: Readonly<Record<string, string>> = {
  active: 'none',
  'active, copied': 'goes on to mail2',
  'active, was copied': 'none',
  'active, copy made': 'at mail2',
  'active, copied, to be kept': 'goes on to mail2',
  'active, was copied, kept': 'at mail2',
  'active, copied, an earlier copy ended': 'goes on to mail2',
  'active, was copied, an earlier copy ended': 'none',
  'absent, copy kept': 'at mail2',
  'absent, copy was kept': 'none',
  'absent, kept copy ended': 'none',
  'taken where it was copied to': 'none',
  'made anew where it was copied to': 'none',
  'taken elsewhere than it was copied to': 'at mail2',
  'given back by its source': 'at mail2',
  'refused where it was copied to': 'at mail2',
  'made anew where it is being copied to': 'goes on to mail2',
};

for (const [state, expected] of Object.entries(copies)) {
  test(`the copy that is known: ${state}`, async () => {
    const clock = () => now;
    const known = async (directory: Directory) => {
      await ready(directory, state);
      const copy = await directory.copies.known(`${name}.Sent`);
      return copy ? `${copy.goesOn ? 'goes on to' : 'at'} ${copy.destination}` : 'none';
    };
    assert.equal(await known(new MemoryDirectory({ policy, clock })), expected);
    await redisSays(redis.socket, 'FLUSHALL');
    const scratch = await openScratchDirectory(redis.socket, { policy, clock });
    try {
      assert.equal(await known(scratch.directory), expected);
    } finally {
      await scratch.close();
    }
  });
}

test('a shared mailbox that is copied stays so, whatever becomes of another one of its tree', async () => {
  const clock = () => now;
  const known = async (directory: Directory) => {
    const { copies: all } = directory;
    const told: (string | undefined)[] = [];
    const look = async () =>
      told.push(...(await Promise.all(['pub', 'pub.a'].map(async (one) => (await all.known(one))?.destination))));
    await all.begin('pub.a', 'mail2', 60_000);
    await all.made('pub', 'mail3', 60_000);
    await look();
    const owner = writer('mail1');
    for (const one of ['pub', 'pub.a'])
      await directory.write({ verb: 'ACTIVATE', name: one, location: 'mail1!default', acl: '' }, owner);
    const hand = (one: string) =>
      directory.write({ verb: 'DEACTIVATE', name: one, location: 'mail1!default', acl: '' }, owner);
    const handed = [(await hand('pub')).ok, (await hand('pub.a')).ok];
    // It ends by being taken there, and the other one's does not.
    await directory.write({ verb: 'ACTIVATE', name: 'pub', location: 'mail3!default', acl: '' }, writer('mail3'));
    await look();
    return [...told, ...handed];
  };
  const expected = ['mail3', 'mail2', undefined, 'mail2', true, false];
  assert.deepEqual(await known(new MemoryDirectory({ policy, clock })), expected);
  await redisSays(redis.socket, 'FLUSHALL');
  const scratch = await openScratchDirectory(redis.socket, { policy, clock });
  try {
    assert.deepEqual(await known(scratch.directory), expected);
  } finally {
    await scratch.close();
  }
});

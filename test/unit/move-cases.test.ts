// What a move has brought into doubt is closed when it is done, where both its servers say so; all else is rung for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { defaultTimes } from '../../services/directory/rules.ts';
import type { Held } from '../../services/moves/driver.ts';
import type { Move } from '../../services/moves/move.ts';
import { seeToCases } from '../../workers/move-cases.ts';
import { quietLog } from '../harness/quiet-log.ts';

const begun = 1_000;

const move: Move = {
  ...{ name: 'user.ada', from: { server: 'mail1', partition: 'default' }, to: { server: 'mail2', partition: '' } },
  ...{ by: 'admin', since: begun, state: 'done', cancelled: false, attempts: 1, octets: 0, messages: 0 },
  ...{ times: { begun }, step: 'done', note: 'moved' },
};

/** Three mailboxes that have come to mail2, each with a case; and one of somebody else. */
async function moved(clock = begun + 5) {
  const directory = new MemoryDirectory({ clock: () => clock });
  const write = async (name: string, location: string) => {
    const writer = { session: 's', admin: true, push: false };
    await directory.write({ verb: 'ACTIVATE', name, location, acl: '' }, writer);
  };
  for (const name of ['user.ada', 'user.ada.Sent', 'user.ada.Work', 'user.bob']) await write(name, 'mail2!default');
  for (const name of ['user.ada', 'user.ada.Sent', 'user.bob']) await directory.suspect(name, 'handed over', 's');
  return directory;
}

/** What mail1 and mail2 say; a name with `!` after it mail1 has, too. */
function driver(says: (server: string, name: string) => Held | undefined = () => undefined) {
  const asked: string[] = [];
  const holds = (server: string, name: string): Promise<Held> => {
    asked.push(server);
    return Promise.resolve(says(server, name) ?? (server === 'mail2' ? 'has' : 'lacks'));
  };
  return { holds, asked };
}

interface Seen {
  closed: string[];
  rung: string[];
}

async function seen(directory: MemoryDirectory, of: Move, holds: ReturnType<typeof driver>['holds']): Promise<Seen> {
  const rung: string[] = [];
  const ring = (name: string) => void rung.push(name);
  const before = await directory.caseNames();
  await seeToCases(of, { directory, driver: { holds }, times: defaultTimes, ring, log: quietLog });
  const after = new Set(await directory.caseNames());
  return { closed: before.filter((name) => !after.has(name)).sort(), rung: rung.sort() };
}

const both = ['user.ada', 'user.ada.Sent'];

test('what both servers agree on is closed, and nobody else is asked or rung for', async () => {
  const { holds, asked } = driver();
  assert.deepEqual(await seen(await moved(), move, holds), { closed: both, rung: [] });
  assert.deepEqual([...new Set(asked)].sort(), ['mail1', 'mail2']);
});

test('of a move that is not done all are rung for', async () => {
  for (const state of ['back', 'refused', 'stopped'] as const)
    assert.deepEqual(await seen(await moved(), { ...move, state }, driver().holds), { closed: [], rung: both });
});

test('where a server says another thing, or nothing, it is rung for', async () => {
  const others: [string, Held | undefined][] = [
    ['mail1', 'has'],
    ['mail1', 'moving'],
    ['mail2', 'lacks'],
    ['mail2', 'moving'],
  ];
  for (const [at, said] of others) {
    const { holds } = driver((server, name) => (server === at && name === 'user.ada.Sent' ? said : undefined));
    assert.deepEqual(await seen(await moved(), move, holds), { closed: ['user.ada'], rung: ['user.ada.Sent'] });
  }
  const silent = (): Promise<Held> => Promise.reject(new Error('no answer'));
  assert.deepEqual(await seen(await moved(), move, silent), { closed: [], rung: both });
});

test('what was in doubt before the move, or is about a third server, is rung for', async () => {
  assert.deepEqual(await seen(await moved(begun - 5), move, driver().holds), { closed: [], rung: both });
  const directory = await moved();
  const third = { session: 'third', server: 'mail3', admin: false, push: true };
  await directory.write({ verb: 'ACTIVATE', name: 'user.ada', location: 'mail3!default', acl: '' }, third);
  assert.deepEqual(
    (await directory.case('user.ada'))?.rivals.map(({ server }) => server),
    ['mail3'],
  );
  assert.deepEqual(await seen(directory, move, driver().holds), { closed: ['user.ada.Sent'], rung: ['user.ada'] });
});

test('what has moved on meanwhile is rung for', async () => {
  const directory = await moved();
  const { holds } = driver();
  const late = async (server: string, name: string): Promise<Held> => {
    const session = { session: 'late', admin: true, push: false };
    if (name === 'user.ada')
      await directory.write({ verb: 'ACTIVATE', name, location: 'mail2!fast', acl: '' }, session);
    return holds(server, name);
  };
  assert.deepEqual(await seen(directory, move, late), { closed: ['user.ada.Sent'], rung: ['user.ada'] });
});

test('a directory that does not answer is left to the sweep', async () => {
  const away = () => Promise.reject(new Error('away'));
  const warned: string[] = [];
  const log = { info: () => assert.fail(), warn: (_: object, text: string) => void warned.push(text) };
  const directory = { tree: away, case: away, resolve: away };
  const ring = () => assert.fail();
  await seeToCases(move, { directory, driver: driver(), times: defaultTimes, ring, log });
  assert.deepEqual(warned, ['move: cases left to it wait for the sweep']);
});

// What reconciliation has left to a move is rung for when the move is over, and nothing else is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { ringForCases } from '../../workers/move-cases.ts';
import { quietLog } from '../harness/quiet-log.ts';

test('the open cases of its tree are rung for', async () => {
  const directory = new MemoryDirectory();
  const writer = { session: 's', admin: true, push: false };
  for (const name of ['user.ada', 'user.ada.Sent', 'user.ada.Work', 'user.bob'])
    await directory.write({ verb: 'ACTIVATE', name, location: 'mail2!default', acl: '' }, writer);
  for (const name of ['user.ada', 'user.ada.Work', 'user.bob']) await directory.suspect(name, 'moved', 's');
  const rung: string[] = [];
  const ring = (name: string) => void rung.push(name);
  await ringForCases({ name: 'user.ada' }, { directory, ring, log: quietLog });
  assert.deepEqual(rung.sort(), ['user.ada', 'user.ada.Work']);
});

test('a directory that does not answer is left to the sweep', async () => {
  const away = () => Promise.reject(new Error('away'));
  const warned: string[] = [];
  const log = { warn: (_: object, text: string) => void warned.push(text) };
  const ring = () => assert.fail();
  await ringForCases({ name: 'user.ada' }, { directory: { tree: away, case: away }, ring, log });
  assert.deepEqual(warned, ['move: cases left to it wait for the sweep']);
});

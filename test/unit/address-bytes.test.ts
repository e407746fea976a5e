// Bytes as people read them, and as they go over the API: what is no text is told apart all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readable } from '../../services/address/bytes.ts';
import type { ApiClient } from '../../services/cli/api-client.ts';
import { apiOnMoves } from '../../services/cli/api-on-runs.ts';
import { bytesFromText } from '../../services/directory/entry.ts';

test('UTF-8 is shown, control characters and other bytes are made visible', () => {
  for (const text of ['user.jdoe', 'ärger', '€ 😀', '\u{10ffff}\ud7ff\ue000', 'a\ufffdb'])
    assert.equal(readable(bytesFromText(text)), text);
  for (const [bytes, shown] of [
    ['user.\xff', 'user.\\xff'],
    ['user.\xfe', 'user.\\xfe'],
    ['\xc3\xa4\xc3', 'ä\\xc3'],
    ['\xe2\x82', '\\xe2\\x82'],
    ['\xed\xa0\x80\xc0\x80', '\\xed\\xa0\\x80\\xc0\\x80'],
    ['\xf4\x90\x80\x80\n\xff', '\\xf4\\x90\\x80\\x80\\x0a\\xff'],
    ['\xc2\x85\xff', '\\x85\\xff'],
  ] as const)
    assert.equal(readable(bytes), shown);
});

test('the API is asked for moves of a name that is no text by its bytes', async () => {
  const asked: unknown[] = [];
  const api = { ask: (request: unknown) => Promise.resolve(asked.push(request)) } as unknown as ApiClient;
  const moves = apiOnMoves(api);
  for (const name of ['user.a', 'user.\xff']) {
    await moves.of(name);
    await moves.retry('r1', name, 'ann');
  }
  const post = (name: unknown) => ({ method: 'POST', path: '/v1/moves/r1/retry', body: { name } });
  assert.deepEqual(asked, [
    { method: 'GET', path: '/v1/moves/of/user.a', query: {} },
    post('user.a'),
    { method: 'GET', path: '/v1/moves/of/dXNlci7_', query: { encoding: 'base64url' } },
    post({ base64url: 'dXNlci7_' }),
  ]);
});

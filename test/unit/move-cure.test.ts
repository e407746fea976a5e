// What is said of a refusal of Cyrus besides its own words: what helps, where that is known.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCure } from '../../services/moves/cure.ts';

const move = { name: 'user.ann', from: { server: 'mail1', partition: '' }, to: { server: 'mail2', partition: '' } };

test('an old copy that is in the way is removed by a command', () => {
  assert.equal(
    withCure('* NO USER ann (Mailbox has changed since last sync)', move),
    '* NO USER ann (Mailbox has changed since last sync): an old copy at mail2 is in the way. After rookery move audit ' +
      'user.ann, rookery move discard user.ann --server mail2 --now REASON removes it',
  );
});

test('one under another name is shown by a command', () => {
  assert.match(
    withCure('NO USER ann (Mailbox has been moved to another server)', move),
    /mail2.*rookery move leftovers/,
  );
});

test('a server that may not let users go is named', () => {
  assert.match(
    withCure('NO USER ann (Operation is not supported on mailbox)', move),
    /allowusermoves: yes .* at mail1$/,
  );
});

test('whatever else is said stays as it is', () => {
  for (const said of ['NO USER ann (System I/O error)', '']) assert.equal(withCure(said, move), said);
});

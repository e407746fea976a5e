// The digest of a message: of its bytes, not of how they were cut.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageDigest } from '../../services/lmtp/message-digest.ts';

const key = Buffer.alloc(16, 7);

function digest(...chunks: Buffer[]): string {
  const one = new MessageDigest(key);
  for (const chunk of chunks) one.update(chunk);
  return one.value();
}

test('the same bytes, however they are cut, are the same message', () => {
  const cuts = fc.array(fc.nat(30_000), { maxLength: 12 });
  fc.assert(
    fc.property(fc.nat(30_000), cuts, (length, places) => {
      const message = randomBytes(length);
      const borders = [0, ...places.filter((at) => at < length).toSorted((a, b) => a - b), length];
      const chunks = borders.slice(1).map((end, index) => message.subarray(borders[index], end));
      assert.equal(digest(...chunks), digest(message));
    }),
  );
});

test('one bit more or less, a byte more, another key: another one', () => {
  for (const length of [1, 15, 16, 17, 8192, 8193, 100_000]) {
    const message = randomBytes(length);
    const other = Buffer.from(message);
    other[length >> 1] = (other[length >> 1] ?? 0) ^ 1;
    assert.notEqual(digest(message), digest(other));
    assert.notEqual(digest(message), digest(message, Buffer.alloc(1)));
    const foreign = new MessageDigest(Buffer.alloc(16, 8));
    foreign.update(message);
    assert.notEqual(foreign.value(), digest(message));
  }
  assert.notEqual(digest(), digest(Buffer.alloc(1)));
});

test('it can be asked for more than once', () => {
  const one = new MessageDigest(key);
  one.update(Buffer.from('x'));
  assert.equal(one.value(), one.value());
});

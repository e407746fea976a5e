// Who gives way to messages that wait for a backend: the slowest MTA, and none that brings its message at a decent pace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slowest, type Sending } from '../../services/lmtp/slow-sender.ts';

function sending(since: number, octets: number, waitsForMta = true): Sending {
  return { since, octets, waitsForMta, giveWay: () => undefined };
}

test('the slowest of those that are too slow', () => {
  const [slow, slower, silent] = [sending(0, 40_000), sending(0, 30_000), sending(4_000, 0)];
  assert.equal(slowest([slow, slower], 10_000), slower);
  assert.equal(slowest([slow, slower, silent], 10_000), silent);
  assert.equal(slowest([], 10_000), undefined);
});

test('nobody who has only begun, brings enough, or waits for the backend himself', () => {
  assert.equal(slowest([sending(0, 0)], 4_999), undefined);
  assert.equal(slowest([sending(0, 50_000)], 10_000), undefined);
  assert.equal(slowest([sending(0, 0, false)], 600_000), undefined);
});

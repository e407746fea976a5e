// Slots: whatever is settled, twice, late or never, each RCPT has one reply, in order.
import test from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Delivery } from '../../services/lmtp/delivery.ts';
import { reply } from '../../services/lmtp/reply.ts';

const fallback = reply(451, '4.3.0', 'fallback');
const event = fc.oneof(
  fc.record({ kind: fc.constant('settle' as const), slot: fc.integer({ min: -1, max: 9 }), text: fc.string() }),
  fc.record({
    kind: fc.constant('fill' as const),
    slots: fc.array(fc.integer({ min: -1, max: 9 })),
    text: fc.string(),
  }),
  fc.record({ kind: fc.constant('fill all' as const), text: fc.string() }),
);

test('one reply for each slot, the first that was given, in the order of the recipients', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 }), fc.array(event, { maxLength: 12 }), (count, events) => {
      const delivery = new Delivery<string>();
      const expected: (string | undefined)[] = [];
      for (let slot = 0; slot < count; slot++) {
        assert.equal(delivery.add(`r${slot % 3}`), slot);
        expected.push(undefined);
      }
      for (const happened of events) {
        const said = reply(250, '2.1.5', happened.text);
        const slots =
          happened.kind === 'settle' ? [happened.slot] : happened.kind === 'fill' ? happened.slots : expected.keys();
        for (const slot of slots) if (slot in expected) expected[slot] ??= said.lines[0];
        if (happened.kind === 'settle') delivery.settle(happened.slot, said);
        else if (happened.kind === 'fill') delivery.fillRemaining(said, happened.slots);
        else delivery.fillRemaining(said);
      }
      assert.equal(delivery.open, expected.filter((text) => text === undefined).length);
      assert.deepEqual(
        delivery.replies(fallback).map((each) => each.lines[0]),
        expected.map((text) => text ?? fallback.lines[0]),
      );
    }),
  );
});

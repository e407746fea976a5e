// The section `moves`: how many trees are moved at a time, how long one may take, and when a run of them stops by itself.
import { z } from 'zod';
import { key } from './key.ts';
import { count, seconds } from './kinds.ts';

const atMost = (doc: string, fallback: number) => count({ doc, min: 1, max: 10_000, default: fallback });

const limits = z.strictObject({
  total: atMost('How many moves go on at a time.', 8),
  per_source: atMost('How many of them from one backend.', 4),
  per_destination: atMost('How many of them to one backend.', 4),
  per_partition: atMost('How many of them from or to one partition of a backend.', 4),
  bytes_per_second: count({
    doc: 'How much is moved in a second, all moves together: one that would be too much waits. 0: as much as can be.',
    ...{ unit: 'bytes', min: 0, max: 1_000_000_000_000, default: 0 },
  }),
});

const stopWhen = z.strictObject({
  failed: count({
    doc: 'So many moves of a run have been stopped or refused. 0: not looked at.',
    ...{ min: 0, max: 1_000_000, default: 5 },
  }),
  failed_percent: count({
    doc: 'So many of a hundred moves of a run, of those that are over, have been stopped or refused. 0: not looked at.',
    ...{ unit: 'percent', min: 0, max: 100, default: 5 },
  }),
  deferred: count({
    doc: 'So many messages a minute are put off because their mailboxes are being moved. 0: not looked at.',
    ...{ min: 0, max: 1_000_000, default: 0 },
  }),
  latency: key(z.number().min(0).max(3600).default(0), {
    doc: 'A backend takes so many seconds to answer. 0: not looked at.',
    expects: 'a number of seconds from 0 to 3600',
    example: 5,
  }),
});

const copyAbove = z.strictObject({
  bytes: count({
    doc: 'A tree with more is copied ahead of its cut. 0: any tree.',
    ...{ unit: 'bytes', min: 0, max: 1_000_000_000_000, default: 10_000_000 },
  }),
  messages: count({
    doc: 'A tree with more is copied ahead of its cut; each of its mailboxes counts as 25 messages, so much does it cost. 0: any tree.',
    ...{ min: 0, max: 1_000_000_000, default: 500 },
  }),
});

const day = '(sun|mon|tue|wed|thu|fri|sat)';

/** Days, a window of each, or both (services/moves/windows.ts); one that ends before it begins goes over midnight. */
const timeWindow = z
  .string()
  .regex(
    new RegExp(
      `^(?=.)(${day}(-${day})?(,${day}(-${day})?)*( +(?=.)|$))?(([01]\\d|2[0-3]):[0-5]\\d-(([01]\\d|2[0-3]):[0-5]\\d|24:00))?$`,
    ),
  );

export const movesSection = key(
  z
    .strictObject({
      limits: key(limits.prefault({}), {
        doc: 'How much is moved at a time, in all processes together.',
        expects: 'a section of keys',
        example: { total: 8 },
      }),
      lease: key(z.number().min(1).max(600).default(10), {
        doc: 'How long the right to move a tree lasts, in seconds, after its worker has died or stands still. Mail for the tree is put off until then.',
        expects: 'a number of seconds from 1 to 600',
        example: 10,
      }),
      cut_timeout: seconds({
        doc: 'How long the answer of a backend that hands a tree over is waited for. The backend goes on all the same.',
        default: 3600,
      }),
      copy_above: key(copyAbove.prefault({}), {
        doc: 'Which trees are copied while mail goes on before they are cut; those that are smaller are cut at once, for a copy takes as long as that.',
        expects: 'a section of keys',
        example: { bytes: 10_000_000 },
      }),
      observe: key(z.number().min(0).max(86_400).default(60), {
        doc: 'How long after a tree is at its new place it is looked at once more, in seconds, before its move is done.',
        expects: 'a number of seconds from 0 to 86400',
        example: 60,
      }),
      attempts: count({
        doc: 'How often a backend is told to hand a tree over, before the move is stopped.',
        ...{ min: 1, max: 100, default: 3 },
      }),
      stop_when: key(stopWhen.prefault({}), {
        doc: 'When a run of moves stops by itself.',
        expects: 'a section of keys',
        example: { failed: 5 },
      }),
      plan_drift: count({
        doc: 'How many of a hundred trees of a plan may have changed since it was made; with more it is refused.',
        ...{ unit: 'percent', min: 0, max: 100, default: 5 },
      }),
      retention: count({
        doc: 'How long what a move has left at its old place is kept at the least.',
        ...{ unit: 'seconds', min: 0, max: 31_536_000, default: 604_800 },
      }),
      windows: key(z.array(timeWindow).max(100).default([]), {
        doc: 'At what times of a day moves are begun, by the clock of this host. None: at any time.',
        expects: 'a list of times like 22:00-06:00 or mon-fri 22:00-06:00',
        example: ['22:00-06:00'],
      }),
      keep_done: count({
        doc: 'How long what became of a move can be asked for.',
        ...{ unit: 'seconds', min: 60, max: 31_536_000, default: 2_592_000 },
      }),
    })
    .prefault({}),
  {
    doc: 'How mailboxes are moved between backends.',
    expects: 'a section of keys',
    example: { limits: { total: 8 } },
  },
);

// The section `placement`: how server and partition of a new user are chosen.
import { z } from 'zod';
import { key } from './key.ts';
import { choice, count, hostName, partitionName, seconds } from './kinds.ts';

/** The modes of Cyrus' imapd.conf, by its names. */
const modes = [
  'random',
  'freespace-most',
  'freespace-percent-most',
  'freespace-percent-weighted',
  'freespace-percent-weighted-delta',
] as const;

/** Names as a YAML list, or as Cyrus has them: one text, with spaces, commas or tabs between. */
export function names(name: z.ZodString) {
  const all = z.array(name).min(1);
  const text = z.string().transform((value) => value.split(/[ ,\t]+/).filter(Boolean));
  return z.union([all, text.pipe(all)]);
}

const mode = (what: string) =>
  choice(modes, {
    doc: `How ${what} is selected, as in Cyrus: the most free space, the most in percent of all, by lot with chances in proportion to the free percents, or to how far they are above the least (delta), or by lot alone.`,
    default: 'freespace-most',
    example: 'freespace-percent-weighted',
  });

const softLimit = (what: string) =>
  count({
    doc: `The percent in use from which ${what} is passed over as long as there are others below. 0: no limit.`,
    ...{ min: 0, max: 100, unit: 'percent', default: 0, example: 90 },
  });

const reinit = (what: string) =>
  count({
    doc: `After how many placements a process reads the figures of ${what} anew. 0: only when they are too old (figures_max_age).`,
    ...{ min: 0, max: 1_000_000, default: 1 },
  });

export const placementSection = key(
  z
    .strictObject({
      serverlist: key(z.exactOptional(names(hostName)), {
        doc: 'The backends to select from, as in Cyrus; of equals, the first one is selected.',
        expects: 'a list of names of backends, or one text with spaces or commas between them',
        example: ['mail1.example.org'],
        otherwise: 'all backends',
      }),
      serverlist_select_mode: mode('a server'),
      serverlist_select_soft_usage_limit: softLimit('a server'),
      serverlist_select_usage_reinit: reinit('servers'),
      partition_select_mode: mode('a partition of the selected server'),
      partition_select_exclude: key(z.exactOptional(names(partitionName)), {
        doc: 'Partitions that are not selected, on any backend.',
        expects: 'a list of names of partitions, or one text with spaces or commas between them',
        example: ['archive'],
        otherwise: 'none',
      }),
      partition_select_soft_usage_limit: softLimit('a partition'),
      partition_select_usage_reinit: reinit('partitions'),
      promised_space: count({
        doc: 'The space that a new user is expected to take. It counts as taken from the moment he is placed, so that of many who come at once not all go to the server that was the emptiest before; his quota is another matter. What is wholly promised takes nobody, except in the mode random. Of a backend whose space is written down (placement.partitions) no figures ever show what is taken: there it counts for all of promise_lifetime, so that 1 GiB free takes ten new users in that time, by the defaults.',
        ...{ unit: 'KiB', min: 0, max: 1_073_741_824, default: 102_400 },
      }),
      promise_lifetime: seconds({
        doc: 'How long that counts: until the figures show what he really takes.',
        default: 86_400,
      }),
      promise_attempts: count({
        doc: 'How often a placement is decided anew because others were placed meanwhile; the last decision stands.',
        ...{ min: 1, max: 100, default: 10 },
      }),
      figures_max_age: seconds({
        doc: 'How old the figures of a server may be; one with older ones takes no new users until it has told newer ones.',
        default: 3600,
      }),
    })
    .prefault({}),
  {
    doc: 'How the server and the partition of a new user are chosen; what holds for one backend alone stands under backends.NAME.placement.',
    expects: 'a section of keys',
    example: { serverlist_select_mode: 'freespace-percent-weighted' },
  },
);

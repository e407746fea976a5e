// The keys `backends.NAME.placement`: what placement has to know of one backend.
import { z } from 'zod';
import { key } from './key.ts';
import { flag, partitionName, word } from './kinds.ts';
import { names } from './placement-section.ts';

const KiB = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const partition = z
  .strictObject({
    available: key(KiB, {
      doc: 'The free space of the partition, in KiB.',
      expects: 'a whole number of KiB, no more than total',
      example: 1_000_000_000,
      otherwise: 'none; must be given',
    }),
    total: key(KiB.min(1), {
      doc: 'All the space of the partition, in KiB.',
      expects: 'a whole number of KiB, 1 or more',
      example: 2_000_000_000,
      otherwise: 'none; must be given',
    }),
    filesystem: key(z.exactOptional(word.max(255)), {
      doc: 'A name for the filesystem that it is on, where several partitions of the backend share one.',
      expects: 'any name, the same for those that share it',
      example: 'sda1',
      otherwise: 'one of its own',
    }),
  })
  .superRefine(({ available, total }, context) => {
    if (available <= total) return;
    context.addIssue({ code: 'custom', path: ['available'], message: `at most the total, ${total}` });
  });

export const backendPlacement = key(
  z
    .strictObject({
      weight: key(z.number().min(0).max(1000).default(1), {
        doc: 'The backend counts as one with so many times its free space. 0: it gets no new users.',
        expects: 'a number from 0 to 1000',
        example: 1,
      }),
      zone: key(z.exactOptional(word.max(255)), {
        doc: 'Where the backend stands: users who are to be in a zone are placed in that one only.',
        expects: 'any name',
        example: 'berlin',
        otherwise: 'in none',
      }),
      tags: key(z.array(word.max(255)).default([]), {
        doc: 'What is special about the backend: users who need a tag are placed on backends that have it.',
        expects: 'a list of names',
        example: ['ssd'],
      }),
      maximum_users: key(z.exactOptional(z.int().min(0).max(Number.MAX_SAFE_INTEGER)), {
        doc: 'How many users the backend may have; from then on it gets no new ones.',
        expects: 'a whole number, 0 or more',
        example: 50_000,
        otherwise: 'no limit',
      }),
      drain: flag({ doc: 'Whether the backend is to be emptied, so that it gets no new users.', default: false }),
      partition_select_exclude: key(z.exactOptional(names(partitionName)), {
        doc: 'Partitions of this backend that are not selected, beside those under placement.partition_select_exclude.',
        expects: 'a list of names of partitions, or one text with spaces or commas between them',
        example: ['archive'],
        otherwise: 'none',
      }),
      partitions: key(z.record(partitionName, partition).prefault({}), {
        doc: 'The partitions with what they have. A backend with this is not asked: for those that cannot tell, and for Cyrus servers whose partitions are to be told apart, of which they say the sum only.',
        expects: 'a map of names of partitions, each with available and total in KiB',
        example: { default: { available: 1_000_000_000, total: 2_000_000_000 } },
      }),
    })
    .prefault({}),
  {
    doc: 'How the backend counts when a place for a new user is chosen.',
    expects: 'a section of keys',
    example: { weight: 2, zone: 'berlin' },
  },
);

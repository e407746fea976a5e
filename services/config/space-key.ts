// The key `space` of a backend: how much room its partitions have, where the operator says so.
import { z } from 'zod';
import { key } from './key.ts';
import { word } from './kinds.ts';

const kib = (doc: string, example: number) =>
  key(z.int().min(0).max(Number.MAX_SAFE_INTEGER), {
    ...{ doc, example },
    expects: 'a whole number of KiB, 0 or more',
    otherwise: 'none; must be given',
  });

const partition = z
  .strictObject({
    available_kib: kib('How much is free.', 400_000_000),
    total_kib: kib('How much there is in all, above 0.', 1_000_000_000),
    filesystem: key(z.exactOptional(word.max(255)), {
      doc: 'Partitions with the same word here are on one filesystem, which counts once.',
      expects: 'a word',
      example: 'ssd1',
      otherwise: 'a filesystem of its own',
    }),
  })
  .superRefine(({ available_kib, total_kib }, context) => {
    if (total_kib === 0) context.addIssue({ code: 'custom', path: ['total_kib'], message: 'above 0' });
    else if (available_kib > total_kib)
      context.addIssue({ code: 'custom', path: ['available_kib'], message: `at most total_kib, ${total_kib}` });
  })
  .transform(({ available_kib: availableKiB, total_kib: totalKiB, filesystem }) => ({
    ...{ availableKiB, totalKiB },
    ...(filesystem !== undefined && { filesystem }),
  }));

export const spaceKey = key(z.exactOptional(z.record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), partition)), {
  doc: 'The room of each partition. A backend with this is not asked: for those that cannot tell, and for Cyrus servers whose partitions are to be told apart, of which they say the sum only.',
  expects: 'a map of partition names, of letters, digits, - and _',
  example: { default: { available_kib: 400_000_000, total_kib: 1_000_000_000 } },
  otherwise: 'none: the backend is asked over IMAP',
});

// The section `users`: what a new user gets.
import { z } from 'zod';
import { key } from './key.ts';
import { choice, count, flag, word } from './kinds.ts';

/** What Cyrus 3.6 takes: a higher limit ends its session. 2 TiB as storage. */
const highest = 2_147_483_647;

const limit = (doc: string, unit: string, example: number) =>
  key(z.exactOptional(z.int().min(0).max(highest)), {
    ...{ doc, example },
    expects: `a whole number of ${unit} from 0 to ${highest}`,
    otherwise: 'no limit',
  });

/** What Cyrus refuses in names, but for what it does not count as a character of one; `/` stands between levels. */
const folderName = word.max(255).regex(/^(?!\/)(?!.*\/\/)[^%;"\\^!*]*[^%;"\\^!*/]$/);

const folder = z
  .strictObject({
    name: key(folderName, {
      doc: 'The name below the INBOX, with / between levels, as people write it. A dot inside wants unixhierarchysep on the backends.',
      expects: 'a name without control characters and % ; " \\ ^ ! *',
      example: 'Entwürfe',
      otherwise: 'none; must be given',
    }),
    special_use: key(z.exactOptional(z.string().regex(/^[A-Za-z0-9-]{1,64}$/)), {
      doc: 'What mail programs use it for (RFC 6154), without the backslash; only for a folder right below the INBOX. Cyrus knows Archive, Drafts, Junk, Sent and Trash, and what its specialuse_extra adds.',
      expects: 'one word of letters and digits',
      example: 'Drafts',
      otherwise: 'none',
    }),
    subscribe: flag({ doc: 'Whether the user is subscribed to it.', default: true }),
  })
  .superRefine(({ name, special_use }, context) => {
    // Cyrus takes it on no other (`SPECIAL-USE flag conflict`).
    if (special_use === undefined || !name.includes('/')) return;
    context.addIssue({
      code: 'custom',
      path: ['special_use'],
      message: 'left out for a folder that is not right below the INBOX',
    });
  });

const aclEntry = z.strictObject({
  identifier: key(z.string().regex(/^[ !#-[\]-~]{1,255}$/), {
    doc: 'Who gets the rights: a user, anyone, or with a - in front who is denied them.',
    expects: 'printable ASCII without " and \\',
    example: 'anyone',
    otherwise: 'none; must be given',
  }),
  rights: key(z.string().regex(/^[a-z0-9]+$/), {
    doc: 'The rights (RFC 4314), a letter each.',
    expects: 'one or more of the letters of rights, lrswipkxtea, and digits',
    example: 'p',
    otherwise: 'none; must be given',
  }),
  on: choice(['inbox', 'all'], {
    doc: 'On which mailboxes: the INBOX, or the INBOX and the folders.',
    default: 'inbox',
  }),
});

const autocreate = z.strictObject({
  names: key(z.array(word.max(255)).max(1000).default([]), {
    doc: 'Which users: patterns of their mailbox names, * for anything, % for anything up to the next dot. None: nobody is made by mail.',
    expects: 'a list of patterns',
    example: ['example.org!user.%'],
  }),
  rate: count({
    doc: 'How many users a minute each process makes by first messages at the most: whoever guesses addresses makes mailboxes.',
    min: 1,
    max: 100_000,
    default: 60,
  }),
  hold: key(z.number().min(0).max(60).default(0), {
    doc: 'How long a message is held for the mailboxes of its recipients, in seconds and for all of them together, to be delivered in the same transaction; 0 puts it off at once.',
    expects: 'a number of seconds from 0 to 60',
    example: 5,
  }),
});

export const usersSection = key(
  z
    .strictObject({
      quota: key(
        z
          .strictObject({
            storage_kib: limit('How much mail a user may keep.', 'KiB', 5_242_880),
            messages: limit('How many messages a user may keep.', 'messages', 100_000),
          })
          .prefault({}),
        {
          doc: 'The quota of a new user, where none is asked for. 0 lets nothing in.',
          expects: 'a section of keys',
          example: { storage_kib: 5_242_880 },
        },
      ),
      folders: key(z.array(folder).max(100).default([]), {
        doc: 'The folders that are made with the INBOX.',
        expects: 'a list of { name, special_use, subscribe }',
        example: [
          { name: 'Sent', special_use: 'Sent' },
          { name: 'Trash', special_use: 'Trash' },
        ],
      }),
      acl: key(z.array(aclEntry).max(100).default([]), {
        doc: 'Who else gets rights. The user himself has all without being named.',
        expects: 'a list of { identifier, rights, on }',
        example: [{ identifier: 'anyone', rights: 'p' }],
      }),
      orders_kept: count({
        doc: 'How long what became of an order of a user, and why he went where he is, can be asked for.',
        ...{ unit: 'seconds', min: 60, max: 31_536_000, default: 604_800 },
      }),
      autocreate: key(autocreate.prefault({}), {
        doc: 'Users made by their first message, where it is certain that they are not there. Mail for them is put off (451) until they are.',
        expects: 'a section of keys',
        example: { names: ['user.%'] },
      }),
    })
    .prefault({}),
  {
    doc: 'What a new user gets, beside the INBOX.',
    expects: 'a section of keys',
    example: { folders: [{ name: 'Sent', special_use: 'Sent' }] },
  },
);

// /v1/mailboxes: which there are, all that is known of one, and the word on which server they are at.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { nameBytes } from '../../operations/entry-value.ts';
import { claimsAnswer } from '../../operations/mailbox-claim.ts';
import { knownValue, mailboxesAnswer } from '../../operations/mailbox-operations.ts';
import { callerName } from '../access.ts';
import { bytesOf, encodingField, limitField, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const patternExpects = 'a pattern: * stands for anything, % for anything up to the next dot';
const serverExpects = 'the name of a backend';

const listQuery = z.strictObject({
  pattern: field(z.string().min(1).max(1024).default('*'), 'Which names.', patternExpects),
  server: nameField('Only those on this server.', serverExpects).optional(),
  after: field(
    z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,2048}$/)
      .optional(),
    'Only names that come after this one, in base64url.',
    'the `next` of the page before',
  ),
  limit: limitField(10_000, 1_000),
});

const order = z.strictObject({
  pattern: nameField('Which names.', patternExpects),
  from: nameField('The server that the directory places them on.', serverExpects),
  to: nameField('The server that is to have them.', serverExpects),
  unseen: field(
    z.boolean().default(false),
    'Also those of which nobody knows that the other server holds them.',
    'true or false',
  ),
  dry_run: field(z.boolean().default(false), 'Nothing is done.', 'true or false'),
});

export const mailboxes: Resource = (server, { operations: { mailboxes } }) => {
  server.get(
    '/v1/mailboxes',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listMailboxes', summary: 'Mailboxes, in the order of names', tags: ['mailboxes'] },
        ...{ querystring: listQuery, response: { 200: mailboxesAnswer } },
      },
    },
    async ({ query: { pattern, server, after, limit } }) => {
      const found = await mailboxes.list({
        pattern: bytesFromText(pattern),
        server: server === undefined ? undefined : bytesFromText(server),
        after: after === undefined ? undefined : bytesOf(after, 'base64url'),
        limit,
      });
      const last = found.length === limit ? found.at(-1) : undefined;
      const next = last && Buffer.from(nameBytes(last), 'latin1').toString('base64url');
      return { mailboxes: found, ...(next !== undefined && { next }) };
    },
  );
  server.get(
    '/v1/mailboxes/:name',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'showMailbox',
        summary: 'All that is known of a name: its row, its case, its history, its tree',
        description:
          'Of a name without a row, too: its state is then `absent`, and `absence` says whether that is certain.',
        tags: ['mailboxes'],
        params: z.strictObject({ name: nameField('The mailbox name.') }),
        querystring: z.strictObject({ encoding: encodingField }),
        response: { 200: knownValue },
      },
    },
    ({ params, query }) => mailboxes.show(bytesOf(params.name, query.encoding)),
  );
  server.post(
    '/v1/mailboxes/claim',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'claimMailboxes',
        summary: 'Gives mailboxes that the directory places on one server to another one that holds them, too',
        tags: ['mailboxes'],
        ...{ body: order, response: { 200: claimsAnswer } },
      },
    },
    async (request) => {
      const { pattern, from, to, unseen, dry_run: dryRun } = request.body;
      const names = { pattern: bytesFromText(pattern), from: bytesFromText(from), to: bytesFromText(to) };
      return { claims: await mailboxes.claim({ ...names, unseen, dryRun, by: callerName(request) }) };
    },
  );
};

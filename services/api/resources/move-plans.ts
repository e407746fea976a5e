// /v1/moves/plans: has moves planned; the answer is the plan's file, and nothing is moved by it.
import { Readable } from 'node:stream';
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import type { Plan } from '../../moves/plan.ts';
import { planLines } from '../../moves/plan-text.ts';
import { mostNamed, planAnswer } from '../../operations/move-planning.ts';
import { treeWords } from '../../operations/tree-names.ts';
import { callerName } from '../access.ts';
import { anyNameField, bytesOfAny, limitFields, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const limit = (what: string) => limitFields.atATime(`At a time ${what}.`);
const list = <T extends z.ZodType>(of: T, most: number, doc: string, expects: string) =>
  field(z.array(of).max(most).default([]), doc, `a list of ${expects}`);

const wanted = z.strictObject({
  users: list(
    field(
      anyNameField('A user, or a shared mailbox.', treeWords),
      'A name.',
      `${treeWords}, or { base64url } where it is no text`,
    ),
    mostNamed,
    'These users and shared mailboxes.',
    `at most ${mostNamed} names`,
  ),
  pattern: nameField('Whose INBOX, and shared mailboxes that, are called so.', 'a pattern with * and %').optional(),
  evacuate: nameField('All of this server.', 'the name of a backend').optional(),
  rebalance: field(
    z.number().positive().max(100).optional(),
    'So much that all servers are within so many percent of each other.',
    'a number above 0, up to 100',
  ),
  to: list(nameField('A place.', 'SERVER or SERVER!PARTITION'), 1000, 'To there.', 'SERVER or SERVER!PARTITION'),
  zone: nameField('In this zone, and not that of their servers; * is any.', 'the name of a zone, or *').optional(),
  tags: list(nameField('A tag.', 'a tag of backends'), 100, 'To servers with all of these.', 'tags of backends'),
  sizes: field(z.boolean().default(true), 'Whether the servers are asked for sizes.', 'true or false'),
  limits: field(
    z
      .strictObject({
        ...{ total: limit('in all'), per_source: limit('from one server'), per_destination: limit('to one server') },
        per_partition: limit('from or to one partition'),
        bytes_per_second: limitFields.bytesPerSecond,
      })
      .default({}),
    'In place of those that are configured.',
    'an object of limits',
  ),
});

/** The largest body, in bytes: so many names, of usual length. */
const bodyLimit = mostNamed * 150;

/** So many lines go out at once. */
const atOnce = 500;

function* chunks(plan: Plan): Generator<string> {
  let some: string[] = [];
  for (const line of planLines(plan)) {
    some.push(`${line}\n`);
    if (some.length < atOnce) continue;
    yield some.join('');
    some = [];
  }
  yield some.join('');
}

export const movePlans: Resource = (server, { operations: { planning } }) => {
  server.post(
    '/v1/moves/plans',
    {
      ...{ bodyLimit, config: { role: 'operate', asks: true } },
      schema: {
        operationId: 'planMoves',
        summary: 'Plans moves: of users, of those like a pattern, of all of a server, or to fill servers equally',
        description: 'Nothing is moved by it. The answer is streamed: it has a line for each move.',
        ...{ tags: ['moves'], body: wanted, response: { 200: planAnswer } },
      },
    },
    async (request, reply) => {
      const { users, pattern, evacuate, to, limits, ...rest } = request.body;
      const bytes = (text: string | undefined) => (text === undefined ? undefined : bytesFromText(text));
      const query = {
        ...{ ...rest, users: users.map(bytesOfAny), to: to.map(bytesFromText) },
        ...{ pattern: bytes(pattern), evacuate: bytes(evacuate), limits: limitsOf(limits) },
      };
      const plan = await planning.plan(query, callerName(request));
      return reply.type('application/json').send(Readable.from(chunks(plan)) as never);
    },
  );
};

function limitsOf(limits: z.output<typeof wanted>['limits']) {
  const { total, per_source, per_destination, per_partition, bytes_per_second } = limits;
  return {
    ...(total !== undefined && { total }),
    ...(per_source !== undefined && { perSource: per_source }),
    ...(per_destination !== undefined && { perDestination: per_destination }),
    ...(per_partition !== undefined && { perPartition: per_partition }),
    ...(bytes_per_second !== undefined && { bytesPerSecond: bytes_per_second }),
  };
}

// /v1/moves/audit, findings and discard: whether directory and servers agree after a move, and what is to go.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { findingKinds } from '../../moves/audit.ts';
import { discardValue } from '../../operations/discarding.ts';
import { auditedValue, findingsAnswer } from '../../operations/left-over-operations.ts';
import type { AuditChoice } from '../../operations/left-over-operations.ts';
import { Refusal } from '../../operations/refusal.ts';
import { callerName, demand } from '../access.ts';
import { nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

/** How many trees are named at once. */
const mostNames = 1000;

const auditing = z.strictObject({
  names: field(
    z.array(nameField('A tree, by its root.')).min(1).max(mostNames).optional(),
    'These trees; every backend is asked for them.',
    `a list of at most ${mostNames} mailbox names`,
  ),
  run: field(z.string().min(1).max(100).optional(), 'The trees of a run of moves.', 'the name of a run'),
  server: nameField('All that a server has, or should have.', 'the name of a backend').optional(),
});
const discarding = z.strictObject({
  name: nameField('The root of the tree.'),
  server: nameField('The server that has the left-over.', 'the name of a backend'),
  dry_run: field(z.boolean().default(false), 'Nothing is done.', 'true or false'),
  now: field(z.string().min(1).max(500).optional(), 'Before it has waited, and why.', 'a text: the reason'),
  deleted: field(
    z.string().min(1).max(500).optional(),
    'Though it is whole nowhere else: it is the copy, made by a move, of a user who was deleted. Why it may go.',
    'a text: the reason',
  ),
  settled: field(
    z.string().min(1).max(500).optional(),
    'Why an order of before, which the server has not answered, is carried out no more. That is noted, and nothing removed.',
    'a text: the reason',
  ),
});
const asked = z.strictObject({
  kind: field(z.enum(findingKinds).optional(), 'Only findings of this kind.', `one of ${findingKinds.join(', ')}`),
});

const tags = ['moves'];

function choiceOf({ names, run, server }: z.output<typeof auditing>): AuditChoice {
  if ([names, run, server].filter((one) => one !== undefined).length !== 1) {
    throw new Refusal('usage', 'say what is audited: one of names, run and server');
  }
  if (run !== undefined) return { run };
  return server === undefined ? { names: (names ?? []).map(bytesFromText) } : { server };
}

export const moveAudit: Resource = (server, { operations: { leftOvers } }) => {
  server.post(
    '/v1/moves/audit',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'auditMoves', summary: 'Holds directory and servers against each other', tags },
        description: 'What is found is kept, and known by its age from then on. Nothing else is changed.',
        ...{ body: auditing, response: { 200: auditedValue } },
      },
    },
    ({ body }) => leftOvers.audit(choiceOf(body)),
  );
  server.get(
    '/v1/moves/findings',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listFindings', summary: 'What audits have found, the oldest first', tags },
        ...{ querystring: asked, response: { 200: findingsAnswer } },
      },
    },
    async ({ query }) => ({ findings: await leftOvers.found(query.kind) }),
  );
  server.post(
    '/v1/moves/discard',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'discardLeftOver', summary: 'Removes a left-over at its server, with proof', tags },
        description:
          'Refused where anything of the proof is missing. With dry_run only the proof is shown. Before it has waited (now), or of a user who was deleted (deleted), it takes the role admin, and so does settled.',
        ...{ body: discarding, response: { 200: discardValue } },
      },
    },
    (request) => {
      const { name, server: at, dry_run: dryRun, ...why } = request.body;
      if (Object.values(why).some((reason) => reason !== undefined)) demand(request, 'admin');
      return leftOvers.discard(bytesFromText(name), { server: at, dryRun, ...why, by: callerName(request) });
    },
  );
};

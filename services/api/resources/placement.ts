// /v1/placement: why a user went where he is, and where others would go.
import { z } from 'zod';
import { decisionValue } from '../../operations/placement-operations.ts';
import { simulationValue } from '../../operations/placement-simulation.ts';
import { modes } from '../../placement/selection.ts';
import { bytesOf, encodingField, nameField, numberField, userField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const tag = z.string().min(1).max(255);

const simulated = z.strictObject({
  users: numberField(1, 999_999, 'How many come.'),
  zone: nameField('They are to be in this zone.', 'the name of a zone').optional(),
  tag: field(
    z.union([tag.transform((one) => [one]), z.array(tag).max(100)]).optional(),
    'They need servers with this tag; given again, with all of them.',
    'a tag of backends',
  ),
  mode: field(
    z.enum(modes).optional(),
    'Servers are selected like that, whatever is configured.',
    `one of ${modes.join(', ')}`,
  ),
  processes: numberField(1, 999_999, 'So many Cyrus processes, each of which looks once.').default(8),
  seed: numberField(0, 999_999_999, 'Another seed, another chance.').default(1),
});

export const placement: Resource = (server, { operations: { placement } }) => {
  server.get(
    '/v1/placement',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'simulatePlacement', summary: 'Where so many new users would go if they came now' },
        ...{ tags: ['placement'], querystring: simulated, response: { 200: simulationValue } },
      },
    },
    ({ query: { tag: tags, ...query } }) => placement.simulate({ ...query, tags }),
  );
  server.get(
    '/v1/placement/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'explainPlacement', summary: 'The last decision on where a user goes', tags: ['placement'] },
        params: z.strictObject({ name: userField('The user.') }),
        querystring: z.strictObject({ encoding: encodingField }),
        response: { 200: decisionValue },
      },
    },
    ({ params, query }) => placement.explain(bytesOf(params.name, query.encoding)),
  );
};

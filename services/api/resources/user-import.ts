// /v1/users/import and /v1/users/states: many users at a time, ordered, and asked about.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { mostUsers, orderedAnswer, userStatesAnswer } from '../../operations/user-operations.ts';
import { callerName } from '../access.ts';
import { userField } from '../fields.ts';
import { creationOf, newUserBody } from '../new-user.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const many = <T extends z.ZodType>(one: T, what: string) =>
  field(z.array(one).min(1).max(mostUsers), 'The users.', `a list of 1 to ${mostUsers} ${what}`);

const imported = z.strictObject({ users: many(newUserBody, 'users, each as POST /v1/users takes one') });
const named = z.strictObject({ users: many(userField('A user.'), 'names of users') });

/** The largest body, in bytes: so many users, each with a name and a few other names. */
const bodyLimit = mostUsers * 5_000;

export const userImport: Resource = (server, { operations: { users } }) => {
  server.post(
    '/v1/users/import',
    {
      ...{ bodyLimit, config: { role: 'operate' } },
      schema: {
        operationId: 'importUsers',
        summary: 'Orders many users, each by itself',
        description:
          'Workers carry it out; the same again changes nothing. What became of each stands in its place of the answer.',
        ...{ tags: ['users'], body: imported, response: { 202: orderedAnswer } },
      },
    },
    async (request, reply) => {
      const wanted = request.body.users.map((one) => ({ user: bytesFromText(one.name), wish: creationOf(one) }));
      return reply.code(202).send({ users: await users.orderAll(wanted, callerName(request)) });
    },
  );
  server.post(
    '/v1/users/states',
    {
      ...{ bodyLimit, config: { role: 'read', asks: true } },
      schema: {
        operationId: 'userStates',
        summary: 'What became of the last orders of many users, in their order',
        ...{ tags: ['users'], body: named, response: { 200: userStatesAnswer } },
      },
    },
    async ({ body }) => ({ users: await users.states(body.users.map(bytesFromText)) }),
  );
};

// /v1/users: to have users made and deleted by the workers, and what became of that.
import { z } from 'zod';
import { highestQuota } from '../../backends/imap-quota.ts';
import { bytesFromText } from '../../directory/entry.ts';
import { orderValue } from '../../operations/order-value.ts';
import type { Wish } from '../../users/order.ts';
import { callerName } from '../access.ts';
import { bytesOf, encodingField, nameField } from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const inbox = (doc: string) => nameField(doc, "the mailbox name of a user's INBOX, as user.jdoe");
const aUser = z.strictObject({ name: inbox('The user.') });
const written = z.strictObject({ encoding: encodingField });

const newUser = z.strictObject({
  name: inbox('The user.'),
  server: nameField('On this server.', 'the name of a backend').optional(),
  partition: nameField('On this partition.', 'the name of a partition').optional(),
  zone: nameField('On a server of this zone.', 'the name of a zone').optional(),
  quota: field(
    z.int().min(0).max(highestQuota).optional(),
    'In place of what new users get, in KiB.',
    `a whole number of KiB from 0 to ${highestQuota}`,
  ),
});

function creation({ server, partition, zone, quota }: z.output<typeof newUser>): Wish {
  return {
    is: 'create',
    ...(server !== undefined && { server: bytesFromText(server) }),
    ...(partition !== undefined && { partition: bytesFromText(partition) }),
    ...(zone !== undefined && { zone }),
    ...(quota !== undefined && { quota }),
  };
}

export const users: Resource = (server, { operations: { users } }) => {
  server.post(
    '/v1/users',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'createUser',
        summary: 'Orders a user, on the best server or on the one that is named',
        description: 'Workers carry it out; the same order again changes nothing.',
        ...{ tags: ['users'], body: newUser, response: { 202: orderValue } },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const ordered = await users.order(bytesFromText(body.name), creation(body), callerName(request));
      return reply.code(202).send(ordered);
    },
  );
  server.get(
    '/v1/users/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showUser', summary: 'What was ordered of a user last, and what became of it' },
        ...{ tags: ['users'], params: aUser, querystring: written, response: { 200: orderValue } },
      },
    },
    ({ params, query }) => users.show(bytesOf(params.name, query.encoding)),
  );
  server.delete(
    '/v1/users/:name',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'deleteUser',
        summary: 'Orders that a user is deleted with all folders, on the server that has him',
        description: 'Workers carry it out; the same order again changes nothing.',
        ...{ tags: ['users'], params: aUser, querystring: written, response: { 202: orderValue } },
      },
    },
    async (request, reply) => {
      const name = bytesOf(request.params.name, request.query.encoding);
      return reply.code(202).send(await users.order(name, { is: 'delete' }, callerName(request)));
    },
  );
};

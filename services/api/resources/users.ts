// /v1/users: to have users made, renamed and deleted by the workers, and what became of that.
import { z } from 'zod';
import { bytesFromText } from '../../directory/entry.ts';
import { orderValue } from '../../operations/order-value.ts';
import { callerName, demand } from '../access.ts';
import { bytesOf, encodingField, numberField, userField } from '../fields.ts';
import { field } from '../validation.ts';
import { creationOf, newUserBody } from '../new-user.ts';
import type { Resource } from '../resource.ts';

const aUser = z.strictObject({ name: userField('The user.') });
const written = z.strictObject({ encoding: encodingField });

/** How long the end of an order may be waited for, in seconds. */
const longestWait = 30;

const asked = written.extend({
  wait: numberField(0, longestWait, 'Answered when the order is over, or after so many seconds.').default(0),
});

const taken = written.extend({
  force: field(
    z
      .enum(['true', 'false'])
      .default('false')
      .transform((word) => word === 'true'),
    'Also where its server may have been told, for it is gone for good. Takes the role admin.',
    'true or false',
  ),
});

export const users: Resource = (server, { operations: { users } }) => {
  server.post(
    '/v1/users',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'createUser',
        summary: 'Orders a user, on the best server or on the one that is named',
        description: 'Workers carry it out; the same order again changes nothing.',
        ...{ tags: ['users'], body: newUserBody, response: { 202: orderValue } },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const ordered = await users.order(bytesFromText(body.name), creationOf(body), callerName(request));
      return reply.code(202).send(ordered);
    },
  );
  server.get(
    '/v1/users/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showUser', summary: 'What was ordered of a user last, and what became of it' },
        ...{ tags: ['users'], params: aUser, querystring: asked, response: { 200: orderValue } },
      },
    },
    ({ params, query }) => users.show(bytesOf(params.name, query.encoding), query.wait * 1000),
  );
  server.post(
    '/v1/users/:name/rename',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'renameUser',
        summary: 'Orders that a user gets another name, on the server that has him',
        description:
          'Workers carry it out; the same order again changes nothing. Mail to the old name is refused from then on.',
        ...{ tags: ['users'], params: aUser, querystring: written },
        ...{ body: z.strictObject({ to: userField('His new name.') }), response: { 202: orderValue } },
      },
    },
    async (request, reply) => {
      const name = bytesOf(request.params.name, request.query.encoding);
      const wish = { is: 'rename', to: bytesFromText(request.body.to) } as const;
      return reply.code(202).send(await users.order(name, wish, callerName(request)));
    },
  );
  server.delete(
    '/v1/users/:name/order',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'cancelOrder',
        summary: 'Takes the open order of a user back',
        description: 'As long as no server was told, or its server says that it has nothing of a user to be made.',
        ...{ tags: ['users'], params: aUser, querystring: taken, response: { 200: orderValue } },
      },
    },
    (request) => {
      const { params, query } = request;
      if (query.force) demand(request, 'admin');
      return users.cancel(bytesOf(params.name, query.encoding), callerName(request), query.force);
    },
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

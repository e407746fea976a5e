// /v1/replication: to have replicas brought up to their backends now, and what becomes of it.
import { z } from 'zod';
import { serverReplicationValue, userReplicationValue } from '../../operations/replication-operations.ts';
import { bytesOf, encodingField, nameField, numberField, userField } from '../fields.ts';
import type { Resource } from '../resource.ts';

const backend = 'the name of a backend that has a replica';
const serverField = nameField('The replica of this backend, wherever the directory has the user.', backend).optional();

/** How long the end may be waited for, in seconds. */
const longestWait = 30;

const aUser = z.strictObject({ name: userField('The user.') });
const asked = z.strictObject({
  encoding: encodingField,
  wait: numberField(0, longestWait, 'Answered when it is over, or after so many seconds.').default(0),
});

export const replication: Resource = (server, { operations: { replication } }) => {
  server.post(
    '/v1/replication/users/:name',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'replicateUser',
        summary: "Has the replica of a user's backend brought up to it, for him alone",
        description: "The backend's own host carries it out. Without `wait` nothing is told of the jobs.",
        ...{ tags: ['replication'], params: aUser, querystring: asked },
        ...{ body: z.strictObject({ server: serverField }), response: { 202: userReplicationValue } },
      },
    },
    async ({ params, query, body }, reply) => {
      const wanted = { server: body.server, within: query.wait * 1000 };
      return reply.code(202).send(await replication.user(bytesOf(params.name, query.encoding), wanted));
    },
  );
  server.get(
    '/v1/replication/users/:name',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'showUserReplication',
        summary: 'What becomes of the replicas of a user, or became of them last',
        ...{ tags: ['replication'], params: aUser, querystring: asked.extend({ server: serverField }) },
        response: { 200: userReplicationValue },
      },
    },
    ({ params, query }) =>
      replication.follow(bytesOf(params.name, query.encoding), { server: query.server, within: query.wait * 1000 }),
  );
  server.post(
    '/v1/replication/servers/:server',
    {
      config: { role: 'operate' },
      schema: {
        operationId: 'replicateServer',
        summary: 'Has the replica of a backend brought up to it, for all of its users',
        description: 'For what Rookery does not hear of. Its own host carries it out.',
        ...{ tags: ['replication'], params: z.strictObject({ server: nameField('The backend.', backend) }) },
        response: { 202: serverReplicationValue },
      },
    },
    async ({ params }, reply) => reply.code(202).send(await replication.server(params.server)),
  );
};

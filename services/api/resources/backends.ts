// /v1/backends: the backends and how they stand, and the steps of their life.
import { z } from 'zod';
import { addedValue, backendsAnswer, drainedValue, retiredValue } from '../../operations/backend-operations.ts';
import type { BackendOperations, PlainWish } from '../../operations/backend-operations.ts';
import { backendValue } from '../../operations/backend-value.ts';
import { callerName, demand } from '../access.ts';
import { nameField, timeField } from '../fields.ts';
import type { Resource, ResourceServer } from '../resource.ts';
import { field } from '../validation.ts';

const aBackend = z.strictObject({ name: nameField('The backend.', 'the name of a backend') });
const shareField = field(z.number().min(0).max(100).optional(), 'So many of 100 new users.', 'a number from 0 to 100');
const empty = z.strictObject({});
const adding = z.strictObject({
  state: field(
    z.enum(['new', 'canary', 'active']).default('active'),
    'What it is to be where nothing is wrong.',
    'new, canary or active',
  ),
  share: shareField,
});
const fencing = z.strictObject({
  reason: field(z.string().min(1).max(500), 'Why: for whoever wonders.', 'a text'),
  until: timeField('When it is over by itself; left out: when somebody says so.'),
});
const draining = z.strictObject({
  move: field(z.boolean().default(false), 'Everybody is moved out, too, which takes the role admin.', 'true or false'),
});
const retiring = z.strictObject({ dry_run: field(z.boolean().default(false), 'Nothing is done.', 'true or false') });

const tags = ['backends'];

export const backends: Resource = (server, { operations: { backends } }) => {
  server.get(
    '/v1/backends',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listBackends', summary: 'All backends, and how they stand', tags },
        response: { 200: backendsAnswer },
      },
    },
    async () => ({ backends: await backends.list() }),
  );
  server.get(
    '/v1/backends/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showBackend', summary: 'One backend, and how it stands', tags, params: aBackend },
        response: { 200: backendValue },
      },
    },
    ({ params }) => backends.show(params.name),
  );
  server.post(
    '/v1/backends/:name/add',
    {
      config: { role: 'operate' },
      schema: {
        ...{
          operationId: 'addBackend',
          summary: 'Looks at a backend of the configuration, and takes it into use',
          tags,
        },
        description: 'Where anything is wrong it stays as it was; one that was never used gets nobody then.',
        ...{ params: aBackend, body: adding, response: { 200: addedValue } },
      },
    },
    (request) => {
      const { state: stage, share } = request.body;
      const wish = { is: 'add', stage, ...(share !== undefined && { share }) } as const;
      return backends.add(request.params.name, wish, callerName(request));
    },
  );
  server.post(
    '/v1/backends/:name/drain',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'drainBackend', summary: 'No new users for it; mail to those it has goes on', tags },
        ...{ params: aBackend, body: draining, response: { 200: drainedValue } },
      },
    },
    (request) => {
      const { move } = request.body;
      if (move) demand(request, 'admin');
      return backends.drain(request.params.name, { move, by: callerName(request) });
    },
  );
  server.post(
    '/v1/backends/:name/retire',
    {
      config: { role: 'admin' },
      schema: {
        ...{ operationId: 'retireBackend', summary: 'Nothing goes there any more', tags },
        description: 'Refused, with counts, while anything points to it.',
        ...{ params: aBackend, body: retiring, response: { 200: retiredValue } },
      },
    },
    (request) => backends.retire(request.params.name, { dryRun: request.body.dry_run, by: callerName(request) }),
  );
  const says = (name: string, wish: PlainWish, by: string) => backends.say(name, wish, by);
  plain(server, says, 'activate', 'As placement decides, from now on');
  plain(server, says, 'undrain', 'What it was before it drained');
  plain(server, says, 'unfence', 'Mail is delivered there again');
  server.post(
    '/v1/backends/:name/canary',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'canaryBackend', summary: 'A share of new users, and no more', tags },
        ...{ params: aBackend, body: z.strictObject({ share: shareField }), response: { 200: backendValue } },
      },
    },
    (request) => {
      const { share } = request.body;
      return says(request.params.name, { is: 'canary', ...(share !== undefined && { share }) }, callerName(request));
    },
  );
  server.post(
    '/v1/backends/:name/fence',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'fenceBackend', summary: 'Mail for its mailboxes is put off', tags },
        ...{ params: aBackend, body: fencing, response: { 200: backendValue } },
      },
    },
    (request) => {
      const { reason, until } = request.body;
      const wish = { is: 'fence', reason, ...(until !== undefined && { until: Date.parse(until) }) } as const;
      return says(request.params.name, wish, callerName(request));
    },
  );
};

type Says = BackendOperations['say'];

/** A step that takes nothing but the backend. */
function plain(server: ResourceServer, says: Says, is: 'activate' | 'undrain' | 'unfence', summary: string): void {
  server.post(
    `/v1/backends/:name/${is}`,
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: `${is}Backend`, summary, tags },
        ...{ params: aBackend, body: empty, response: { 200: backendValue } },
      },
    },
    (request) => says(request.params.name, { is }, callerName(request)),
  );
}

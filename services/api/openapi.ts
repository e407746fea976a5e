// The OpenAPI document of the API, made from the schemas of its routes.
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { z } from 'zod';

const about = `What an operator asks of Rookery, and has it do: the queues of events, the directory, mailboxes, routes.
Each request bears a token of \`api.tokens\`; a role may do what those before it may: read, operate, admin.
Names are text in UTF-8; \`encoding=base64url\` is for those that are not. What goes wrong is told as RFC 9457 has it.`;

/** How zod's schemas are written: what is true of all whole numbers and all times need not stand at each. */
const writing = {
  zodToJsonConfig: {
    override: ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  },
};
const transformRoute = createJsonSchemaTransform(writing);
const transformDocument = createJsonSchemaTransformObject(writing);

/** Has the routes that are added from now on described. */
export async function describeRoutes(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Rookery', description: about, version: '1', license: { name: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: (route) => {
      const { schema, url } = transformRoute(route);
      if (schema.hide === true) return { schema, url };
      const { role = '' } = route.route.config ?? {};
      const said = schema.description === undefined ? '' : `${schema.description} `;
      return { schema: { ...schema, description: `${said}Takes the role ${role}.` }, url };
    },
    transformObject: (documents) => completed(transformDocument(documents)),
  });
}

interface Document {
  paths?: Record<string, Record<string, { responses?: Record<string, unknown> }>>;
  components?: { schemas?: Record<string, unknown> };
}

/** Every route may answer with a problem; and what is only answered is not described as something to be sent, too. */
function completed<T>(document: T): T {
  const { paths = {}, components = {} } = document as Document;
  const schemas = Object.entries(components.schemas ?? {}).filter(([name]) => !name.endsWith('Input'));
  components.schemas = Object.fromEntries(schemas);
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    operation.responses = {
      ...operation.responses,
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    };
  }
  return document;
}

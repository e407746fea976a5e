// The OpenAPI document beside this file. To write it anew: `node infra/api/generate.ts && prettier --write infra/api`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Fastify from 'fastify';
import { Tokens } from '../../services/api/tokens.ts';
import { v1 } from '../../services/api/v1.ts';
import type { V1Options } from '../../services/api/v1.ts';

/** The document as the API serves it, from an API that nothing stands behind. */
export async function openApiText(): Promise<string> {
  const token = 'only-for-this-document';
  const options = {
    ...{ tokens: new Tokens([{ name: 'document', token, role: 'read' }]), ratePerMinute: 1 },
    board: { level: 'read', queues: [], answers: () => false, about: () => undefined },
    ...{ operations: {}, trail: {}, log: {}, count: () => undefined },
  } as unknown as V1Options;
  const server = Fastify();
  await server.register((scope) => v1(scope, options));
  const { body } = await server.inject({ url: '/v1/openapi.json', headers: { authorization: `Bearer ${token}` } });
  await server.close();
  return `${JSON.stringify(JSON.parse(body), null, 2)}\n`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(import.meta.dirname, 'openapi.json'), await openApiText());
}

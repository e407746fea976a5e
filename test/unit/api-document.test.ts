// The OpenAPI document: valid, the one that is committed, and whole.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openApiText } from '../../infra/api/generate.ts';

interface Document {
  paths: Record<string, Record<string, { operationId?: string; description?: string; responses: object }>>;
}

const text = await openApiText();

test('the document in infra is that of the code: run node infra/api/generate.ts', () => {
  const kept = readFileSync(new URL('../../infra/api/openapi.json', import.meta.url), 'utf8');
  assert.deepEqual(JSON.parse(kept), JSON.parse(text));
});

test('it is valid by the schema of OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(text);
  assert.ok(valid, JSON.stringify(errors));
  const broken = text.replace('"operationId":', '"operationIdent":');
  assert.equal((await new Validator().validate(broken)).valid, false, 'the validator finds what is wrong');
});

test('each operation has a name of its own, a role, an answer and the problem', () => {
  const { paths } = JSON.parse(text) as Document;
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  assert.ok(operations.length >= 16);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const { operationId, description, responses } of operations) {
    assert.match(description ?? '', /Takes the role (read|operate|admin)\.$/, operationId);
    assert.match(Object.keys(responses).join(' '), /^(200|202) default$/, operationId);
  }
});

// Who a token belongs to, and what its role may do; and how tokens are configured.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Tokens, apiRoles, mayDo } from '../../services/api/tokens.ts';
import { ConfigError } from '../../services/config/config-error.ts';
import { loadConfig } from '../../services/config/load.ts';
import { showConfig } from '../../services/config/show.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-tokens-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function load(tokens: string) {
  const file = join(folder, 'rookery.yaml');
  writeFileSync(file, `api: { tokens: ${tokens} }`);
  return loadConfig({ file, env: {} });
}

function problemsOf(tokens: string): string[] {
  try {
    load(tokens);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key, value }) => `${key} is ${value}`);
  }
}

test('a role may do what those before it may, and no more', () => {
  const table = apiRoles.map((role) => apiRoles.map((needed) => mayDo(role, needed)));
  assert.deepEqual(table, [
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

test('a token is its own and nobody else, whole or not at all', () => {
  const tokens = new Tokens([
    { name: 'reader', role: 'read', token: 'a'.repeat(16) },
    { name: 'boss', role: 'admin', token: 'b'.repeat(1024) },
  ]);
  assert.deepEqual(tokens.callerOf('a'.repeat(16)), { name: 'reader', role: 'read' });
  assert.deepEqual(tokens.callerOf('b'.repeat(1024)), { name: 'boss', role: 'admin' });
  for (const other of ['', 'a', 'a'.repeat(15), 'a'.repeat(17), 'A'.repeat(16)]) {
    assert.equal(tokens.callerOf(other), undefined);
  }
  assert.equal(tokens.empty, false);
  assert.equal(new Tokens([]).empty, true);
  assert.equal(new Tokens([]).callerOf(''), undefined);
});

test('two names with one token are refused, for who would be asking?', () => {
  const token = 'the-same-for-both';
  const both = ['a', 'b'].map((name) => ({ name, role: 'read', token }) as const);
  assert.throws(
    () => new Tokens(both),
    (error: Error) =>
      /api\.tokens\.b has the token of api\.tokens\.a/.test(error.message) && !error.message.includes(token),
  );
});

test('tokens are configured with a role, in the file or in one of their own, and never shown', () => {
  writeFileSync(join(folder, 'ops.token'), 'kept-in-its-own-file\n');
  const config = load('{ reader: { token: written-into-it-all }, ops: { token_file: ops.token, role: operate } }');
  assert.equal(config.api.tokens['reader']?.role, 'read');
  assert.equal(config.api.tokens['ops']?.token, 'kept-in-its-own-file');
  const shown = showConfig(config);
  assert.match(shown, /role: operate/);
  assert.doesNotMatch(shown, /written-into|kept-in/);
});

test('what is no token, no role or no name is refused, without being told', () => {
  assert.deepEqual(problemsOf('{ a: { token: too-short } }'), ['api.tokens.a.token is (hidden)']);
  assert.deepEqual(problemsOf('{ a: { token: "with a space in it all" } }'), ['api.tokens.a.token is (hidden)']);
  assert.deepEqual(problemsOf('{ a: { role: read } }'), ['api.tokens.a.token is missing']);
  assert.deepEqual(problemsOf('{ a: { token: long-enough-for-one, role: root } }'), ['api.tokens.a.role is "root"']);
  assert.deepEqual(problemsOf('{ "a b": { token: long-enough-for-one } }'), ['api.tokens.a b is so called']);
  writeFileSync(join(folder, 'short.token'), 'short\n');
  assert.match(
    problemsOf('{ a: { token_file: short.token } }')[0] ?? '',
    /^api\.tokens\.a\.token_file is "short.token"/,
  );
});

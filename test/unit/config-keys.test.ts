// Every key of the configuration is told of, can be set, and is named when it is wrong.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { z } from 'zod';
import { generatedFiles } from '../../infra/config/generate.ts';
import { ConfigError } from '../../services/config/config-error.ts';
import { describeConfig } from '../../services/config/describe.ts';
import { exampleConfig } from '../../services/config/example.ts';
import { loadConfig } from '../../services/config/load.ts';
import { configSchema } from '../../services/config/schema.ts';
import { keysBelow, pathText } from '../../services/config/walk.ts';
import type { Key } from '../../services/config/walk.ts';

const keys = Array.from(keysBelow());
const file = join(mkdtempSync(join(tmpdir(), 'rookery-keys-')), 'config.yaml');
after(() => {
  rmSync(dirname(file), { recursive: true });
});

function load(text: string) {
  writeFileSync(file, text);
  return loadConfig({ file, env: {} });
}

test('every key has a doc, a default, an example, and says what it may be', () => {
  const rows = describeConfig();
  assert.ok(rows.length > 60);
  for (const row of rows) {
    for (const column of ['doc', 'default', 'example', 'expects'] as const)
      assert.ok(row[column], `${row.key}: ${column}`);
  }
  assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length);
  const variables = rows.map(({ variable }) => variable).filter(Boolean);
  assert.equal(new Set(variables).size, variables.length, 'no two keys share a variable');
});

test('every example and every default is a value that the key may have', () => {
  for (const { path, schema, facts } of keys) {
    const result = z.safeParse(schema, facts?.example);
    assert.ok(result.success, `${pathText(path)}: ${String(result.error)}`);
  }
});

test('the sample and the schema in infra are those of the code: run node infra/config/generate.ts', () => {
  for (const [name, content] of Object.entries(generatedFiles())) {
    const layout = (text: string) => (name.endsWith('.json') ? JSON.stringify(JSON.parse(text)) : text);
    const kept = readFileSync(new URL(`../../infra/config/${name}`, import.meta.url), 'utf8');
    assert.equal(layout(kept), layout(content), name);
  }
});

test('the sample sets nothing; with its comment marks off it is a whole configuration, but for the files it names', () => {
  assert.deepEqual(parse(exampleConfig()), {
    ...{
      directory: null,
      lmtp: null,
      lookup: null,
      users: null,
      usage: null,
      placement: null,
      moves: null,
      workers: null,
      scaling: null,
      api: null,
      log: null,
    },
  });
  const text = exampleConfig().replace(/^( *)# (?=( *- | *[a-z][\w.]*:( \S+)?$))/gm, '$1');
  assert.deepEqual(Object.keys(parse(text) as object), Object.keys(configSchema.shape));
  assert.throws(
    () => load(text),
    (error: ConfigError) =>
      error.problems.every(({ key }) => /_file$|\.tls_server_(cert|key)$/.test(key)) && error.problems.length === 6,
  );
});

test('every key is read by something outside of services/config', () => {
  const root = join(import.meta.dirname, '../..');
  const code = ['services', 'workers']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((name) => name.endsWith('.ts') && !name.startsWith(join('services', 'config')))
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
  const names = keys.map(({ path }) => path.findLast((step): step is string => typeof step === 'string') ?? '');
  // Files are read there, and what is in them goes on under other names.
  const isFile = (name: string) => /_file$|^tls_server_(cert|key)$/.test(name);
  const unread = [...new Set(names)].filter((name) => !isFile(name) && !new RegExp(`\\b${name}\\b`).test(code));
  assert.deepEqual(unread, []);
});

/** A tree that holds a value at a key, with whatever must stand beside it. */
function treeWith({ path }: Key, value: unknown): Record<string, unknown> {
  return path.reduceRight<unknown>((below, step) => (step === 0 ? [below] : { [step]: below }), value) as Record<
    string,
    unknown
  >;
}

test('any value that a key may not have is named by the key', () => {
  const nonsense = fc.oneof(
    fc.constantFrom(null, -1, 1.5, '', '\u0000', ' ', [], [[]], {}, { nonsense: 1 }, Number.MAX_SAFE_INTEGER),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.dictionary(fc.constantFrom('a', 'b'), fc.integer(), { minKeys: 1 }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...keys), nonsense, (key, value) => {
      fc.pre(!z.safeParse(key.schema, value).success);
      fc.pre(!(value === null && key.path.length === 1)); // an empty section counts as left out
      const name = pathText(key.path);
      try {
        load(JSON.stringify(treeWith(key, value)));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(
          error.problems.some((problem) => problem.key.startsWith(name)),
          `${name} = ${JSON.stringify(value)}: ${error.message}`,
        );
        return;
      }
      assert.fail(`${name} = ${JSON.stringify(value)} was taken`);
    }),
    { numRuns: 500 },
  );
});

// infra/kubernetes is what Kubernetes and KEDA take, and agrees with itself and with the configuration in it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments, parseDocument } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../services/config/load.ts';
import { needBackends } from '../../services/process/needed-backends.ts';
import { poolsOf } from '../../services/process/scaling-pools.ts';

const infra = join(import.meta.dirname, '../../infra/kubernetes');
const schemas = join(import.meta.dirname, '../schemas');

type Json = Record<string, unknown>;

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Kubernetes drops what a schema does not name, or refuses it; here it is refused. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isMap(schema)) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  const named = schema['type'] === 'object' && isMap(schema['properties']) && !('additionalProperties' in schema);
  return named ? { ...inner, additionalProperties: false } : inner;
}

function kedaSchema(kind: string): Json {
  return closed(JSON.parse(readFileSync(join(schemas, `keda-${kind}.json`), 'utf8'))) as Json;
}

function within(schema: Json, ...path: string[]): Json {
  return path.reduce((at, step) => (at['properties'] as Record<string, Json>)[step] ?? {}, schema);
}

const schemaOf = (schema: Json) => z.fromJSONSchema(schema);
const names = z.record(z.string().regex(/^[a-z0-9./_-]+$/i), z.string());
const metadata = z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,63}$/), labels: z.exactOptional(names) });
const scaledJob = kedaSchema('scaledjob');

/** A pod as Kubernetes has it: within a ScaledJob stands the whole schema of one. */
const podTemplate = schemaOf(within(scaledJob, 'spec', 'jobTargetRef', 'template'));

/** By kind. Those of Kubernetes itself are written from its documented fields (API reference of v1.31). */
const kinds: Readonly<Record<string, { apiVersion: string; schema: z.ZodType }>> = {
  ScaledObject: { apiVersion: 'keda.sh/v1alpha1', schema: schemaOf(kedaSchema('scaledobject')) },
  ScaledJob: { apiVersion: 'keda.sh/v1alpha1', schema: schemaOf(scaledJob) },
  TriggerAuthentication: { apiVersion: 'keda.sh/v1alpha1', schema: schemaOf(kedaSchema('triggerauthentication')) },
  Deployment: {
    apiVersion: 'apps/v1',
    schema: z.strictObject({
      ...{ apiVersion: z.string(), kind: z.string(), metadata },
      spec: z.strictObject({ selector: z.strictObject({ matchLabels: names }), template: podTemplate }),
    }),
  },
  ConfigMap: {
    apiVersion: 'v1',
    schema: z.strictObject({ apiVersion: z.string(), kind: z.string(), metadata, data: names }),
  },
  Kustomization: {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    schema: z.strictObject({
      ...{ apiVersion: z.string(), kind: z.string(), resources: z.array(z.string()).min(1) },
      images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })),
    }),
  },
};

interface Manifest {
  file: string;
  text: string;
  value: Json;
}

const manifests: Manifest[] = readdirSync(infra, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => {
    const file = join(infra, name);
    const text = readFileSync(file, 'utf8');
    assert.equal(parseAllDocuments(text).length, 1, name);
    const document = parseDocument(text);
    assert.deepEqual([...document.errors, ...document.warnings], [], name);
    return { file, text, value: document.toJS() as Json };
  });

/** Those of a kind; there is one at least. */
function allOf(kind: string): Json[] {
  const found = manifests.filter(({ value }) => value['kind'] === kind).map(({ value }) => value);
  assert.ok(found.length > 0, `a ${kind}`);
  return found;
}

function ofKind(kind: string): Json {
  return allOf(kind)[0] ?? {};
}

/** The value at a path of names and numbers, as a test knows it to be. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((here, step) => (here as Record<string | number, unknown> | undefined)?.[step], value);
}

for (const { file, value, text } of manifests) {
  test(`${file.slice(infra.length + 1)} is valid, and says in its first line what it is`, () => {
    const kind = kinds[String(value['kind'])];
    assert.ok(kind, `${String(value['kind'])} is a kind that this test knows`);
    assert.equal(value['apiVersion'], kind.apiVersion);
    const { error } = kind.schema.safeParse(value);
    assert.equal(error && z.prettifyError(error), undefined);
    assert.match(text, /^# \S.{15,}/);
  });
}

test('the schemas would refuse what is wrong', () => {
  const wrong = (kind: string, ...path: (string | number)[]) => {
    const copy = structuredClone(ofKind(kind));
    (at(copy, ...path) as Json)['nonsense'] = 1;
    return kinds[kind]?.schema.safeParse(copy).success;
  };
  assert.equal(wrong('ScaledObject', 'spec', 'triggers', 0), false);
  assert.equal(
    wrong('ScaledObject', 'spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior', 'scaleUp'),
    false,
  );
  assert.equal(wrong('ScaledJob', 'spec', 'jobTargetRef', 'template', 'spec', 'containers', 0), false);
  assert.equal(wrong('Deployment', 'spec', 'template', 'spec', 'containers', 0, 'readinessProbe', 'httpGet'), false);
  assert.equal(wrong('Deployment', 'spec'), false);
  assert.equal(wrong('TriggerAuthentication', 'spec', 'secretTargetRef', 0), false);
});

test('every manifest is a resource of a kustomization beside it, and those name nothing else', () => {
  for (const { file, value } of manifests.filter((one) => one.value['kind'] === 'Kustomization')) {
    const folder = dirname(file);
    const beside = manifests.filter((one) => dirname(one.file) === folder && one.file !== file);
    const found = beside.map((one) => one.file.slice(folder.length + 1)).sort();
    assert.deepEqual([...(value['resources'] as string[])].sort(), found);
  }
});

test('the configuration in it is one, and what is asked of KEDA agrees with its pool', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rookery-kubernetes-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'redis.url'), 'redis://redis:6379');
  writeFileSync(join(folder, 'imap.secret'), 'secret');
  const text = at(ofKind('ConfigMap'), 'data', 'rookery.yaml') as string;
  const file = join(folder, 'rookery.yaml');
  writeFileSync(file, text.replaceAll('/run/secrets/rookery', folder));
  const config = loadConfig({ file, env: {} });
  needBackends(config);
  for (const { imap } of Object.values(config.backends)) assert.ok(imap?.password, 'workers ask the backends by IMAP');
  const pools = new Map(poolsOf(config).map((pool) => [pool.name, pool]));
  assert.equal(allOf('Deployment').length, 1);
  const scaled = [...allOf('ScaledObject'), ...allOf('ScaledJob')];
  assert.equal(scaled.length, 3);
  const found = new Set<string>();
  for (const value of scaled) {
    const spec = at(value, 'spec');
    // pkg/scalers/metrics_api_scaler.go: the parameters that there are, and those that must be given.
    const trigger = at(spec, 'triggers', 0, 'metadata') as Json;
    const { url, ...others } = trigger;
    const name = new URL(String(url)).pathname.replace('/v1/scaling/', '');
    const pool = pools.get(name);
    assert.ok(pool, `${name} is a pool of the configuration`);
    found.add(name);
    assert.equal(at(spec, 'maxReplicaCount'), pool.limits.max, name);
    assert.equal(at(spec, 'minReplicaCount'), pool.limits.min, name);
    assert.equal(Number(new URL(String(url)).port), at(config.api.listen, 'port'));
    assert.deepEqual(others, { format: 'json', valueLocation: 'desired', targetValue: '1', authMode: 'bearer' });
    assert.equal(
      at(spec, 'triggers', 0, 'authenticationRef', 'name'),
      at(ofKind('TriggerAuthentication'), 'metadata', 'name'),
    );
    const job = at(spec, 'jobTargetRef');
    const pod = at(job ?? at(ofKind('Deployment'), 'spec'), 'template');
    const args = at(pod, 'spec', 'containers', 0, 'args') as string[];
    const after = (option: string) => args[args.indexOf(option) + 1];
    assert.deepEqual(args.slice(0, 2), ['run', 'worker']);
    assert.deepEqual(after('--queues')?.split(','), pool.queues, name);
    assert.equal(after('--concurrency'), String(pool.limits.concurrency));
    assert.ok(Number(at(pod, 'spec', 'terminationGracePeriodSeconds')) > config.workers.shutdown_grace);
    if (job) assert.ok(Number(after('--deadline')) < Number(at(job, 'activeDeadlineSeconds')));
    // Workers without work would only wait.
    const { atOnce = Infinity, concurrency, max } = pool.limits;
    assert.ok(max * concurrency <= atOnce, name);
  }
  assert.deepEqual(found, new Set(pools.keys()));
  const labels = at(ofKind('Deployment'), 'spec', 'selector', 'matchLabels');
  assert.deepEqual(at(ofKind('Deployment'), 'spec', 'template', 'metadata', 'labels'), labels);
  const target = at(ofKind('ScaledObject'), 'spec', 'scaleTargetRef', 'name');
  assert.equal(target, at(ofKind('Deployment'), 'metadata', 'name'));
});

// Ways through the schema: to the key at a path, and to all keys in order.
import type { z } from 'zod';
import { factsOf } from './key.ts';
import type { KeyFacts } from './key.ts';
import { configSchema } from './schema.ts';

type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypes['_zod']['def'];

/** The place of a value: keys of maps, and numbers of list items. */
export type Path = readonly (string | number)[];

/** A path as it is shown: `directory.users.mail1.password`, `lmtp.listen[0].port`. */
export function pathText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

function defOf(schema: Schema): Def {
  return schema._zod.def as Def;
}

/** The schema below defaults, optionality and transforms. */
export function bare(schema: Schema): Schema {
  const def = defOf(schema);
  if (def.type === 'pipe') return bare(def.in);
  if (def.type === 'default' || def.type === 'prefault' || def.type === 'optional') return bare(def.innerType);
  return schema;
}

/** The default written into the schema, as people write it; undefined when there is none. */
export function defaultOf(schema: Schema): unknown {
  const def = defOf(schema);
  return def.type === 'default' ? def.defaultValue : undefined;
}

/** The keys of a section of fixed keys; undefined for any other schema. */
export function shapeOf(schema: Schema): Record<string, Schema> | undefined {
  const def = defOf(bare(schema));
  return def.type === 'object' ? def.shape : undefined;
}

/** What the entries of a map are, each under a name of its own; undefined for any other schema. */
function entryOf(schema: Schema): Schema | undefined {
  const def = defOf(bare(schema));
  return def.type === 'record' ? def.valueType : undefined;
}

/** What the items of a list are; undefined for any other schema. */
function itemOf(schema: Schema): Schema | undefined {
  const def = defOf(bare(schema));
  return def.type === 'array' ? def.element : undefined;
}

function stepInto(schema: Schema, step: string | number): Schema | undefined {
  if (typeof step === 'number') return itemOf(schema);
  const shape = shapeOf(schema);
  if (shape) return Object.hasOwn(shape, step) ? shape[step] : undefined;
  return entryOf(schema);
}

/** Whether values of the schema are text, so that an environment variable is taken as it is. */
export function isText(schema: Schema): boolean {
  const { type } = defOf(bare(schema));
  return type === 'string' || type === 'enum';
}

/** The schema at a path; undefined where no key can be. */
export function schemaAt(path: Path): Schema | undefined {
  let here: Schema | undefined = configSchema;
  for (const step of path) here = here && stepInto(here, step);
  return here;
}

/** What is told about the key at a path, or about the nearest one above it. */
export function factsAt(path: Path): KeyFacts | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const schema = schemaAt(path.slice(0, length));
    const facts = schema && factsOf(schema);
    if (facts) return facts;
  }
  return undefined;
}

/** Any key of the schema; entries of maps stand as `NAME`, items of lists as 0. */
export interface Key {
  path: Path;
  schema: Schema;
  facts: KeyFacts | undefined;
}

/** All keys, each before those below it, in the order in which they are written in the schema. */
export function* keysBelow(path: Path = [], schema: Schema = configSchema): Generator<Key> {
  for (const [name, child] of Object.entries(shapeOf(schema) ?? {})) {
    const here = [...path, name];
    yield { path: here, schema: child, facts: factsOf(child) };
    yield* keysBelow(here, child);
  }
  const entry = entryOf(schema);
  if (entry) yield* keysBelow([...path, 'NAME'], entry);
  const item = itemOf(schema);
  if (item) yield* keysBelow([...path, 0], item);
}

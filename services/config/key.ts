// One key of the configuration: its schema, and with it what people are told about it.
import type { z } from 'zod';

export interface KeyFacts {
  /** What the key does, in a sentence or two. */
  doc: string;
  /** What its value may be, so that it can stand after "it may be ...". */
  expects: string;
  /** A value that makes sense, as it is written in YAML. */
  example: unknown;
  /** The default in words, where it is not a value written in the schema. */
  otherwise?: string;
  /** Never shown; of a URL, its user and password are not. */
  secret?: 'all' | 'url';
}

/** The schema with its facts; goes outermost, because zod forgets them when a schema is wrapped. */
export function key<T extends z.ZodType>(schema: T, facts: KeyFacts): T {
  const { doc, example, ...rest } = facts;
  return schema.meta({ description: doc, examples: [example], ...rest });
}

/** The facts given to `key`; undefined for a schema that is no key of its own. */
export function factsOf(schema: z.core.$ZodType): KeyFacts | undefined {
  const { description, examples, ...rest } = (schema as z.ZodType).meta() ?? {};
  if (description === undefined || !Array.isArray(examples)) return undefined;
  return { doc: description, example: examples[0], ...(rest as Omit<KeyFacts, 'doc' | 'example'>) };
}

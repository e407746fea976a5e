// Requests against their schemas: what is wrong with each field, in the words of what it may be.
import type { FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';

const expectations = new WeakMap<z.core.$ZodType, string>();

/** A field of a request: what it is for, and what it may be, as it can stand after "it may be". Goes outermost. */
export function field<T extends z.ZodType>(schema: T, doc: string, expects: string): T {
  const told = schema.meta({ description: `${doc} ${expects.charAt(0).toUpperCase()}${expects.slice(1)}.` });
  expectations.set(told, expects);
  return told;
}

/** Of the schema, or of what it wraps. */
function expectationOf(schema: z.core.$ZodType | undefined): string | undefined {
  if (!schema) return undefined;
  const { innerType } = schema._zod.def as { innerType?: z.core.$ZodType };
  return expectations.get(schema) ?? expectationOf(innerType);
}

export interface Fault {
  field: string;
  value: string;
  expected: string;
}

export class InvalidRequest extends Error {
  readonly faults: Fault[];

  constructor(faults: Fault[]) {
    super(faults.map(({ field, value, expected }) => `${field} is ${value}; it may be ${expected}`).join('; '));
    this.faults = faults;
  }
}

/** What fields of each part of a request are called. */
const parts: Readonly<Record<string, string>> = { params: 'path', querystring: 'query', body: 'body' };

/** How much of a value is told. */
const longest = 120;

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest - 3)}...` : text;
}

/** What an object or a list has under a key; undefined where it is neither. */
function schemaUnder(schema: z.core.$ZodType | undefined, key: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<PropertyKey, z.ZodType>)[key];
  if (schema instanceof z.ZodArray) return schema.element;
  const { innerType } = (schema?._zod.def ?? {}) as { innerType?: z.core.$ZodType };
  return innerType && schemaUnder(innerType, key);
}

function valueUnder(data: unknown, key: PropertyKey): unknown {
  return typeof data === 'object' && data !== null ? (data as Record<PropertyKey, unknown>)[key] : undefined;
}

/** In a list of many each field is told by its place: `body.users.3.quota`. */
function faultsOf(issue: z.core.$ZodIssue, part: string, schema: z.ZodType, data: unknown): Fault[] {
  const { path } = issue;
  const named = [part, ...path.map(String)].join('.');
  const found = path.reduce<z.core.$ZodType | undefined>(schemaUnder, schema);
  const value = path.reduce<unknown>(valueUnder, data);
  if (issue.code === 'unrecognized_keys') {
    const shape = found instanceof z.ZodObject ? (found.shape as object) : {};
    const there = Object.keys(shape).join(', ') || 'none';
    const expected = `left out: there are ${there}`;
    return issue.keys.map((key) => ({ field: `${named}.${key}`, value: shown(valueUnder(value, key)), expected }));
  }
  const otherwise = path.length === 0 || found instanceof z.ZodObject ? 'an object of fields' : issue.message;
  return [
    { field: named, value: shown(path.length === 0 ? data : value), expected: expectationOf(found) ?? otherwise },
  ];
}

/** For fastify: gives the parsed value, or an InvalidRequest. A body that is left out is one without fields. */
export const requestValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart = '' }) =>
  (data: unknown) => {
    const given = data ?? {};
    const result = schema.safeParse(given);
    if (result.success) return { value: result.data };
    const part = parts[httpPart] ?? httpPart;
    return { error: new InvalidRequest(result.error.issues.flatMap((issue) => faultsOf(issue, part, schema, given))) };
  };

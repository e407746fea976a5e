// The keys of the configuration as rows for people: where, what for, the default, an example.
import { variableOf } from './environment.ts';
import { defaultOf, keysBelow, pathText } from './walk.ts';
import type { Key } from './walk.ts';

export interface KeyRow {
  /** `lmtp.size_limit`; an entry of a map is `NAME`, an item of a list `[0]`. */
  key: string;
  doc: string;
  default: string;
  example: string;
  /** What the value may be. */
  expects: string;
  /** The environment variable; empty for items of lists, which are set with their list. */
  variable: string;
}

export function rowText(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

/** The default in words; empty when nobody said any, which a test refuses. */
export function defaultText({ schema, facts }: Key): string {
  if (facts?.otherwise !== undefined) return facts.otherwise;
  const value = defaultOf(schema);
  if (value !== undefined) return rowText(value);
  return schema._zod.def.type === 'prefault' ? 'none of its keys need be given' : '';
}

/** Every key of the configuration, in the order of the schema. */
export function describeConfig(): KeyRow[] {
  return Array.from(keysBelow(), (key) => ({
    key: pathText(key.path),
    doc: key.facts?.doc ?? '',
    default: defaultText(key),
    example: key.facts ? rowText(key.facts.example) : '',
    expects: key.facts?.expects ?? '',
    variable: variableOf(key.path) ?? '',
  }));
}

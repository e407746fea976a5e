// Environment variables over the file: `ROOKERY_` and the key in capitals, `__` where the path has a dot.
import { parseDocument } from 'yaml';
import type { Problem } from './config-error.ts';
import { nearest } from './nearest.ts';
import { shownValue } from './shown-value.ts';
import { bare, factsAt, isText, keysBelow, schemaAt } from './walk.ts';
import type { Path } from './walk.ts';

const prefix = 'ROOKERY_';

const apiVariable = 'ROOKERY_API';

/** Where the API is, for the commands: `ROOKERY_API` as an URL is that, and not the section `api`. */
export function apiUrl({ ROOKERY_API: text = '' }: Readonly<Record<string, string | undefined>>): string | undefined {
  return /^https?:/i.test(text) ? text : undefined;
}

/** A tree of plain values, as YAML gives it. */
export type Tree = Record<string, unknown>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The variable for a key: `lmtp.size_limit` is `ROOKERY_LMTP__SIZE_LIMIT`. Items of lists have none of their own. */
export function variableOf(path: Path): string | undefined {
  if (path.some((step) => typeof step === 'number')) return undefined;
  return prefix + path.map((step) => String(step).toUpperCase()).join('__');
}

/**
 * The key a variable is for: `ROOKERY_DIRECTORY__USERS__MAIL1__PASSWORD` is `directory.users.mail1.password` (a name
 * within a map is read in small letters). Undefined for a variable that is none of ours: without `__` only keys of the
 * top level are, so that `ROOKERY_PORT`, as Kubernetes sets it for a service of that name, harms nobody.
 */
function pathOf(variable: string): Path | undefined {
  if (!variable.startsWith(prefix)) return undefined;
  const path = variable.slice(prefix.length).toLowerCase().split('__');
  return path.length > 1 || schemaAt(path) !== undefined ? path : undefined;
}

function put(tree: Tree, path: Path, value: unknown): void {
  const [first, ...rest] = path.map(String);
  if (first === undefined) return;
  if (rest.length === 0) {
    Object.defineProperty(tree, first, { value, enumerable: true, writable: true, configurable: true });
    return;
  }
  if (!Object.hasOwn(tree, first) || tree[first] === null) put(tree, [first], {});
  const below = tree[first];
  if (isTree(below)) put(below, rest, value); // anything else is wrong in the file, and told as such
}

function parsed(text: string, path: Path): { value: unknown } | undefined {
  const schema = schemaAt(path);
  if (schema && isText(bare(schema))) return { value: text };
  const document = parseDocument(text, { prettyErrors: false });
  return document.errors.length > 0 ? undefined : { value: document.toJS({ maxAliasCount: 0 }) as unknown };
}

/** Puts the variables into the tree, outer keys before inner ones; gives back what is wrong with them. */
export function applyEnvironment(tree: Tree, env: Readonly<Record<string, string | undefined>>): Problem[] {
  const problems: Problem[] = [];
  const known = Array.from(keysBelow(), (key) => variableOf(key.path)).filter((name) => name !== undefined);
  const variables = Object.keys(env).sort((a, b) => a.split('__').length - b.split('__').length);
  for (const variable of variables) {
    const text = env[variable];
    const path = pathOf(variable);
    if (text === undefined || path === undefined || text === apiUrl({ [variable]: text })) continue;
    if (schemaAt(path) === undefined) {
      const hint = nearest(variable, known);
      const expected = `left out: there is no such key${hint === undefined ? '' : `; did you mean ${hint}?`}`;
      problems.push({ key: variable, value: shownValue(text, path), expected });
      continue;
    }
    const value = parsed(text, path);
    // Who has written no section has meant the other thing that this variable may be.
    if (variable === apiVariable && !isTree(value?.value)) {
      const expected = 'http://HOST:PORT or https://HOST, for the commands; or a section of keys';
      problems.push({ key: variable, value: shownValue(text, path), expected });
    } else if (value) put(tree, path, value.value);
    else problems.push({ key: variable, value: shownValue(text, path), expected: factsAt(path)?.expects ?? 'YAML' });
  }
  return problems;
}

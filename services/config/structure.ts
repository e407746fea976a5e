// The tree against the schema: what is wrong with each key, and what remains without the wrong ones.
import type { z } from 'zod';
import type { Problem } from './config-error.ts';
import { isTree } from './environment.ts';
import type { Tree } from './environment.ts';
import { nearest } from './nearest.ts';
import { configSchema, later } from './schema.ts';
import type { Config } from './schema.ts';
import { shownValue } from './shown-value.ts';
import { factsAt, pathText, schemaAt, shapeOf } from './walk.ts';
import type { Path } from './walk.ts';

/** A problem with the path it is at. */
export interface Fault extends Problem {
  path: Path;
}

export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, step) => {
    if (Array.isArray(here)) return (here as unknown[])[Number(step)];
    return isTree(here) && Object.hasOwn(here, step) ? here[step] : undefined;
  }, tree);
}

export function faultAt(tree: Tree, path: Path, expected: string): Fault {
  return { path, key: pathText(path), value: shownValue(valueAt(tree, path), path), expected };
}

function unknownKey(tree: Tree, section: Path, name: string): Fault {
  const path = [...section, name];
  const known = schemaAt(section);
  const hint = nearest(name, Object.keys((known && shapeOf(known)) ?? {}));
  const reason = later[pathText(path)] ?? `there is no such key${hint === undefined ? '' : `; did you mean ${hint}?`}`;
  return faultAt(tree, path, `left out: ${reason}`);
}

function faultsOf(tree: Tree, issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownKey(tree, path, name));
  if (issue.code === 'custom' && issue.message !== 'Invalid input') return [faultAt(tree, path, issue.message)];
  if (issue.code === 'invalid_key') {
    return [{ ...faultAt(tree, path, 'called by a name without spaces or control characters'), value: 'so called' }];
  }
  if (path.length === 0) return [faultAt(tree, path, 'a map of sections')];
  return [faultAt(tree, path, factsAt(path)?.expects ?? 'left out')];
}

/** The tree without the value at a path. */
function without(tree: unknown, path: Path): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return undefined;
  const below = without(valueAt(tree, [first]), rest);
  if (Array.isArray(tree)) {
    const items = tree.map((item: unknown, index) => (index === first ? below : item));
    return items.filter((item) => item !== undefined);
  }
  const others = Object.entries(tree as Tree).filter(([name]) => name !== first);
  return Object.fromEntries(below === undefined ? others : [...others, [String(first), below]]);
}

/** The tree without what the faults are about: the values that are wrong, and what lacks a value it must have. */
function pruned(tree: Tree, faults: readonly Fault[]): unknown {
  let rest: unknown = tree;
  let lists = 0;
  for (const { path } of faults) {
    // Of list items one a round: the numbers of those behind it change.
    if (path.some((step) => typeof step === 'number') && (lists += 1) > 1) continue;
    const holder = path.slice(0, -1);
    if (valueAt(rest, path) !== undefined) rest = without(rest, path);
    else if (valueAt(rest, holder) !== undefined) rest = without(rest, holder);
  }
  return rest;
}

export interface Reading {
  faults: Fault[];
  /** The configuration; where there are faults, what is left of it without the faulty keys. */
  config: Config | undefined;
}

/** Reads the tree; goes on without what is wrong, so that what is wrong besides comes to light as well. */
export function readStructure(tree: Tree): Reading {
  const faults: Fault[] = [];
  for (let rest: unknown = tree; isTree(rest);) {
    const here = rest;
    const result = configSchema.safeParse(here);
    if (result.success) return { faults, config: result.data };
    const found = result.error.issues.flatMap((issue) => faultsOf(here, issue));
    if (faults.length === 0) faults.push(...found);
    rest = pruned(here, found); // every round takes something away
  }
  return { faults, config: undefined };
}

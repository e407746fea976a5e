// Loading the configuration: file, then environment, then secrets; whole, or refused whole.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { ConfigError } from './config-error.ts';
import type { Problem } from './config-error.ts';
import { disagreements } from './cross-checks.ts';
import { applyEnvironment, isTree } from './environment.ts';
import type { Tree } from './environment.ts';
import type { Config } from './schema.ts';
import { fillSecrets } from './secret-files.ts';
import { readStructure } from './structure.ts';
import type { Fault } from './structure.ts';
import { tlsFaults } from './tls-files.ts';
import type { Path } from './walk.ts';

export interface ConfigSource {
  /** The YAML file; without one, there are only defaults and the environment. */
  file?: string;
  env: Readonly<Record<string, string | undefined>>;
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'not there',
  EACCES: 'not readable by this user',
  EISDIR: 'a folder',
};

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const value = (code && unreadable[code]) ?? code ?? String(error);
    throw new ConfigError(file, [{ key: 'the file', value, expected: 'any file that can be read' }]);
  }
}

/** The document as plain values. Aliases to nowhere, or to far too much, come to light only here. */
function plain(file: string, document: Document): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new ConfigError(file, [
      { key: 'the file', value: 'not right', expected: 'YAML whose aliases can be followed' },
    ]);
  }
}

/** The tree of a YAML text. What the parser quotes is left out of its complaints: it may be a secret. */
function treeOf(file: string, text: string): Tree {
  const document = parseDocument(text, { prettyErrors: false });
  const complaints = [...document.errors, ...document.warnings].map((error): Problem => {
    const before = text.slice(0, error.pos[0]);
    const column = before.length - before.lastIndexOf('\n');
    const reason = error.message.replace(/[:"].*$/s, '').trim();
    return {
      key: `line ${before.split('\n').length}, column ${column}`,
      value: 'not right',
      expected: `YAML: ${reason}`,
    };
  });
  if (complaints.length > 0) throw new ConfigError(file, complaints);
  const tree = plain(file, document);
  if (isTree(tree)) return tree;
  throw new ConfigError(file, [
    { key: 'the file', value: Array.isArray(tree) ? 'a list' : 'one value', expected: 'a map of sections' },
  ]);
}

/** A section of which every line is commented out has no value in YAML: it counts as left out. */
function dropEmptySections(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== null));
}

/** Whether one of two paths leads to the other. */
function touches(a: Path, b: Path): boolean {
  return a.slice(0, b.length).every((step, index) => step === b[index]);
}

/**
 * Loads the configuration. Throws ConfigError naming every key that is wrong, the value it has (secrets hidden) and what
 * it may be.
 */
export function loadConfig(source: ConfigSource): Config {
  const tree = dropEmptySections(source.file === undefined ? {} : treeOf(source.file, contentOf(source.file)));
  const problems = applyEnvironment(tree, source.env);
  const { faults, config } = readStructure(tree);
  const found: Fault[] = [...faults];
  if (config) {
    const sound = ({ restsOn }: { restsOn: readonly Path[] }) =>
      !restsOn.some((path) => faults.some((fault) => touches(path, fault.path)));
    found.push(...Array.from(disagreements(config)).filter(sound));
    found.push(...fillSecrets(config, source.file === undefined ? process.cwd() : dirname(source.file)));
    found.push(...tlsFaults(config));
  }
  for (const { key, value, expected } of found) {
    if (!problems.some((problem) => problem.key === key)) problems.push({ key, value, expected });
  }
  if (problems.length > 0 || !config) throw new ConfigError(source.file ?? 'The configuration', problems);
  return config;
}

// The files that secrets are kept in: read once, while loading.
import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { isTree } from './environment.ts';
import type { Tree } from './environment.ts';
import { faultAt } from './structure.ts';
import type { Fault } from './structure.ts';
import { factsAt, schemaAt } from './walk.ts';
import type { Path } from './walk.ts';
import type { z } from 'zod';

/** More is no secret but a mistake. */
const largest = 65_536;

/** The text of a secret's file without one closing newline. Throws an Error that says why it can't be had. */
function readSecret(file: string): string {
  const bytes = readFileSync(file);
  if (bytes.length > largest) throw new Error(`it holds more than ${largest} bytes`);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw new Error('it does not hold UTF-8');
  return text.replace(/\r?\n$/, '');
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not read it';
  return error instanceof Error ? error.message : String(error);
}

function fill(root: Tree, section: Tree, path: Path, name: string, folder: string): Fault | undefined {
  const filePath = [...path, `${name}_file`];
  const secretPath = [...path, name];
  const file = section[`${name}_file`];
  if (typeof file !== 'string') return undefined;
  if (section[name] !== undefined) return faultAt(root, secretPath, `left out where ${name}_file is given`);
  try {
    const text = readSecret(isAbsolute(file) ? file : resolve(folder, file));
    const schema = schemaAt(secretPath) as z.ZodType | undefined;
    if (schema?.safeParse(text).success !== true)
      throw new Error(`it does not hold ${factsAt(secretPath)?.expects ?? 'one'}`);
    section[name] = text;
    return undefined;
  } catch (error) {
    return faultAt(root, filePath, `the path of a readable file: ${reasonOf(error)}`);
  }
}

/**
 * Puts the secrets that files hold beside the keys that name the files (`password` beside `password_file`), anywhere in
 * the configuration; gives back what is wrong. Relative paths start at `folder`.
 */
export function fillSecrets(root: Tree, folder: string, section: Tree = root, path: Path = []): Fault[] {
  const faults: Fault[] = [];
  for (const [name, value] of Object.entries(section)) {
    const secret = name.endsWith('_file') ? name.slice(0, -'_file'.length) : undefined;
    if (isTree(value)) faults.push(...fillSecrets(root, folder, value, [...path, name]));
    else if (secret !== undefined && schemaAt([...path, secret])) {
      const fault = fill(root, section, path, secret, folder);
      if (fault) faults.push(fault);
    }
  }
  return faults;
}

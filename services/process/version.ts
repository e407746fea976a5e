// The version of this program, as its package says it.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Looked for upwards from here: this file runs from source and from dist. */
function packageFile(): string {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const file = join(at, 'package.json');
    if (existsSync(file)) return file;
    if (at === dirname(at)) throw new Error(`package.json is not to be found above ${import.meta.dirname}`);
  }
}

export const version = (JSON.parse(readFileSync(packageFile(), 'utf8')) as { version: string }).version;

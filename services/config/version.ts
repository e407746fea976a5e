// Which version of this program runs.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The version in package.json, looked for upwards from here: this file runs from source and from dist. */
export function programVersion(): string {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const file = join(at, 'package.json');
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (at === dirname(at)) throw new Error(`package.json is not to be found above ${import.meta.dirname}`);
  }
}

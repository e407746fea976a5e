// Files of a folder that others write to while it is looked at.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** How many files are in it and below; what vanishes meanwhile does not count. */
export function countFiles(folder: string): number {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.reduce(
      (count, entry) => count + (entry.isDirectory() ? countFiles(join(folder, entry.name)) : 1),
      0,
    );
  } catch {
    return 0;
  }
}

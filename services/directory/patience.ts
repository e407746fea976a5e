// Waiting for the directory, but not for ever.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Directory, Lookup } from './directory.ts';
import type { Bytes, Entry } from './entry.ts';

/** The directory has not answered in time. */
export class DirectorySilent extends Error {
  override readonly name = 'DirectorySilent';
}

/** Rejects with DirectorySilent when the promise has not settled within so many milliseconds. */
export async function inTime<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DirectorySilent(`no answer from the directory in ${milliseconds} ms`));
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What whoever routes mail asks of the directory. */
export interface RoutingDirectory extends Pick<Directory, 'lookup' | 'nearby'> {
  /** A lookup that nothing remembered answers. */
  fresh: Directory['lookup'];
  /** What a lookup would answer from memory, at once; undefined where it would have to ask. */
  remembered(names: readonly Bytes[]): Lookup | undefined;
  /** The row of a name, where it is remembered and surely as it is; no question is asked. */
  known(name: Bytes): Entry | undefined;
  /** Resolves when something has changed about the name's tree, or after so many milliseconds. */
  changed(name: Bytes, within: number): Promise<void>;
}

/** A directory that counts as away when it is silent for so many milliseconds. */
export function patient(directory: Pick<Directory, 'lookup' | 'nearby'>, milliseconds: number): RoutingDirectory {
  const lookup: Directory['lookup'] = (names) => inTime(directory.lookup(names), milliseconds);
  return {
    ...{ lookup, fresh: lookup },
    nearby: (domain, isNear) => inTime(directory.nearby(domain, isNear), milliseconds),
    remembered: () => undefined,
    known: () => undefined,
    changed: (_, within) => sleep(within),
  };
}

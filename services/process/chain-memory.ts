// What this installation knows of the directory's history, kept outside of Redis: so that a Redis that comes back with less
// is recognised also by a process that has just started.
import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDataFolder } from '../config/data-folder.ts';
import type { Place } from '../directory/redis/chain-watch.ts';
import type { Log } from './log.ts';

const places = z.array(z.strictObject({ epoch: z.int().nonnegative(), seq: z.int().nonnegative(), nonce: z.string() }));

/**
 * One small file in the data folder, written anew when a heartbeat has found changes (every second at most). What was
 * written in the last second before everything ended at once may be missing from it: then a loss of just that is not
 * seen. Where the folder can't be written nothing is remembered, and the log says so once.
 */
export class ChainMemory {
  readonly #folder: string;
  readonly #file: string;
  readonly #log: Pick<Log, 'warn'>;
  #latest: readonly Place[] | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(dataFolder: string, log: Pick<Log, 'warn'>) {
    this.#folder = dataFolder;
    this.#file = join(dataFolder, 'chain.json');
    this.#log = log;
  }

  /** The place of each shard when it was last seen; undefined when nothing is remembered. */
  recall(): Place[] | undefined {
    try {
      return places.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#log.warn({ err: error, file: this.#file }, 'directory: what is remembered of its history can not be read');
      return undefined;
    }
  }

  /** Writes soon; the last one given is what counts. */
  remember(latest: readonly Place[]): void {
    this.#latest = latest;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Resolves when what was given has been written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#latest) {
      const text = JSON.stringify(this.#latest);
      this.#latest = undefined;
      await this.#replace(text).catch((error: unknown) => {
        if (!this.#failed) this.#log.warn({ err: error, file: this.#file }, 'directory: its history is not remembered');
        this.#failed = true;
      });
    }
  }

  /** Whole or not at all, also when the machine stops in the middle. */
  async #replace(text: string): Promise<void> {
    const next = `${this.#file}.${process.pid}`;
    makeDataFolder(this.#folder);
    const file = await open(next, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#file);
  }
}

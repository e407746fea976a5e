// Files for what slow backends have not taken yet: without a name, bounded in all, gone with their message or with the process.
import { mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueId } from './unique-id.ts';

/** What a file is called between its making and its unlinking. */
const prefix = 'message-';

export class Spool {
  readonly #folder: string;
  readonly #limit: number;
  #used = 0;

  private constructor(folder: string, limit: number) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /**
   * Makes the folder where there is none, and takes away what a process that was killed has left in it. `limit` in bytes.
   * Rejects when the folder can't be used.
   */
  static async open(folder: string, limit: number): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const left = (await readdir(folder)).filter((name) => name.startsWith(prefix));
    for (const name of left) await unlinked(join(folder, name));
    return new Spool(folder, limit);
  }

  /** Bytes in files now. */
  get used(): number {
    return this.#used;
  }

  /** A file for one message; made when something is first written to it. */
  file(): SpoolFile {
    return new SpoolFile(this.#folder, (bytes) => this.#take(bytes));
  }

  /** False, and nothing taken, when there is no room for so many bytes more; what is given back is negative. */
  #take(bytes: number): boolean {
    if (bytes > 0 && this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }
}

async function unlinked(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    // Another process has cleaned up at the same time.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}

export class SpoolFile {
  readonly #folder: string;
  readonly #take: (bytes: number) => boolean;
  #file: Promise<FileHandle> | undefined;
  #length = 0;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(folder: string, take: (bytes: number) => boolean) {
    this.#folder = folder;
    this.#take = take;
  }

  /** Bytes that can be read. */
  get length(): number {
    return this.#length;
  }

  /** Writes behind what was written before. Rejects when there is no room, by our limit or on the disk. */
  append(chunk: Buffer): Promise<void> {
    return (this.#writing = this.#writing.then(() => this.#append(chunk)));
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#closed) return;
    if (!this.#take(chunk.length)) throw new Error('the spool is full');
    try {
      const file = await (this.#file ??= this.#open());
      for (let done = 0; done < chunk.length;) {
        done += (await file.write(chunk, done, chunk.length - done, this.#length + done)).bytesWritten;
      }
    } catch (error) {
      this.#take(-chunk.length);
      throw error;
    }
    this.#length += chunk.length;
  }

  async #open(): Promise<FileHandle> {
    const name = join(this.#folder, prefix + uniqueId());
    const file = await open(name, 'wx+', 0o600);
    await unlinked(name);
    return file;
  }

  /** Up to `most` bytes from `position` on; empty at the end of what was written. */
  async read(position: number, most: number): Promise<Buffer> {
    const wanted = Math.min(most, this.#length - position);
    if (wanted <= 0 || this.#file === undefined) return Buffer.alloc(0);
    const { buffer, bytesRead } = await (await this.#file).read(Buffer.allocUnsafe(wanted), 0, wanted, position);
    return buffer.subarray(0, bytesRead);
  }

  /** Gives the room back; nothing can be read any more. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing.catch(() => undefined);
    this.#take(-this.#length);
    await (await this.#file?.catch(() => undefined))?.close().catch(() => undefined);
  }
}

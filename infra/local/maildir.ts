// Maildirs below one folder: a message is on disk, and its name too, before anybody is told that it is stored.
import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Bytes } from '../../services/directory/entry.ts';

export class Maildirs {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, made when it is missing. What a crash left half-written is removed. */
  static async open(folder: string): Promise<Maildirs> {
    const maildirs = new Maildirs(folder);
    await rm(maildirs.#spool, { recursive: true, force: true });
    await mkdir(maildirs.#spool, { recursive: true });
    return maildirs;
  }

  /** Makes a mailbox; one that is there stays as it is. */
  async create(mailbox: Bytes): Promise<void> {
    for (const part of ['tmp', 'new', 'cur']) await mkdir(join(this.path(mailbox), part), { recursive: true });
    await sync(this.path(mailbox));
    await sync(this.#folder);
  }

  async has(mailbox: Bytes): Promise<boolean> {
    try {
      return (await stat(join(this.path(mailbox), 'new'))).isDirectory();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** The names of all mailboxes. */
  async list(): Promise<Bytes[]> {
    const folders = await readdir(this.#folder);
    return folders.filter((folder) => folder !== SPOOL).map(mailboxOf);
  }

  /** Where the Maildir of a mailbox is, whether or not there is one. */
  path(mailbox: Bytes): string {
    return join(this.#folder, folderOf(mailbox));
  }

  /** Begins a message, with its first bytes. */
  async begin(first: Buffer): Promise<MaildirMessage> {
    const file = join(this.#spool, uniqueName());
    const message = new MaildirMessage(this, file, await open(file, 'wx', 0o600));
    try {
      await message.write(first);
      return message;
    } catch (error) {
      await message.close();
      throw error;
    }
  }

  get #spool(): string {
    return join(this.#folder, SPOOL);
  }
}

/** One message: written once, then stored into any number of mailboxes; to be closed in the end. */
export class MaildirMessage {
  readonly #maildirs: Maildirs;
  readonly #file: string;
  readonly #handle: FileHandle;
  #size = 0;

  constructor(maildirs: Maildirs, file: string, handle: FileHandle) {
    this.#maildirs = maildirs;
    this.#file = file;
    this.#handle = handle;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#size += bytes.length;
    await this.#handle.writeFile(bytes);
  }

  /** Forces the message to disk; after it no more is written. */
  async finish(): Promise<void> {
    await this.#handle.sync();
  }

  /** Delivers it into a mailbox; when this resolves, it is there for good. Gives the path of its file. */
  async storeIn(mailbox: Bytes): Promise<string> {
    const folder = join(this.#maildirs.path(mailbox), 'new');
    const path = join(folder, `${uniqueName()},S=${this.#size}`);
    await link(this.#file, path);
    await sync(folder);
    return path;
  }

  /** Forgets the message, but for the mailboxes it was stored in. */
  async close(): Promise<void> {
    await this.#handle.close();
    await rm(this.#file, { force: true });
  }
}

/** Where messages are written; no mailbox is called so, for `=` is written as `=3D` in theirs. */
const SPOOL = '=spool';

/** A mailbox name as a folder's: bytes that mean something to a file system, and a leading dot, as `=XX`. */
function folderOf(mailbox: Bytes): string {
  const coded = (byte: string): string => `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  return mailbox.replace(/[^A-Za-z0-9._^!&+,-]|^\./g, coded);
}

function mailboxOf(folder: string): Bytes {
  return folder.replace(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

let delivered = 0;

/** Unique over all processes and time (https://cr.yp.to/proto/maildir.html): seconds, chance, process, count, host. */
function uniqueName(): string {
  delivered += 1;
  const seconds = Math.floor(Date.now() / 1000);
  const host = hostname().replaceAll('/', '\\057').replaceAll(':', '\\072');
  return `${seconds}.R${randomBytes(4).toString('hex')}P${process.pid}Q${delivered}.${host}`;
}

/** Forces a folder's entries to disk: without it a power cut may take the name of a file whose content is safe. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

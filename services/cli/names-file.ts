// A file of names, one a line: read as bytes, for names need not be text, with the numbers of the lines.
import { createReadStream } from 'node:fs';
import type { Bytes } from '../directory/entry.ts';
import { CommandError, exit } from './exit-codes.ts';

export interface NameLine {
  name: Bytes;
  /** From 1. */
  line: number;
}

/**
 * What is left of each line without its remark (from a `#` at its begin or behind a space), and spaces around it; names with
 * spaces stand as they are. Ends the command with 65 where the file can't be read, names nobody, or is UTF-16. `-` is
 * standard input.
 */
export async function namesIn(file: string): Promise<NameLine[]> {
  const content = await read(file);
  if (/^(?:\xff\xfe|\xfe\xff)/.test(content)) throw new CommandError(exit.data, `${file} is UTF-16: it may be UTF-8`);
  const names = content
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .map((text, at) => ({ name: text.replace(/(^|[ \t])#.*$/s, '').replace(/^[ \t]+|[ \t\r]+$/g, ''), line: at + 1 }))
    .filter(({ name }) => name !== '');
  if (names.length === 0) throw new CommandError(exit.data, `${file} names no user`);
  return names;
}

async function read(file: string): Promise<Bytes> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of input) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new CommandError(exit.data, `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return Buffer.concat(chunks).toString('latin1');
}

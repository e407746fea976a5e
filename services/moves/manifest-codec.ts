// A manifest as the bytes that are kept of it: columns of JSON, gzipped, some 25 octets a message.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Bytes } from '../address/bytes.ts';
import type { MailboxFacts, MessageFacts } from '../backends/tree-facts.ts';
import type { Manifest } from './manifest.ts';

const version = 1;

/** What is read of one at most, unzipped: 10 million messages are some 900 MiB. */
const longest = 1024 * 1_048_576;

interface Columns {
  /** Each uid less the one before it. */
  uids: number[];
  /** One behind the other, each 40 hex digits. */
  guids: string;
  modseqs: number[];
  sizes: number[];
  /** By its number, the flags of each, and whether it is expunged: `\Expunged` comes first then. */
  flags: number[];
  flagSets: Bytes[][];
}

interface MailboxColumns extends MailboxFacts {
  columns: Columns;
}

interface Written extends Omit<Manifest, 'mailboxes' | 'quotas'> {
  version: number;
  mailboxes: MailboxColumns[];
  quotas: [Bytes, [string, number][]][];
}

const expungedFlag = '\\Expunged';

export async function encodeManifest(manifest: Manifest): Promise<Buffer> {
  const written: Written = {
    ...manifest,
    version,
    mailboxes: manifest.mailboxes.map(({ messages, ...mailbox }) => ({ ...mailbox, columns: columnsOf(messages) })),
    quotas: [...manifest.quotas].map(([root, limits]) => [root, [...limits]]),
  };
  return promisify(gzip)(JSON.stringify(written), { level: 3 });
}

/** Throws where it is none, or one of a version that is not known here. */
export async function decodeManifest(bytes: Buffer): Promise<Manifest> {
  const text = await promisify(gunzip)(bytes, { maxOutputLength: longest });
  const { version: found, ...written } = JSON.parse(text.toString()) as Written;
  if (found !== version) throw new Error(`a manifest of version ${String(found)}, not ${version}`);
  return {
    ...written,
    mailboxes: written.mailboxes.map(({ columns, ...mailbox }) => ({ ...mailbox, messages: messagesOf(columns) })),
    quotas: new Map(written.quotas.map(([root, limits]) => [root, new Map(limits)])),
  };
}

function columnsOf(messages: readonly MessageFacts[]): Columns {
  const numbers = new Map<string, number>();
  const flagSets: Bytes[][] = [];
  const flags = messages.map(({ flags: some, expunged }) => {
    const set = expunged ? [expungedFlag, ...some] : [...some];
    const key = set.join(' ');
    const number = numbers.get(key) ?? flagSets.push(set) - 1;
    numbers.set(key, number);
    return number;
  });
  return {
    uids: messages.map(({ uid }, at) => uid - (messages[at - 1]?.uid ?? 0)),
    guids: messages.map(({ guid }) => guid).join(''),
    modseqs: messages.map(({ modseq }) => modseq),
    sizes: messages.map(({ size }) => size),
    ...{ flags, flagSets },
  };
}

function messagesOf({ uids, guids, modseqs, sizes, flags, flagSets }: Columns): MessageFacts[] {
  let uid = 0;
  return uids.map((step, at) => {
    uid += step;
    const set = flagSets[flags[at] ?? 0] ?? [];
    const expunged = set[0] === expungedFlag;
    return {
      ...{ uid, guid: guids.slice(at * 40, at * 40 + 40), modseq: modseqs[at] ?? 0, size: sizes[at] ?? 0 },
      ...{ flags: expunged ? set.slice(1) : set, expunged },
    };
  });
}

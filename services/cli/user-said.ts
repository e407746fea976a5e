// What a command line, or a line of a file, says of a user: his name, and what he is to have.
import { InvalidArgumentError } from 'commander';
import { parsePath } from '../address/path.ts';
import { targetOf } from '../address/recipient.ts';
import type { Config } from '../config/schema.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Wish } from '../users/order.ts';
import { CommandError, exit } from './exit-codes.ts';

export interface CreateOptions {
  server?: string;
  partition?: string;
  zone?: string;
  quota?: number;
}

/** The INBOX that a user's name means: a mailbox name as it is, an address or a login as LMTP reads it. Throws 65. */
export function inboxOf(text: string, config: Config): Bytes {
  const bytes = bytesFromText(text);
  if (/(?:^|!)user\./.test(bytes)) return bytes;
  const parsed = parsePath(`<${bytes}>`, config.lmtp.lmtp_strict_rfc2821);
  if ('error' in parsed) throw new CommandError(exit.data, `'${text}' is no user: ${parsed.error}`);
  const { mailbox, shared } = targetOf(parsed.path, config.lmtp);
  if (mailbox === '' || shared)
    throw new CommandError(exit.data, `'${text}' is no user: it may be jdoe, jdoe@example.org or user.jdoe`);
  return mailbox;
}

/** What a new user is to have, as far as it was said. */
export function creation({ server, partition, zone, quota }: CreateOptions): Wish {
  return {
    is: 'create',
    ...(server !== undefined && { server: bytesFromText(server) }),
    ...(partition !== undefined && { partition: bytesFromText(partition) }),
    ...(zone !== undefined && { zone }),
    ...(quota !== undefined && { quota }),
  };
}

/** KiB from `500M`, `2G` or plain KiB. */
export function quotaOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})([KMGT]?)$/i.exec(text) ?? [];
  if (digits === '') throw new InvalidArgumentError('It must be a number of KiB, or one with M, G or T behind it.');
  return Number(digits) * 1024 ** 'KMGT'.indexOf(unit === '' ? 'K' : unit.toUpperCase());
}

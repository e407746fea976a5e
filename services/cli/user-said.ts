// What a command line, or a line of a file, says of a new user: what he is to have.
import { InvalidArgumentError } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { Wish } from '../users/order.ts';
import { highestQuota } from '../backends/imap-quota.ts';

export interface CreateOptions {
  server?: string;
  partition?: string;
  zone?: string;
  quota?: number;
}

/** What a new user is to have, as far as it was said. */
export function creation({ server, partition, zone, quota }: CreateOptions): Wish & { is: 'create' } {
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
  const quota = Number(digits) * 1024 ** 'KMGT'.indexOf(unit === '' ? 'K' : unit.toUpperCase());
  if (quota <= highestQuota) return quota;
  throw new InvalidArgumentError(`It must be at most ${highestQuota} KiB.`);
}

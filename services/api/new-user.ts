// What a request says of a new user: who he is, and what he is to have.
import { z } from 'zod';
import { highestQuota } from '../backends/imap-quota.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Wish } from '../users/order.ts';
import { nameField, userField } from './fields.ts';
import { field } from './validation.ts';

export const newUserBody = z.strictObject({
  name: userField('The user.'),
  server: nameField('On this server.', 'the name of a backend').optional(),
  partition: nameField('On this partition.', 'the name of a partition').optional(),
  zone: nameField('On a server of this zone.', 'the name of a zone').optional(),
  quota: field(
    z.int().min(0).max(highestQuota).optional(),
    'In place of what new users get, in KiB.',
    `a whole number of KiB from 0 to ${highestQuota}`,
  ),
});

export function creationOf({ server, partition, zone, quota }: z.output<typeof newUserBody>): Wish & { is: 'create' } {
  return {
    is: 'create',
    ...(server !== undefined && { server: bytesFromText(server) }),
    ...(partition !== undefined && { partition: bytesFromText(partition) }),
    ...(zone !== undefined && { zone }),
    ...(quota !== undefined && { quota }),
  };
}

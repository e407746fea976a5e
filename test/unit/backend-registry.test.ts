// From the section `backends` to the registry: what each backend is known for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../services/config/schema.ts';
import { registryOf } from '../../services/process/settings.ts';

test('a backend is asked over IMAP where an administrator is given, else not', () => {
  const registry = registryOf(
    configSchema.parse({
      servername: 'frontend1',
      backends: {
        mail1: { imap: { host: '10.0.0.1', username: 'cyrus', password: 'secret' } },
        mail2: { imap: { host: '10.0.0.2', port: 1143 } },
        mail3: { lmtp: { host: '10.0.0.3' } },
      },
    }),
  );
  assert.deepEqual(
    registry.all().map(({ name, imap }) => [name, imap]),
    [
      ['mail1', { host: '10.0.0.1', port: 143, username: 'cyrus', password: 'secret' }],
      ['mail2', undefined],
      ['mail3', undefined],
    ],
  );
});

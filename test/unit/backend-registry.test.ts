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
      ['mail1', { host: '10.0.0.1', port: 143, username: 'cyrus', password: 'secret', mostSpaceKiB: 2 ** 40 }],
      ['mail2', undefined],
      ['mail3', undefined],
    ],
  );
});

test('a backend by LMTP: one address or several, TLS, flags', () => {
  const registry = registryOf(
    configSchema.parse({
      backends: {
        mail1: { lmtp: { host: '10.0.0.1' }, fence: 'on' },
        mail2: {
          lmtp: {
            addresses: [{ host: '10.0.0.2' }, { path: '/run/lmtp' }],
            tls: { ca: 'PEM', name: 'm.test' },
            waiting: 3,
          },
          placement: { drain: true },
        },
      },
    }),
  );
  assert.deepEqual(
    registry.all().map(({ lmtp, flags }) => [lmtp, flags]),
    [
      [
        { addresses: [{ host: '10.0.0.1', port: 24 }], connections: 20, waiting: 100 },
        { fence: true, drain: false },
      ],
      [
        {
          addresses: [{ host: '10.0.0.2', port: 24 }, { path: '/run/lmtp' }],
          ...{ connections: 20, waiting: 3 },
          tls: { mode: 'starttls', ca: 'PEM', name: 'm.test', verify: true },
        },
        { fence: false, drain: true },
      ],
    ],
  );
  assert.deepEqual(
    ['mail1', 'mail2'].map((name) => registry.standing(name)),
    [
      { stage: 'active', fenced: true },
      { stage: 'draining', fenced: false },
    ],
  );
  const both = { lmtp: { host: '10.0.0.1', addresses: [{ host: '10.0.0.2' }] } };
  assert.equal(configSchema.safeParse({ backends: { mail1: both } }).success, false);
  assert.equal(configSchema.safeParse({ backends: { mail1: { lmtp: {} } } }).success, false);
  assert.equal(configSchema.safeParse({ backends: { mail1: { lmtp: { addresses: [] } } } }).success, false);
});

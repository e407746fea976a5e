// Whom a session speaks for, by its user and its address, and whether its host may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAddress } from '../../services/listening/host-address.ts';
import { activeInstead, serverAtLogin } from '../../services/mupdate/binding.ts';
import type { HostTable, User } from '../../services/mupdate/binding.ts';
import { loadConfig } from '../../services/config/load.ts';
import { hostsOf, usersOf } from '../../services/process/settings.ts';

const table: HostTable = new Map([
  ['pair', { all: ['10.0.0.1', '10.0.0.2'], active: '10.0.0.2' }],
  ['single', { all: ['2001:db8::1'], active: '2001:db8::1' }],
]);
const user = (more: Partial<User> = {}): User => ({ password: 'x', access: 'write', ...more });

test('two spellings of one address are one, and what is none is none', () => {
  const spellings: Record<string, readonly string[]> = {
    '10.0.0.1': ['10.0.0.1', '::ffff:10.0.0.1', '::FFFF:a00:1', '0:0:0:0:0:ffff:10.0.0.1'],
    '2001:db8::1': ['2001:DB8:0::1', '2001:0db8:0:0:0:0:0:1'],
    'fe80::1%eth0': ['fe80:0::1%eth0'],
  };
  for (const [address, all] of Object.entries(spellings)) {
    for (const text of all) assert.equal(hostAddress(text), address, text);
  }
  for (const text of ['', 'mail1', '10.0.0', '010.0.0.1', '10.0.0.1:24', '[::1]', '::g', '10.0.0.0/8', ' ::1']) {
    assert.equal(hostAddress(text), undefined, text);
  }
});

test('from login on: the own server, else that of the address; nobody for admins, readers and Unix sockets', () => {
  const server = (who: User, address?: string) => serverAtLogin({ user: who, address }, table);
  assert.equal(server(user(), '10.0.0.1'), 'pair');
  assert.equal(server(user(), '2001:db8::1'), 'single');
  assert.equal(server(user(), '10.0.0.9'), undefined);
  assert.equal(server(user()), undefined);
  assert.equal(server(user({ server: 'mail1' }), '10.0.0.1'), 'mail1');
  assert.equal(server(user({ admin: true }), '10.0.0.1'), undefined);
  assert.equal(server(user({ access: 'read' }), '10.0.0.1'), undefined);
  assert.equal(server(user({ access: 'read', server: 'mail1' }), '10.0.0.1'), 'mail1');
});

test("of a server's hosts the active one may speak: by address, or by what the user says he is", () => {
  const active = (who: User, address: string | undefined, server = 'pair') =>
    activeInstead({ user: who, address }, server, table);
  assert.equal(active(user(), '10.0.0.2'), undefined);
  for (const address of ['10.0.0.1', '10.0.0.9', '2001:db8::1', undefined]) {
    assert.equal(active(user(), address), '10.0.0.2', address);
    assert.equal(active(user(), address, 'mail1'), undefined, 'a server whose hosts nobody knows');
    for (const free of [user({ admin: true }), user({ access: 'read' })])
      assert.equal(active(free, address), undefined);
    assert.equal(active(user({ server: 'pair', host: '10.0.0.2' }), address), undefined);
  }
  assert.equal(active(user({ server: 'pair', host: '10.0.0.1' }), '10.0.0.2'), '10.0.0.2');
});

test('from the configuration: the only host is the active one, and a backend without hosts is in no table', () => {
  const env = {
    ROOKERY_BACKENDS: '{ m: { hosts: ["::ffff:10.0.0.1"] }, n: { hosts: ["::1", "10.0.0.2"], active: "0::1" }, o: {} }',
    ROOKERY_DIRECTORY__USERS: '{ n2: { password: x, server: n, host: 10.0.0.2 } }',
  };
  const config = loadConfig({ env });
  assert.deepEqual(
    hostsOf(config),
    new Map([
      ['m', { all: ['10.0.0.1'], active: '10.0.0.1' }],
      ['n', { all: ['::1', '10.0.0.2'], active: '::1' }],
    ]),
  );
  assert.equal(usersOf(config).get('n2')?.host, '10.0.0.2');
});

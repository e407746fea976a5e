// Loading the configuration: what is taken, from where, and what is filled in.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import { redisUrls } from '../../services/config/redis-section.ts';
import { showConfig } from '../../services/config/show.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-config-'));
after(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;

function fileOf(text: string): string {
  const file = join(folder, `config-${(files += 1)}.yaml`);
  writeFileSync(file, text);
  return file;
}

function load(text: string, env: Record<string, string> = {}) {
  return loadConfig({ file: fileOf(text), env });
}

const sample = `
servername: frontend1.example.org
data: /var/lib/rookery
redis: { url: redis://127.0.0.1:6379 }
directory:
  policy: strict
  listen: [ { host: 127.0.0.1, port: 3905 } ]
  users:
    mail1: { password_file: mail1.secret, server: mail1.example.org }
    frontend2: { password: x, access: read }
lmtp:
  listen: [ { host: 127.0.0.1, port: 2003 }, { path: /run/rookery/lmtp.sock } ]
backends:
  mail1.example.org:
    lmtp: { host: 10.0.0.1, port: 24, username: mailproxy, password: x }
    imap: { host: 10.0.0.1, port: 143, username: cyrus, password: y }
api: { listen: { host: 127.0.0.1, port: 8025 } }
`;

test('the configuration of the documentation is taken as it is meant', () => {
  writeFileSync(join(folder, 'mail1.secret'), 'geheim\n');
  const config = load(sample);
  assert.equal(config.servername, 'frontend1.example.org');
  const url = 'redis://127.0.0.1:6379';
  assert.deepEqual(redisUrls(config.redis), { directory: url, events: url });
  assert.deepEqual(config.directory.users['mail1'], {
    password: 'geheim',
    password_file: 'mail1.secret',
    server: 'mail1.example.org',
    access: 'write',
    admin: false,
  });
  const usual = { auth: 'required', proxy_protocol: false };
  assert.deepEqual(config.lmtp.listen, [
    { host: '127.0.0.1', port: 2003, ...usual },
    { path: '/run/rookery/lmtp.sock', ...usual },
  ]);
  assert.deepEqual(config.backends['mail1.example.org']?.lmtp, {
    addresses: [{ host: '10.0.0.1', port: 24 }],
    username: 'mailproxy',
    password: 'x',
    connections: 20,
    waiting: 100,
  });
  assert.equal(config.backends['mail1.example.org'].mupdate, true);
});

test('nothing at all is a configuration of defaults', () => {
  for (const config of [loadConfig({ env: {} }), load(''), load('# nothing\n'), load('lmtp:\nbackends:\n')]) {
    assert.equal(config.servername, hostname());
    assert.equal(config.redis, undefined);
    assert.equal(redisUrls(config.redis), undefined);
    assert.deepEqual(config.directory.listen, [{ host: '127.0.0.1', port: 3905 }]);
    assert.deepEqual(config.backends, {});
    assert.equal(config.lmtp.lmtp_downcase_rcpt, true);
    assert.equal(config.lmtp.virtdomains, 'off');
    assert.equal(config.lmtp.defaultdomain, 'internal');
  }
});

test('Cyrus spellings of a switch are taken', () => {
  for (const [text, value] of Object.entries({ on: true, yes: true, 1: true, off: false, no: false, 0: false })) {
    assert.equal(load(`lmtp: { lmtp_downcase_rcpt: ${text} }`).lmtp.lmtp_downcase_rcpt, value);
  }
});

test('two Redis, one for the directory and one for events', () => {
  writeFileSync(join(folder, 'events.url'), 'rediss://u:p@h2:6380/3\n');
  const config = load('redis: { directory: { url: /run/redis.sock }, events: { url_file: events.url } }');
  assert.deepEqual(redisUrls(config.redis), {
    directory: '/run/redis.sock',
    events: 'rediss://u:p@h2:6380/3',
  });
});

test('the environment overrides the file, key by key', () => {
  const env = {
    ROOKERY_SERVERNAME: '007',
    ROOKERY_LMTP__RECIPIENTS_LIMIT: '50',
    ROOKERY_LMTP__LISTEN: '[{ host: 127.0.0.1, port: 0 }]',
    ROOKERY_API: '{ listen: { host: 127.0.0.1, port: 1 } }',
    ROOKERY_API__LISTEN__PORT: '2',
    ROOKERY_DIRECTORY__USERS__MAIL1__PASSWORD: '0123',
    ROOKERY_LMTP__LMTP_STRICT_RFC2821: 'off',
  };
  const config = load(
    'servername: a\nlmtp: { recipients_limit: 7, size_limit: 2000 }\napi: { listen: { path: /x } }',
    env,
  );
  assert.equal(config.servername, '007');
  assert.equal(config.lmtp.recipients_limit, 50);
  assert.equal(config.lmtp.size_limit, 2000);
  assert.deepEqual(config.lmtp.listen, [{ host: '127.0.0.1', port: 0, auth: 'required', proxy_protocol: false }]);
  assert.deepEqual(config.api.listen, { host: '127.0.0.1', port: 2 });
  assert.equal(config.directory.users['mail1']?.password, '0123');
  assert.equal(config.lmtp.lmtp_strict_rfc2821, false);
});

test("other programs' variables are none of ours", () => {
  const env = { ROOKERY_PORT: 'tcp://10.0.0.1:80', ROOKERY_PEERS: 'none', ROOKERY_SERVICE_HOST: '10.0.0.1', PATH: '/' };
  assert.equal(loadConfig({ env }).servername, hostname());
});

test('where the API is says nothing about where it is served', () => {
  const env = { ROOKERY_API: 'http://127.0.0.1:8025', ROOKERY_API_TOKEN: 'not-for-the-configuration' };
  assert.deepEqual(loadConfig({ env }).api, loadConfig({ env: {} }).api);
});

test('what is shown has no secrets', () => {
  writeFileSync(join(folder, 'mail1.secret'), 'geheim-1\n');
  const config = load(sample.replaceAll('password: x', 'password: geheim-2').replace('//127', '//u:geheim-3@127'));
  const text = showConfig(config);
  assert.equal(config.directory.users['mail1']?.password, 'geheim-1');
  assert.doesNotMatch(text, /geheim/);
  assert.match(text, /password_file: mail1\.secret/);
  assert.match(text, /redis:\/\/\(hidden\)@127\.0\.0\.1:6379/);
});

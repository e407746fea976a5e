// Another configuration while running: what can be had, what needs a restart, and that a wrong one changes nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig } from '../../services/config/load.ts';
import type { Config } from '../../services/config/schema.ts';
import { changeOf, Reloading } from '../../services/process/reloading.ts';
import { certificateFile } from '../harness/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-reload-'));
after(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;

function load(content: object): Config {
  const file = join(folder, `config-${(files += 1)}.yaml`);
  writeFileSync(file, stringify(content));
  return loadConfig({ file, env: {} });
}

test('limits, users, networks, certificates and the log level change; addresses, backends and the rest need a restart', () => {
  const pair = (name: string) => ({
    tls_server_cert: certificateFile(`${name}.crt`),
    tls_server_key: certificateFile(`${name}.key`),
  });
  const listen = [{ host: '127.0.0.1', port: 1 }];
  const old = load({
    lmtp: { listen, ...pair('server'), users: { gone: { password: 'x' }, kept: { password: 'y' } } },
    log: { level: 'info' },
  });
  const next = load({
    lmtp: {
      listen: [{ host: '127.0.0.1', port: 2 }],
      ...pair('renewed'),
      ...{
        users: { kept: { password: 'z' }, come: { password: 'x' } },
        preauth_networks: [],
        size_limit: 9,
        buffer: 5000,
      },
    },
    backends: { m: {} },
    log: { level: 'warn' },
  });
  const { config, changed, restart } = changeOf(old, next);
  assert.deepEqual(changed.sort(), [
    ...['lmtp.preauth_networks', 'lmtp.size_limit', 'lmtp.tls_server_cert', 'lmtp.tls_server_key'],
    ...['lmtp.users.come', 'lmtp.users.gone', 'lmtp.users.kept.password', 'log.level'],
  ]);
  assert.deepEqual(restart.sort(), ['backends.m', 'lmtp.buffer', 'lmtp.listen[0].port']);
  assert.deepEqual(config.lmtp.users, { kept: { password: 'z' }, come: { password: 'x' } });
  assert.deepEqual([config.lmtp.size_limit, config.lmtp.buffer, config.log.level], [9, 262_144, 'warn']);
  assert.deepEqual(config.lmtp.listen, old.lmtp.listen);
  assert.deepEqual(config.backends, {});
  assert.deepEqual(changeOf(old, old), { config: old, changed: [], restart: [] });
});

test('of a backend that is known, its addresses, fence and drain change; what else is said of it needs a restart', () => {
  const lmtp = { host: '10.0.0.1', connections: 5 };
  const old = load({ backends: { 'mail1.example.org': { lmtp } } });
  const next = load({
    backends: {
      'mail1.example.org': {
        ...{ lmtp: { ...lmtp, host: '10.0.0.2' }, fence: true, mupdate: false },
        placement: { drain: true, weight: 2 },
      },
    },
  });
  const { config, changed, restart } = changeOf(old, next);
  const at = 'backends.mail1.example.org.';
  assert.deepEqual(
    changed.sort(),
    ['fence', 'lmtp.addresses', 'placement.drain'].map((key) => at + key),
  );
  assert.deepEqual(
    restart.sort(),
    ['mupdate', 'placement.weight'].map((key) => at + key),
  );
  assert.equal(config.backends['mail1.example.org']?.fence, true);
});

test('the first certificate needs a restart, and so does another number of listeners', () => {
  const pair = { tls_server_cert: certificateFile('server.crt'), tls_server_key: certificateFile('server.key') };
  const listen = [{ host: '127.0.0.1', port: 1 }];
  const change = changeOf(load({ lmtp: { listen } }), load({ lmtp: { listen: [...listen, { path: '/x' }], ...pair } }));
  assert.deepEqual(change.changed, []);
  assert.deepEqual(change.restart.sort(), ['lmtp.listen', 'lmtp.tls_server_cert', 'lmtp.tls_server_key']);
});

test('a wrong configuration, or one that a role cannot have, changes nothing; the log has the keys', async () => {
  const lines: [string, Record<string, unknown>][] = [];
  const note = (level: string) => (fields: object) => void lines.push([level, { ...fields }]);
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const inForce: number[] = [];
  const reloading = new Reloading(load({}), log, (config) => {
    if (config.lmtp.size_limit === 13) return Promise.reject(new Error('unlucky'));
    return Promise.resolve(() => void inForce.push(config.lmtp.size_limit));
  });
  await reloading.reload(() => load({ lmtp: { size_limit: 'big' }, servername: 'a b' }));
  await reloading.reload(() => load({ lmtp: { size_limit: 13 } }));
  assert.deepEqual(inForce, []);
  const [refused, unlucky] = lines;
  assert.ok(refused?.[0] === 'error' && unlucky?.[0] === 'error');
  const problems = refused[1]['problems'] as { key: string }[];
  assert.deepEqual(problems.map(({ key }) => key).sort(), ['lmtp.size_limit', 'servername']);
  await reloading.reload(() => load({ lmtp: { size_limit: 7 }, data: '/elsewhere' }));
  assert.deepEqual(inForce, [7]);
  assert.deepEqual(lines.at(-1), ['warn', { event: 'reload', restart: ['data'] }]);
  await reloading.reload(() => load({ lmtp: { size_limit: 7 } }));
  assert.deepEqual(lines.at(-1)?.[1]['changed'], []);
});

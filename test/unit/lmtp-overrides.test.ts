// What we replace in smtp-server and nodemailer is private there: a version that renames it must fail here, not in the field.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection as ServerConnection } from 'smtp-server/lib/smtp-connection';
import { SMTPStream } from 'smtp-server/lib/smtp-stream';

const pinned = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };

function installed(name: string): string {
  return (JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { version: string }).version;
}

test('both packages are pinned, and installed as pinned', () => {
  for (const name of ['smtp-server', 'nodemailer']) assert.equal(pinned.dependencies[name], installed(name));
});

test('the methods that we replace or call are there', () => {
  const needed: [string, object, string[]][] = [
    ['SMTPServer', SMTPServer.prototype, ['connect', '_handleProxy']],
    [
      'SMTPConnection',
      ServerConnection.prototype,
      [
        'init',
        'close',
        '_createParser',
        '_setListeners',
        '_onCommand',
        '_whenWritable',
        '_armTimeout',
        '_onTimeout',
        '_onClose',
        '_onError',
      ],
    ],
    ['SMTPStream', SMTPStream.prototype, ['_write', '_flushData']],
    [
      'nodemailer',
      SMTPConnection.prototype,
      ['connect', 'login', 'quit', 'close', '_processResponse', '_onData', '_parseEhloExtensions'],
    ],
  ];
  for (const [name, prototype, methods] of needed) {
    for (const method of methods) {
      assert.equal(typeof (prototype as Record<string, unknown>)[method], 'function', `${name}.${method}`);
    }
  }
});

test('the fields that we read and set are there', () => {
  const server = new SMTPServer({ lmtp: true, logger: false, disabledCommands: ['AUTH', 'STARTTLS'] });
  const connection = new ServerConnection(server, new Socket(), { id: 'x' });
  for (const field of [
    '_ready',
    '_closing',
    '_closed',
    '_unrecognizedCommands',
    '_parser',
    '_socket',
    '_server',
    'remoteAddress',
  ]) {
    assert.ok(field in connection, field);
  }
  assert.ok('isClosed' in new SMTPStream());
  assert.ok(server.connections instanceof Set);
  const client = new SMTPConnection({ lmtp: true, logger: false });
  for (const field of ['_responseQueue', '_responseActions', '_supportedAuth', '_socket'])
    assert.ok(field in client, field);
});

test('nodemailer calls _processResponse with whole replies in _responseQueue, and keeps the lines of LHLO', async () => {
  const server = createServer((socket) => {
    socket.write('220 x\r\n');
    socket.once('data', () => socket.write('250-x\r\n250-AUTH PLAIN\r\n250 FOO bar\r\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new SMTPConnection({
    lmtp: true,
    logger: false,
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  });
  const inside = client as unknown as { _processResponse: () => void; _responseQueue: string[]; _ehloLines: string[] };
  const seen: string[] = [];
  const original = inside._processResponse.bind(client);
  inside._processResponse = () => {
    seen.push(...inside._responseQueue);
    original();
  };
  await new Promise<void>((resolve) => {
    client.connect(() => {
      resolve();
    });
  });
  assert.deepEqual(seen.slice(0, 2), ['220 x', '250-x\n250-AUTH PLAIN\n250 FOO bar']);
  assert.deepEqual(inside._ehloLines, ['AUTH PLAIN', 'FOO bar']);
  client.close();
  server.close();
});

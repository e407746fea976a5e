// A wrong configuration: refused whole, every wrong key named with its value and what it may be.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { ConfigError } from '../../services/config/config-error.ts';
import type { Problem } from '../../services/config/config-error.ts';
import { loadConfig } from '../../services/config/load.ts';
import { certificateFile } from '../harness/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-refused-'));
after(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;

function problemsOf(content: unknown, env: Record<string, string> = {}): readonly Problem[] {
  const file = join(folder, `config-${(files += 1)}.yaml`);
  writeFileSync(file, typeof content === 'string' ? content : stringify(content));
  try {
    loadConfig({ file, env });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.message.startsWith(file));
    for (const { key, value, expected } of error.problems) {
      assert.ok(error.message.includes(`${key} is ${value}; it may be ${expected}`));
    }
    return error.problems;
  }
  return [];
}

const keysOf = (problems: readonly Problem[]) => problems.map(({ key }) => key).sort();

test('certificates and keys are looked at while loading', () => {
  const at = certificateFile;
  const listen = [{ host: 'a', port: 1 }];
  const refusal = (lmtp: object): string[] =>
    problemsOf({ lmtp: { listen, ...lmtp } }).map(({ key, expected }) => `${key}: ${expected}`);
  const pair = { tls_server_cert: at('server.crt'), tls_server_key: at('server.key') };
  assert.deepEqual(refusal({ ...pair, tls_client_ca_file: at('ca.crt') }), []);
  assert.match(refusal({ ...pair, tls_server_key: at('client.key') }).join(), /^lmtp\.tls_server_key: the key to tls_/);
  assert.match(
    refusal({ ...pair, tls_server_cert: at('README.md'), tls_client_ca_file: '/nowhere' }).join(),
    /^lmtp\.tls_client_ca_file: [^,]*there is no such file,lmtp\.tls_server_cert: [^,]*there is none in it$/,
  );
  assert.match(refusal({ tls_server_cert: at('server.crt') }).join(), /^lmtp\.tls_server_key: the file of the private/);
  const own = { ...listen[0], tls_server_cert: at('server.crt'), tls_server_key: at('ca.crt') };
  assert.match(refusal({ listen: [own] }).join(), /^lmtp\.listen\[0\]\.tls_server_key: a file of a private key/);
  assert.match(refusal({ listen: [{ ...listen[0], tls: 'implicit' }] }).join(), /^lmtp\.listen\[0\]\.tls: off where/);
  assert.match(
    refusal({ preauth_networks: ['10.0.0.0/33', 'mail'] }).join(),
    /preauth_networks\[0\]: a list of addresses/,
  );
  assert.match(refusal({ users: { mta: {} } }).join(), /^lmtp\.users\.mta\.password: text/);
});

test('every wrong key is named at once, with its value and what it may be', () => {
  const problems = problemsOf({
    servername: 'no spaces here',
    lmtp: { size_limit: 'big', recipient_limit: 5, listen: [{ host: 'a', port: 70_000 }, { port: 1 }, { host: 'b' }] },
    directory: { users: { a: { password: 5 }, b: {}, c: { password: 'x', server: 'mail9' } }, policy: 'lax' },
    backends: {
      'mail1!x': {},
      mail2: { lmtp: { host: 'h', path: '/p' } },
      mail3: { lmtp: { host: 'h', username: 'u' } },
    },
  });
  assert.deepEqual(keysOf(problems), [
    'backends.mail1!x',
    'backends.mail2.lmtp.path',
    'backends.mail3.lmtp.password',
    'directory.policy',
    'directory.users.a.password',
    'directory.users.b.password',
    'lmtp.listen[0].port',
    'lmtp.listen[1].host',
    'lmtp.listen[2].port',
    'lmtp.recipient_limit',
    'lmtp.size_limit',
    'servername',
  ]);
  const told = new Map(problems.map((problem) => [problem.key, problem]));
  assert.equal(told.get('lmtp.size_limit')?.value, '"big"');
  assert.match(told.get('lmtp.size_limit')?.expected ?? '', /a whole number of bytes from 0/);
  assert.match(told.get('lmtp.recipient_limit')?.expected ?? '', /did you mean recipients_limit\?/);
  assert.equal(told.get('lmtp.listen[0].port')?.value, '70000');
  assert.equal(told.get('directory.users.b.password')?.value, 'missing');
  assert.match(told.get('directory.policy')?.expected ?? '', /one of strict, cyrus/);
});

test("a user's server must be a backend", () => {
  const [problem, ...rest] = problemsOf({
    directory: { users: { mail1: { password: 'x', server: 'mail1.exmaple.org' } } },
    backends: { 'mail1.example.org': {} },
  });
  assert.deepEqual(rest, []);
  assert.equal(problem?.key, 'directory.users.mail1.server');
  assert.equal(problem.value, '"mail1.exmaple.org"');
  assert.match(problem.expected, /did you mean mail1\.example\.org\?/);
});

test('hosts of backends: addresses, each of one backend; the active one among them', () => {
  const refusal = (backends: unknown, more = {}) =>
    problemsOf({ backends, ...more }).map(({ key, value, expected }) => `${key} is ${value}; it may be ${expected}`);
  const [a, b] = ['10.0.0.1', '10.0.0.2'];
  const ofHosts = 'one of its hosts: 10.0.0.1, 10.0.0.2';
  const own = (key: string) => `an address of its own: ${key} has this one`;
  assert.deepEqual(refusal({ m: { hosts: [a, 'mail1'] }, n: { hosts: [] } }), [
    'backends.m.hosts[1] is "mail1"; it may be a list of one or more IPv4 or IPv6 addresses',
    'backends.n.hosts is []; it may be a list of one or more IPv4 or IPv6 addresses',
  ]);
  assert.deepEqual(refusal({ m: { hosts: [a] }, n: { hosts: [b, `::ffff:${a}`], active: b } }), [
    `backends.n.hosts[1] is "${a}"; it may be ${own('backends.m.hosts[0]')}`,
  ]);
  assert.deepEqual(refusal({ m: { hosts: ['::1', '0:0::1'], active: '::1' } }), [
    `backends.m.hosts[1] is "::1"; it may be ${own('backends.m.hosts[0]')}`,
  ]);
  assert.deepEqual(refusal({ m: { hosts: [a, b] } }), [`backends.m.active is missing; it may be ${ofHosts}`]);
  assert.deepEqual(refusal({ m: { hosts: [a, b], active: '10.0.0.3' } }), [
    `backends.m.active is "10.0.0.3"; it may be ${ofHosts}`,
  ]);
  assert.deepEqual(refusal({ m: { hosts: [a, b], active: 'b' } }), [
    'backends.m.active is "b"; it may be one of the addresses under hosts',
  ]);
  assert.deepEqual(refusal({ m: { active: a } }), [
    `backends.m.active is "${a}"; it may be left out where there are no hosts`,
  ]);
  assert.deepEqual(refusal({ m: { hosts: [a] }, n: { hosts: [b, '::1'], active: '::1' } }), []);
});

test("a user's host: one of his server's", () => {
  const refusal = (user: object, backends: object) =>
    problemsOf({ directory: { users: { u: { password: 'x', ...user } } }, backends }).map(
      ({ key, value, expected }) => `${key} is ${value}; it may be ${expected}`,
    );
  const host = '10.0.0.1';
  const pair = { m: { hosts: ['10.0.0.2', '10.0.0.3'], active: '10.0.0.2' } };
  const key = `directory.users.u.host is "${host}"`;
  assert.deepEqual(refusal({ host }, pair), [`${key}; it may be left out where the user has no server`]);
  assert.deepEqual(refusal({ host, server: 'm' }, { m: {} }), [`${key}; it may be left out: backends.m has no hosts`]);
  assert.deepEqual(refusal({ host, server: 'm' }, pair), [
    `${key}; it may be one of the hosts of m: 10.0.0.2, 10.0.0.3`,
  ]);
  assert.deepEqual(refusal({ host: 'a', server: 'm' }, pair), [
    'directory.users.u.host is "a"; it may be one of the addresses under the hosts of the user\'s server',
  ]);
  assert.deepEqual(refusal({ host: '::ffff:10.0.0.3', server: 'm' }, pair), []);
});

test('a map transport that knows no way for users whom their first message makes', () => {
  const config = { users: { autocreate: { names: ['user.%'] } }, lookup: { transport: { domains: ['example.org'] } } };
  assert.deepEqual(keysOf(problemsOf(config)), ['lookup.transport.first_message']);
  const way = { ...config.lookup.transport, first_message: { path: '/run/rookery/lmtp.sock' } };
  assert.deepEqual(problemsOf({ ...config, lookup: { transport: way } }), []);
  assert.deepEqual(problemsOf({ users: config.users }), []);
});

test('two listeners at one address', () => {
  const same = { host: '127.0.0.1', port: 2003 };
  assert.deepEqual(keysOf(problemsOf({ lmtp: { listen: [same, same] } })), ['lmtp.listen[1]']);
  assert.deepEqual(keysOf(problemsOf({ api: { listen: { host: '0.0.0.0', port: 2003 } } })), ['api.listen']);
  assert.deepEqual(keysOf(problemsOf({ lookup: { listen: [same] } })), ['lookup.listen[0]']);
  assert.deepEqual(keysOf(problemsOf({ lmtp: { listen: [{ path: '/a' }, { path: '/a' }] } })), ['lmtp.listen[1]']);
  assert.deepEqual(
    problemsOf({
      lmtp: {
        listen: [
          { ...same, port: 0 },
          { ...same, port: 0 },
        ],
      },
    }),
    [],
  );
});

test('what a later version brings is told as such', () => {
  const problems = problemsOf({ follow: { host: 'postman.example.org' }, redis: { sentinel: [], url: 'redis://h' } });
  assert.deepEqual(keysOf(problems), ['follow', 'redis.sentinel']);
  for (const { expected } of problems) assert.match(expected, /not in this version/);
});

test('redis: one or two, not both, not half', () => {
  const url = 'redis://127.0.0.1';
  assert.deepEqual(keysOf(problemsOf({ redis: {} })), ['redis.url']);
  assert.deepEqual(keysOf(problemsOf({ redis: { url, directory: { url } } })), ['redis.directory']);
  assert.deepEqual(keysOf(problemsOf({ redis: { directory: { url } } })), ['redis.events.url']);
  assert.deepEqual(keysOf(problemsOf({ redis: { url: 'http://u:geheim@h' } })), ['redis.url']);
});

test('secrets: a file that is not there, not one line, or beside a password', () => {
  writeFileSync(join(folder, 'two'), 'a\nb\n');
  writeFileSync(join(folder, 'bytes'), Buffer.from([0xff, 0xfe]));
  const problems = problemsOf({
    directory: {
      users: {
        a: { password_file: 'gone' },
        b: { password_file: 'two' },
        c: { password_file: 'bytes' },
        d: { password: 'geheim', password_file: 'two' },
        e: { password_file: '.' },
      },
    },
  });
  assert.deepEqual(
    problems.map(({ key, value }) => [key, value]),
    [
      ['directory.users.a.password_file', '"gone"'],
      ['directory.users.b.password_file', '"two"'],
      ['directory.users.c.password_file', '"bytes"'],
      ['directory.users.d.password', '(hidden)'],
      ['directory.users.e.password_file', '"."'],
    ],
  );
  assert.match(problems[0]?.expected ?? '', /there is no such file/);
});

test('no message tells a secret, however the key is misspelt or the file is broken', () => {
  const contents = [
    'directory: { users: { a: { password: [geheim] } } }',
    'directory: { users: { a: { pasword: geheim } } }',
    'directory: { users: { a: { password: geheim, access: both } } }',
    'directory: { users: { a: geheim: geheim } } }',
    'directory:\n  users:\n   a: "geheim\n',
    'directory: { users: { a: { password: "geheim", password: "geheim" } } }',
    'redis: { url: "u:geheim@h" }',
    'backends: { a: { lmtp: { password: geheim, host: 5 } } }',
  ];
  for (const content of contents) {
    const problems = problemsOf(content);
    assert.ok(problems.length > 0, content);
    assert.doesNotMatch(JSON.stringify(problems), /geheim/);
  }
});

test('what is no YAML, or no map, is refused with its place', () => {
  assert.equal(problemsOf('lmtp: {\n  a: [}\n')[0]?.key.startsWith('line 2'), true);
  assert.equal(problemsOf('lmtp: {}\nlmtp: {}\n')[0]?.key, 'line 2, column 1');
  for (const text of ['- a\n', 'word\n', '5\n', 'a: *nowhere\n', '--- {}\n--- {}\n', 'lmtp: !!binary x\n']) {
    assert.ok(problemsOf(text).length > 0, text);
  }
  assert.throws(() => loadConfig({ file: join(folder, 'gone.yaml'), env: {} }), ConfigError);
});

test('a section that is something else is named; so is a key under a wrong name that is an object of JavaScript', () => {
  assert.deepEqual(keysOf(problemsOf({ lmtp: 5, backends: [], log: 'debug' })), ['backends', 'lmtp', 'log']);
  assert.deepEqual(keysOf(problemsOf('constructor: 1\ntoString: 2\n')), ['constructor', 'toString']);
  assert.deepEqual(keysOf(problemsOf('"__proto__": { a: 1 }\n')), ['__proto__']);
});

test('wrong variables are named by their own name, or by their key', () => {
  const problems = problemsOf('', {
    ROOKERY_LMTP__SIZE_LIMITS: '5',
    ROOKERY_LMTP__RECIPIENTS_LIMIT: 'many',
    ROOKERY_LMTP__LISTEN__0__PORT: '5',
    ROOKERY_LMTP__LISTEN: '[',
  });
  assert.deepEqual(keysOf(problems), [
    'ROOKERY_LMTP__LISTEN',
    'ROOKERY_LMTP__LISTEN__0__PORT',
    'ROOKERY_LMTP__SIZE_LIMITS',
    'lmtp.recipients_limit',
  ]);
  assert.match(
    problems.find(({ key }) => key.endsWith('LIMITS'))?.expected ?? '',
    /did you mean ROOKERY_LMTP__SIZE_LIMIT\?/,
  );
});

test('a replica has a queue of its own name, and is brought up to its backend where there is one', () => {
  const problems = problemsOf({
    backends: { '[::1]': { replica: {} }, mail1: { replica: {} }, mail2: {} },
    workers: { backends: ['mail1', 'mail2'] },
  });
  assert.deepEqual(keysOf(problems), ['backends.[::1].replica', 'workers.backends']);
  assert.deepEqual(
    keysOf(
      problemsOf({
        backends: { mail1: { replica: { sync_client: [], imapd_conf: 'imapd.conf', folder: 'x', timeout: 0 } } },
      }),
    ),
    ['folder', 'imapd_conf', 'sync_client', 'timeout'].map((name) => `backends.mail1.replica.${name}`),
  );
  assert.deepEqual(problemsOf({ backends: { mail1: { replica: {} } }, workers: { backends: ['mail1'] } }), []);
});

test('LMTP: nobody listens at port 25 (RFC 2033 section 5), and backends may be asked there', () => {
  const [problem, ...more] = problemsOf({ lmtp: { listen: [{ host: '::', port: 25 }] } });
  assert.deepEqual(
    [problem?.key, problem?.expected, more],
    ['lmtp.listen[0].port', 'a port other than 25, which is for SMTP', []],
  );
  assert.deepEqual(keysOf(problemsOf({ backends: { mail1: { lmtp: { host: '::1', port: 25 } } } })), []);
});

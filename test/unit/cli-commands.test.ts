// The commands of `rookery` over a directory in memory: what they print, and how they end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxPattern } from '../../services/address/mailbox-pattern.ts';
import type { Role } from '../../services/cli/roles.ts';
import type { StartOptions, Surroundings } from '../../services/cli/surroundings.ts';
import type { Verb } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { workedQueueNames } from '../../services/events/queues.ts';
import { rookery } from '../harness/cli.ts';

const acl = 'jdoe\tlrswipkxtecdan\tanyone\tp\t';

async function directoryWith(...writes: [Verb, string, string][]): Promise<Pick<Surroundings, 'openDirectory'>> {
  const directory = new MemoryDirectory();
  for (const [verb, name, location] of writes) {
    const writer = { session: `s-${location}`, admin: false, push: false };
    const answer = await directory.write({ verb, name, location, acl: verb === 'ACTIVATE' ? acl : '' }, writer);
    assert.ok(answer.ok, answer.text);
  }
  return { openDirectory: () => Promise.resolve(directory) };
}

const filled = () =>
  directoryWith(
    ['ACTIVATE', 'user.jdoe', 'mail1.example.org!default'],
    ['ACTIVATE', 'user.jdoe.Sent', 'mail1.example.org!default'],
    ['ACTIVATE', 'user.ann', 'mail2.example.org!p2'],
    ['ACTIVATE', 'user.b\xc3\xb6b\xff', 'mail1.example.org!default'],
    ['RESERVE', 'user.new', 'mail2.example.org!p2'],
  );

const commands = [
  ['up'],
  ['run'],
  ['mailbox', 'list'],
  ['mailbox', 'where'],
  ['mailbox', 'show'],
  ['mailbox', 'claim'],
  ['route', 'explain'],
  ['backend', 'list'],
  ['backend', 'show'],
  ['backend', 'add'],
  ['backend', 'canary'],
  ['backend', 'activate'],
  ['backend', 'drain'],
  ['backend', 'undrain'],
  ['backend', 'fence'],
  ['backend', 'unfence'],
  ['backend', 'retire'],
  ['move', 'audit'],
  ['move', 'leftovers'],
  ['move', 'discard'],
  ['directory', 'status'],
  ['directory', 'trust'],
  ['directory', 'cases'],
  ['directory', 'log'],
  ['queue', 'list'],
  ['queue', 'show'],
  ['queue', 'retry'],
  ['queue', 'discard'],
  ['user', 'create'],
  ['user', 'delete'],
  ['user', 'rename'],
  ['user', 'show'],
  ['user', 'import'],
  ['move', 'start'],
  ['move', 'list'],
  ['move', 'show'],
  ['move', 'watch'],
  ['move', 'pause'],
  ['move', 'resume'],
  ['move', 'cancel'],
  ['move', 'retry'],
  ['move', 'report'],
  ['placement', 'explain'],
  ['usage', 'show'],
  ['placement', 'simulate'],
  ['scaling', 'show'],
  ['scaling', 'simulate'],
  ['audit', 'list'],
  ['config', 'check'],
  ['config', 'describe'],
  ['config', 'show'],
  ['config', 'example'],
];

test('every command has a help with examples', async () => {
  for (const words of [[], ...commands]) {
    const { code, out, err } = await rookery([...words, '--help']);
    assert.deepEqual([code, err], [0, []], words.join(' '));
    const example = new RegExp(`\\nExamples:\\n[^]*^  (ROOKERY\\S* )?rookery ${words.join(' ')}`, 'm');
    assert.match(out.join('\n'), example);
  }
});

test('wrong usage is 64, and is told on standard error', async () => {
  const wrong = [
    [],
    ['mailbox'],
    ['mailbox', 'where'],
    ['config', 'show', '-f', 'xml'],
    ['up', '--nonsense'],
    ['up', 'x'],
  ];
  for (const args of wrong) {
    const { code, out, err } = await rookery(args);
    assert.deepEqual([code, out], [64, []], args.join(' '));
    assert.notEqual(err.join(''), '');
  }
});

test('mailbox list shows all, or those that fit a pattern or are on a server', async () => {
  const all = await rookery(['mailbox', 'list'], await filled());
  assert.equal(all.code, 0);
  assert.match(all.out[0] ?? '', /^NAME +SERVER +PARTITION +STATE$/);
  assert.equal(all.out.length, 6);
  const one = await rookery(['mailbox', 'list', 'user.%', '-s', 'mail2.example.org'], await filled());
  assert.deepEqual(
    one.out.slice(1).map((line) => line.replace(/ {2,}/g, '|')),
    ['user.ann|mail2.example.org|p2|active', 'user.new|mail2.example.org|p2|reserved (being created)'],
  );
  const none = await rookery(['mailbox', 'list', 'nobody'], await filled());
  assert.deepEqual([none.code, none.out.length], [0, 1]);
});

test('the wildcards of patterns are those of IMAP, and other signs stand for themselves', () => {
  const cases: [string, string, boolean][] = [
    ['user.%', 'user.jdoe', true],
    ['user.%', 'user.jdoe.Sent', false],
    ['user.*', 'user.jdoe.Sent', true],
    ['user.j%.S%', 'user.jdoe.Sent', true],
    ['%*%', 'user.jdoe.Sent', true],
    ['user', 'user.jdoe', false],
    ['user.jdo', 'user.jdoe', false],
    ['user.j.oe', 'user.jdoe', false],
    ['*(a+)+[x]*', 'user.(a+)+[x]\n', true],
    ['\xf6*', '\xf6\xff', true],
  ];
  for (const [pattern, name, fits] of cases) assert.equal(mailboxPattern(pattern)(name), fits, `${pattern} ${name}`);
});

test('mailbox list as JSON has an object a line, and loses no byte of a name', async () => {
  const { out } = await rookery(['mailbox', 'list', 'user.b*', '-f', 'json'], await filled());
  assert.equal(out.length, 1);
  const row = JSON.parse(out[0] ?? '') as Record<string, unknown>;
  assert.equal(Buffer.from(row['name_base64'] as string, 'base64').toString('latin1'), 'user.b\xc3\xb6b\xff');
  assert.equal(row['state'], 'active');
});

test('mailbox where: the place; 67 when it is proven that there is none, 75 when it is not, or not yet', async () => {
  const found = await rookery(['mailbox', 'where', 'user.jdoe'], await filled());
  assert.deepEqual([found.code, found.out], [0, ['mail1.example.org default']]);
  const json = await rookery(['mailbox', 'where', 'user.jdoe', '-f', 'json'], await filled());
  assert.deepEqual(JSON.parse(json.out[0] ?? ''), { server: 'mail1.example.org', partition: 'default' });
  const reserved = await rookery(['mailbox', 'where', 'user.new'], await filled());
  assert.deepEqual([reserved.code, reserved.err], [75, ['rookery: user.new: reserved (being created)']]);
  const unproven = await rookery(['mailbox', 'where', 'user.nobody'], await filled());
  assert.equal(unproven.code, 75);
  assert.match(unproven.err[0] ?? '', /not heard from mail1\.example\.org, mail2\.example\.org/);
  const more = await filled();
  await rookery(['directory', 'trust'], more);
  const proven = await rookery(['mailbox', 'where', 'user.nobody'], more);
  assert.deepEqual([proven.code, proven.out, proven.err], [67, [], ['rookery: user.nobody: there is no such mailbox']]);
});

test('mailbox show tells the entry and its tree', async () => {
  const { code, out } = await rookery(['mailbox', 'show', 'user.jdoe.Sent'], await filled());
  assert.equal(code, 0);
  assert.ok(out.includes('acl        jdoe lrswipkxtecdan, anyone p'), out.join('\n'));
  assert.equal(out.filter((line) => line.startsWith('user.jdoe')).length, 2);
  const json = await rookery(['mailbox', 'show', 'user.new', '-f', 'json'], await filled());
  const entry = JSON.parse(json.out[0] ?? '') as Record<string, unknown>;
  assert.equal(entry['state'], 'created');
  assert.match(String(entry['since']), /^\d{4}-\d\d-\d\dT/);
  assert.equal((entry['tree'] as unknown[]).length, 1);
});

test('route explain tells each step to the reply, and ends by it', async () => {
  const more = await filled();
  const delivered = await rookery(['route', 'explain', 'JDoe+Sent@example.org'], more);
  assert.equal(delivered.code, 0);
  assert.deepEqual(delivered.out.slice(-4), [
    'directory: active at mail1.example.org!default (version 1)',
    'backend: mail1.example.org by LMTP at 127.0.0.1:2401, as proxy',
    'decision: deliver to mail1.example.org',
    'reply: 250 2.1.5 Ok',
  ]);
  assert.equal(delivered.out[0], 'address: JDoe+Sent@example.org');
  const expected: [string, number, RegExp][] = [
    ['new@example.org', 75, /reply: 451 4\.2\.1/],
    ['ann@example.org', 75, /backend: mail2\.example\.org has no lmtp[^]*reply: 451 4\.4\.3/],
    ['nobody@example.org', 75, /trust: .*not heard from mail1\.example\.org[^]*reply: 451 4\.4\.3/],
    ['a!b@example.org', 67, /none can have a name[^]*reply: 550 5\.1\.1/],
  ];
  for (const [address, code, text] of expected) {
    const ending = await rookery(['route', 'explain', address], more);
    assert.equal(ending.code, code, address);
    assert.match(ending.out.join('\n'), text);
  }
  await rookery(['directory', 'trust'], more);
  const unknown = await rookery(['route', 'explain', '<nobody@example.org>', '-f', 'json'], more);
  assert.equal(unknown.code, 67);
  assert.equal((JSON.parse(unknown.out[0] ?? '') as { reply: string }).reply, '550 5.1.1 User unknown');
  for (const address of ['a b@example.org', '<a@b> SIZE=1', 'a@@b', '\xe4@b']) {
    assert.equal((await rookery(['route', 'explain', address], more)).code, 65, address);
  }
});

test('route explain tells who may post to a shared folder, by whom it is asked', async () => {
  const directory = new MemoryDirectory();
  const more = { openDirectory: () => Promise.resolve(directory) };
  const write = { verb: 'ACTIVATE', name: 'team', location: 'mail1.example.org!default' } as const;
  await directory.write({ ...write, acl: 'anyone\tlrs\tjoe\tlrsp\t' }, { session: 's9', admin: true, push: false });
  await directory.vouch('test');
  const refused = await rookery(['route', 'explain', '+team@example.org'], more);
  assert.equal(refused.code, 67);
  assert.match(
    refused.out.join('\n'),
    /^rights: anonymous may not post \(ACL: anyone lrs joe lrsp\)\ndecision: reject: permission\nreply: 550 5\.7\.1 /m,
  );
  const joe = await rookery(['route', 'explain', '+team@example.org', '--auth', 'joe'], more);
  assert.equal(joe.code, 0);
  assert.match(joe.out.join('\n'), /^rights: joe may post /m);
});

test('directory status tells who is waited for', async () => {
  const more = await filled();
  const before = await rookery(['directory', 'status', '-f', 'json'], more);
  assert.deepEqual(JSON.parse(before.out[0] ?? ''), {
    ...{ trusted: false, epoch: 1, heard: [], changes: [5], cases: 0, unknown_servers: {} },
    waiting_for: ['mail1.example.org', 'mail2.example.org'],
    doubt: 'not heard from mail1.example.org, mail2.example.org',
  });
  await rookery(['directory', 'trust'], more);
  const later = await rookery(['directory', 'status'], more);
  assert.match(later.out.join('\n'), /^trusted +yes, \S+ vouches for it since 20\S+Z$/m);
});

test('a directory that cannot be opened is 69, one that fails is 75', async () => {
  const away = await rookery(['mailbox', 'list']);
  assert.equal(away.code, 69);
  assert.match(away.err.join(), /cannot be opened: Redis does not answer at \/x/);
  const directory = new MemoryDirectory();
  directory.snapshot = () => Promise.reject(new Error('connection lost'));
  const lost = await rookery(['mailbox', 'list'], { openDirectory: () => Promise.resolve(directory) });
  assert.deepEqual([lost.code, lost.err], [75, ['rookery: the directory could not be asked: connection lost']]);
});

test('up and run start what is asked for, stay until asked to stop, and stop', async () => {
  const events: string[] = [];
  const startRoles = ({ roles, out }: StartOptions) => {
    events.push(`start ${roles.join('+')}`);
    out('LMTP at 127.0.0.1:2003');
    return Promise.resolve({
      done: new Promise<string>(() => undefined),
      reload: () => Promise.resolve(),
      stop: () => {
        events.push('stop');
        return Promise.resolve();
      },
    });
  };
  const stopAsked = () =>
    new Promise<void>((resolve) =>
      setImmediate(() => {
        events.push('asked');
        resolve();
      }),
    );
  const up = await rookery(['up'], { startRoles, stopAsked });
  assert.deepEqual([up.code, up.out], [0, ['LMTP at 127.0.0.1:2003', 'ready']]);
  const run = await rookery(['run', 'lmtp', 'api', 'lmtp'], { startRoles, stopAsked });
  assert.equal(run.code, 0);
  assert.deepEqual(events, ['start directory+lmtp+api+worker', 'asked', 'stop', 'start lmtp+api', 'asked', 'stop']);
  const taken = await rookery(['up']);
  assert.deepEqual([taken.code, taken.err], [69, ['rookery: could not start: address taken']]);
});

test('with scaling.local, up leaves the queues of pools to worker processes, which get its configuration', async () => {
  const asked: Partial<StartOptions>[] = [];
  const startRoles = ({ roles, worker, configFile }: StartOptions) => {
    asked.push({ roles, configFile, ...(worker && { worker }) });
    return Promise.resolve({
      done: new Promise<string>(() => undefined),
      reload: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    });
  };
  const env = { ROOKERY_CONFIG: '', ROOKERY_SCALING__LOCAL: 'on' };
  await rookery(['up'], { startRoles, env });
  await rookery(['up'], { startRoles, env: { ...env, ROOKERY_SCALING__POOLS: '{}' } });
  const everything: Role[] = ['directory', 'lmtp', 'api', 'worker', 'autoscaler'];
  assert.deepEqual(asked, [
    { configFile: undefined, roles: ['directory', 'lmtp', 'api', 'autoscaler'] },
    { configFile: undefined, roles: everything, worker: { queues: workedQueueNames } },
  ]);
  const asking = { ROOKERY_CONFIG: '', ROOKERY_LOOKUP__LISTEN: '[{ host: 127.0.0.1, port: 2004 }]' };
  await rookery(['up'], { startRoles, env: asking });
  assert.deepEqual(asked.pop()?.roles, ['directory', 'lmtp', 'lookup', 'api', 'worker']);
  await rookery(['run', 'autoscaler'], { startRoles });
  assert.match(String(asked[2]?.configFile), /rookery\.yaml$/);
});

test('an API without a scheme is told what it may be', async () => {
  const { code, err } = await rookery(['queue', 'list'], { env: { ROOKERY_API: '127.0.0.1:21025' } });
  assert.equal(code, 78);
  assert.match(err.join(), /ROOKERY_API is .*; it may be http:\/\/HOST:PORT or https:\/\/HOST/);
});

test('roles of later versions, and none at all, are wrong usage', async () => {
  const later = await rookery(['run', 'lmtp', 'follower']);
  assert.deepEqual(
    [later.code, later.err],
    [64, ["rookery: 'follower' is not in this version: there are directory, lmtp, lookup, api, worker, autoscaler"]],
  );
  const typo = await rookery(['run', 'ltmp']);
  assert.match(typo.err.join(), /did you mean lmtp\?/);
  assert.equal((await rookery(['run'])).code, 64);
});

test('config describe finds a key and those below it', async () => {
  const { out } = await rookery(['config', 'describe', 'directory.users', '-f', 'json']);
  const keys = out.map((line) => (JSON.parse(line) as { key: string }).key);
  assert.deepEqual(keys.slice(0, 2), ['directory.users', 'directory.users.NAME.password']);
  const wrong = await rookery(['config', 'describe', 'lmtp.sizelimit']);
  assert.equal(wrong.code, 64);
  assert.match(wrong.err.join(), /did you mean lmtp\.size_limit\?/);
});

test('config show hides secrets', async () => {
  for (const format of ['table', 'json']) {
    const { code, out } = await rookery(['config', 'show', '-f', format]);
    assert.equal(code, 0);
    assert.match(out.join('\n'), /mail1\.example\.org/);
    assert.doesNotMatch(out.join('\n'), /geheim/);
  }
});

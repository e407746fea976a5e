// The operators' API on the real program and a real Redis: each route with each role, wrong requests, the audit.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { apiBase, roles, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { fillDirectory, writer } from '../harness/directory.ts';
import { leaveFailedJob, openQueues } from '../harness/events.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import type { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let rookery: Rookery;
let base: string;
let failedJob: string;

before(async () => {
  redis = await startRedis();
  const rows = [
    ['user.jdoe', 'mail1!default'],
    ['user.jdoe.Sent', 'mail1!default'],
    ['user.ann', 'mail2!p2'],
    ['user.b\xff', 'mail2!p2'],
  ] as const;
  // Else the node that sweeps would ring for what a lost session has written.
  await fillDirectory(redis.socket, rows, [], (directory) => directory.end(writer.session, 'logout'));
  failedJob = await leaveFailedJob(redis.socket, 'user.jdoe', 'mail1 takes no more');
  await ringForAnn();
  rookery = await startApi(redis.socket, ['run', 'directory', 'lmtp', 'api'], {
    backends: { mail1: { lmtp: { host: '127.0.0.1', port: 24 }, replica: {} }, mail2: {} },
  });
  base = apiBase(rookery);
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

/** Leaves a waiting job about user.ann. */
async function ringForAnn(): Promise<void> {
  const { producer, backlog, queues, close } = openQueues(redis.socket);
  await queues.connected();
  producer.ring('reconcile', { name: 'user.ann' });
  await until('it waits', async () => (await backlog.counts('reconcile')).waiting === 1);
  await close();
}

interface Job {
  id: string;
  state: string;
}

interface Asked {
  token?: string;
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

function ask(path: string, { token, method = 'GET', body, headers = {} }: Asked = {}): Promise<Response> {
  return fetch(`${base}${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

async function problem(path: string, asked: Asked = {}): Promise<ProblemValue> {
  const response = await ask(path, asked);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, path);
  const told = (await response.json()) as ProblemValue;
  assert.equal(told.status, response.status);
  return told;
}

/** Every route: who may use it, and what it says. None of them changes what the others see. */
const routes: [method: string, path: string, needed: Role, expected: RegExp, body?: object][] = [
  ['GET', '/v1/queues', 'read', /"queue":"reconcile","jobs":\{"waiting":1,.*"failed":1/],
  ['GET', '/v1/queues/reconcile/jobs?state=failed&limit=5', 'read', /"about":"user.jdoe".*mail1 takes no more/],
  [
    'GET',
    '/v1/queues/reconcile/jobs/ID',
    'read',
    /^\{"id":"\d+","state":"failed","about":"user.jdoe".*"failures":\{"kind":"refused","counts":\{"refused":1\}/,
  ],
  ['POST', '/v1/queues/reconcile/retry', 'operate', /has no failed job none/, { id: 'none' }],
  ['POST', '/v1/queues/reconcile/retry', 'operate', /"about":"user.jdoe"/, { kind: 'refused', dry_run: true }],
  ['POST', '/v1/queues/reconcile/discard', 'operate', /^\{"jobs":\[\]\}$/, { about: 'user.%.%' }],
  [
    'GET',
    '/v1/directory/status',
    'read',
    /"trusted":false,.*"waiting_for":\["mail1","mail2"\].*"unknown_servers":\{\}/,
  ],
  ['GET', '/v1/directory/cases', 'read', /^\{"cases":\[\]\}$/],
  ['GET', '/v1/directory/log?name=user.ann', 'read', /^\{"changes":\[\{"shard":0,.*"location":"mail2!p2"/],
  ['GET', '/v1/mailboxes?pattern=user.%25', 'read', /"name":"user.ann".*"name_base64":"dXNlci5i\/w=="/],
  ['GET', '/v1/mailboxes/user.jdoe', 'read', /"server":"mail1",.*"history":\[\{.*"tree":\[\{.*user.jdoe.Sent/],
  ['GET', '/v1/mailboxes/user.nobody', 'read', /"state":"absent","absence":\{"proven":false,"doubt":"/],
  [
    ...(['POST', '/v1/mailboxes/claim', 'admin', /"name":"user.ann","result":"would claim","note":"unseen"/] as const),
    { pattern: 'user.ann', from: 'mail2', to: 'mail1', unseen: true, dry_run: true },
  ],
  ['GET', '/v1/route?recipient=jdoe%2BSent%40example.org', 'read', /"action":"deliver","mailbox":"user.jdoe"/],
  ['GET', '/v1/route?recipient=jdoe&from=s%40x&size=70', 'read', /"sender: s@x; .*"size: 70 octets, .*"size: mail1 /],
  [
    'POST',
    '/v1/replication/users/jdoe?wait=0',
    'operate',
    /^\{"user":"user.jdoe","replicas":\[\{"server":"mail1"\}\]\}$/,
  ],
  ['POST', '/v1/replication/users/jdoe', 'operate', /problem:missing.*mail9 has no replica/, { server: 'mail9' }],
  ['GET', '/v1/replication/users/jdoe', 'read', /^\{"user":"user.jdoe","replicas":\[\{"server":"mail1"/],
  ['POST', '/v1/replication/servers/mail1', 'operate', /^\{"server":"mail1","users":1\}$/],
  ['POST', '/v1/replication/servers/mail9', 'operate', /problem:missing.*mail9 has no replica: .* mail1/],
  ['GET', '/v1/health', 'read', /^\{"ready":true,"checks":\{"directory":"ok"[,}]/],
  ['GET', '/v1/audit?limit=1', 'admin', /^\{"entries":\[\{"time":"/],
  ['GET', '/v1/openapi.json', 'read', /^\{"openapi":"3\.1\.0"/],
];

test('each route is for those who have its role, and for nobody else', async () => {
  for (const [method, path, needed, expected, body] of routes) {
    const target = path.replace('ID', failedJob);
    for (const role of roles) {
      const response = await ask(target, { token: tokens[role], method, body });
      const text = await response.text();
      if (roles.indexOf(role) < roles.indexOf(needed)) {
        assert.equal(response.status, 403, `${method} ${path} as ${role}`);
        assert.match(text, new RegExp(`has the role ${role}, and this takes ${needed}`));
      } else {
        assert.ok(
          [200, 202, 404].includes(response.status),
          `${method} ${path} as ${role}: ${response.status} ${text}`,
        );
        assert.match(text, expected, `${method} ${path} as ${role}`);
      }
    }
    for (const token of [undefined, 'reading-0123456788', `${tokens.admin}x`]) {
      const told = await problem(target, { token, method, body } as Asked);
      assert.equal(told.status, 401, `${method} ${path} with ${token}`);
    }
  }
  const challenge = await ask('/v1/queues');
  assert.equal(challenge.headers.get('www-authenticate'), 'Bearer realm="rookery"');
  const basic = `Basic ${Buffer.from(`x:${tokens.admin}`).toString('base64')}`;
  assert.equal((await ask('/v1/queues', { headers: { authorization: basic } })).status, 401, 'that is for browsers');
  for (const open of ['/livez', '/readyz', '/metrics']) assert.equal((await ask(open)).status, 200);
});

test('a wrong request is told which field is wrong, what it is and what it may be', async () => {
  const token = tokens.admin;
  const wrong: [path: string, field: string, value: string, expected: RegExp, asked?: Asked][] = [
    ['/v1/queues/nosuch/jobs', 'path.queue', '"nosuch"', /^one of placement, /],
    ['/v1/queues/reconcile/jobs?limit=0', 'query.limit', '"0"', /^a whole number from 1 to 1000$/],
    ['/v1/queues/reconcile/jobs?limit=1001', 'query.limit', '"1001"', /^a whole number from 1 to 1000$/],
    ['/v1/queues/reconcile/jobs?state=lost', 'query.state', '"lost"', /^one of waiting, active/],
    ['/v1/queues/reconcile/jobs?status=failed', 'query.status', '"failed"', /^left out: there are state, limit$/],
    ['/v1/queues/reconcile/jobs/%20', 'path.id', '" "', /^an id/],
    ['/v1/route', 'query.recipient', 'missing', /^an address/],
    ['/v1/route?recipient=a&size=1k', 'query.size', '"1k"', /^a whole number, 0 or more$/],
    ['/v1/route?recipient=a&sender=b', 'query.sender', '"b"', /^left out: there are recipient, auth, from, size$/],
    ['/v1/mailboxes?after=%21', 'query.after', '"!"', /`next`/],
    [`/v1/mailboxes/${'x'.repeat(1025)}`, 'path.name', `"${'x'.repeat(116)}...`, /^a mailbox name/],
    ['/v1/queues/moves/retry', 'body.kind', '"sad"', /^one of away/, { method: 'POST', body: { kind: 'sad' } }],
    ['/v1/queues/moves/discard', 'body.before', '"now"', /^a time/, { method: 'POST', body: { before: 'now' } }],
    ['/v1/directory/trust', 'body.blind', '"yes"', /^true or false$/, { method: 'POST', body: { blind: 'yes' } }],
    ['/v1/directory/trust', 'body', '[]', /^an object/, { method: 'POST', body: [] }],
    ['/v1/mailboxes/claim', 'body.from', 'missing', /backend/, { method: 'POST', body: { pattern: '*', to: 'mail1' } }],
  ];
  for (const [path, field, value, expected, asked = {}] of wrong) {
    const told = await problem(path, { token, ...asked });
    assert.equal(told.status, 400, path);
    assert.equal(told.type, 'urn:rookery:problem:request');
    const fault = told.errors?.find((one) => one.field === field);
    assert.ok(fault, `${path}: ${told.detail}`);
    assert.equal(fault.value, value);
    assert.match(fault.expected, expected);
  }
});

test('what cannot be carried out is told as it is, and so is what is no request at all', async () => {
  const token = tokens.admin;
  const order = { pattern: '*', from: 'mail1', to: 'mail3' };
  const claim = await problem('/v1/mailboxes/claim', { token, method: 'POST', body: order });
  assert.deepEqual([claim.status, claim.type], [400, 'urn:rookery:problem:usage']);
  assert.match(claim.detail, /'mail3' is none of the backends: there are mail1, mail2/);
  const discard = await problem('/v1/queues/reconcile/discard', { token, method: 'POST' });
  assert.deepEqual([discard.status, discard.type], [400, 'urn:rookery:problem:usage']);
  assert.match(discard.detail, /^say which ones: .*; in the API id, kind, about, before or all$/);
  const route = await problem('/v1/route?recipient=a%20b%40c', { token });
  assert.deepEqual([route.status, route.type], [400, 'urn:rookery:problem:data']);
  assert.equal((await problem('/v1/queues/reconcile/jobs/999', { token })).status, 404);
  assert.equal((await problem('/v1/nosuch', { token })).status, 404);
  assert.equal((await problem('/v1/directory/trust', { token, method: 'POST', body: '{"blind":' })).status, 400);
  const text = { method: 'POST', body: '{}', headers: { 'content-type': 'application/x-nonsense' } };
  assert.equal((await problem('/v1/directory/trust', { token, ...text })).status, 415);
  const large = await problem('/v1/directory/trust', { token, method: 'POST', body: { x: 'x'.repeat(70_000) } });
  assert.deepEqual([large.status, large.type], [413, 'urn:rookery:problem:size']);
});

test('a name that is not UTF-8 is found by its bytes, and a list comes in pages', async () => {
  const token = tokens.read;
  const name = Buffer.from('user.b\xff', 'latin1').toString('base64url');
  const found = await ask(`/v1/mailboxes/${name}?encoding=base64url`, { token });
  assert.match(await found.text(), /"name_base64":"dXNlci5i\/w==","state":"active"/);
  const log = await ask(`/v1/directory/log?name=${name}&encoding=base64url`, { token });
  assert.equal(((await log.json()) as { changes: unknown[] }).changes.length, 1);
  const names: string[] = [];
  let after: string | undefined = '';
  while (after !== undefined) {
    const query = after === '' ? '' : `&after=${after}`;
    const page = (await (await ask(`/v1/mailboxes?limit=1${query}`, { token })).json()) as {
      mailboxes: { name: string }[];
      next?: string;
    };
    names.push(...page.mailboxes.map(({ name }) => name));
    after = page.next;
  }
  assert.deepEqual(names, ['user.ann', 'user.b\ufffd', 'user.jdoe', 'user.jdoe.Sent']);
});

test('bull-board asks for a token as browsers send it, shows the queues, and changes nothing', async () => {
  const stranger = await ask('/queues/');
  assert.equal(stranger.status, 401);
  assert.match(stranger.headers.get('www-authenticate') ?? '', /^Basic /);
  assert.equal((await ask('/queues/api/queues')).status, 401);
  assert.equal((await ask('/queues/static/favicon-32x32.png')).status, 401);
  const headers = { authorization: `Basic ${Buffer.from(`anybody:${tokens.read}`).toString('base64')}` };
  const page = await ask('/queues/', { headers });
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
  const html = await page.text();
  const [, script = ''] = /src="(static\/js\/main[^"]+)"/.exec(html) ?? [];
  assert.equal((await ask(`/queues/${script}`, { headers })).status, 200);
  const shown = await (await ask('/queues/api/queues?activeQueue=reconcile&status=failed', { headers })).text();
  assert.match(shown, /"readOnlyMode":true/);
  assert.match(shown, /"name":"user.jdoe"/);
  for (const role of roles) {
    const path = `/queues/api/queues/reconcile/${failedJob}/retry`;
    const told = await problem(path, { method: 'PUT', token: tokens[role] });
    assert.equal(told.status, 403);
    assert.match(told.detail, /api\.board/);
  }
});

test('jobs are tried again and discarded, trust is said; the audit has who, what, on what and how it ended', async () => {
  const path = '/v1/queues/reconcile/retry';
  const body = { id: failedJob };
  await problem(path, { method: 'POST', body, token: tokens.read });
  const retried = (await (await ask(path, { method: 'POST', body, token: tokens.operate })).json()) as { jobs: Job[] };
  assert.deepEqual(
    retried.jobs.map(({ id, state }) => [id, state]),
    [[failedJob, 'failed']],
  );
  const { jobs } = (await (await ask('/v1/queues/reconcile/jobs', { token: tokens.read })).json()) as { jobs: Job[] };
  assert.deepEqual(
    jobs.map(({ state }) => state),
    ['waiting', 'waiting'],
  );
  const gone = await ask('/v1/queues/reconcile/discard', {
    method: 'POST',
    token: tokens.operate,
    body: { all: true },
  });
  assert.deepEqual(await gone.json(), { jobs: [] }, 'none is left that failed');
  assert.equal((await problem(`/v1/queues/reconcile/jobs/${failedJob}`, { token: tokens.read })).status, 404);
  const trust = await ask('/v1/directory/trust', { method: 'POST', token: tokens.admin });
  assert.equal(((await trust.json()) as { trusted: boolean }).trusted, false, 'how it stood before');
  const status = (await (await ask('/v1/directory/status', { token: tokens.read })).json()) as object;
  assert.equal((status as { vouched: { by: string } }).vouched.by, 'boss');
  const anew = await ask('/v1/directory/distrust', { method: 'POST', token: tokens.admin });
  const { trusted, lost } = (await anew.json()) as { trusted: boolean; lost: string };
  assert.equal(trusted, false);
  assert.match(lost, /said by boss/);

  const entries = async () => {
    const answer = await ask('/v1/audit?limit=50', { token: tokens.admin });
    return ((await answer.json()) as { entries: Record<string, unknown>[] }).entries;
  };
  const told = ({ who, role, what, on, outcome, status }: Record<string, unknown>) => [
    ...[who, role, what, on, outcome, status],
  ];
  const filled = JSON.stringify({ queue: 'reconcile', id: failedJob, dry_run: false });
  // What is refused has not been read.
  const unread = JSON.stringify({ queue: 'reconcile' });
  const expected = [
    ['boss', 'admin', 'POST /v1/directory/trust', '{"blind":false}', 'done', 200],
    ['ops', 'operate', 'POST /v1/queues/:queue/retry', filled, 'done', 200],
    ['ops', 'operate', 'POST /v1/replication/servers/:server', '{"server":"mail1"}', 'done', 202],
    ['reader', 'read', 'POST /v1/queues/:queue/retry', unread, 'refused', 403],
  ];
  await until('the audit has it', async () => (await entries())[0]?.['what'] === 'POST /v1/directory/distrust');
  const kept = (await entries()).map(told);
  const logged = rookery.log.filter(({ event }) => event === 'audit').map(told);
  for (const entry of expected) {
    const has = (list: unknown[][]) => list.some((one) => JSON.stringify(one) === JSON.stringify(entry));
    assert.ok(has(kept), `kept: ${JSON.stringify(entry)} in ${JSON.stringify(kept)}`);
    assert.ok(has(logged), `logged: ${JSON.stringify(entry)}`);
  }
  assert.ok(!kept.some(([who]) => who === ''), 'strangers stand in the log alone');
  assert.ok(logged.some(([who, , , , , status]) => who === '' && status === 401));
});

test('requests are counted by route, role and outcome', async () => {
  const text = await (await ask('/metrics')).text();
  for (const line of [
    /^rookery_api_requests_total\{route="\/v1\/queues",role="read",outcome="ok"\} \d/m,
    /^rookery_api_requests_total\{route="\/v1\/directory\/trust",role="operate",outcome="forbidden"\} \d|^rookery_api_requests_total\{route="\/v1\/mailboxes\/claim",role="operate",outcome="forbidden"\} \d/m,
    /^rookery_api_requests_total\{route="\/v1\/audit",role="none",outcome="unauthorized"\} \d/m,
    /^rookery_api_requests_total\{route="\/v1\/route",role="admin",outcome="refused"\} \d/m,
  ]) {
    assert.match(text, line);
  }
  assert.doesNotMatch(text, /jdoe|nosuch/);
});

test('no token is ever logged', () => {
  const lines = JSON.stringify(rookery.log);
  assert.ok(rookery.log.some(({ event }) => event === 'audit'));
  for (const token of Object.values(tokens)) {
    assert.ok(!lines.includes(token));
    assert.ok(!lines.includes(Buffer.from(`anybody:${token}`).toString('base64').slice(12)));
  }
  assert.ok(!lines.includes('reading-0123456788'), 'nor one that nobody has');
});

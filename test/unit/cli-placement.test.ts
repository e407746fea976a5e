// rookery placement simulate: what it prints for people and for programs, and how it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainPlacement } from '../../services/cli/placement-explanation.ts';
import type { Surroundings } from '../../services/cli/surroundings.ts';
import { decide } from '../../services/placement/decision.ts';
import { rookery } from '../harness/cli.ts';
import { abc, policyFor, serverOf } from '../harness/placement.ts';

const TiB = 2 ** 30;
const figures = (mail1: number, mail2?: number): Pick<Surroundings, 'placementFigures'> => ({
  placementFigures: (_config, now) =>
    Promise.resolve([
      serverOf('mail1.example.org', mail1, TiB, { at: now }),
      mail2 === undefined
        ? { name: 'mail2.example.org', answered: false, at: now, users: 0, partitions: [] }
        : serverOf('mail2.example.org', mail2, TiB, { at: now }),
    ]),
});

const simulate = (more: string[], world: Partial<Surroundings>) => rookery(['placement', 'simulate', ...more], world);

test('a table of places before and after, ours beside those of Cyrus', async () => {
  // 100 MiB a user: 2048 of them are 200 GiB.
  const { code, out, err } = await simulate(['-u', '2048'], figures(TiB / 2, TiB / 2 - 1));
  assert.deepEqual([code, err], [0, []]);
  assert.deepEqual(
    out.map((line) => line.replace(/ {2,}/g, '|')),
    [
      'Servers are selected by freespace-most; a user takes 0.1 GiB.',
      'SERVER|PARTITION|TOTAL|FREE|USED|USERS|FREE THEN|USED THEN|CYRUS: USERS|USED THEN',
      'mail1.example.org|default|1024 GiB|512 GiB|50.0%|1024|412 GiB|59.8%|2048|69.5%',
      'mail2.example.org|default|1024 GiB|512 GiB|50.0%|1024|412 GiB|59.8%|0|50.0%',
      'Cyrus: 8 processes, each with the figures that it read first.',
    ],
  );
});

test('as JSON; one that does not answer takes nobody of ours, and its share of those of Cyrus', async () => {
  const args = ['-u', '400', '-m', 'freespace-percent-most', '-p', '3', '-f', 'json'];
  const { code, out } = await simulate(args, figures(TiB / 2));
  assert.deepEqual([code, out.length], [0, 1]);
  const told = JSON.parse(out[0] ?? '') as {
    mode: string;
    places: Record<string, number | string | undefined>[];
    out: unknown;
    refused: unknown[];
    cyrus_refused: { users: number; reason: string }[];
  };
  assert.equal(told.mode, 'freespace-percent-most');
  const { cyrus_users: byCyrus, cyrus_used_then_percent: _, ...place } = told.places[0] ?? {};
  assert.deepEqual(place, {
    ...{ server: 'mail1.example.org', partition: 'default', total_kib: TiB, available_kib: TiB / 2, users: 400 },
    ...{ available_then_kib: TiB / 2 - 40_960_000, used_percent: 50, used_then_percent: 50 + 4_096_000_000 / TiB },
  });
  assert.deepEqual(told.out, [{ server: 'mail2.example.org', reason: 'does not answer' }]);
  assert.deepEqual(told.refused, []);
  const [lost] = told.cyrus_refused;
  assert.match(lost?.reason ?? '', /mail2\.example\.org, which does not answer/);
  assert.ok(lost && lost.users > 150 && lost.users < 250 && lost.users + Number(byCyrus) === 400);
});

test('the same seed is the same outcome, another one another', async () => {
  const run = async (seed: string) =>
    (await simulate(['-u', '300', '-m', 'freespace-percent-weighted', '-s', seed], figures(TiB / 2, TiB / 2))).out;
  assert.deepEqual(await run('5'), await run('5'));
  assert.notDeepEqual(await run('5'), await run('6'));
});

test('where nobody finds a place it ends with 65, and says why', async () => {
  const zone = await simulate(['-u', '5', '-z', 'ulm'], figures(TiB / 2, TiB / 2));
  const reason = 'no server can take it (mail1.example.org: in no zone; mail2.example.org: in no zone)';
  assert.deepEqual([zone.code, zone.err], [65, [`rookery: ${reason}`]]);
  assert.ok(zone.out.includes(`no place for 5: ${reason}`));
  assert.ok(zone.out.includes('mail1.example.org gets nobody: in no zone'));
  const tags = await simulate(['-u', '5', '-t', 'ssd', 'gold'], figures(TiB / 2));
  assert.match(tags.err.join(), /mail1\.example\.org: without tag ssd, gold/);
  const unknown = await rookery(['placement', 'simulate', '-u', '5']);
  assert.match(unknown.err.join(), /mail1\.example\.org: its space is not configured/);
});

test('what operators say of a backend counts; while Redis does not tell it, that is said', async () => {
  const word = { stage: 'draining', by: 'ops', at: 1 } as const;
  const wordsOf = () => Promise.resolve(new Map([['mail1.example.org', word]]));
  const world = figures(TiB / 2, TiB / 2);
  const heard = await simulate(['-u', '4'], { ...world, wordsOf });
  assert.deepEqual([heard.code, heard.out.includes('mail1.example.org gets nobody: drains')], [0, true]);
  const away = await simulate(['-u', '4'], { ...world, wordsOf: () => Promise.reject(new Error('it is away')) });
  assert.equal(away.code, 0);
  assert.match(away.err.join(), /what operators have said of backends is not known, .*: it is away/);
});

test('wrong usage is 64', async () => {
  for (const args of [
    [],
    ['-u', '0'],
    ['-u', '1e9'],
    ['-u', '5', '-m', 'most'],
    ['-u', '5', '-s', '-1'],
    ['-u', '5', '-p', '0'],
  ]) {
    const { code, out } = await simulate(args, figures(1, 1));
    assert.deepEqual([code, out], [64, []], args.join(' '));
  }
});

test('a decision is explained with its figures, who was out, and the number drawn', () => {
  const servers = [...abc, serverOf('D', 0, 0, { answered: false, partitions: [] })];
  const policy = policyFor(servers, { mode: 'freespace-percent-weighted', backends: { C: { drain: true } } });
  const decision = decide({ name: 'user.ann', tags: [] }, { now: 3000, servers }, policy, () => 0.5);
  const lines = explainPlacement(decision).map((line) => line.replace(/ {2,}/g, '|'));
  assert.deepEqual(lines, [
    'user.ann: B!default, decided at 1970-01-01T00:00:03.000Z',
    '',
    'server by freespace-percent-weighted; of the shares, one below the other, 50.00 was drawn',
    'SERVER|FREE KIB|OF KIB|PROMISED KIB|FREE THEN|AGE|USERS|PROMISED|WEIGHT|SHARE|OUT',
    'A|500|1000|0|50.00%|2 s|0|0|1|40.00%',
    'B|300|400|0|75.00%|2 s|0|0|1|60.00%',
    'C|10|100|0|10.00%|2 s|0|0|1|0.00%|drains',
    'D|-|-|0|-|2 s|0|0|1|0.00%|does not answer',
    '',
    'partition by freespace-most',
    'PARTITION|FREE KIB|OF KIB|PROMISED KIB|FREE THEN|SHARE|OUT',
    'default|300|400|0|75.00%|100.00%',
  ]);
  const refused = decide(
    { name: 'ann', server: 'E', zone: 'ulm', partition: 'p' },
    { now: 0, servers },
    policy,
    () => 0,
  );
  assert.deepEqual(explainPlacement(refused).slice(0, 5), [
    'ann: nowhere, decided at 1970-01-01T00:00:00.000Z',
    'asked for: zone ulm, server E, partition p',
    'refused: there is no backend E; it may be one of A, B, C, D',
    '',
    'server as asked for',
  ]);
});

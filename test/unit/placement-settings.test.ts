// The configuration of placement: what it becomes, and what of it is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { ConfigError } from '../../services/config/config-error.ts';
import { loadConfig } from '../../services/config/load.ts';
import { modes } from '../../services/placement/selection.ts';
import { configuredFacts, followingFlags, placementPolicy } from '../../services/process/placement-settings.ts';
import { registryOf } from '../../services/process/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-placement-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function load(content: unknown) {
  const file = join(folder, 'rookery.yaml');
  writeFileSync(file, stringify(content));
  return loadConfig({ file, env: {} });
}

function refusals(content: unknown): string[] {
  try {
    load(content);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ key, value, expected }) => `${key} is ${value}; it may be ${expected}`);
  }
  return [];
}

test('without any of its keys, all backends are selected from as in Cyrus, each counting as one', () => {
  const policy = placementPolicy(load({ backends: { mail1: {}, mail2: {} } }));
  const rule = { mode: 'freespace-most', softUsageLimit: 0, usageReinit: 1 };
  assert.deepEqual(policy.servers, { ...rule, list: undefined });
  assert.deepEqual(policy.partitions, rule);
  assert.deepEqual(
    [policy.promisedKiB, policy.promiseLifetime, policy.promiseAttempts, policy.figuresMaxAge],
    [102_400, 86_400_000, 10, 3_600_000],
  );
  const standard = { weight: 1, zone: undefined, tags: [], maximumUsers: undefined, drain: false, exclude: [] };
  assert.deepEqual(Array.from(policy.backends), [
    ['mail1', standard],
    ['mail2', standard],
  ]);
});

test('every key of Cyrus and of ours has its place in the policy', () => {
  const config = load({
    placement: {
      serverlist: 'mail2, mail1',
      serverlist_select_mode: 'freespace-percent-weighted-delta',
      serverlist_select_soft_usage_limit: 90,
      serverlist_select_usage_reinit: 5,
      partition_select_mode: 'random',
      partition_select_exclude: 'archive\tnews',
      partition_select_soft_usage_limit: 80,
      partition_select_usage_reinit: 0,
      promised_space: 2048,
      promise_lifetime: 60,
      promise_attempts: 3,
      figures_max_age: 120,
    },
    backends: {
      mail1: {
        placement: {
          ...{ weight: 0.5, zone: 'berlin', tags: ['ssd'], maximum_users: 7, drain: 'yes' },
          partition_select_exclude: ['old'],
        },
      },
      mail2: {},
    },
  });
  const policy = placementPolicy(config);
  assert.deepEqual(policy.servers, {
    ...{ mode: 'freespace-percent-weighted-delta', softUsageLimit: 90, usageReinit: 5, list: ['mail2', 'mail1'] },
  });
  assert.deepEqual(policy.partitions, { mode: 'random', softUsageLimit: 80, usageReinit: 0 });
  assert.deepEqual(
    [policy.promisedKiB, policy.promiseLifetime, policy.promiseAttempts, policy.figuresMaxAge],
    [2048, 60_000, 3, 120_000],
  );
  assert.deepEqual(policy.backends.get('mail1'), {
    ...{ weight: 0.5, zone: 'berlin', tags: ['ssd'], maximumUsers: 7, drain: true },
    exclude: ['archive', 'news', 'old'],
  });
  assert.deepEqual(policy.backends.get('mail2')?.exclude, ['archive', 'news']);
});

test('each mode of Cyrus is taken by its name, any other word is refused', () => {
  for (const mode of modes) assert.deepEqual(refusals({ placement: { serverlist_select_mode: mode } }), []);
  const expected = `one of ${modes.join(', ')}`;
  for (const key of ['serverlist_select_mode', 'partition_select_mode']) {
    assert.deepEqual(refusals({ placement: { [key]: 'freespace-least' } }), [
      `placement.${key} is "freespace-least"; it may be ${expected}`,
    ]);
  }
});

test('what cannot be is refused by its key, with what it may be', () => {
  const disk = (available: unknown, total: unknown) => ({
    backends: { m: { placement: { partitions: { default: { available, total } } } } },
  });
  const at = 'backends.m.placement.partitions.default';
  const wrong: [unknown, string][] = [
    [disk(11, 10), `${at}.available is 11; it may be at most the total, 10`],
    [disk(0, 0), `${at}.total is 0; it may be a whole number of KiB, 1 or more`],
    [disk('1G', 10), `${at}.available is "1G"; it may be a whole number of KiB, no more than total`],
    [
      { placement: { serverlist: 'mail1 mail9' }, backends: { mail1: {}, mail2: {} } },
      'placement.serverlist is ["mail1","mail9"]; it may be names of backends; there is no mail9, did you mean mail1?',
    ],
    [
      { placement: { serverlist: ' ' } },
      'placement.serverlist is " "; it may be a list of names of backends, or one text with spaces or commas between them',
    ],
    [
      { placement: { serverlist_select_soft_usage_limit: 101 } },
      'placement.serverlist_select_soft_usage_limit is 101; it may be a whole number of percent from 0 to 100',
    ],
    [
      { backends: { m: { placement: { weight: -1 } } } },
      'backends.m.placement.weight is -1; it may be a number from 0 to 1000',
    ],
    [
      { backends: { m: { placement: { maximum_users: 'many' } } } },
      'backends.m.placement.maximum_users is "many"; it may be a whole number, 0 or more',
    ],
  ];
  for (const [content, expected] of wrong) assert.deepEqual(refusals(content), [expected]);
});

test('configured figures are fresh; a backend without any is as one that did not answer; serverlist gives the order', () => {
  const partitions = { p: { available: 5, total: 10, filesystem: 'sda' }, q: { available: 6, total: 10 } };
  const config = load({
    placement: { serverlist: ['mail2'] },
    backends: { mail1: {}, mail2: { placement: { partitions } } },
  });
  assert.deepEqual(configuredFacts(config, 77), [
    {
      ...{ name: 'mail2', answered: true, at: 77, users: 0 },
      partitions: [
        { name: 'p', availableKiB: 5, totalKiB: 10, filesystem: 'sda' },
        { name: 'q', availableKiB: 6, totalKiB: 10, filesystem: undefined },
      ],
    },
    { name: 'mail1', answered: false, silence: 'its space is not configured', at: 77, users: 0, partitions: [] },
  ]);
});

test('a backend drains by its configuration, whatever is said, and by what the registry hears later', () => {
  const config = load({ backends: { mail1: { placement: { drain: true } }, mail2: {} } });
  const registry = registryOf(config);
  const policy = followingFlags(placementPolicy(config), registry);
  const drains = () => ['mail1', 'mail2'].map((name) => policy.backends.get(name)?.drain);
  assert.deepEqual(drains(), [true, false]);
  registry.hear(
    new Map([
      ['mail1', { stage: 'active', by: 'ops', at: 1 }],
      ['mail2', { stage: 'draining', by: 'ops', at: 2 }],
    ]),
  );
  assert.deepEqual(drains(), [true, true]);
  registry.hear(new Map([['mail2', { stage: 'active', by: 'ops', at: 3 }]]));
  assert.deepEqual(drains(), [true, false]);
});

// What becomes of a recipient, by what the directory said.
import test from 'node:test';
import assert from 'node:assert/strict';
import type { Entry, State } from '../../services/directory/entry.ts';
import type { Finding } from '../../services/directory/freshness.ts';
import { decide } from '../../services/lmtp/routing.ts';

const entry = (state: State, location = 'mail1!default'): Entry => ({
  name: 'user.a',
  state,
  location,
  acl: '',
  version: 1,
});
const found: Finding = { found: true };
const proven: Finding = { found: false, proven: true };
const unproven: Finding = { found: false, proven: false, reason: 'not heard from mail2' };
const knows = (server: string) => server === 'mail1';

const table: [string, Entry | undefined, Finding, string, string][] = [
  ['active on a known server', entry('active'), found, 'deliver', 'mail1'],
  ['active without a partition', entry('active', 'mail1'), found, 'deliver', 'mail1'],
  ['active on a server we do not know', entry('active', 'mail9!x'), found, 'defer', '451 4.4.3'],
  ['created', entry('created'), found, 'defer', '451 4.2.1'],
  ['handed over', entry('handed'), found, 'defer', '451 4.2.1'],
  ['contested', entry('contested'), found, 'defer', '451 4.2.1'],
  ['deleted a moment ago', entry('tombstone'), found, 'defer', '451 4.2.1'],
  ['absent, proven', undefined, proven, 'reject', '550 5.1.1'],
  ['absent, not proven', undefined, unproven, 'defer', '451 4.4.3'],
  ['absent, though something was found', undefined, found, 'defer', '451 4.4.3'],
];

for (const [name, row, finding, action, told] of table) {
  test(name, () => {
    const decision = decide(row, finding, undefined, knows);
    assert.equal(decision.action, action);
    if (decision.action === 'deliver') assert.equal(decision.server, told);
    else assert.equal(`${decision.reply.code} ${decision.reply.enhanced}`, told);
  });
}

test('under a move lease, wherever it is', () => {
  const lease = { kind: 'lease', text: 'under a move lease to mail2' } as const;
  for (const [row, finding] of [
    [entry('active'), found],
    [undefined, proven],
  ] as const) {
    const decision = decide(row, finding, lease, knows);
    assert.equal(decision.action === 'defer' && `${decision.reply.code} ${decision.reply.enhanced}`, '451 4.2.1');
  }
});

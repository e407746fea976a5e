// A real Cyrus frontend that comes back to a large directory: what its merge loses it has again at once, and changes do not
// wait behind the rows that it is sent once more. How long they took is printed, beside what they take without pacing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MupdateClient } from '../../services/mupdate/client.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { FULL, Murder } from '../harness/murder.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const ROWS = FULL ? 20_000 : 2000;
/** Commands on their way at a time. */
const AT_ONCE = 100;

/** Rows as a backend writes them; of no mailboxes, which a frontend does not ask for. */
async function activate(client: MupdateClient, names: readonly string[]): Promise<void> {
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const writes = names
      .slice(at, at + AT_ONCE)
      .map((name) => client.send('ACTIVATE', [name, 'mail1!default', 'a\tlrs\t']));
    for (const { status, text } of await Promise.all(writes)) assert.equal(status, 'OK', text);
  }
}

/** What the frontend's LMTP says to these users, at this moment. */
async function said(murder: Murder, ...users: string[]): Promise<number[]> {
  const mta = await Mta.greet(murder.frontend.preauthorisedLmtp);
  try {
    await mta.say('MAIL FROM:<>');
    const replies: string[] = [];
    for (const user of users) replies.push(await mta.say(`RCPT TO:<${user}>`));
    return replies.map((reply) => Number(reply.slice(0, 3)));
  } finally {
    mta.socket.destroy();
  }
}

/** Whether the frontend's IMAP lists it. */
async function listed(murder: Murder, name: string): Promise<boolean> {
  return (await murder.admin('frontend', (imap) => imap.ok(`LIST "" ${name}`))).length > 0;
}

/** Milliseconds from the answer to a change until the frontend lists it, once it has just come back. */
async function comeBack(murder: Murder, late: string): Promise<number> {
  const { frontend } = murder;
  const client = await murder.client();
  await frontend.stop();
  await client.send('DELETE', ['user.near.child']);
  await client.logout();
  const earlier = frontend.log.length;
  await frontend.start();
  const writer = await murder.client();
  await until('it has merged the list', () =>
    frontend.log.slice(earlier).some((line) => line.includes('mailbox list synchronization complete')),
  );
  await activate(writer, [`user.${late}`]);
  const begun = Date.now();
  await until('it lists the change', () => listed(murder, `user.${late}`), 120_000);
  const took = Date.now() - begun;
  assert.ok(await listed(murder, 'user.near-by'), 'and what its merge loses');
  assert.deepEqual(await said(murder, 'near', 'near-by', late), [250, 250, 250]);
  await activate(writer, ['user.near.child']);
  await writer.logout();
  return took;
}

describe('a frontend that comes back', { skip: withoutCyrus() }, () => {
  for (const [how, rate] of [
    ['as it is', 200],
    ['all rows at once', 1_000_000],
  ] as const) {
    test(`to ${ROWS} rows, ${how}`, async (t) => {
      const murder = await Murder.start({ directory: { resend_rate: rate } });
      t.after(() => murder.stop());
      const client = await murder.client();
      const rows = Array.from({ length: ROWS }, (_, at) => `user.many${at}`);
      await activate(client, [...rows, 'user.near', 'user.near.child', 'user.near-by']);
      await client.logout();
      await until(
        'the frontend has all',
        async () => (await said(murder, 'near', `many${ROWS - 1}`)).every((code) => code === 250),
        120_000,
      );
      const took = [await comeBack(murder, 'late1'), await comeBack(murder, 'late2')];
      t.diagnostic(`${ROWS} rows, ${how}: a change is listed after ${took.join(' and ')} ms`);
      await until(
        'all rows are there',
        async () => {
          const [seen, all] = [await murder.frontendView(), await murder.rows()];
          return [...all.keys()].every((name) => seen.has(name)) && [...seen.keys()].every((name) => all.has(name));
        },
        180_000,
      );
    });
  }
});

// Messages to several backends, each recipient with a fate of its own: every reply comes to whom it belongs, in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';

/** By the user's first letter: what RCPT is told here, or else by the backend at RCPT or after the dot. */
const fates = {
  taken: { rcpt: '250', after: '250' },
  nobody: { rcpt: '550 5.1.1', after: '' },
  reserved: { rcpt: '451 4.2.1', after: '' },
  quota: { rcpt: '250', after: '452 4.2.2' },
  late: { rcpt: '250', after: '554 5.6.0' },
  policy: { rcpt: '250', after: '550 5.7.1' },
  moved: { rcpt: '250', after: '451 4.2.1' },
};
type Fate = keyof typeof fates;

const servers = ['mail1', 'mail2', 'mail3'] as const;
const recipient = fc.record({
  fate: fc.constantFrom(...(Object.keys(fates) as Fate[])),
  server: fc.constantFrom(...servers),
  number: fc.integer({ min: 1, max: 2 }),
});
const message = fc.record({
  recipients: fc.array(recipient, { minLength: 1, maxLength: 9 }),
  dead: fc.option(fc.constantFrom(...servers)),
});

function fakeBackend(name: string, isDead: (name: string) => boolean): FakeBackend {
  return new FakeBackend({
    command: (verb, line) => {
      if (verb !== 'RCPT') return undefined;
      if (line.includes('quota')) return '452 4.2.2 Over quota';
      return line.includes('moved') ? '550 5.1.1 User unknown' : undefined;
    },
    after: (rcpts) => {
      if (isDead(name)) return 'CLOSE';
      const said = rcpts.map((to) =>
        to.includes('late') ? '554 5.6.0' : to.includes('policy') ? '550 5.7.1' : '250 2.1.5',
      );
      return said.map((code, index) => `${code} ${name} ${rcpts[index] ?? ''}`).join('\n');
    },
  });
}

test('each RCPT occurrence is answered once, in order, with the words of its own backend', async (t) => {
  let dead: string | null = null;
  const backends: Record<string, FakeBackend> = {};
  for (const name of servers) backends[name] = await fakeBackend(name, (each) => each === dead).listen();
  t.after(() => Promise.all(Object.values(backends).map((backend) => backend.close())));
  const user = (fate: string, server: string, number: number): string => `${fate}-${server}-${number}`;
  const users: Record<string, string> = {};
  for (const fate of Object.keys(fates)) {
    for (const server of fate === 'nobody' ? [] : servers)
      for (const number of [1, 2]) users[user(fate, server, number)] = server;
  }
  const proxy = await runProxy(t, { backends, users });
  for (const row of proxy.rows.values()) if (row.name.startsWith('user.reserved')) row.state = 'created';
  const mta = await Mta.greet(proxy.address);

  await fc.assert(
    fc.asyncProperty(message, async ({ recipients, dead: one }) => {
      dead = one;
      const names = recipients.map((each) => user(each.fate, each.server, each.number));
      await mta.say('MAIL FROM:<>');
      const accepted: typeof recipients = [];
      for (const [index, each] of recipients.entries()) {
        const said = await mta.say(`RCPT TO:<${names[index] ?? ''}>`);
        assert.ok(said.startsWith(fates[each.fate].rcpt), `${names[index] ?? ''}: ${said}`);
        if (said.startsWith('250')) accepted.push(each);
      }
      const data = await mta.say('DATA');
      if (accepted.length === 0) {
        assert.match(data, /^503 5\.5\.1 /);
        await mta.say('RSET');
        return;
      }
      const replies = await mta.body('x\r\n', accepted.length);
      for (const [index, each] of accepted.entries()) {
        const reply = replies[index] ?? '';
        const decidedAtRcpt = each.fate === 'quota' || each.fate === 'moved';
        const lost = each.server === dead && !decidedAtRcpt;
        assert.ok(reply.startsWith(lost ? '451 4.4.2' : fates[each.fate].after), `${each.fate}: ${reply}`);
        const own = user(each.fate, each.server, each.number);
        if (!lost && !decidedAtRcpt) assert.ok(reply.endsWith(`${each.server} <${own}>`), reply);
      }
      // Nothing more is said than there are recipients.
      assert.equal(await mta.say('NOOP'), '250 2.0.0 Ok');
    }),
    { numRuns: 150 },
  );
});

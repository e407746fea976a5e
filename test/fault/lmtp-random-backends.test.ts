// Backends that do anything at any step: each RCPT occurrence has one reply, in time; no 250 without a message, no bounce without a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

const runs = Number(process.env['ROOKERY_TEST_MESSAGES'] ?? 120);

const servers = ['mail1', 'mail2', 'mail3'] as const;
const bad = ['CLOSE', 'HANG', 'DRIBBLE', '421 4.3.2 bye', '550 5.1.1 unknown', '451 4.3.0 later', '354 go', 'what?'];
const usual = { weight: 8, arbitrary: fc.constant('') };
const oneStep = fc.oneof(usual, { weight: 1, arbitrary: fc.constantFrom(...bad) });
const verdict = fc.constantFrom(
  ...['250 2.1.5 taken', '250 2.1.5 taken', '250 2.1.5 taken', '452 4.2.2 full', '550 5.7.1 no', '550 5.1.1 unknown'],
  ...['554 5.6.0 bad', '421 4.3.2 bye', 'what?', '221 2.0.0 bye'],
);
const backendFate = fc.record({
  greeting: oneStep,
  LHLO: oneStep,
  MAIL: oneStep,
  RCPT: oneStep,
  DATA: oneStep,
  pipelining: fc.boolean(),
  inMessage: fc.oneof(usual, {
    weight: 1,
    arbitrary: fc.constantFrom('CLOSE', 'STOP READING', '421 4.3.2 bye', '250 2.0.0 early'),
  }),
  after: fc.array(verdict, { minLength: 4, maxLength: 4 }),
  owed: fc.constantFrom(-2, -1, 0, 0, 0, 0, 1),
  end: fc.constantFrom('', '', '\nCLOSE'),
});
type Fate = typeof backendFate extends fc.Arbitrary<infer Value> ? Value : never;

const scene = fc.record({
  fates: fc.tuple(backendFate, backendFate, backendFate),
  rcpts: fc.array(fc.constantFrom(0, 1, 2), { minLength: 1, maxLength: 8 }),
  kilobytes: fc.constantFrom(1, 1, 1, 700),
});

/** Behaves so from now on; notes what it said 250 to, by the number of the RCPT occurrence. */
function misbehave(backend: FakeBackend, fate: Fate, taken: string[]): void {
  // Where the message is whole on the wire before such a reply is read, it is one to the message: nobody can see the lie.
  if (fate.inMessage.startsWith('250')) taken.push(fate.inMessage);
  const keywords = ['8BITMIME', 'SIZE', ...(fate.pipelining ? ['PIPELINING'] : [])];
  backend.behaviour = {
    greeting: fate.greeting === '' ? '220 fake' : fate.greeting,
    keywords,
    command: (verb) => {
      const said = (fate as unknown as Record<string, string>)[verb];
      return said === undefined || said === '' ? undefined : said;
    },
    inMessage: fate.inMessage === '' ? undefined : { bytes: 200, say: fate.inMessage },
    after: (rcpts) => {
      const said = Array.from({ length: Math.max(0, rcpts.length + fate.owed) }, (_, at) => fate.after[at % 4] ?? '');
      // Up to the first that is no answer: what comes after it can't be told from noise.
      const end = said.findIndex((one) => !/^(?:250|4(?!21)|5)/.test(one));
      for (const [at, one] of (end < 0 ? said : said.slice(0, end)).entries()) {
        if (one.startsWith('250') && at < rcpts.length) taken.push(one);
      }
      return said.length === 0 ? 'HANG' : said.join('\n') + fate.end;
    },
  };
}

test(`${runs} messages to backends that do anything at any step`, { timeout: 600_000 }, async (t) => {
  const backends = await Promise.all(servers.map(() => new FakeBackend().listen()));
  t.after(() => Promise.all(backends.map((each) => each.close())));
  const patience = 150;
  const proxy = await runProxy(t, {
    backends: Object.fromEntries(servers.map((name, at) => [name, backends[at]])),
    users: { u0: 'mail1', u1: 'mail2', u2: 'mail3' },
    settings: {
      ...{ connect_timeout: patience, envelope_timeout: patience, stall_timeout: patience, reply_timeout: patience },
      ...{ late_timeout: patience, transaction_timeout: 4 * patience, wait_timeout: patience },
      ...{ breaker_failures: 1_000_000, buffer: 65_536, spool_after: 20, check_after: 0.001 },
    },
  });
  const mta = await Mta.greet(proxy.address);
  await fc.assert(
    fc.asyncProperty(scene, async ({ fates, rcpts, kilobytes }) => {
      const taken: string[][] = [[], [], []];
      for (const [at, fate] of fates.entries()) misbehave(backends[at] as FakeBackend, fate, taken[at] as string[]);
      await mta.envelope(rcpts.map((at) => `<u${at}>`));
      const said = await mta.body(Buffer.alloc(kilobytes * 1000, 'x'.repeat(98) + '\r\n'), rcpts.length);
      assert.equal(said.length, rcpts.length);
      for (const server of [0, 1, 2]) {
        const told = said.filter((_, at) => rcpts[at] === server);
        const happy = told.filter((one) => one.startsWith('250')).length;
        assert.ok(happy <= (taken[server]?.length ?? 0), `told ${happy} times 250 for ${taken[server]?.length}`);
      }
      for (const one of said)
        assert.match(
          one,
          /^(?:250 2\.1\.5 taken|250 2\.0\.0 early|451 4\.\d\.\d .*|452 4\.2\.2 full|550 5\.7\.1 no|554 5\.6\.0 bad)$/,
        );
      // Nothing more is said than there are recipients.
      assert.equal(await mta.say('NOOP'), '250 2.0.0 Ok');
    }),
    { numRuns: runs },
  );
  for (const each of backends) each.behaviour = new FakeBackend().behaviour;
  await until('no connection is left in use', () =>
    proxy.pools.connections().every(({ busy, late, waiting }) => busy + late + waiting === 0),
  );
  assert.deepEqual([proxy.memory.held, proxy.spool.used], [0, 0]);
  for (const reply of await mta.send(['<u0>', '<u1>', '<u2>'])) assert.match(reply, /^250/);
});

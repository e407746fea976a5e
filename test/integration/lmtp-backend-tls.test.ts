// TLS to a backend, and what is passed on to one that knows a lot: our own listener stands for it.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Address, TlsAccess } from '../../services/backends/registry.ts';
import { Networks } from '../../services/listening/networks.ts';
import { LmtpListener } from '../../services/lmtp/listener.ts';
import { lmtpDefaults, plainDoor, type Door, type LmtpSettings } from '../../services/lmtp/settings.ts';
import { certificateOf, pem } from '../harness/certificates.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy, type ProxyRun } from '../harness/lmtp-proxy.ts';
import { LmtpStore } from '../harness/lmtp-store.ts';
import { quietLog } from '../harness/quiet-log.ts';

async function listening(
  t: TestContext,
  door: Partial<Door>,
  settings: Partial<LmtpSettings> = {},
): Promise<{ store: LmtpStore; address: Address }> {
  const store = new LmtpStore();
  const listener = new LmtpListener({
    ...{ servername: 'mail1.test', settings: { ...lmtpDefaults, ...settings }, handler: store, log: quietLog },
  });
  t.after(() => listener.close(0));
  return { store, address: await listener.listen({ host: '127.0.0.1', port: 0 }, { ...plainDoor, ...door }) };
}

function through(t: TestContext, address: Address, tls: TlsAccess): Promise<ProxyRun> {
  return runProxy(t, { backends: { 'mx.test': address }, users: { ann: 'mx.test' }, tls });
}

const body = 'x\r\n'.repeat(100_000);

for (const mode of ['starttls', 'implicit'] as const) {
  test(`TLS, ${mode}: whole messages over the same connection; a certificate that does not fit is 451`, async (t) => {
    const { store, address } = await listening(t, { tls: mode, certificate: certificateOf('server') });
    const proxy = await through(t, address, { mode, ca: pem('ca.crt'), verify: true });
    const mta = await Mta.greet(proxy.address);
    for (let count = 0; count < 3; count++) assert.match((await mta.send(['<ann>'], body))[0] ?? '', /^250/);
    assert.ok(store.kept.every(({ raw, ended }) => ended === 'whole' && raw.toString('latin1').endsWith(body)));
    assert.equal(new Set(store.kept.map(({ session }) => session.id)).size, 1);

    const refused: TlsAccess[] = [
      { mode, verify: true },
      { mode, ca: pem('ca.crt'), name: 'other.test', verify: true },
    ];
    for (const tls of refused) {
      const other = await Mta.greet((await through(t, address, tls)).address);
      assert.match((await other.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 Backend mx\.test is not available: /);
    }
    const lax = await Mta.greet((await through(t, address, { mode, verify: false })).address);
    assert.match((await lax.send(['<ann>']))[0] ?? '', /^250/);
    assert.equal(store.kept.length, 4);
  });
}

test('STARTTLS that is not offered is not done without', async (t) => {
  const plain = await new FakeBackend().listen();
  t.after(() => plain.close());
  const proxy = await through(t, plain.address, { mode: 'starttls', verify: false });
  const mta = await Mta.greet(proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 /);
  assert.equal(plain.messages.length, 0);
  assert.ok(!plain.lines.some((line) => line.startsWith('MAIL')));
});

test('TRACE, XFORWARD, SMTPUTF8 and the rest reach a backend that knows them', async (t) => {
  const trusted = { preauth_networks: new Networks(['127.0.0.1']), xforward_networks: new Networks(['127.0.0.1']) };
  const { store, address } = await listening(t, {}, trusted);
  const proxy = await runProxy(t, {
    backends: { mail1: address },
    users: { ann: 'mail1' },
    listening: trusted,
  });
  const mta = await Mta.greet(proxy.address);
  assert.match(await mta.say('XFORWARD NAME=client.example ADDR=192.0.2.7 IDENT=4Xy+2B1'), /^250/);
  assert.match(await mta.say('TRACE delivery-17'), /^250/);
  await mta.envelope(['<ann> IGNOREQUOTA'], '<s@example.org> SIZE=3 BODY=8BITMIME SMTPUTF8 AUTH=<>');
  assert.match((await mta.body('x\r\n', 1))[0] ?? '', /^250/);
  const [kept] = store.kept;
  assert.ok(kept);
  assert.equal(kept.session.traceId, 'delivery-17');
  assert.equal(kept.session.mtaQueueId, '4Xy+1');
  assert.deepEqual(
    [kept.session.xforward.get('NAME'), kept.session.xforward.get('ADDR')],
    ['client.example', '192.0.2.7'],
  );
  assert.deepEqual([kept.sender.body, kept.sender.smtputf8], ['8BITMIME', true]);
  assert.equal(kept.recipients[0]?.ignoreQuota, true);
  assert.equal(kept.sender.size, kept.raw.length);

  // Nothing of one message is left for the next: without a trace of the MTA's it is called by our own name for it.
  assert.match(await mta.say('RSET'), /^250/);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^250/);
  assert.notEqual(store.kept[1]?.session.traceId, '');
  assert.equal(proxy.outcomes[1]?.transaction !== undefined, true);
  assert.equal(store.kept[1]?.session.id, kept.session.id);
});

test('SMTPUTF8 to a backend without it: put off, and the others get theirs', async (t) => {
  const plain = await new FakeBackend().listen();
  const rich = await new FakeBackend({ keywords: ['PIPELINING', '8BITMIME', 'SMTPUTF8'] }).listen();
  t.after(() => Promise.all([plain.close(), rich.close()]));
  const proxy = await runProxy(t, {
    backends: { plain, rich },
    users: { ann: 'plain', bob: 'rich', 'j\xc3\xb6': 'plain' },
  });
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(['<ann>', '<bob>'], '<s@example.org> SMTPUTF8 BODY=8BITMIME');
  const said = await mta.body('x\r\n', 2);
  assert.equal(said[0], '451 4.6.9 Backend plain takes no SMTPUTF8 message');
  assert.match(said[1] ?? '', /^250/);
  assert.equal(rich.lines[1], 'MAIL FROM:<s@example.org> BODY=8BITMIME SMTPUTF8');
  await mta.envelope(['<ann>'], '<j\xc3\xb6@example.org> SMTPUTF8');
  assert.equal((await mta.body('x\r\n', 1))[0], '451 4.6.7 Backend plain knows no SMTPUTF8 addresses');
  assert.deepEqual(plain.lines, ['LHLO mx.test']);
  // The connection was not used, and is good for the next.
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^250/);
  assert.equal(plain.connections, 1);
});

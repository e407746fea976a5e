// The log: one JSON object a line, a line a recipient, no secrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLogger, unsearched } from '../../services/logging/logger.ts';
import { MailLog } from '../../services/logging/mail-log.ts';
import type { Outcome } from '../../services/logging/outcome.ts';

function collecting() {
  const text: string[] = [];
  const lines = () => text.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { text, lines, destination: { write: (line: string) => text.push(line) } };
}

const outcome: Outcome = {
  session: 's1',
  transaction: 't1',
  from: '<>',
  to: 'jd\xf6e@example.org',
  mailbox: 'user.jd\xf6e\n',
  backend: 'mail1',
  code: 250,
  dsn: '2.1.5',
  text: 'Ok',
  outcome: 'delivered',
  delay_ms: 12,
  bytes: 5,
  tls: false,
};

test('a line for each recipient, with every field, on one line', () => {
  const { text, lines, destination } = collecting();
  new MailLog(unsearched(makeLogger({ level: 'info', destination }))).recipient(outcome);
  assert.equal(text.length, 1);
  assert.equal(text[0]?.indexOf('\n'), text[0]?.length && text[0].length - 1);
  const { level, time, pid, msg, event, ...fields } = lines()[0] ?? {};
  assert.deepEqual(fields, outcome);
  assert.deepEqual([level, pid, msg, event], ['info', process.pid, 'delivered', 'recipient']);
  assert.equal(new Date(time as string).toISOString(), time);
});

test('secrets are hidden, at the top and below', () => {
  const { text, destination } = collecting();
  const logger = makeLogger({ level: 'debug', destination });
  logger.info({ password: 'geheim', user: { password: 'geheim' }, config: { users: { pass: 'geheim' } } }, 'x');
  assert.doesNotMatch(text.join(''), /geheim/);
  assert.match(text.join(''), /\(hidden\)/);
});

test('below its level nothing is written; errors come with their message', () => {
  const { text, lines, destination } = collecting();
  const logger = makeLogger({ level: 'warn', destination });
  logger.info('quiet');
  logger.warn({ error: new Error('broken') }, 'loud');
  assert.equal(text.length, 1);
  assert.equal((lines()[0]?.['error'] as { message: string }).message, 'broken');
});

test('an error that says no more than that somebody does not answer comes without its stack', () => {
  const { lines, destination } = collecting();
  const logger = makeLogger({ level: 'info', destination });
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' });
  for (const error of [
    refused,
    new Error('the chosen server does not answer', { cause: refused }),
    Object.assign(new AggregateError([refused], ''), { code: 'ECONNREFUSED' }),
    new Error('Command timed out'),
  ]) {
    logger.warn({ err: error }, 'x');
  }
  logger.error({ err: new TypeError('undefined is not a function') }, 'x');
  const said = lines().map(({ err }) => err as { message: string; stack?: string });
  assert.match(said.pop()?.stack ?? '', /at /);
  for (const { message, stack } of said) {
    assert.equal(stack, undefined);
    assert.match(message, /ECONNREFUSED|timed out/);
  }
});

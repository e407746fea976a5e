// PLAIN on both sides, base64 as RFC 3656 carries it, and the comparison of secrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64Of, messageFrom, sameSecret } from '../../services/sasl/mechanism.ts';
import { PlainClient, PlainServer } from '../../services/sasl/plain.ts';

const server = () => new PlainServer((username, password) => username === 'jürgen' && password === 'pässwörd');
const latin = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

test('the client begins, with or without being asked to', () => {
  const client = new PlainClient('jürgen', 'pässwörd');
  assert.deepEqual(server().begin(client.begin()), { kind: 'success', username: 'jürgen' });
  const asked = server();
  assert.deepEqual(asked.begin(undefined), { kind: 'challenge', message: '' });
  assert.deepEqual(asked.respond(client.respond('')), { kind: 'success', username: 'jürgen' });
  assert.throws(() => client.respond('what?'), /challenge/);
});

test('a user acts as himself only', () => {
  const step = (authorization: string) =>
    server().begin(new PlainClient('jürgen', 'pässwörd', authorization).begin()).kind;
  assert.equal(step('jürgen'), 'success');
  assert.equal(step(''), 'success');
  assert.equal(step('alice'), 'failure');
});

test('whatever is not three fields with a name and the password fails', () => {
  for (const message of ['', '\0', '\0\0', '\0jürgen\0', '\0\0pässwörd', '\0jürgen\0wrong', 'jürgen\0pässwörd']) {
    assert.equal(server().begin(latin(message)).kind, 'failure', JSON.stringify(message));
  }
  assert.equal(server().begin(latin('\0jürgen\0pässwörd\0')).kind, 'failure');
});

test('the reason of a failure never holds the password', () => {
  const step = server().begin(latin('\0jürgen\0not-the-secret'));
  assert.ok(step.kind === 'failure' && !step.reason.includes('not-the-secret') && step.reason.includes('jürgen'));
});

test('base64: any message there and back; `=` is a message of no bytes; what is no base64 is none', () => {
  const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('latin1'));
  fc.assert(fc.property(bytes, (message) => messageFrom(base64Of(message)) === message));
  assert.equal(messageFrom('='), '');
  for (const text of ['not base64!', 'AAA', 'A===', 'AA=A', 'AAAA\n', ' AAAA', 'AA-_']) {
    assert.equal(messageFrom(text), undefined, text);
  }
});

test('secrets are the same only when they are', () => {
  assert.ok(sameSecret('abc', 'abc') && sameSecret('', ''));
  const different: [string, string][] = [
    ['abc', 'abd'],
    ['abc', 'ab'],
    ['ab', 'abc'],
    ['', 'a'],
    ['a', ''],
    ['abab', 'ab'],
    ['\0', ''],
  ];
  for (const [given, known] of different) assert.ok(!sameSecret(given, known), `${given} is not ${known}`);
});

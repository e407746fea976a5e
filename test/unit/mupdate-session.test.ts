// The session as a machine: what it says and asks for, without a socket; above all when FIND must show nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import { LineReader } from '../../services/mupdate/grammar.ts';
import { row, string } from '../../services/mupdate/responses.ts';
import { Session } from '../../services/mupdate/session.ts';
import type { Step, User } from '../../services/mupdate/session.ts';

const users = new Map<string, User>([
  ['mail1', { password: 'pw', server: 'mail1', access: 'write' }],
  ['shared', { password: 'pw', access: 'write' }],
]);

function send(session: Session, text: string): Step {
  const reader = new LineReader({ line: 1000, literal: 1000, command: 1000 });
  reader.push(`${text}\r\n`);
  const read = reader.next();
  assert.ok(read);
  return session.take(read);
}

function loggedIn(user: string): Session {
  const session = new Session('s-1', users);
  const { say, task } = send(session, `a AUTHENTICATE "PLAIN" "${Buffer.from(`\0${user}\0pw`).toString('base64')}"`);
  assert.deepEqual([say, task], ['a OK "Authenticated"\r\n', { do: 'login', username: user }]);
  return session;
}

const entry = (state: Entry['state']): Entry => ({ name: 'n', state, location: 'mail2!p', acl: 'x', version: 1 });
const ok: Answer = { ok: true, text: 'done', at: { shard: 0, seq: 1 }, pending: false };
const find = { tag: 'f', name: 'n' };
const heard = (session: Session) => {
  const { task } = send(session, 'q LOGOUT');
  assert.ok(task?.do === 'logout');
  return task.heard;
};

test('FIND shows rows as RESERVE unless active, and a tombstone as absent', () => {
  const session = loggedIn('mail1');
  const completed = 'f OK "Search completed"\r\n';
  assert.equal(session.found(find, entry('active')), `f MAILBOX {1+}\r\nn {7+}\r\nmail2!p {1+}\r\nx\r\n${completed}`);
  for (const state of ['created', 'handed'] as const) {
    assert.equal(session.found(find, entry(state)), `f RESERVE {1+}\r\nn {7+}\r\nmail2!p\r\n${completed}`);
  }
  assert.equal(session.found(find, entry('tombstone')), completed);
  assert.equal(session.found(find, undefined), completed);
});

test('from LIST "S!" on, of whatever server, FIND shows no row; a tombstone and an absent name are plain OK', () => {
  for (const server of ['mail1', 'mail9']) {
    const session = loggedIn('mail1');
    send(session, 'x LIST "mail1"');
    assert.match(session.found(find, entry('active')), /MAILBOX/);
    send(session, `x LIST "${server}!"`);
    for (const state of ['active', 'created', 'handed'] as const) {
      assert.match(session.found(find, entry(state)), /^f NO "[^"]+"\r\n$/);
    }
    assert.equal(session.found(find, entry('tombstone')), 'f OK "Search completed"\r\n');
    assert.equal(session.role, server === 'mail1' ? 'push' : 'authenticated');
  }
});

test('a push is complete when all that it found absent was activated', () => {
  const list = { tag: 'x', push: 'mail1' };
  const activate = { tag: 'x', write: { verb: 'ACTIVATE' as const, name: 'n', location: 'mail1!p', acl: '' } };
  const complete = loggedIn('mail1');
  send(complete, 'x LIST "mail1!"');
  complete.listed(list);
  complete.found(find, undefined);
  complete.written(activate, ok);
  assert.equal(heard(complete), 'mail1');

  const dry = loggedIn('mail1');
  send(dry, 'x LIST "mail1!"');
  dry.listed(list);
  dry.found(find, undefined);
  dry.written({ ...activate, write: { ...activate.write, name: 'other' } }, ok);
  assert.equal(heard(dry), undefined);

  const unlisted = loggedIn('mail1');
  send(unlisted, 'x LIST "mail1!"');
  unlisted.unread(list);
  assert.equal(heard(unlisted), undefined);
});

test('an unbound session pushes for the server that it names first', () => {
  const session = loggedIn('shared');
  assert.deepEqual(send(session, 'x LIST "mail3!"').task, { do: 'list', tag: 'x', prefix: 'mail3!', push: 'mail3' });
  assert.deepEqual(send(session, 'y DELETE "n"').task, {
    ...{ do: 'write', tag: 'y', write: { verb: 'DELETE', name: 'n', location: '', acl: '' } },
    writer: { session: 's-1', server: 'mail3', admin: false, push: true },
  });
});

test('a stream is ended without a line, any other session by BYE', () => {
  const end = { kind: 'end', text: 'line too long' } as const;
  const session = loggedIn('mail1');
  assert.equal(session.take(end).say, '* BYE "line too long"\r\n');
  send(session, 'u UPDATE');
  assert.deepEqual(session.take(end), { say: '', task: { do: 'end', reason: 'line too long' } });
});

test('texts are quoted where any client can read them so, else literals', () => {
  assert.equal(string('say "\\"'), '"say \\"\\\\\\""');
  for (const text of ['a\r\nb', '\xe9', '\0']) assert.equal(string(text), `{${text.length}+}\r\n${text}`);
  assert.equal(row('*', { ...entry('tombstone'), name: '' }), '* RESERVE {0+}\r\n {7+}\r\nmail2!p\r\n');
});

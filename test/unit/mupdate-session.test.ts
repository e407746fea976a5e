// The session as a machine: what it says and asks for, without a socket; above all when FIND must show nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import { LineReader } from '../../services/mupdate/grammar.ts';
import { row, string } from '../../services/mupdate/responses.ts';
import { Session } from '../../services/mupdate/session.ts';
import type { Step } from '../../services/mupdate/step.ts';
import type { Hosts, User } from '../../services/mupdate/binding.ts';

const users = new Map<string, User>([
  ['mail1', { password: 'pw', server: 'mail1', access: 'write' }],
  ['shared', { password: 'pw', access: 'write' }],
  ['pair-b', { password: 'pw', server: 'pair', host: '10.0.0.2', access: 'write' }],
  ['operator', { password: 'pw', access: 'write', admin: true }],
  ['frontend', { password: 'pw', access: 'read' }],
]);

const hosts = new Map<string, Hosts>([['pair', { all: ['10.0.0.1', '10.0.0.2'], active: '10.0.0.1' }]]);

function send(session: Session, text: string): Step {
  const reader = new LineReader({ line: 1000, literal: 1000, command: 1000 });
  reader.push(`${text}\r\n`);
  const read = reader.next();
  assert.ok(read);
  return session.take(read);
}

function loggedIn(user: string, address?: string): Session {
  const session = new Session('s-1', { users, hosts }, address);
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

const there = { found: true } as const;
const proven = { found: false, proven: true } as const;

test('FIND says NO of an absence that is not proven; in a push, which would not mind, it is plain OK', () => {
  const session = loggedIn('mail1');
  const unproven = { found: false, proven: false, reason: 'not heard from mail2' } as const;
  const no = 'f NO "not found, but there may be one: not heard from mail2"\r\n';
  assert.equal(session.found(find, undefined, unproven), no);
  send(session, 'x LIST "mail1!"');
  assert.equal(session.found(find, undefined, unproven), 'f OK "Search completed"\r\n');
});

test('FIND shows rows as RESERVE unless active, and a tombstone as absent', () => {
  const session = loggedIn('mail1');
  const completed = 'f OK "Search completed"\r\n';
  assert.equal(
    session.found(find, entry('active'), there),
    `f MAILBOX {1+}\r\nn {7+}\r\nmail2!p {1+}\r\nx\r\n${completed}`,
  );
  for (const state of ['created', 'handed'] as const) {
    assert.equal(session.found(find, entry(state), there), `f RESERVE {1+}\r\nn {7+}\r\nmail2!p\r\n${completed}`);
  }
  assert.equal(session.found(find, entry('tombstone'), there), completed);
  assert.equal(session.found(find, undefined, proven), completed);
});

test('from LIST "S!" on, of whatever server, FIND shows no row; a tombstone and an absent name are plain OK', () => {
  for (const server of ['mail1', 'mail9']) {
    const session = loggedIn('mail1');
    send(session, 'x LIST "mail1"');
    assert.match(session.found(find, entry('active'), there), /MAILBOX/);
    send(session, `x LIST "${server}!"`);
    for (const state of ['active', 'created', 'handed'] as const) {
      assert.match(session.found(find, entry(state), there), /^f NO "[^"]+"\r\n$/);
    }
    assert.equal(session.found(find, entry('tombstone'), there), 'f OK "Search completed"\r\n');
    assert.equal(session.role, server === 'mail1' ? 'push' : 'authenticated');
  }
});

test('a push is complete when all that it found absent was activated', () => {
  const list = { tag: 'x', push: 'mail1' };
  const activate = { tag: 'x', write: { verb: 'ACTIVATE' as const, name: 'n', location: 'mail1!p', acl: '' } };
  const complete = loggedIn('mail1');
  send(complete, 'x LIST "mail1!"');
  complete.listed(list);
  complete.found(find, undefined, proven);
  complete.written(activate, ok);
  assert.equal(heard(complete), 'mail1');

  const dry = loggedIn('mail1');
  send(dry, 'x LIST "mail1!"');
  dry.listed(list);
  dry.found(find, undefined, proven);
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
    writer: { session: 's-1', by: 'shared', server: 'mail3', admin: false, push: true },
  });
});

test('a stream is ended without a line, any other session by BYE', () => {
  const end = { kind: 'end', verb: 'FIND', text: 'line too long' } as const;
  const session = loggedIn('mail1');
  assert.equal(session.take(end).say, '* BYE "line too long"\r\n');
  send(session, 'u UPDATE');
  assert.deepEqual(session.take(end), { say: '', task: { do: 'end', reason: 'line too long' } });
});

test('a host that is not the active one: an empty LIST, NO to FIND and to each write, no push; told of once', () => {
  const no = 'NO "passive host of pair; active is 10.0.0.1"\r\n';
  const told = { do: 'passive', server: 'pair', active: '10.0.0.1' };
  for (const [user, address] of [
    ['pair-b', '10.0.0.1'],
    ['shared', '10.0.0.2'],
  ] as const) {
    const session = loggedIn(user, address);
    assert.deepEqual(send(session, 'a LIST "pair!"'), { say: 'a OK "list complete"\r\n', task: told });
    assert.deepEqual(send(session, 'b LIST'), { say: 'b OK "list complete"\r\n' });
    assert.deepEqual(send(session, 'c FIND "n"'), { say: `c ${no}` });
    for (const write of [
      'RESERVE "n" "pair!p"',
      'ACTIVATE "n" "pair!p" ""',
      'DEACTIVATE "n" "mail1!p"',
      'DELETE "n"',
    ]) {
      assert.deepEqual(send(session, `d ${write}`), { say: `d ${no}` });
    }
    assert.equal(session.role, 'authenticated');
    assert.deepEqual(send(session, 'e UPDATE').task, {
      ...{ do: 'hang-up', reason: 'passive host of pair; active is 10.0.0.1' },
    });
    assert.equal(heard(session), undefined);
  }
});

test('the active host, an operator and a frontend are as ever', () => {
  const active = loggedIn('shared', '10.0.0.1');
  assert.deepEqual(send(active, 'a LIST "pair!"'), {
    ...{ say: '', task: { do: 'list', tag: 'a', prefix: 'pair!', push: 'pair' } },
  });
  for (const user of ['operator', 'frontend']) {
    const session = loggedIn(user, '10.0.0.2');
    assert.equal(send(session, 'a FIND "n"').task?.do, 'find');
    assert.equal(send(session, 'b LIST').task?.do, 'list');
  }
  assert.equal(send(loggedIn('operator', '10.0.0.2'), 'c RESERVE "n" "pair!p"').task?.do, 'write');
});

test('an unbound session of no known address: tells whom it speaks for at the command that names it, once', () => {
  const free = loggedIn('shared', '10.0.0.9');
  assert.equal(send(free, 'a DELETE "n"').bound, undefined);
  assert.equal(send(free, 'b RESERVE "n" "mail3!p"').bound, 'mail3');
  assert.equal(send(free, 'c RESERVE "n" "mail3!p"').bound, undefined);
  assert.equal(send(loggedIn('operator', '10.0.0.9'), 'd RESERVE "n" "mail3!p"').bound, undefined);
  for (const address of ['10.0.0.9', undefined]) {
    const session = loggedIn('shared', address);
    assert.equal(send(session, 'a FIND "n"').task?.do, 'find');
    const { say, bound, task } = send(session, 'b RESERVE "n" "pair!p"');
    assert.deepEqual(
      [say, bound, task?.do],
      ['b NO "passive host of pair; active is 10.0.0.1"\r\n', undefined, 'passive'],
    );
    assert.equal(send(session, 'c FIND "n"').task, undefined);
  }
});

test('UPDATE is never refused in words: of no form, too large, too early, or once more', () => {
  const early = new Session('s-1', { users, hosts }, undefined);
  const silent = (session: Session, text: string, reason: string) => {
    assert.deepEqual(send(session, text), { say: '', task: { do: 'hang-up', reason } }, text);
  };
  silent(early, 'u UPDATE', 'Please login first');
  silent(early, 'u update {1001}', 'Literal too large');
  silent(early, 'u UPDATE {3+}\r\na\0b', 'NUL in a string');
  const session = loggedIn('frontend');
  silent(session, 'u UPDATE ""', 'Badly formed arguments');
  silent(session, 'u uPdate mail1', 'Extra arguments');
  silent(session, `u UPDATE${' "m"'.repeat(31)}`, 'Extra arguments');
  assert.equal(session.take({ kind: 'end', verb: 'update', text: 'line too long' }).say, '');
  assert.equal(send(session, 'u UPDATE').task?.do, 'update');
  silent(session, 'u UPDATE', 'not legal when streaming');
});

test('texts are quoted where any client can read them so, else literals', () => {
  assert.equal(string('say "\\"'), '"say \\"\\\\\\""');
  for (const text of ['a\r\nb', '\xe9', '\0']) assert.equal(string(text), `{${text.length}+}\r\n${text}`);
  assert.equal(row('*', { ...entry('tombstone'), name: '' }), '* RESERVE {0+}\r\n {7+}\r\nmail2!p\r\n');
});

// Cyrus' replication lists: taken apart, cut from a stream however it is broken, and made into what a tree has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberAt, stringAt, valueEnd, valuesOf } from '../../services/backends/imap-dlist.ts';
import { SyncReader } from '../../services/backends/imap-sync-reader.ts';

test('values of every kind', () => {
  const [pairs, list, nil, empty] = valuesOf(
    '%(UID 1 NAME "a \\"b\\" \\\\" TEXT {7+}\r\n)"( \r\nx) (\\Seen %(A b) ()) NIL ""',
  );
  assert.deepEqual(
    pairs,
    new Map([
      ['UID', '1'],
      ['NAME', 'a "b" \\'],
      ['TEXT', ')"( \r\nx'],
    ]),
  );
  assert.deepEqual(list, ['\\Seen', new Map([['A', 'b']]), []]);
  assert.equal(nil, null);
  assert.equal(empty, '');
});

test('malformed ones are none', () => {
  for (const text of ['(a', 'a)', '%(a)', '%(() b)', '%(UID 1 SIZE 2 UID 3 SIZE 4)', '{5}\r\nabc', '"abc', '}', '%a'])
    assert.throws(() => valuesOf(text), Error, text);
});

test('keys without a fitting value throw', () => {
  const [pairs] = valuesOf('%(A 1 B x C 99999999999999999999 D (1))');
  assert.ok(pairs instanceof Map);
  assert.equal(numberAt(pairs, 'A'), 1);
  for (const key of ['B', 'C', 'D', 'E']) assert.throws(() => numberAt(pairs, key), Error, key);
  assert.throws(() => stringAt(pairs, 'D'));
});

test('a value ends where it ends, wherever what is there breaks off', () => {
  for (const value of ['%(A (b "c)" {2}\r\n)) NIL))', '"q\\"q"', '{3}\r\n"""', '(())']) {
    const text = `${value} more`;
    assert.equal(valueEnd(text, 0), value.length, value);
    for (let length = 0; length < value.length; length++)
      assert.equal(valueEnd(text.slice(0, length), 0), undefined, text.slice(0, length));
  }
  assert.equal(valueEnd('ato', 0), undefined, 'an atom may go on');
  assert.equal(valueEnd('atom)', 0), 4);
});

function record(uid: number): string {
  const annotation = '%(ENTRY /x USERID "" VALUE {3}\r\n)"()';
  return `%(UID ${uid} MODSEQ 5 FLAGS (\\Seen $Label1) SIZE 28 GUID 90c67dea ANNOTATIONS (${annotation}))`;
}

function cut(text: string, size: number): string[] {
  const reader = new SyncReader();
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += size) {
    reader.push(text.slice(at, at + size));
    for (let piece = reader.next(); piece !== undefined; piece = reader.next()) pieces.push(piece);
  }
  return pieces;
}

test('a mailbox with records comes as its head and one record after the other, however the stream is broken', () => {
  const head = '* MAILBOX %(UNIQUEID x MBOXNAME "a b" ANNOTATIONS (%(ENTRY /comment VALUE {4}\r\na"\r\n))';
  const none = '* MAILBOX %(UNIQUEID y MBOXNAME RECORD RECORD ())\r\n';
  const bare = '* MAILBOX %(UNIQUEID z MBOXNAME RECORD)\r\n';
  const more = '* OK x {2}\r\nab c\r\nT1 OK done\r\n';
  const text = `${head} RECORD (${[1, 2].map(record).join(' ')}))\r\n${none}${bare}${more}`;
  const expected = [
    ...[`${head})`, `* RECORD ${record(1)}`, `* RECORD ${record(2)}`, '* MAILBOX %(UNIQUEID y MBOXNAME RECORD)'],
    ...['* MAILBOX %(UNIQUEID z MBOXNAME RECORD)', '* OK x {2}\r\nab c', 'T1 OK done'],
  ];
  for (let size = 1; size <= text.length; size++) assert.deepEqual(cut(text, size), expected, `pieces of ${size}`);
});

test('100,000 records take no more memory than what is there of them', () => {
  const reader = new SyncReader();
  reader.push('* MAILBOX %(UNIQUEID x RECORD (');
  assert.ok(reader.next());
  let seen = 0;
  for (let uid = 1; uid <= 100_000; uid += 100) {
    reader.push(Array.from({ length: 100 }, (_, at) => `${record(uid + at)} `).join(''));
    while (reader.next() !== undefined) seen += 1;
  }
  assert.equal(seen, 100_000);
});

test('a piece without an end is more than is taken', () => {
  const reader = new SyncReader();
  const push = (): void => {
    for (let at = 0; at < 10; at++) {
      reader.push('x'.repeat(1_048_576));
      reader.next();
    }
  };
  assert.throws(push, /more than we take/);
});

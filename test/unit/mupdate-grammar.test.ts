// The grammar of MUPDATE: what is read, what is refused, and that nothing is kept beyond the limits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LineReader } from '../../services/mupdate/grammar.ts';
import type { Line, Read } from '../../services/mupdate/grammar.ts';

const limits = { line: 100, literal: 50, command: 80 };

function readAll(reader: LineReader, text: string): Read[] {
  const reads: Read[] = [];
  reader.push(text);
  for (let read = reader.next(); read; read = reader.next()) reads.push(read);
  return reads;
}

function read(text: string): Read[] {
  return readAll(new LineReader(limits), text);
}

function line(tag: string, verb: string, strings: string[] = [], junk = false): Line {
  return { kind: 'line', tag, verb, strings, junk };
}

describe('commands', () => {
  test('tag, verb and strings: quoted, escaped, empty, 8-bit, literal; CRLF or LF', () => {
    assert.deepEqual(read('A1 NOOP\r\nA2 List\n'), [line('A1', 'NOOP'), line('A2', 'List')]);
    assert.deepEqual(read('a FIND "q\\"u\\\\o te" ""\r\n'), [line('a', 'FIND', ['q"u\\o te', ''])]);
    assert.deepEqual(read('a FIND "\xc3\xa9" {3+}\r\n\r\n" {0+}\r\n\r\n'), [
      line('a', 'FIND', ['\xc3\xa9', '\r\n"', '']),
    ]);
    assert.deepEqual(read('z.9* {x}y\r\n'), [{ kind: 'bad', tag: 'z.9*', verb: '', text: 'Null command' }]);
  });

  test('a synchronising literal is announced once, and waited for', () => {
    const reader = new LineReader(limits);
    assert.deepEqual(readAll(reader, 'a FIND {6}\r\n'), [{ kind: 'go-ahead' }]);
    assert.deepEqual(readAll(reader, 'user.a'), []);
    assert.deepEqual(readAll(reader, '\r\nb NOOP\r\n'), [line('a', 'FIND', ['user.a']), line('b', 'NOOP')]);
  });

  test('what follows the strings and is none is junk, and not kept', () => {
    assert.deepEqual(read('a FIND user.a\r\n'), [line('a', 'FIND', [], true)]);
    assert.deepEqual(read('a FIND "x\r\n'), [line('a', 'FIND', [], true)]);
    assert.deepEqual(read('a FIND "x" \r\n'), [line('a', 'FIND', ['x'], true)]);
    assert.deepEqual(read('a FIND "x""y"\r\n'), [line('a', 'FIND', ['x'], true)]);
    assert.deepEqual(read('a FIND {1+}\r\nxy\r\n'), [line('a', 'FIND', ['x'], true)]);
    assert.deepEqual(read('a FIND "x\0"\r\n'), [line('a', 'FIND', [], true)]);
    assert.deepEqual(read('a FIND "x\ry"\r\n'), [line('a', 'FIND', [], true)]);
    assert.deepEqual(read('a FIND\t"x"\r\n'), [line('a', 'FIND', [], true)]);
  });

  test('a line without tag or verb is refused with the tag it has', () => {
    const needed: Read = { kind: 'bad', tag: '*', verb: '', text: 'Need command' };
    assert.deepEqual(read('tagonly\r\n\r\n FIND "x"\r\n\xff\xfe\x01 NOOP\r\n'), [needed, needed, needed, needed]);
    assert.deepEqual(read('a \r\n'), [{ kind: 'bad', tag: 'a', verb: '', text: 'Null command' }]);
  });

  test('a literal of a broken command is never read as a command', () => {
    assert.deepEqual(read('a FIND atom {12+}\r\nx DELETE "y"\r\nb NOOP\r\n'), [
      line('a', 'FIND', [], true),
      line('b', 'NOOP'),
    ]);
    assert.deepEqual(read('\x01 FIND {7+}\r\nx NOOP\n\r\nb NOOP\r\n').length, 2);
    // Who waits for a go-ahead gets the BAD instead, and sends nothing.
    assert.deepEqual(read('a FIND atom {8}\r\nb NOOP\r\n'), [line('a', 'FIND', [], true), line('b', 'NOOP')]);
  });

  test('a NUL in a literal is refused, and the rest of the command skipped', () => {
    assert.deepEqual(read('a RESERVE {3+}\r\nx\0y {1+}\r\nz\r\nb NOOP\r\n'), [
      { kind: 'bad', tag: 'a', verb: 'RESERVE', text: 'NUL in a string' },
      line('b', 'NOOP'),
    ]);
  });
});

describe('limits', () => {
  test('a line beyond the limit ends it before it is whole, and nothing is read any more', () => {
    assert.deepEqual(read('a'.repeat(100)), []);
    assert.deepEqual(read('a'.repeat(101)), [{ kind: 'end', verb: '', text: 'line too long' }]);
    const reader = new LineReader(limits);
    assert.deepEqual(readAll(reader, `a FIND "${'x'.repeat(70)}" {1+}\r\ny`), []);
    assert.deepEqual(readAll(reader, ` "${'x'.repeat(30)}`), [{ kind: 'end', verb: 'FIND', text: 'line too long' }]);
    assert.deepEqual(readAll(reader, '\r\nb NOOP\r\n'), []);
  });

  test('a command that is not whole tells its verb as soon as it is there, also where a limit ends it', () => {
    const reader = new LineReader(limits);
    const verbs = ['u', ' UPD', 'ATE', ' "', 'x" {3+}\r\n', 'abc', '\r\nb'].map((bytes) => {
      readAll(reader, bytes);
      return reader.verb;
    });
    assert.deepEqual(verbs, ['', 'UPD', 'UPDATE', 'UPDATE', 'UPDATE', 'UPDATE', '']);
    assert.deepEqual(read(`u UPDATE "${'x'.repeat(100)}`), [{ kind: 'end', verb: 'UPDATE', text: 'line too long' }]);
  });

  test('an announced literal beyond the limit is refused where the client waits, and ends it where not', () => {
    assert.deepEqual(read('a FIND {51}\r\nb NOOP\r\n'), [
      { kind: 'bad', tag: 'a', verb: 'FIND', text: 'Literal too large' },
      line('b', 'NOOP'),
    ]);
    assert.deepEqual(read('a FIND {51+}\r\nb NOOP\r\n'), [{ kind: 'end', verb: 'FIND', text: 'literal too large' }]);
    assert.deepEqual(read(`a FIND {${'9'.repeat(60)}+}\r\n`), [
      { kind: 'end', verb: 'FIND', text: 'literal too large' },
    ]);
    assert.deepEqual(read('a FIND atom {51+}\r\nb NOOP\r\n'), [
      { kind: 'end', verb: 'FIND', text: 'literal too large' },
    ]);
  });

  test('literals of one command are limited together', () => {
    const one = `{40+}\r\n${'x'.repeat(40)}`;
    assert.equal(read(`a RESERVE ${one} ${one}\r\n`)[0]?.kind, 'line');
    assert.deepEqual(read(`a RESERVE ${one} ${one} {1+}\r\n`), [
      { kind: 'end', verb: 'RESERVE', text: 'literal too large' },
    ]);
    assert.equal(read(`a RESERVE ${one} ${one}\r\nb RESERVE ${one} ${one}\r\n`).length, 2);
  });
});

describe('raw lines and servers', () => {
  test('a raw line is taken as it is, between commands', () => {
    const reader = new LineReader(limits);
    reader.push('a AUTHENTICATE "PLAIN"\r\nAGE=\r\nb NOOP\r\n');
    assert.equal(reader.next()?.kind, 'line');
    assert.deepEqual(reader.rawLine(), { kind: 'raw', bytes: 'AGE=' });
    assert.deepEqual(reader.next(), line('b', 'NOOP'));
    reader.push('x'.repeat(101));
    assert.deepEqual(reader.rawLine(), { kind: 'end', verb: '', text: 'line too long' });
  });

  test('of a server, atoms are strings too', () => {
    const reader = new LineReader(limits, { atoms: true });
    assert.deepEqual(readAll(reader, '* AUTH PLAIN "GSSAPI"\r\n* STARTTLS\r\nS1 OK Begin TLS\r\n'), [
      line('*', 'AUTH', ['PLAIN', 'GSSAPI']),
      line('*', 'STARTTLS'),
      line('S1', 'OK', ['Begin', 'TLS']),
    ]);
  });
});

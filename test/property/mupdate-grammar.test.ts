// Whatever way a stream of commands is cut, it is read alike; and what was written as strings is read as the same bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineReader } from '../../services/mupdate/grammar.ts';
import type { Read } from '../../services/mupdate/grammar.ts';
import { literal, row, string } from '../../services/mupdate/responses.ts';

const limits = { line: 400, literal: 60, command: 150 };

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.string({ unit: byte, maxLength: 40 });
const withoutNul = bytes.map((text) => text.replaceAll('\0', 'x'));
/** What the grammar turns on, so that noise is not only noise. */
const pieces = fc.constantFrom(
  'a',
  ' ',
  '"',
  '\\',
  '{',
  '3',
  '+',
  '}',
  '\r',
  '\n',
  '\r\n',
  '\0',
  '{3+}\r\n',
  '{2}\r\n',
  'a FIND ',
);
const noise = fc.array(fc.oneof(pieces, byte), { maxLength: 40 }).map((parts) => parts.join(''));
const command = fc
  .array(
    withoutNul.map((text) => (text.length % 2 ? literal(text) : string(text))),
    { maxLength: 4 },
  )
  .map((strings) => ['tag', 'FIND', ...strings].join(' ') + '\r\n');
const stream = fc.array(fc.oneof(command, noise), { maxLength: 8 }).map((parts) => parts.join(''));

function readInPieces(text: string, cuts: number[]): Read[] {
  const reader = new LineReader(limits);
  const reads: Read[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  [...ends, text.length].reduce((from, to) => {
    reader.push(text.slice(from, to));
    for (let read = reader.next(); read; read = reader.next()) reads.push(read);
    return to;
  }, 0);
  return reads;
}

test('any segmentation of any stream is read alike', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(2000), { maxLength: 30 }), (text, cuts) => {
      const whole = readInPieces(text, []);
      assert.deepEqual(readInPieces(text, cuts), whole);
      assert.deepEqual(
        readInPieces(
          text,
          Array.from(text, (_, at) => at),
        ),
        whole,
      );
    }),
    { numRuns: 1000 },
  );
});

test('strings come back byte for byte, quoted or literal', () => {
  fc.assert(
    fc.property(fc.array(withoutNul, { maxLength: 3 }), (strings) => {
      for (const written of [strings.map(literal), strings.map(string)]) {
        const text = ['tag', 'FIND', ...written].join(' ') + '\r\n';
        assert.deepEqual(readInPieces(text, []), [{ kind: 'line', tag: 'tag', verb: 'FIND', strings, junk: false }]);
      }
    }),
    { numRuns: 1000 },
  );
});

test('rows come back byte for byte', () => {
  fc.assert(
    fc.property(withoutNul, withoutNul, withoutNul, (name, location, acl) => {
      const text = row('u', { name, state: 'active', location, acl });
      const strings = [name, location, acl];
      assert.deepEqual(readInPieces(text, []), [{ kind: 'line', tag: 'u', verb: 'MAILBOX', strings, junk: false }]);
    }),
  );
});

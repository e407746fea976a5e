// The end of a message, found in any segmentation; and ambiguous ends, by the eyes of a server that minds no CR.
import test from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BodyScanner, DotRemover } from '../../services/lmtp/message-body.ts';

/** Pieces that bodies with trouble in them are made of. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '\r\n',
      '\n',
      '\r',
      '.',
      '..',
      '\r\n.',
      '\n.',
      '\r.',
      '\0',
      '\xff',
      'a',
      'text.\r\n',
      'longer text',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('\r\n.\r\n', '\n.\n', '\n.\r\n', '\r\n.\n', '\n\r.\r\n', '\r\n.\r\r\n') },
);
const wire = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 });

/** A lone dot on a line, whatever CRs stand around it; and a long line that ends in one. */
const longLine = 12;
const lone = /\n\r*\.\r*\n/;
const long = new RegExp(`(?:^|\\n)(?=[^\\n]{${longLine + 1},}\\n)[^\\n]*\\.\\r*\\n`);

interface Found {
  body: string;
  rest: string | undefined;
  ambiguous: boolean;
  octets: number;
}

/** What the rules say, on the whole text at once: the message begins at a line's start. */
function expected(text: string): Found {
  const end = `\r\n${text}`.indexOf('\r\n.\r\n');
  const body = end < 0 ? text : text.slice(0, end);
  return {
    body,
    rest: end < 0 ? undefined : text.slice(end + 3),
    ambiguous: lone.test(`\n${end < 0 ? text : body}`) || long.test(body),
    octets: `\r\n${body}`.replaceAll('\r\n.', '\r\n').length - 2,
  };
}

function scanned(text: string, sizes: readonly number[]): Found {
  const scanner = new BodyScanner(longLine);
  let body = '';
  let rest: string | undefined;
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    const chunk = text.slice(at, at + size);
    at += size;
    const found = scanner.scan(Buffer.from(chunk, 'latin1'));
    body += found.body.toString('latin1');
    if (found.rest === undefined) continue;
    rest = found.rest.toString('latin1') + text.slice(at);
    break;
  }
  return { body, rest, ambiguous: scanner.ambiguous, octets: scanner.octets };
}

test('whole messages: body, rest, size, and whether the end is ambiguous', () => {
  fc.assert(
    fc.property(wire, wire, cuts, (text, after, sizes) => {
      const whole = `${text}\r\n.\r\n${after}`;
      const [found, known] = [scanned(whole, sizes), expected(whole)];
      // A message that is refused anyway is not measured to the byte.
      assert.deepEqual(known.ambiguous ? { ...found, octets: known.octets } : found, known);
    }),
    { numRuns: 5000 },
  );
});

test('messages that have not ended: nothing of a beginning of the end is passed on, and nothing else is kept back', () => {
  fc.assert(
    fc.property(wire, cuts, (text, sizes) => {
      const known = expected(text);
      fc.pre(known.rest === undefined);
      const found = scanned(text, sizes);
      const kept = /(?:\r\n\.\r|\r\n\.|\r\n|\r)?$/.exec(`\r\n${text}`)?.[0] ?? '';
      assert.equal(found.body, text.slice(0, Math.max(0, text.length - kept.length)));
      assert.equal(found.ambiguous, lone.test(`\n${text}`) || long.test(found.body));
    }),
    { numRuns: 3000 },
  );
});

test('a server that minds no CR never sees an end in what was passed on before the message was found ambiguous', () => {
  fc.assert(
    fc.property(wire, cuts, (text, sizes) => {
      const scanner = new BodyScanner(longLine);
      let passed = '';
      for (let at = 0, turn = 0; at < text.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        const { body, rest } = scanner.scan(Buffer.from(text.slice(at, at + size), 'latin1'));
        at += size;
        if (scanner.ambiguous) break;
        passed += body.toString('latin1');
        if (rest !== undefined) break;
      }
      assert.doesNotMatch(`\n${passed}`.replaceAll('\r', ''), /\n\.\n/);
    }),
    { numRuns: 3000 },
  );
});

test('a megabyte of the worst lines is scanned in time, whatever they are', () => {
  for (const line of ['..\r\n', '\r', '\n', '\r.', '\n..', 'x'.repeat(998) + '\r\n']) {
    const chunk = Buffer.alloc(65_536, line);
    const scanner = new BodyScanner();
    for (let count = 0; count < 16; count++) assert.equal(scanner.scan(chunk).rest, undefined);
  }
});

test('dots are taken off again, in any segmentation', () => {
  fc.assert(
    fc.property(wire, cuts, (text, sizes) => {
      const remover = new DotRemover();
      let plain = '';
      for (let at = 0, turn = 0; at < text.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        plain += remover.remove(Buffer.from(text.slice(at, at + size), 'latin1')).toString('latin1');
        at += size;
      }
      assert.equal(plain, `\r\n${text}`.replaceAll('\r\n.', '\r\n').slice(2));
    }),
    { numRuns: 1000 },
  );
});

// Addresses of any octets: never an exception, always bounded, and what was taken comes back as it came.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { modifiedUtf7 } from '../../services/address/mailbox-name.ts';
import { maxPath, parseParameters, parsePath } from '../../services/address/path.ts';
import { targetOf, type RecipientSettings } from '../../services/address/recipient.ts';

/** One of the octets of `octets`, which is all one byte a character. */
const oneOf = (octets: string) => fc.constantFrom(...Array.from(octets));

const anyOctets = fc.uint8Array({ maxLength: 2000 }).map((octets) => Buffer.from(octets).toString('latin1'));
const nearlyPath = fc.string({
  unit: oneOf('<>@"\\+.,:![]aB1-_ =\x00\r\n\x7f\xc3\xb6\xff'),
  maxLength: 40,
});
const text = fc.oneof(anyOctets, nearlyPath, nearlyPath.map((inside) => `<${inside}>`)); // prettier-ignore

const settings: fc.Arbitrary<RecipientSettings> = fc.record({
  virtdomains: fc.constantFrom('off', 'userid', 'on'),
  defaultdomain: fc.constantFrom('internal', 'B', ''),
  unixhierarchysep: fc.boolean(),
  lmtp_downcase_rcpt: fc.boolean(),
  postuser: fc.constantFrom('', 'a', 'B'),
  lmtp_strict_rfc2821: fc.boolean(),
});

const bare = fc.string({ unit: oneOf("aZ09.!#$%&'*+-/=?^_`{|}~\xc3\xb6"), minLength: 1, maxLength: 40 });
const quotable = fc.string({ unit: oneOf('aB "\\@<>(),:;[]\xc3'), maxLength: 40 });
const quoted = quotable.map((inside) => `"${inside.replace(/["\\]/g, '\\$&')}"`);
const domain = fc.oneof(
  fc.constant(undefined),
  fc.string({ unit: oneOf('aZ0.-_\xfc'), minLength: 1, maxLength: 40 }),
  fc.constantFrom('[192.0.2.1]', '[IPv6:::1]'),
);
const route = fc.constantFrom('', '@relay.example:', '@a,@b:');

test('any octets: a path or an error, never an exception', () => {
  fc.assert(
    fc.property(text, fc.boolean(), (octets, strict) => {
      const found = parsePath(octets, strict);
      if ('error' in found) return /^[ -~]+$/.test(found.error) && found.error.length < 100;
      const { path, rest } = found;
      assert.ok(path.raw.length <= maxPath);
      assert.ok(!/[\x00-\x1f\x7f]/.test(path.raw));
      assert.equal(path.domain === undefined ? path.local : `${path.local}@${path.domain}`, path.raw);
      assert.ok(octets.endsWith(`${path.raw}>${rest}`));
      assert.deepEqual(parsePath(`<${path.raw}>`, strict), { path, rest: '' });
      return true;
    }),
    { numRuns: 3000 },
  );
});

test('what RFC 5321 allows is taken, whatever the source route, and comes back as it came', () => {
  fc.assert(
    fc.property(route, fc.oneof(bare, quoted), domain, (via, local, host) => {
      const raw = host === undefined ? local : `${local}@${host}`;
      const found = parsePath(`<${via}${raw}> SIZE=1`, false);
      assert.deepEqual(found, { path: { local, domain: host, raw }, rest: ' SIZE=1' });
    }),
    { numRuns: 2000 },
  );
});

test('any path: a target whose name is one mailbox, and whose address is the sender’s but for case', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        bare.map((local) => `<${local}@B>`),
      ),
      settings,
      (octets, options) => {
        const found = parsePath(octets, false);
        if ('error' in found) return;
        const { mailbox, shared, deliverAs } = targetOf(found.path, options);
        assert.ok(mailbox.length <= 510);
        assert.equal(deliverAs.toLowerCase(), found.path.raw.toLowerCase());
        if (!options.lmtp_downcase_rcpt) assert.equal(deliverAs, found.path.raw);
        const components = mailbox.slice(mailbox.lastIndexOf('!') + 1).split('.');
        assert.ok(mailbox === '' || (mailbox.split('!').length <= 2 && !components.includes('')));
        if (mailbox !== '' && !shared) assert.deepEqual([components.length, components[0]], [2, 'user']);
      },
    ),
    { numRuns: 3000 },
  );
});

test('what is handed on means the same mailbox again', () => {
  fc.assert(
    fc.property(fc.oneof(bare, quoted), domain, settings, (local, host, options) => {
      const path = { local, domain: host, raw: host === undefined ? local : `${local}@${host}` };
      const first = targetOf(path, options);
      const again = parsePath(`<${first.deliverAs}>`, false);
      assert.ok('path' in again, first.deliverAs);
      assert.deepEqual(targetOf(again.path, options).mailbox, first.mailbox);
    }),
    { numRuns: 2000 },
  );
});

test('modified UTF-7 holds no octet above 127 for any text, and is stable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (folder) => {
      const octets = Buffer.from(folder, 'utf8').toString('latin1');
      const name = modifiedUtf7(octets);
      assert.match(name, /^[\x00-\x7f]*$/);
      assert.equal(modifiedUtf7(name), name);
    }),
  );
});

test('any octets as parameters: a map or an error', () => {
  fc.assert(
    fc.property(text, (octets) => {
      const found = parseParameters(octets);
      if ('error' in found) return /^[ -~]+$/.test(found.error);
      return [...found].every(([keyword, value]) => /^[A-Z0-9-]+$/.test(keyword) && value !== '');
    }),
    { numRuns: 2000 },
  );
});

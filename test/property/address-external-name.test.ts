// External names read back as Cyrus reads them are the names they came from, for any name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { externalName, type Separator } from '../../services/address/external-name.ts';

const oneOf = (octets: string) => fc.constantFrom(...Array.from(octets));
const awkward = fc.string({ unit: oneOf('aZ.^/!@*% "\\\'&-+~'), maxLength: 30 });
const proper = fc
  .tuple(
    fc.constantFrom('', 'example.org!', 'b!'),
    fc.array(fc.string({ unit: oneOf('aZ0^*% "\\\'&-+~'), minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  .map(([domain, components]) => domain + components.join('.'));
const separator = fc.constantFrom<Separator>('/', '.');

/** How Cyrus takes what an administrator writes; `virtual`: with virtual domains. */
function read(external: string, separator: Separator, virtual: boolean): string {
  const at = virtual ? external.lastIndexOf('@') : -1;
  const local = at < 0 ? external : external.slice(0, at);
  const inside =
    separator === '.'
      ? local
      : local
          .split('/')
          .map((part) => part.replaceAll('.', '^'))
          .join('.');
  return at < 0 ? inside : `${external.slice(at + 1)}!${inside}`;
}

test('what has an external name comes back from it; what is well formed has one', () => {
  fc.assert(
    fc.property(fc.oneof(awkward, proper), separator, (name, mark) => {
      const external = externalName(name, mark);
      if (external === undefined) return;
      assert.equal(read(external, mark, name.includes('!')), name);
      const local = name.includes('!') ? external.slice(0, external.lastIndexOf('@')) : external;
      assert.ok(local.split(mark).every((part) => part !== ''));
      // Cyrus has no mailbox with a `^` on the wire where levels are separated by `/`.
      assert.ok(mark === '.' || !local.includes('^'));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(proper, separator, (name, mark) => externalName(name, mark) !== undefined),
    { numRuns: 1000 },
  );
});

test('any octets: a name of printable ASCII or none, never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), separator, (octets, mark) => {
      const external = externalName(Buffer.from(octets).toString('latin1'), mark);
      return external === undefined || /^[ -~]+$/.test(external);
    }),
    { numRuns: 1000 },
  );
});

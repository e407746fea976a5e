// The table of addresses, in this process: what we make of each, over the model of the directory.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { addressTable, tableMailboxes } from '../harness/address-table.ts';
import { answered, tableDirectory } from '../harness/address-table-router.ts';

describe('addresses', () => {
  const directory = new MemoryDirectory();
  before(() =>
    tableDirectory(
      directory,
      Object.entries(tableMailboxes).map(([name, grants]) => {
        return {
          name,
          location: 'mail1!default',
          acl: grants.map((grant) => `${grant.replace(' ', '\t')}\t`).join(''),
        };
      }),
    ),
  );

  for (const part of addressTable) {
    test(part.title, async () => {
      const wrong: string[] = [];
      for (const [address, ours] of part.rows) {
        const said = await answered(directory, part, address);
        if (said !== ours) wrong.push(`<${address}> is ${said}, not ${ours}`);
      }
      assert.deepEqual(wrong, []);
    });
  }

  test('there are enough of them', () => {
    assert.ok(addressTable.flatMap(({ rows }) => rows).length >= 200);
  });
});

// The table of addresses against a real Cyrus frontend: it says the same, but where the table has another word and a reason.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { externalName } from '../../services/address/external-name.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { answered, tableDirectory } from '../harness/address-table-router.ts';
import { addressTable, tableMailboxes } from '../harness/address-table.ts';
import type { TablePart } from '../harness/address-table.ts';
import { CYRUS_PASSWORD, mupdateUser, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { rowsInDump } from '../harness/murder-view.ts';
import { withoutCyrus } from '../harness/peers.ts';
import { until } from '../harness/until.ts';

const wide = ['virtdomains: userid', 'unixhierarchysep: yes', 'defaultdomain: example.com'];

describe('addresses at a real Cyrus frontend', { skip: withoutCyrus() }, () => {
  let cyrus: Cyrus;
  let plain: string;
  const directory = new MemoryDirectory();
  const configuration = (): string => join(cyrus.node('frontend').folder, 'imapd.conf');

  before(async () => {
    cyrus = await startCyrus({ nodes: ['mail1'], frontend: true, options: { mail1: wide } });
    plain = await readFile(configuration(), 'utf8');
    await makeMailboxes();
    await tableDirectory(directory, await rowsOfMaster());
  });
  after(() => cyrus.stop());

  /** Each with the rights of the table, and no others. */
  async function makeMailboxes(): Promise<void> {
    const imap = await (await ImapClient.connect(cyrus.node('mail1').imap)).login('cyrus', CYRUS_PASSWORD.cyrus);
    for (const [name, grants] of Object.entries(tableMailboxes)) {
      const literal = externalName(name, '/') ?? '';
      await imap.ok('CREATE ', { literal });
      if (grants.length === 0) continue;
      const [acl = ''] = await imap.ok('GETACL ', { literal });
      const pairs = acl.replace(/^ACL (?:"[^"]*"|\S+) /, '').matchAll(/(\S+) [a-z]+/g);
      const identifiers = Array.from(pairs, ([, identifier = '']) => identifier);
      for (const identifier of identifiers) await imap.ok('DELETEACL ', { literal }, ` ${identifier}`);
      for (const grant of grants) await imap.ok('SETACL ', { literal }, ` ${grant}`);
    }
    imap.close();
  }

  /** As the MUPDATE master has them: with Cyrus' own ACLs. */
  async function rowsOfMaster(): Promise<{ name: string; location: string; acl: string }[]> {
    const account = { username: mupdateUser('extra'), password: CYRUS_PASSWORD.mupdate, timeout: 10_000 };
    const client = await MupdateClient.connect({ address: cyrus.mupdate, ...account });
    const { data } = await client.send('LIST');
    await client.logout();
    return data.map(({ name, location, acl }) => ({ name, location, acl }));
  }

  /** The frontend with other options; it knows all mailboxes again before it is asked. */
  async function configure({ settings }: TablePart): Promise<void> {
    const lines = Object.entries(settings).map(([option, value]) => {
      return `${option}: ${typeof value === 'boolean' ? (value ? 'yes' : 'no') : value}`;
    });
    const kept = plain.split('\n').filter((line) => !Object.keys(settings).some((one) => line.startsWith(`${one}:`)));
    const set = lines.filter((line) => !line.endsWith(': '));
    await writeFile(configuration(), [...set, ...kept].join('\n'));
    const node = cyrus.node('frontend');
    await node.stop();
    await node.start();
    await until('the frontend knows all mailboxes', async () => {
      const { stdout } = await node.run('ctl_mboxlist', '-d');
      const seen = rowsInDump('frontend', stdout);
      return Object.keys(tableMailboxes).every((name) => seen.has(name));
    });
  }

  /** `250`, or the code of the refusal. */
  async function cyrusAnswer(mta: Mta, { auth }: TablePart, address: string): Promise<string> {
    await mta.say('RSET');
    await mta.say(`MAIL FROM:<s@example.org>${auth === undefined ? '' : ` AUTH=${auth}`}`);
    const said = await mta.say(`RCPT TO:<${address}>`);
    return /^250 /.test(said) ? '250' : (/^\d{3} \d\.\d\.\d/m.exec(said)?.[0] ?? said);
  }

  let configured = '';
  for (const part of addressTable) {
    test(part.title, async () => {
      const settings = JSON.stringify(part.settings);
      if (settings !== configured) await configure(part);
      configured = settings;
      const mta = await Mta.greet(cyrus.node('frontend').preauthorisedLmtp);
      const wrong: string[] = [];
      for (const [address, ours, difference] of part.rows) {
        const said = await answered(directory, part, address);
        if (said !== ours) wrong.push(`<${address}> is ${said} to us, not ${ours}`);
        const expected = difference?.cyrus ?? (/^\d{3} /.test(ours) ? ours : '250');
        const cyrusSaid = await cyrusAnswer(mta, part, address);
        if (cyrusSaid !== expected) wrong.push(`<${address}> is ${cyrusSaid} to Cyrus, not ${expected}`);
      }
      await mta.quit();
      assert.deepEqual(wrong, []);
    });
  }
});

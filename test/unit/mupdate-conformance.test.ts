// RFC 3656, requirement by requirement: where each is tried, or why it is not kept; and that those places exist.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

interface Requirement {
  section: string;
  what: string;
  /** Where it is tried: a file below test/, and words that stand in it. */
  tried?: readonly (readonly [file: string, words: string])[];
  /** In what we differ, and why. */
  deviation?: string;
}

const dialogs = 'dialogs/mupdate';
const server = 'integration/mupdate-server.test.ts';
const update = 'integration/mupdate-update.test.ts';
const grammar = 'unit/mupdate-grammar.test.ts';
const cyrus = 'peers/mupdate-cyrus.test.ts';

const requirements: readonly Requirement[] = [
  {
    section: '2, 4.2, 8',
    what: 'TCP, port 3905 unless configured',
    tried: [[`${dialogs}/login.dialog`, 'OK "Authenticated"']],
  },
  {
    section: '2, 2.1, 5',
    what: 'commands have a tag of atom characters, under 15 octets',
    tried: [[grammar, 'a line without tag or verb is refused']],
    deviation: 'longer tags are taken, up to the length of a line, as Cyrus does',
  },
  {
    section: '2',
    what: 'pipelined commands are executed in the order received',
    tried: [
      [server, 'in the order sent'],
      [`${dialogs}/pipelined.dialog`, 'executed in the order sent'],
    ],
  },
  {
    section: '2, 4.8',
    what: 'an inactivity timeout is at least 15 minutes; here 30 by default; commands reset it, half of one does not',
    tried: [[`${dialogs}/half-command.dialog`, 'Half a command and then silence']],
  },
  {
    section: '2, 2.2',
    what: 'quoted strings and literals of both kinds',
    tried: [
      [grammar, 'quoted, escaped, empty, 8-bit, literal'],
      ['property/mupdate-grammar.test.ts', 'byte for byte'],
      [`${dialogs}/reads.dialog`, '+ go ahead'],
    ],
    deviation: 'quoted strings may hold 8-bit octets and backslash escapes, as at Cyrus',
  },
  {
    section: '2, 2.2',
    what: 'lines of 1,024 and literals of 4,096 octets are taken, before AUTHENTICATE too; limits above are settings',
    tried: [[`${dialogs}/hostile-lines.dialog`, 'line too long']],
  },
  {
    section: '2.2',
    what: 'the server sends no synchronising literal',
    tried: [['unit/mupdate-session.test.ts', '{1+}']],
  },
  {
    section: '3.1-3.4',
    what: 'answers carry a string; BAD is untagged where the tag is unclear',
    tried: [[`${dialogs}/bad-arguments.dialog`, '* BAD "Need command"']],
  },
  {
    section: '3.4',
    what: 'BYE is followed by the end of the connection',
    tried: [[server, 'who has not logged in is told BYE']],
    deviation:
      'no BYE once the client has logged in: a Cyrus frontend whose UPDATE is on its way would delete every name',
  },
  {
    section: '3.5',
    what: 'RESERVE: name and location',
    tried: [[`${dialogs}/writes.dialog`, 'RESERVE {10+}']],
  },
  {
    section: '3.6',
    what: 'MAILBOX: name, location and ACL',
    tried: [[`${dialogs}/names.dialog`, 'MAILBOX {20+}']],
  },
  {
    section: '3.7',
    what: 'DELETE: only after the OK of UPDATE',
    tried: [[`${dialogs}/update.dialog`, 'U1 DELETE {9+}']],
  },
  {
    section: '3.8',
    what: 'the banner names the mechanisms',
    tried: [[`${dialogs}/login.dialog`, '* AUTH "PLAIN"']],
    deviation: 'mechanisms are quoted, as Cyrus does; its clients take both',
  },
  {
    section: '3.8',
    what: 'STARTTLS is not offered, so its line is not sent',
    tried: [[`${dialogs}/login.dialog`, 'B6 BAD "Unrecognized command"']],
  },
  {
    section: '3.8',
    what: 'the last line: OK MUPDATE and four strings',
    tried: [[`${dialogs}/login.dialog`, '"Rookery" "1.2.3" "(master)"']],
  },
  {
    section: '3.8',
    what: 'a client passes over lines of the banner it does not know',
    tried: [['integration/mupdate-client.test.ts', 'untagged lines do no harm']],
  },
  {
    section: '4',
    what: 'before AUTHENTICATE other commands are refused',
    tried: [[`${dialogs}/login.dialog`, 'Please login first']],
    deviation: 'by BAD instead of NO, as Cyrus does',
  },
  {
    section: '4.1',
    what: 'ACTIVATE works without a reservation and updates location and ACL',
    tried: [[`${dialogs}/writes.dialog`, 'K6 OK "done"']],
    deviation: 'not over the row of another server: a mailbox is never taken over by accident',
  },
  {
    section: '4.1, 4.3, 4.4, 4.9',
    what: 'slaves take no writes: there is no slave here; users with access `read` get NO',
    tried: [[`${dialogs}/access.dialog`, 'no write access']],
  },
  {
    section: '4.2',
    what: 'AUTHENTICATE with and without initial response, cancelled by `*`',
    tried: [[`${dialogs}/login.dialog`, 'Client canceled authentication']],
    deviation: 'the mechanism is a string, as Cyrus demands and sends it',
  },
  {
    section: '4.2',
    what: 'one successful AUTHENTICATE a session',
    tried: [[`${dialogs}/login.dialog`, 'already authenticated']],
  },
  {
    section: '4.2',
    what: 'GSSAPI',
    deviation: 'not offered: PLAIN, on a network of its own',
  },
  {
    section: '4.3',
    what: 'DEACTIVATE makes an active name reserved; NO to others',
    tried: [[`${dialogs}/master-killers.dialog`, "mailbox doesn't exist"]],
    deviation: 'repeated by the same server it is OK: XFER repeats it; the row is kept with its ACL',
  },
  {
    section: '4.4',
    what: 'DELETE of an absent name should be NO',
    tried: [[`${dialogs}/master-killers.dialog`, 'C1 OK "done"']],
    deviation: 'OK: it is as the client wants it, and NO in a push would keep a backend from starting',
  },
  {
    section: '4.5',
    what: 'FIND: the row if there is one, then OK',
    tried: [[`${dialogs}/writes.dialog`, 'F2 OK "Search completed"']],
    deviation: 'after a LIST of one server a row is NO: the backend would remove its own mailbox',
  },
  {
    section: '4.6',
    what: 'LIST, with and without a prefix of the location',
    tried: [[`${dialogs}/reads.dialog`, 'P8 OK "list complete"']],
  },
  {
    section: '4.7',
    what: 'LOGOUT is answered by BYE',
    tried: [[`${dialogs}/login.dialog`, 'q OK "bye-bye"']],
    deviation: 'by OK, as Cyrus does',
  },
  {
    section: '4.8',
    what: 'NOOP after UPDATE is answered after all that was pending',
    tried: [[update, 'NOOP is answered after every change']],
  },
  {
    section: '4.9',
    what: 'RESERVE: OK or NO',
    tried: [[`${dialogs}/writes.dialog`, 'mailbox already exists: reserved at mail1!default']],
  },
  {
    section: '4.10',
    what: 'STARTTLS',
    tried: [[`${dialogs}/login.dialog`, 'D3 BAD "Unrecognized command"']],
    deviation: 'not offered',
  },
  {
    section: '4.11',
    what: 'UPDATE: all rows, OK, then each change within 30 seconds; only NOOP and LOGOUT from then on',
    tried: [
      [`${dialogs}/update.dialog`, 'not legal when streaming'],
      [`${dialogs}/update-refused.dialog`, 'closed without a line'],
      [update, 'no gap and no repeat'],
      [cyrus, 'a frontend follows'],
    ],
    deviation:
      'each row comes once more after the OK: a Cyrus frontend loses some in its merge; no NO, BAD or BYE, but the end of the connection: it would delete every name',
  },
  {
    section: '5',
    what: 'keywords in any case',
    tried: [[`${dialogs}/login.dialog`, 'c: q logout']],
  },
  {
    section: '6',
    what: 'mupdate URLs',
    deviation: 'none is needed: the banner of a master has none',
  },
  {
    section: '7',
    what: 'all authenticated users are equal',
    tried: [[`${dialogs}/access.dialog`, 'session writes for mail1, not for mail2']],
    deviation: 'they are bound to their server, or read only: a backend cannot harm the rows of another',
  },
];

test('all 34 requirements are accounted for', () => {
  assert.equal(requirements.length, 34);
  for (const { what, tried, deviation } of requirements) assert.ok(tried ?? deviation, what);
});

for (const [index, { section, what, tried = [] }] of requirements.entries()) {
  test(`requirement ${index + 1} (section ${section}): ${what}`, async () => {
    for (const [file, words] of tried) {
      const text = await readFile(join(import.meta.dirname, '..', file), 'latin1');
      assert.ok(text.includes(words), `${file} does not hold: ${words}`);
    }
  });
}

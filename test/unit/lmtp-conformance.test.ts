// RFC 2033 and the parts of SMTP that it stands on, requirement by requirement, as far as a server has to do with them:
// where each is tried, or why it is not kept; and that those places exist. The clients' part is the backend sessions'.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

interface Requirement {
  /** RFC, and section where there is more than one place. */
  rfc: string;
  what: string;
  /** Where it is tried: a file below test/, and words that stand in it. */
  tried?: readonly (readonly [file: string, words: string])[];
  /** In what we differ, and why. */
  deviation?: string;
}

const dialogs = 'dialogs/lmtp';
const session = `${dialogs}/session.dialog`;
const message = `${dialogs}/message.dialog`;
const parameters = `${dialogs}/parameters.dialog`;
const hostile = `${dialogs}/hostile.dialog`;
const smuggling = `${dialogs}/smuggling.dialog`;
const tooBig = `${dialogs}/too-big.dialog`;
const listener = 'integration/lmtp-listener.test.ts';
const access = 'integration/lmtp-access.test.ts';
const proxy = 'integration/lmtp-proxy.test.ts';
const faults = 'integration/lmtp-faults.test.ts';
const replies = 'unit/lmtp-reply.test.ts';
const transparency = 'integration/lmtp-transparency.test.ts';

const requirements: readonly Requirement[] = [
  // RFC 2033: LMTP.
  { rfc: '2033, 4.1', what: 'LHLO has the semantics of EHLO', tried: [[session, 'c: lhlo client.example.org']] },
  { rfc: '2033, 4.1', what: 'HELO and EHLO get a 500', tried: [[session, '500 5.5.1 This is LMTP: say LHLO']] },
  {
    rfc: '2033, 4.2',
    what: 'after the final dot one reply for each accepted RCPT, in their order, an address twice included',
    tried: [
      [message, 's: 250 2.1.5 Stored for A\ns: 250 2.1.5 Stored for a'],
      ['property/lmtp-delivery.test.ts', 'one reply for each slot'],
    ],
  },
  {
    rfc: '2033, 4.2',
    what: 'a reply is about its recipient alone',
    tried: [
      [message, 's: 452 4.2.2 Over quota'],
      [proxy, 'recipients on two backends, twice, unknown and reserved'],
    ],
  },
  {
    rfc: '2033, 4.2',
    what: 'DATA without an accepted RCPT gets 503, never 354',
    tried: [[session, '503 5.5.1 No valid recipients']],
  },
  {
    rfc: '2033, 4.2',
    what: 'DATA refused instead of 354 has one reply, for the command',
    tried: [[message, 's: 501 5.5.4 DATA takes no argument']],
  },
  {
    rfc: '2033, 4.3',
    what: 'CHUNKING, where it is offered: a reply for each RCPT after BDAT LAST',
    deviation: 'not offered, so BDAT is no command; left to a later version',
  },
  {
    rfc: '2033, 3',
    what: 'no queue: what is said after the final dot is what has become of the message',
    tried: [
      [faults, 'temporary'],
      [proxy, 'routed, delivered, answered in order'],
    ],
  },
  { rfc: '2033, 5', what: 'PIPELINING is offered', tried: [[session, 's: 250-PIPELINING']] },
  { rfc: '2033, 5', what: 'ENHANCEDSTATUSCODES is offered', tried: [[session, 's: 250-ENHANCEDSTATUSCODES']] },
  { rfc: '2033, 5', what: '8BITMIME should be offered', tried: [[session, 's: 250-8BITMIME']] },
  { rfc: '2033, 5', what: 'not at TCP port 25', tried: [['unit/config-refused.test.ts', 'nobody listens at port 25']] },
  {
    rfc: '2033, 4.2',
    what: 'as a client: a reply is read for each accepted RCPT, and one that does not come is not guessed',
    tried: [
      [faults, 'answers one of two and closes'],
      [faults, 'answers three times for two'],
      ['property/lmtp-delivery-fan-out.test.ts', 'each RCPT occurrence is answered once, in order'],
    ],
    deviation: 'but for the one 552 by which Cyrus says of all that the message is larger than it has announced',
  },

  // RFC 2034: enhanced status codes.
  {
    rfc: '2034, 3',
    what: 'they stand in every 2xx, 4xx and 5xx but the greeting and the reply to LHLO, and in no 3xx',
    tried: [[replies, 'every reply of ours is a reply, and its codes agree']],
  },
  { rfc: '2034, 3', what: 'their class is that of the code', tried: [[replies, 'and its codes agree']] },
  {
    rfc: '2034, 3',
    what: 'they begin each line of a reply',
    tried: [[replies, 'with its enhanced code on each line']],
  },
  { rfc: '2034, 3', what: 'also before LHLO', tried: [[session, '503 5.5.1 Send LHLO first']] },

  // RFC 2920: pipelining, section 3.2.
  {
    rfc: '2920, 3.2 (1)',
    what: 'replies in the order of the commands',
    tried: [[message, '# two transactions and QUIT in one segment']],
  },
  {
    rfc: '2920, 3.2 (2)',
    what: 'replies to a group of commands go out together',
    tried: [[listener, 'ten thousand commands in one segment are all answered, in few writes']],
  },
  {
    rfc: '2920, 3.2 (3)',
    what: '354 only with a valid recipient',
    tried: [[session, '503 5.5.1 No valid recipients']],
  },
  {
    rfc: '2920, 3.2 (4)',
    what: 'no message goes out after a DATA without recipients',
    tried: [[session, '503 5.5.1 No valid recipients']],
  },
  {
    rfc: '2920, 3.2 (5), (6)',
    what: 'replies to LHLO, DATA, VRFY, QUIT, NOOP and unknown commands are not held back',
    tried: [[hostile, 's: 500 5.5.2 Command not recognized']],
    deviation: 'only as long as commands that came in the same segment are worked off, at most 100 of them',
  },
  {
    rfc: '2920, 3.2 (7)',
    what: 'all that waits is sent when there is no more input',
    tried: [[listener, 'the same, one byte at a time']],
  },
  {
    rfc: '2920, 3.2 (9)',
    what: 'no input is lost',
    tried: [
      [message, '# the next one, in one segment; and an empty message'],
      ['property/lmtp-session.test.ts', 'mutated sessions'],
    ],
    deviation: 'but for what is sent in the clear behind STARTTLS, as RFC 3207 asks',
  },
  {
    rfc: '2920, 3.2 (8)',
    what: 'nothing is assumed of commands to come',
    tried: [
      [listener, 'the same, one byte at a time'],
      ['property/lmtp-session.test.ts', 'mutated sessions'],
    ],
  },
  {
    rfc: '2920, 3.2 (10)',
    what: 'a reply tells what command it is for',
    tried: [[replies, 'with its enhanced code on each line']],
    deviation: 'by its enhanced code alone: 2.1.0 MAIL, 2.1.5 RCPT and the message, 2.0.0 the rest',
  },
  {
    rfc: '2920, 3.1',
    what: 'as a client: replies are counted, and each is looked at',
    tried: [
      [faults, 'takes one of two'],
      [faults, 'greets again at RCPT'],
    ],
  },
  {
    rfc: '2920, 3.1',
    what: 'as a client: a 354 although no RCPT was accepted sends nobody a message',
    tried: [[faults, 'sends 354 after refusing all']],
    deviation:
      'the connection is cut, not a lone dot sent: RFC 2033 forbids the 354, and a dot would be an empty message',
  },
  {
    rfc: '2920, 3.1',
    what: 'as a client: one command at a time where it is not offered',
    tried: [[proxy, 'one command at a time to those that do not pipeline']],
  },

  // RFC 1870: SIZE.
  {
    rfc: '1870, 3',
    what: 'SIZE is offered, with the limit where there is one',
    tried: [[session, 's: 250-SIZE 2000']],
  },
  {
    rfc: '1870, 6.1',
    what: 'a declared size beyond the limit is 552, at once',
    tried: [[parameters, '552 5.3.4 Message exceeds the limit of 2000 bytes']],
  },
  {
    rfc: '1870, 5',
    what: 'SIZE has up to 20 digits, and no other value',
    tried: [[parameters, 'SIZE=99999999999999999999']],
  },
  {
    rfc: '1870, 6.3',
    what: 'a message that is larger than it said, or than the limit, is read to its end and refused with 552',
    tried: [[tooBig, '552 5.3.4 Message exceeds the limit of 2000 bytes']],
  },
  {
    rfc: '1870, 6',
    what: 'the declared size does not say where a message ends',
    tried: [[listener, 'SIZE=3 BODY=8BITMIME']],
  },
  {
    rfc: '1870, 6.2',
    what: 'dots that are stuffed are not counted',
    tried: [[tooBig, '# stuffed dots are not counted']],
  },
  {
    rfc: '1870, 6.2',
    what: 'who has taken the declared size does not say 552 afterwards',
    tried: [[faults, 'finds the message too big at MAIL']],
    deviation: 'the backends are known only at RCPT, and may have smaller limits: their 552 comes after the message',
  },
  {
    rfc: '1870, 5, 6',
    what: 'as a client: SIZE with what we add, where it is offered; 552 and 452 to MAIL are what they are',
    tried: [
      ['unit/lmtp-envelope.test.ts', 'MAIL FROM:<s@x> SIZE=110'],
      [replies, 'MAIL may say that the message is too big'],
    ],
  },

  // RFC 1652: 8BITMIME.
  {
    rfc: '1652, 2',
    what: 'BODY is 7BIT or 8BITMIME, once',
    tried: [
      [parameters, 'BODY=8bitmime'],
      [parameters, '501 5.5.4 BODY is'],
    ],
  },
  { rfc: '1652, 3', what: 'all eight bits are kept', tried: [[transparency, 'bodies arrive as they were sent']] },
  {
    rfc: '1652, 3',
    what: 'as a client: no 8-bit message to a server without 8BITMIME',
    tried: [['unit/lmtp-envelope.test.ts', 'nothing is announced, nothing is said']],
    deviation: 'it goes there as it is: nobody would thank us for a bounce, and a changed byte breaks signatures',
  },
  {
    rfc: '2034, 3',
    what: 'also in replies that a backend gave without them',
    tried: [[replies, 'a reply without enhanced code gets one']],
  },

  // RFC 5321, as far as LMTP uses it.
  {
    rfc: '5321, 2.3.8',
    what: 'only CRLF.CRLF ends a message',
    tried: [[smuggling, '# Only CRLF.CRLF ends a message.']],
  },
  {
    rfc: '5321, 2.3.8, 4.1.1.4',
    what: 'bare CR and LF are not sent on as line ends',
    tried: [[smuggling, '# bare CR and LF elsewhere']],
    deviation:
      'they pass unchanged, for a changed byte breaks signatures; where a server could see an end, it is refused',
  },
  { rfc: '5321, 2.4', what: 'verbs are read without regard to case', tried: [[session, 'c: noop anything']] },
  {
    rfc: '5321, 2.4',
    what: 'the case of local parts is kept',
    tried: [[message, 'c: RCPT TO:<A>']],
  },
  { rfc: '5321, 3.1', what: 'the session begins with a 220', tried: [[session, 's: 220 mx.test LMTP Rookery ready']] },
  {
    rfc: '5321, 3.3, 4.1.4',
    what: 'MAIL within a transaction is 503',
    tried: [[session, '503 5.5.1 A mail transaction is open already']],
  },
  { rfc: '5321, 3.3, 4.1.4', what: 'RCPT before MAIL is 503', tried: [[session, '503 5.5.1 Need MAIL before RCPT']] },
  { rfc: '5321, 4.1.4', what: 'MAIL before LHLO is 503', tried: [[session, '503 5.5.1 Send LHLO first']] },
  {
    rfc: '5321, 4.1.4',
    what: 'LHLO again is as RSET',
    tried: [[listener, 'MAIL FROM:<>\\r\\nLHLO c\\r\\nMAIL FROM']],
  },
  { rfc: '5321, 4.1.1.1', what: 'LHLO has one argument', tried: [[session, '501 5.5.4 LHLO needs one host name']] },
  {
    rfc: '5321, 4.1.1.3, C',
    what: 'source routes are taken and not followed',
    tried: [[parameters, '@relay.example,@other.example:joe']],
  },
  {
    rfc: '5321, 4.1.1.5',
    what: 'RSET takes no argument and clears the transaction',
    tried: [[session, 's: 501 5.5.4 RSET takes no argument']],
  },
  { rfc: '5321, 4.1.1.6', what: 'VRFY has an answer: 252', tried: [[session, '252 2.3.3 Try RCPT']] },
  {
    rfc: '5321, 4.1.1.7, 4.1.1.8',
    what: 'EXPN and HELP',
    tried: [[session, 'c: EXPN joe']],
    deviation: '500: there are no lists, and nobody to be helped; Cyrus does so',
  },
  { rfc: '5321, 4.1.1.9', what: 'NOOP ignores its argument', tried: [[session, 'c: noop anything']] },
  {
    rfc: '5321, 4.1.1.10',
    what: 'QUIT is answered 221, and the connection closed; nobody else closes it without a reply',
    tried: [
      [session, 's: 221 2.0.0 Bye'],
      [listener, 'a silent client is told 421'],
    ],
  },
  {
    rfc: '5321, 4.1.1.10',
    what: 'a connection lost before QUIT ends the transaction as RSET, a message under way as if it had not been sent',
    tried: [
      [listener, 'a client lost in a message'],
      [listener, 'transactions that come to nothing are told so'],
    ],
  },
  {
    rfc: '5321, 4.1.1.11',
    what: 'unknown parameters are 555',
    tried: [[parameters, '555 5.5.4 Unrecognized parameter RET']],
  },
  {
    rfc: '5321, 4.1.2',
    what: 'paths, quoted strings and address literals',
    tried: [['unit/address-path.test.ts', 'taken: ']],
  },
  { rfc: '5321, 4.2.4', what: 'an unknown command is 500', tried: [[session, '500 5.5.2 Command not recognized']] },
  {
    rfc: '5321, 4.2.5',
    what: 'what follows 354 is read to its end, whatever becomes of it',
    tried: [[tooBig, 'is read to its end, and refused for each recipient']],
  },
  { rfc: '5321, 4.4', what: 'one Received line is put before the message', tried: [[proxy, 'Received: from']] },
  {
    rfc: '5321, 4.5.1',
    what: 'postmaster has no place of his own in LMTP',
    deviation: 'he is a user like any other, or an alias of the MTA',
  },
  {
    rfc: '5321, 4.5.2',
    what: 'stuffed dots',
    tried: [['property/lmtp-message-body.test.ts', 'dots are taken off again']],
  },
  {
    rfc: '5321, 4.5.3.1',
    what: 'command lines of 512 octets at least; longer ones are refused',
    tried: [[hostile, '500 5.5.2 Command line too long']],
  },
  {
    rfc: '5321, 4.5.3.1.6',
    what: 'text lines of 1000 octets at least: any length',
    tried: [[transparency, 'bodies arrive as they were sent']],
  },
  {
    rfc: '5321, 4.5.3.1.8, .10',
    what: '100 recipients at least; one too many is 452, and the others go on',
    tried: [[parameters, '452 4.5.3 No more than 8 recipients a message']],
  },
  {
    rfc: '5321, 4.5.3.2.7',
    what: 'a client may be silent for five minutes',
    tried: [['unit/lmtp-conformance.test.ts', 'silence is borne for five minutes']],
  },
  { rfc: '5321, 4.5.5', what: 'the null sender', tried: [[session, 'c: MAIL FROM:<>']] },
  {
    rfc: '5321, 3.8',
    what: '421 before the server closes by itself',
    tried: [[listener, 'idle sessions are told at once']],
  },
  {
    rfc: '5321, 4.2, 4.3.2',
    what: 'as a client: a reply that is not expected is read by its first digit',
    tried: [[faults, 'refuses in many lines, with a code of its own']],
  },
  {
    rfc: '5321, 4.2.1',
    what: 'as a client: replies of several lines are read to their end, and passed on whole',
    tried: [[faults, 'answers in several lines']],
  },
  {
    rfc: '5321, 4.5.3.1.5',
    what: 'reply lines of 512 octets at most',
    tried: [[replies, 'control characters and endless lines of a reply are not passed on']],
    deviation: 'what a backend says is passed on up to 900 octets a line: MTAs read longer ones',
  },
  {
    rfc: '5321, 4.5.3.2',
    what: 'as a client: five minutes for MAIL and RCPT, two for DATA, ten for the replies to the message',
    tried: [['unit/lmtp-conformance.test.ts', 'backends are waited for less long than the MTA waits']],
    deviation: 'less, for all of it happens while an MTA waits for us; what comes later is listened to',
  },
  {
    rfc: '5321, 6.3',
    what: 'loops are found by counting Received lines',
    deviation: 'by the MTA, which counts ours with its own; nothing comes back to it from a backend that stores',
  },
  {
    rfc: '5321, 7.9',
    what: 'whoever may not submit is told so',
    tried: [[access, '430 4.7.0 Authentication required']],
  },

  // What else is offered.
  { rfc: '3207, 4', what: 'STARTTLS has no parameter', tried: [[access, '501 5.5.4 STARTTLS takes no argument']] },
  {
    rfc: '3207, 4.2',
    what: 'what was said before TLS does not count',
    tried: [[access, 'nothing said before counts']],
  },
  { rfc: '3207, 4.2', what: 'STARTTLS is not offered under TLS', tried: [[access, '/STARTTLS|EXTERNAL/']] },
  { rfc: '4954, 4', what: 'AUTH once, and not within a transaction', tried: [[access, 'AUTH PLAIN lets him in']] },
  { rfc: '4954, 4', what: 'a `*` cancels: 501', tried: [[access, '501 5.7.0 Authentication cancelled']] },
  {
    rfc: '4954, 5',
    what: 'AUTH= counts as <> from those who are not believed',
    tried: [[access, 'a stranger may deliver, and is not believed']],
  },
  { rfc: '6531, 3.4', what: 'UTF-8 in addresses, with SMTPUTF8', tried: [[parameters, 'SMTPUTF8 BODY=8BITMIME']] },
  {
    rfc: '6531, 3.5',
    what: 'without it, 550 and 553 with X.6.7',
    tried: [
      [parameters, '553 5.6.7'],
      [parameters, '550 5.6.7'],
    ],
  },
];

test('all 85 requirements are accounted for', () => {
  assert.equal(requirements.length, 85);
  for (const { what, tried, deviation } of requirements) assert.ok(tried ?? deviation, what);
});

for (const [index, { rfc, what, tried = [] }] of requirements.entries()) {
  test(`requirement ${index + 1} (RFC ${rfc}): ${what}`, async () => {
    for (const [file, words] of tried) {
      const text = await readFile(join(import.meta.dirname, '..', file), 'latin1');
      assert.ok(text.includes(words), `${file} does not hold: ${words}`);
    }
  });
}

test('silence is borne for five minutes', async () => {
  const { lmtpDefaults } = await import('../../services/lmtp/settings.ts');
  assert.ok(lmtpDefaults.session_timeout >= 300_000);
});

test('backends are waited for less long than the MTA waits', async () => {
  const { backendDefaults } = await import('../../services/lmtp/settings.ts');
  const { connect_timeout, wait_timeout, envelope_timeout, stall_timeout, transaction_timeout } = backendDefaults;
  // Postfix: lmtp_data_xfer_timeout, 180 s; lmtp_data_done_timeout, 600 s.
  assert.ok(wait_timeout + connect_timeout + envelope_timeout + stall_timeout < 180_000);
  assert.ok(transaction_timeout < 600_000);
});

// Beside what it replaces: smtp-source through a real Cyrus frontend and through Rookery, to one real Cyrus backend.
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import type { Address } from '../harness/cyrus-config.ts';
import { CYRUS_PASSWORD, startCyrus } from '../harness/cyrus.ts';
import type { Cyrus } from '../harness/cyrus.ts';
import { ImapClient } from '../harness/imap.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';
import { figure, median, table, wholeNumber } from './figures.ts';

/** Sessions at a time, messages in a run, and whether a connection is kept for more than one. */
const cases: readonly [sessions: number, messages: number, keep: boolean][] = [
  [1, 100, false],
  [1, 200, true],
  [10, 300, false],
  [10, 500, true],
];
const recipient = 'bench@example.org';
const usage = `Usage: node test/bench/cyrus-frontend.ts [--rounds N] [--size BYTES]

Needs root, and the Debian packages that npm test brings. Both proxies deliver to the same lmtpd, in turn, so that what
the backend takes is in both figures.`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    size: { type: 'string', default: '4096' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) console.log(usage);
else await measure();

async function measure(): Promise<void> {
  const rookery = await Rookery.layOut(configuration([]));
  await rookery.start();
  let cyrus: Cyrus | undefined;
  try {
    const mupdate = rookery.address('MUPDATE');
    cyrus = await startCyrus({ mupdate, nodes: ['mail1'], frontend: true });
    // The backend's address is known only now; the directory stays where Cyrus has found it.
    await rookery.end();
    await rookery.configure(configuration([mupdate], cyrus.node('mail1').lmtp));
    await rookery.start();
    await makeMailbox(cyrus);
    await compare(cyrus.node('frontend').preauthorisedLmtp, rookery.address('LMTP'));
  } finally {
    await cyrus?.stop();
    await rookery.stop();
  }
}

function configuration(mupdate: Address[], lmtp?: Address): object {
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const password = CYRUS_PASSWORD.mupdate;
  const users = { 'mup-mail1': { password, server: 'mail1' }, 'mup-frontend': { password, access: 'read' } };
  const credentials = { username: 'mailproxy', password: CYRUS_PASSWORD.mailproxy };
  return {
    directory: { listen: mupdate.length > 0 ? mupdate : listen, users },
    lmtp: { listen },
    api: { listen: listen[0] },
    backends: { mail1: lmtp ? { lmtp: { ...lmtp, ...credentials } } : {} },
  };
}

async function makeMailbox(cyrus: Cyrus): Promise<void> {
  const imap = await ImapClient.connect(cyrus.node('mail1').imap);
  await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
  await imap.ok('CREATE user.bench');
  imap.close();
  await until('the frontend takes the recipient', async () => {
    return (await rate(cyrus.node('frontend').preauthorisedLmtp, 1, 1, false).catch(() => 0)) > 0;
  });
}

async function compare(frontend: Address, ours: Address): Promise<void> {
  const rows = [['msgs/conn', 'sessions', 'cyrus frontend/s', 'rookery/s', 'ratio']];
  for (const [sessions, messages, keep] of cases) {
    const theirs: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < wholeNumber('rounds', values.rounds); round++) {
      theirs.push(await rate(frontend, sessions, messages, keep));
      rates.push(await rate(ours, sessions, messages, keep));
    }
    const [a, b] = [median(theirs), median(rates)];
    rows.push([keep ? 'many' : 'one', String(sessions), figure(a), figure(b), figure(b / a, 2)]);
  }
  console.log(`${values.size} bytes, one Cyrus backend, medians of ${values.rounds}\n\n${table(rows)}`);
}

/** Messages a second of one run; rejects when smtp-source is not content. */
async function rate({ host, port }: Address, sessions: number, messages: number, keep: boolean): Promise<number> {
  const begun = performance.now();
  const counts = ['-s', String(sessions), '-m', String(messages), '-l', values.size];
  const envelope = ['-f', 'sender@example.org', '-t', recipient, `inet:${host}:${port}`];
  await promisify(execFile)('smtp-source', ['-L', ...(keep ? ['-d'] : []), ...counts, ...envelope], {
    timeout: 120_000,
  });
  return (messages / (performance.now() - begun)) * 1000;
}

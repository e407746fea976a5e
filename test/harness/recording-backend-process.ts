// A backend in a process of its own, to be killed: `recording-backend-process.ts FILE SEED`. What it takes is in the file before it says so.
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { seededChance } from '../../services/placement/chance.ts';
import { FakeBackend } from './lmtp-backend.ts';
import type { Stored } from './recording-backend.ts';

const [, , path = '', seed = '1'] = process.argv;
const file = openSync(path, 'a');
const chance = seededChance(Number(seed));

/** Now and then it has no room or time, or is told of a mailbox that it does not have. */
const moods = ['451 4.3.0 later', '452 4.2.2 Over quota', '550-Mailbox unknown.\n550 5.1.1 User unknown'];
function mood(part: number): string | undefined {
  return chance() < part ? moods[Math.floor(chance() * moods.length)] : undefined;
}

const backend = new FakeBackend({
  command: (verb) => (verb === 'RCPT' ? mood(0.005) : undefined),
  after: (recipients, raw, peer) => {
    backend.messages.length = 0;
    backend.lines.length = 0;
    const said = recipients.map((to) => mood(0.01) ?? `250 2.1.5 ${to} Ok`);
    const [, session = '', proxy = ''] = /^Received: from (\S+) .*\r\n\tby (\S+) /.exec(raw) ?? [];
    const message = raw.slice(raw.indexOf('Message-ID: '));
    const stored: Stored = {
      ...{ at: Date.now(), peer, session, proxy },
      id: /^Message-ID: <([^>]*)>/.exec(message)?.[1] ?? '',
      hash: createHash('sha1').update(message, 'latin1').digest('hex'),
      rcpts: recipients.filter((_, index) => said[index]?.startsWith('250')).map((path) => path.slice(1, -1)),
    };
    if (stored.rcpts.length > 0) writeSync(file, `${JSON.stringify(stored)}\n`);
    return said.join('\n');
  },
});
// The line in which the one before was killed is nobody's.
writeSync(file, '\n');
await backend.listen();
process.on('disconnect', () => process.exit());
process.send?.(backend.address);

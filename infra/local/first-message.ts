// An MTA's part of one LMTP transaction (RFC 2033): hands over a message and gives back what it was told.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Address } from '../../services/backends/registry.ts';

export interface Told {
  recipient: string;
  /** The last reply about this recipient: to RCPT when it was refused there, else the one after the final dot. */
  reply: string;
}

/** How long one reply may take, in milliseconds. */
const patience = 30_000;

/** Hands over one message; rejects when the session as a whole fails. Lines of `message` must not start with a dot. */
export async function handOver(
  address: Address,
  sender: string,
  recipients: readonly string[],
  message: readonly string[],
): Promise<Told[]> {
  const socket = connect(address);
  socket.setTimeout(patience, () => socket.destroy(new Error('no reply in time')));
  await once(socket, 'connect');
  try {
    return await transaction(socket, sender, recipients, message);
  } finally {
    socket.destroy();
  }
}

async function transaction(
  socket: Socket,
  sender: string,
  recipients: readonly string[],
  message: readonly string[],
): Promise<Told[]> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const reply = async (): Promise<string> => {
    for (;;) {
      const line = await lines.next();
      if (line.done === true) throw new Error('the proxy closed the connection');
      if (line.value[3] !== '-') return line.value;
    }
  };
  const say = async (line: string, wanted: string): Promise<string> => {
    socket.write(`${line}\r\n`);
    const answer = await reply();
    if (!answer.startsWith(wanted)) throw new Error(`${line} was answered ${answer}`);
    return answer;
  };
  await reply();
  await say('LHLO demonstration.invalid', '250');
  await say(`MAIL FROM:<${sender}>`, '250');
  const told: Told[] = [];
  for (const recipient of recipients) told.push({ recipient, reply: await say(`RCPT TO:<${recipient}>`, '') });
  await say('DATA', '354');
  socket.write(`${message.join('\r\n')}\r\n.\r\n`);
  for (const one of told) if (one.reply.startsWith('250')) one.reply = await reply();
  socket.write('QUIT\r\n');
  return told;
}

// An IMAP server that says what its script says: to be refused, left waiting and lied to by.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** What the server says to a command: texts in which `%` is the command's tag, or something to do with the socket. */
export type Reaction = string | ((socket: Socket) => void);

/** As Cyrus answers its administrator; a script takes the place of single commands. */
const cyrus: Record<string, Reaction> = {
  greeting: '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] mail1 Cyrus IMAP 3.6.1 server ready\r\n',
  CAPABILITY: '* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n% OK Completed\r\n',
  AUTHENTICATE: '+ \r\n',
  [Buffer.from('\0cyrus\0s3cret').toString('base64')]: '% OK Success\r\n',
  GETQUOTA: '% NO Quota root does not exist\r\n',
  NAMESPACE: '* NAMESPACE NIL (("user/" "/")) (("" "/"))\r\n% OK Completed\r\n',
  MYRIGHTS: '% NO Mailbox does not exist\r\n',
  LIST: '% OK Completed (0.000 secs)\r\n',
  LOGOUT: '* BYE LOGOUT received\r\n% OK Completed\r\n',
};

export interface FakeImap {
  port: number;
  /** The lines it was told. */
  heard: string[];
  /** How many connections are open. */
  open: () => number;
}

export async function fakeImap(t: TestContext, script: Record<string, Reaction> = {}): Promise<FakeImap> {
  const sockets = new Set<Socket>();
  const heard: string[] = [];
  const reactions = { ...cyrus, ...script };
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    let tag = '';
    let received = '';
    const react = (reaction: Reaction = '% BAD Unrecognized command\r\n'): void => {
      if (typeof reaction === 'string') socket.write(reaction.replaceAll('%', tag), 'latin1');
      else reaction(socket);
    };
    socket.on('data', (bytes) => {
      const lines = (received + bytes.toString('latin1')).split('\r\n');
      received = lines.pop() ?? '';
      for (const line of lines) {
        heard.push(line);
        const [first = '', verb] = line.split(' ');
        if (verb !== undefined) tag = first;
        react(reactions[verb ?? first]);
      }
    });
    react(reactions['greeting']);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, heard, open: () => sockets.size };
}

export const drip: Reaction = (socket) => {
  const timer = setInterval(() => socket.write('* OK still here\r\n'), 5);
  socket.on('close', () => {
    clearInterval(timer);
  });
};
export const silence: Reaction = () => undefined;
export const destroy: Reaction = (socket) => socket.destroy();
export const half: Reaction = (socket) => socket.end('* LIST (\\HasNo');

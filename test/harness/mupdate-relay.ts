// A relay between one Cyrus server and its MUPDATE master that can hold, refuse, swallow or cut what is said.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Address } from './cyrus-config.ts';

/** A command of the client, strings in place of literals; `location` is empty where the command has none. */
export interface Heard {
  verb: string;
  name: string;
  location: string;
}

/**
 * What becomes of a command: `pass`; `refuse`: answered NO by the relay, the master never hears it; `cut`: both
 * connections end before the master hears it; `swallow`: the master hears and answers it, but the answer is not handed
 * on, and both connections end.
 */
export type Fate = 'pass' | 'refuse' | 'cut' | 'swallow';

/** Decides about each command; a promise holds the command, and all behind it, until it is settled. */
export type Rule = (heard: Heard) => Fate | Promise<Fate>;

export class MupdateRelay {
  /** Where the client's commands go; undefined: nobody is there. */
  target: Address | undefined;
  rule: Rule | undefined;
  /** All that the client has said, `VERB name location`, AUTHENTICATE and LOGOUT left out. */
  readonly heard: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((client) => {
      this.#serve(client);
    });
  }

  static async listen(): Promise<MupdateRelay> {
    const relay = new MupdateRelay();
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen');
    return { host: '127.0.0.1', port: address.port };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(client: Socket): void {
    if (this.target === undefined) {
      client.destroy();
      return;
    }
    const master = connect(this.target);
    let swallowing = false;
    const cut = (): void => {
      client.destroy();
      master.destroy();
    };
    for (const socket of [client, master]) {
      this.#sockets.add(socket);
      socket.setEncoding('latin1').on('error', cut);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    master.on('data', (bytes) => {
      if (swallowing) cut();
      else client.write(bytes.toString(), 'latin1');
    });
    const send = async (command: string): Promise<void> => {
      const fate = await this.#judge(command);
      // While it was held, either end may have gone.
      if (client.destroyed || master.destroyed) return;
      if (fate === 'cut') cut();
      else if (fate === 'refuse')
        client.write(`${command.split(' ', 1)[0] ?? ''} NO "refused by the relay"\r\n`, 'latin1');
      else {
        swallowing = fate === 'swallow';
        master.write(command, 'latin1');
      }
    };
    let received = '';
    let turn = Promise.resolve();
    client.on('data', (bytes) => {
      received += bytes.toString();
      for (let end = commandEnd(received); end > 0; end = commandEnd(received)) {
        const command = received.slice(0, end);
        received = received.slice(end);
        // The client may be gone before its command's turn comes: then it was never said.
        turn = turn.then(() => (client.destroyed ? undefined : send(command)));
      }
    });
  }

  async #judge(command: string): Promise<Fate> {
    const heard = parsed(command);
    if (heard === undefined) return 'pass';
    this.heard.push(`${heard.verb} ${heard.name} ${heard.location}`.trimEnd());
    return (await this.rule?.(heard)) ?? 'pass';
  }
}

/** Where the first command ends: a line, and after each `{n+}` at a line's end n bytes and the rest of the line. 0: not yet. */
function commandEnd(text: string): number {
  let from = 0;
  for (;;) {
    const end = text.indexOf('\r\n', from);
    if (end < 0) return 0;
    const literal = /\{(\d+)\+?\}$/.exec(text.slice(from, end));
    if (literal === null) return end + 2;
    from = end + 2 + Number(literal[1]);
    if (from > text.length) return 0;
  }
}

/** Cyrus sends each string as a literal. Commands of the session itself are never judged. */
function parsed(command: string): Heard | undefined {
  const verb = (command.split(/[ \r]/, 2)[1] ?? '').toUpperCase();
  if (!['RESERVE', 'ACTIVATE', 'DEACTIVATE', 'DELETE', 'FIND', 'LIST', 'UPDATE'].includes(verb)) return undefined;
  const strings: string[] = [];
  for (let from = 0; ;) {
    const literal = /\{(\d+)\+?\}\r\n/g;
    literal.lastIndex = from;
    const found = literal.exec(command);
    if (found === null) break;
    from = literal.lastIndex + Number(found[1]);
    strings.push(command.slice(literal.lastIndex, from));
  }
  return { verb, name: strings[0] ?? '', location: strings[1] ?? '' };
}

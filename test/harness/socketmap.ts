// A client of the socketmap: what a Postfix process does, and what none would.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Address } from '../../services/backends/registry.ts';

export function netstring(text: string): string {
  return `${Buffer.byteLength(text, 'latin1')}:${text},`;
}

export class SocketmapClient {
  readonly socket: Socket;
  #heard = '';
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(address: Address) {
    this.socket = connect({ ...address, allowHalfOpen: true });
    this.socket.on('error', () => undefined);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => {
      this.#heard += text.toString();
      this.#wake();
    });
    for (const end of ['end', 'close'])
      this.socket.on(end, () => {
        this.#closed = true;
        this.#wake();
      });
  }

  static async connect(address: Address): Promise<SocketmapClient> {
    const client = new SocketmapClient(address);
    if (client.socket.connecting) await once(client.socket, 'connect');
    return client;
  }

  send(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }

  /** The next answer; undefined when the server has hung up. */
  async answer(): Promise<string | undefined> {
    for (;;) {
      const length = /^(\d+):/.exec(this.#heard);
      const start = length?.[0].length ?? 0;
      const end = start + Number(length?.[1]);
      if (length && this.#heard.length > end) {
        const text = this.#heard.slice(start, end);
        if (this.#heard[end] !== ',') throw new Error(`no netstring: ${this.#heard}`);
        this.#heard = this.#heard.slice(end + 1);
        return text;
      }
      if (this.#closed) return undefined;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  async ask(map: string, key: string): Promise<string | undefined> {
    this.send(netstring(`${map} ${key}`));
    return this.answer();
  }

  close(): void {
    this.socket.destroy();
  }
}

// Before a sink for Cyrus' frontend, which logs in wherever that is offered and wants 235; smtp-sink says 250.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../harness/cyrus-config.ts';

/** Answers AUTH itself, whatever it says, and passes on the rest. */
export class AuthRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: Address) {
    this.#server = createServer({ noDelay: true }, (client) => {
      const sink = connect({ ...to, noDelay: true });
      for (const socket of [client, sink]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
      }
      sink.pipe(client);
      client.on('data', function first(chunk: Buffer) {
        if (!/^AUTH /i.test(chunk.toString('latin1', 0, 5))) {
          sink.write(chunk);
          return;
        }
        client.off('data', first);
        client.write('235 2.7.0 Ok\r\n');
        client.pipe(sink);
      });
      client.on('close', () => sink.destroy());
    });
  }

  static async start(at: Address, to: Address): Promise<AuthRelay> {
    const relay = new AuthRelay(to);
    relay.#server.listen(at);
    await once(relay.#server, 'listening');
    return relay;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }
}

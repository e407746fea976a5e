// A network between two machines that a test can cut: what is connected is reset, or loses what is said, or hears nonsense.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Address } from './cyrus-config.ts';

/** `reset`: every connection is reset, new ones too; `swallow`: nobody hears anything any more, and nobody is told of it. */
export type Network = 'pass' | 'reset' | 'swallow';

/**
 * What becomes of the answer to what was said: `garble`: from its middle on it is nonsense; `halve`: its second half never
 * comes, nor anything after it, and the connection stays.
 */
export type Fate = 'pass' | 'garble' | 'halve';

/** Decides about the answer to what a client says; a promise holds what it says until it is settled. */
export type Rule = (said: string) => Fate | Promise<Fate>;

interface Pair {
  near: Socket;
  /** None where nobody heard that somebody came. */
  far: Socket | undefined;
  fate: Fate;
  isDeaf: boolean;
  hasLost: boolean;
}

export class NetworkRelay {
  rule: Rule | undefined;
  #network: Network = 'pass';
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();

  private constructor(to: Address) {
    this.#server = createServer((near) => {
      this.#serve(near, to);
    });
  }

  static async listen(to: Address, at: Address = { host: '127.0.0.1', port: 0 }): Promise<NetworkRelay> {
    const relay = new NetworkRelay(to);
    relay.#server.listen(at.port, at.host);
    await once(relay.#server, 'listening');
    return relay;
  }

  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen');
    return { host: address.address, port: address.port };
  }

  /** Whose connection has lost something on the way is reset when all passes again: nothing can make that good. */
  set network(network: Network) {
    this.#network = network;
    for (const pair of [...this.#pairs]) if (network === 'reset' || (network === 'pass' && pair.hasLost)) reset(pair);
  }

  close(): void {
    this.#server.close();
    for (const pair of [...this.#pairs]) reset(pair);
  }

  #serve(near: Socket, to: Address): void {
    const far = this.#network === 'pass' ? connect(to) : undefined;
    const pair: Pair = { near, far, fate: 'pass', isDeaf: false, hasLost: far === undefined };
    this.#pairs.add(pair);
    for (const socket of [near, far]) {
      socket?.setNoDelay(true).on('error', () => undefined);
      socket?.on('close', () => {
        this.#pairs.delete(pair);
        near.destroySoon();
        far?.destroySoon();
      });
    }
    if (this.#network === 'reset') reset(pair);
    near.on('data', (bytes) => {
      near.pause();
      void Promise.resolve(this.rule?.(bytes.toString('latin1')) ?? 'pass').then((fate) => {
        if (fate !== 'pass') pair.fate = fate;
        this.#pass(pair, far, bytes);
        near.resume();
      });
    });
    far?.on('data', (bytes) => {
      this.#answer(pair, bytes);
    });
  }

  #answer(pair: Pair, bytes: Buffer): void {
    const { fate } = pair;
    pair.fate = 'pass';
    const middle = Math.floor(bytes.length / 2);
    if (fate === 'pass') this.#pass(pair, pair.near, bytes);
    else this.#pass(pair, pair.near, bytes.subarray(0, middle));
    if (fate === 'garble') this.#pass(pair, pair.near, nonsense(bytes.length - middle));
    pair.isDeaf ||= fate === 'halve';
  }

  #pass(pair: Pair, to: Socket | undefined, bytes: Buffer): void {
    if (to === undefined || pair.isDeaf || this.#network !== 'pass') pair.hasLost = true;
    else to.write(bytes);
  }
}

function reset({ near, far }: Pair): void {
  near.resetAndDestroy();
  far?.resetAndDestroy();
}

/** Every byte there is, the same each time. */
function nonsense(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 89 + 41) % 256));
}

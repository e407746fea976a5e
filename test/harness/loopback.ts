// A loopback network of its own for each group of real servers, so that all can use the same port numbers.
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface LoopbackNetwork {
  /** The address of host `number` (1 to 249). */
  host(number: number): string;
  release(): void;
}

const GUARD = { host: 250, port: 13900 };

/** Claims a free 127.78.N.0/24. The claim is a listening socket: it ends with the process, however that ends. */
export async function claimNetwork(): Promise<LoopbackNetwork> {
  const first = Math.floor(Math.random() * 250);
  for (let step = 0; step < 250; step += 1) {
    const host = (number: number): string => `127.78.${(first + step) % 250}.${number}`;
    const guard = createServer((socket) => socket.destroy());
    guard.listen(GUARD.port, host(GUARD.host));
    const claimed = await once(guard, 'listening').catch(() => undefined);
    if (claimed !== undefined) return { host, release: () => guard.unref().close() };
  }
  throw new Error('no free network in 127.78.0.0/16');
}

// Ports of 127.0.0.1 for programs that have to be told one.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Address } from './cyrus-config.ts';

/** One that nobody listens at just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Whether somebody listens there. */
export async function accepts(address: Address): Promise<boolean> {
  const socket = connect(address);
  const up = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return up;
}

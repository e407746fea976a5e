// Binding a listener to its address; a Unix socket that a killed process left behind is taken over.
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import type { Server } from 'node:net';
import type { Address } from './address.ts';
import { clearStaleSocket } from './stale-socket.ts';

/**
 * Binds; resolves to the address as it is (the port when 0 was asked for). Rejects when it cannot be had: also when
 * somebody answers on a Unix socket, or when the path is a file of another kind. `socketMode` says who may connect to a
 * Unix socket; with `shared`, other processes of this user may bind the same port, and each is given its part of
 * the connections (SO_REUSEPORT).
 */
export async function bind(server: Server, address: Address, socketMode: number, shared = false): Promise<Address> {
  if ('path' in address) {
    // Of several processes the one that keeps them has done so.
    if (!shared) await clearStaleSocket(address.path);
    await listening(server, address);
    await chmod(address.path, socketMode);
    return address;
  }
  await listening(server, shared ? { ...address, reusePort: true } : address);
  const bound = server.address();
  return bound !== null && typeof bound === 'object' ? { host: address.host, port: bound.port } : address;
}

async function listening(server: Server, address: Address & { reusePort?: boolean }): Promise<void> {
  server.listen({ ...address, backlog: 511 });
  await once(server, 'listening');
}

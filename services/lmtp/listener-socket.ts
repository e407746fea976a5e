// Binding a listener to its address; a Unix socket that a killed process left behind is taken over.
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { once } from 'node:events';
import type { Address } from '../backends/registry.ts';

/**
 * Binds; resolves to the address as it is (the port when 0 was asked for). Rejects when it cannot be had: also when
 * somebody answers on a Unix socket, or when the path is a file of another kind.
 */
export async function bind(server: Server, address: Address, socketMode: number): Promise<Address> {
  if (!('path' in address)) {
    await listening(server, address);
    const bound = server.address();
    return bound !== null && typeof bound === 'object' ? { host: address.host, port: bound.port } : address;
  }
  try {
    await listening(server, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isDead(address.path))) throw error;
    await unlink(address.path);
    await listening(server, address);
  }
  await chmod(address.path, socketMode);
  return address;
}

async function listening(server: Server, address: Address): Promise<void> {
  server.listen({ ...address, backlog: 511 });
  await once(server, 'listening');
}

/** Whether the path is a socket on which nobody listens. A file of another kind refuses connections just so. */
async function isDead(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}

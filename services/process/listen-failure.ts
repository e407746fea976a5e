// Why a role could not listen, said so that an operator knows which key to change.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { addressText } from '../backends/registry.ts';

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken: end what listens there, or choose another',
  EADDRNOTAVAIL: 'is no address of this machine: choose one that is',
  EACCES: 'may not be listened at by this user: choose another, or another user',
};

/** A failure to bind, naming the key of the role and the address; any other error as it is. */
export function listenFailure(role: string, error: unknown): unknown {
  const { syscall, code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const reason = reasons[code ?? ''];
  if (syscall !== 'listen' || reason === undefined || address === undefined) return error;
  // Of a Unix socket, the port is -1.
  const place = port !== undefined && port > 0 ? { host: address, port } : { path: address };
  // Node says EACCES of a Unix socket whose folder is missing, too.
  const homeless = 'path' in place && !existsSync(dirname(place.path));
  const why = homeless ? 'has no folder: make it, or choose another' : reason;
  return new Error(`${role}.listen: ${addressText(place)} ${why}`, { cause: error });
}

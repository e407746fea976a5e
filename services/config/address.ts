// Addresses in the configuration: a TCP host and port, or the path of a Unix socket.
import { z } from 'zod';
import type { Address } from '../listening/address.ts';
import { key } from './key.ts';
import { hostName } from './kinds.ts';

/** One as people write it: everything optional, told apart by `path`. */
export interface WrittenAddress {
  host?: string;
  port?: number;
  path?: string;
}

/** What is wrong with an address as a whole, beside the key to change. */
export function addressProblem(
  address: WrittenAddress,
  defaultPort?: number,
): [key: string, expects: string] | undefined {
  if (address.path !== undefined) {
    if (address.host === undefined && address.port === undefined) return undefined;
    return ['path', 'left out where host or port are given'];
  }
  if (address.host === undefined) return ['host', 'a host name or address (or give a path instead)'];
  if (address.port === undefined && defaultPort === undefined) return ['port', 'a port number'];
  return undefined;
}

/** An address without faults, in the form that the program works with. */
export function addressOf(address: WrittenAddress, defaultPort?: number): Address {
  if (address.path !== undefined) return { path: address.path };
  return { host: address.host ?? '127.0.0.1', port: address.port ?? defaultPort ?? 0 };
}

/** An absolute path no longer than a Unix socket's may be (sockaddr_un: 108 bytes with the closing NUL). */
const socketPath = z
  .string()
  .startsWith('/')
  .refine((path) => Buffer.byteLength(path) <= 107 && !path.includes('\0'));

/** The three keys of an address. Port 0 is for listeners: the system picks a free one. */
export function addressKeys(facts: {
  what: string;
  host: string;
  port: number;
  path: string;
  lowest: 0 | 1;
  port0?: string;
}) {
  const other = facts.lowest === 0 ? '; 0 takes a free one' : '';
  return {
    host: key(z.exactOptional(hostName), {
      doc: `The host name or address ${facts.what}.`,
      expects: 'a host name or address',
      example: facts.host,
      otherwise: 'none; a host or a path must be given',
    }),
    port: key(z.exactOptional(z.int().min(facts.lowest).max(65_535)), {
      doc: `The TCP port ${facts.what}.`,
      expects: `a port number from ${facts.lowest} to 65535${other}`,
      example: facts.port,
      otherwise: facts.port0 ?? 'none; needed beside a host',
    }),
    path: key(z.exactOptional(socketPath), {
      doc: `The Unix socket ${facts.what}, in place of host and port.`,
      expects: 'an absolute path of at most 107 bytes',
      example: facts.path,
      otherwise: 'none',
    }),
  };
}

/** One place to listen at. */
export function listener(example: { port: number; path: string }) {
  return z
    .strictObject(addressKeys({ what: 'to listen at', host: '127.0.0.1', ...example, lowest: 0 }))
    .superRefine((address, context) => {
      const problem = addressProblem(address);
      if (problem) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
    })
    .transform((address) => addressOf(address));
}

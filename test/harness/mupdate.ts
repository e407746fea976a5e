// A MUPDATE server for a test, on a port of its own, and what it has logged.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import type { Directory } from '../../services/directory/directory.ts';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { MupdateServer } from '../../services/mupdate/server.ts';
import type { Ring } from '../../services/mupdate/service.ts';
import type { Hosts, User } from '../../services/mupdate/binding.ts';
import { mupdateDefaults } from '../../services/mupdate/settings.ts';
import type { MupdateSettings } from '../../services/mupdate/settings.ts';

/** Backends as Cyrus' test accounts name them, an operator, a frontend; `shared` is bound to no server. */
export const users: ReadonlyMap<string, User> = new Map<string, User>([
  ['mup-mail1', { password: 'muppw', server: 'mail1', access: 'write' }],
  ['mup-mail2', { password: 'muppw', server: 'mail2', access: 'write' }],
  ['mup-extra', { password: 'muppw', access: 'write', admin: true }],
  ['mup-frontend', { password: 'muppw', access: 'read' }],
  ['shared', { password: 'muppw', access: 'write' }],
  ['pair-a', { password: 'muppw', server: 'pair', host: '127.0.0.11', access: 'write' }],
  ['pair-b', { password: 'muppw', server: 'pair', host: '127.0.0.12', access: 'write' }],
]);

/**
 * `pair` is two hosts, `single` one, and the loopback address that tests otherwise come from is none of theirs. The hosts
 * of `pair` have users of their own.
 */
export const hosts: ReadonlyMap<string, Hosts> = new Map([
  ['pair', { all: ['127.0.0.11', '127.0.0.12'], active: '127.0.0.11' }],
  ['single', { all: ['127.0.0.13'], active: '127.0.0.13' }],
]);

let sessions = 0;

export class ScratchMupdate {
  readonly server: MupdateServer;
  readonly directory: Directory;
  readonly rings: Ring[] = [];
  /** Texts of log lines with their level: `warn mupdate: authentication failed`. */
  readonly logged: string[] = [];
  trusted = true;
  port = 0;

  constructor(directory: Directory, settings: Partial<MupdateSettings>) {
    this.directory = directory;
    const line = (level: string) => (_fields: object, text: string) => void this.logged.push(`${level} ${text}`);
    this.server = new MupdateServer({
      servername: 'mupdate',
      directory,
      users,
      hosts,
      witnesses: { pushing: ['mail1', 'mail2'], silent: [] },
      nextSession: () => `test-${process.pid}-${(sessions += 1)}`,
      trusted: () => Promise.resolve(this.trusted),
      settings: { ...mupdateDefaults, version: '1.2.3', failedloginpause: 0, ...settings },
      log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
      onRing: (ring) => void this.rings.push(ring),
    });
  }

  /** Starts one that ends with the test, or whatever else has an `after`. */
  static async start(
    test: { after(end: () => Promise<void>): void },
    options: Partial<MupdateSettings> & { directory?: Directory } = {},
  ): Promise<ScratchMupdate> {
    const { directory = new MemoryDirectory(), ...settings } = options;
    const scratch = new ScratchMupdate(directory, settings);
    const address = await scratch.server.listen({ host: '127.0.0.1', port: 0 });
    if ('port' in address) scratch.port = address.port;
    test.after(() => scratch.server.close(0));
    return scratch;
  }

  /** A bare connection. */
  connect(): Socket {
    return connect(this.port, '127.0.0.1');
  }

  /** A client that has authenticated, from some loopback address. */
  client(username: string, localAddress = '127.0.0.1', port = this.port): Promise<MupdateClient> {
    const address = { host: '127.0.0.1', port, localAddress };
    return MupdateClient.connect({ address, username, password: 'muppw', timeout: 10_000 });
  }
}

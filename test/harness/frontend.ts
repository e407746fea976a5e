// The real program as an LMTP frontend of backends that speak no MUPDATE, with a directory that says who is where.
import { readFile, writeFile } from 'node:fs/promises';
import type { Address } from './cyrus-config.ts';
import { openScratchDirectory, type ScratchDirectory } from './directory.ts';
import { startRedis, type ScratchRedis } from './redis.ts';
import { Rookery } from './rookery.ts';

export interface FrontendOptions {
  /** Where each serves LMTP, by name, with credentials where it wants any. */
  backends: Readonly<Record<string, Address & { username?: string; password?: string }>>;
  /** At which backend each user is. */
  users: Readonly<Record<string, string>>;
  /** More keys under `lmtp`. */
  lmtp?: object;
}

export class Frontend {
  readonly rookery: Rookery;
  readonly #redis: ScratchRedis;
  readonly #scratch: ScratchDirectory;

  private constructor(rookery: Rookery, redis: ScratchRedis, scratch: ScratchDirectory) {
    this.rookery = rookery;
    this.#redis = redis;
    this.#scratch = scratch;
  }

  /** One backend more has never said what it has: until somebody vouches for the directory, absence is no proof. */
  static async start({ backends, users, lmtp }: FrontendOptions): Promise<Frontend> {
    const redis = await startRedis();
    const scratch = await openScratchDirectory(redis.socket);
    for (const [user, server] of Object.entries(users)) {
      const writer = { session: `t-${user}`, server, admin: false, push: false };
      const row = { verb: 'ACTIVATE' as const, name: `user.${user}`, location: `${server}!default`, acl: '' };
      if (!(await scratch.directory.write(row, writer)).ok) throw new Error(`no room for ${user} at ${server}`);
    }
    const rookery = await Rookery.layOut({
      ...{ servername: 'frontend', redis: { url: redis.socket } },
      lmtp: { listen: [{ host: '127.0.0.1', port: 0 }], workers: 1, ...lmtp },
      backends: Object.fromEntries<object>([
        ...Object.entries(backends).map(([name, address]) => [name, { lmtp: address, mupdate: false }] as const),
        ['silent', {}] as const,
      ]),
    });
    const frontend = new Frontend(rookery, redis, scratch);
    try {
      await rookery.start('run', 'lmtp');
      return frontend;
    } catch (error) {
      await frontend.stop();
      throw error;
    }
  }

  get lmtp(): Address {
    return this.rookery.address('LMTP');
  }

  /** From now on whoever is not in the directory does not exist. */
  async vouch(): Promise<void> {
    await this.#scratch.directory.vouch('test');
  }

  /** Starts Rookery once more, at the port that it had. */
  async again(): Promise<void> {
    const { port } = this.lmtp;
    const file = this.rookery.configFile;
    await writeFile(file, (await readFile(file, 'utf8')).replace(/^( +(?:- )?)port: 0$/m, `$1port: ${port}`));
    await this.rookery.start('run', 'lmtp');
  }

  async stop(): Promise<void> {
    await this.rookery.stop();
    await this.#scratch.close();
    await this.#redis.stop();
  }
}

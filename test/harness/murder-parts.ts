// A Murder whose directory, proxy, worker and Redis are processes of their own, each to be struck alone; the network between
// the worker and the servers, and that of the servers among themselves, can be cut.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Address } from './cyrus-config.ts';
import { Murder } from './murder.ts';
import { NetworkRelay } from './network-relay.ts';
import { startRedis } from './redis.ts';
import type { ScratchRedis } from './redis.ts';
import { Rookery } from './rookery.ts';
import { findAt, hostBetween } from './xfer-relay.ts';

/** Where moves begin and end. */
type Server = 'mail1' | 'mail2';

interface Parts {
  redis: ScratchRedis;
  murder: Murder;
  /** Between the worker and the IMAP of each server. */
  imap: Record<Server, NetworkRelay>;
  /** What an XFER from mail1 to mail2 goes through. */
  xfer: NetworkRelay;
  proxy: Rookery;
}

export class MurderParts {
  /** Its program is the directory's node. */
  readonly murder: Murder;
  readonly redis: ScratchRedis;
  readonly imap: Parts['imap'];
  readonly xfer: NetworkRelay;
  readonly #proxy: Rookery;
  readonly #workers: Rookery[] = [];

  private constructor({ murder, redis, imap, xfer, proxy }: Parts) {
    this.murder = murder;
    this.redis = redis;
    this.imap = imap;
    this.xfer = xfer;
    this.#proxy = proxy;
  }

  static async start(sections: Readonly<Record<string, unknown>>): Promise<MurderParts> {
    // What it has acknowledged is on disk, as where nobody sets it otherwise.
    const redis = await startRedis({ appendfsync: 'always' });
    const program = ['run', 'directory'];
    const murder = await Murder.start({ program, sections: { redis: { url: redis.socket }, ...sections } });
    const [source, destination] = [murder.cyrus.node('mail1'), murder.cyrus.node('mail2')];
    const xfer = await NetworkRelay.listen(destination.imap, { ...destination.imap, host: hostBetween(destination) });
    await findAt(source, destination, xfer.address.host);
    const imap = { mail1: await NetworkRelay.listen(source.imap), mail2: await NetworkRelay.listen(destination.imap) };
    const proxy = await Rookery.layOut(await configurationOf(murder));
    const parts = new MurderParts({ murder, redis, imap, xfer, proxy });
    try {
      await Promise.all([proxy.start('run', 'lmtp'), parts.startWorker()]);
      return parts;
    } catch (error) {
      await parts.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) await worker.stop();
    await this.#proxy.stop();
    await this.murder.stop();
    for (const relay of [this.imap.mail1, this.imap.mail2, this.xfer]) relay.close();
    await this.redis.stop();
  }

  /** Where mail comes in. */
  get door(): Address {
    return this.#proxy.address('LMTP');
  }

  /** The one that was started first, where there are two. */
  get worker(): Rookery {
    const [worker] = this.#workers;
    if (!worker) throw new Error('there is no worker');
    return worker;
  }

  /** One more. */
  async startWorker(): Promise<void> {
    const config = await configurationOf(this.murder);
    for (const [name, relay] of Object.entries(this.imap))
      Object.assign(config.backends[name]?.imap ?? {}, relay.address);
    const worker = await Rookery.layOut(config);
    this.#workers.push(worker);
    await worker.start('run', 'worker');
  }

  /** kill -9. */
  async killWorker(): Promise<void> {
    await this.worker.end('SIGKILL');
    await this.#workers.shift()?.stop();
  }

  /** Where there are two, the first one ends, as an operator would have it. */
  async leaveOneWorker(): Promise<void> {
    while (this.#workers.length > 1) await this.#workers.shift()?.stop();
  }

  /** kill -9 of all that is ours, Redis included. */
  async killAll(): Promise<void> {
    await Promise.all([this.killWorker(), this.#proxy.end('SIGKILL'), this.murder.killDirectory(), this.redis.kill9()]);
  }

  async startAll(): Promise<void> {
    await this.redis.restart();
    await this.murder.startDirectory();
    await Promise.all([this.#proxy.start('run', 'lmtp'), this.startWorker()]);
  }
}

interface Configuration extends Record<string, unknown> {
  backends: Record<string, { imap: Address }>;
}

/** Without the folder of its data. */
async function configurationOf(murder: Murder): Promise<Configuration> {
  const { data: _, ...sections } = parse(await readFile(murder.rookery.configFile, 'utf8')) as Configuration;
  return sections;
}

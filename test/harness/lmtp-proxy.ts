// A proxy in this process, between a client of the test's and fake backends, with a directory that is a map.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { RecipientSettings } from '../../services/address/recipient.ts';
import { Registry, type Address, type Backend, type TlsAccess } from '../../services/backends/registry.ts';
import type { Directory, Lookup } from '../../services/directory/directory.ts';
import type { Entry } from '../../services/directory/entry.ts';
import { NearCache } from '../../services/directory/near-cache.ts';
import type { RoutingDirectory } from '../../services/directory/patience.ts';
import { BackendPools } from '../../services/lmtp/backend-pool.ts';
import { LmtpListener } from '../../services/lmtp/listener.ts';
import { MemoryLimit } from '../../services/lmtp/memory-limit.ts';
import { Router, type Autocreate } from '../../services/lmtp/router.ts';
import {
  backendDefaults,
  lmtpDefaults,
  plainDoor,
  type BackendSettings,
  type Door,
  type LmtpSettings,
} from '../../services/lmtp/settings.ts';
import { Spool } from '../../services/lmtp/spool.ts';
import { Proxy } from '../../services/lmtp/transaction.ts';
import { forgetful, type UnheardStore } from '../../services/lmtp/unheard-replies.ts';
import type { Outcome } from '../../services/logging/outcome.ts';
import type { FakeBackend } from './lmtp-backend.ts';
import { quietLog } from './quiet-log.ts';

const recipientSettings: RecipientSettings = {
  virtdomains: 'off',
  defaultdomain: 'internal',
  unixhierarchysep: true,
  lmtp_downcase_rcpt: true,
  postuser: '',
  lmtp_strict_rfc2821: true,
};

/** Deadlines that a test can wait for. */
const hasty: BackendSettings = {
  ...backendDefaults,
  connect_timeout: 1500,
  wait_timeout: 1500,
  envelope_timeout: 1500,
  stall_timeout: 1500,
  reply_timeout: 1500,
};

export interface ProxyRun {
  address: Address;
  outcomes: Outcome[];
  /** Mailbox and server, of each that a backend did not know. */
  contradictions: [string, string][];
  registry: Registry;
  memory: MemoryLimit;
  spool: Spool;
  /** Where the spool is. */
  folder: string;
  /** `mailbox at server`, for each recipient whose message was taken. */
  delivered: string[];
  pools: BackendPools;
  listener: LmtpListener;
  /** Rows by name; change it to change the directory. */
  rows: Map<string, Entry>;
  lookup: { answer: (names: readonly string[]) => Promise<Lookup> };
}

export interface ProxySetup {
  /** In place of the users. */
  directory?: RoutingDirectory;
  /** Of mailboxes that are being moved, in seconds. */
  hold?: number;
  /** Several addresses of one are tried in order. */
  backends: Record<string, FakeBackend | Address | Address[] | undefined>;
  /** Mailbox by server: `{ joe: 'mail1' }` is `user.joe` at `mail1!default`. */
  users: Record<string, string>;
  settings?: Partial<BackendSettings>;
  listening?: Partial<LmtpSettings>;
  door?: Partial<Door>;
  /** For AUTH PLAIN; the password is `s3cret` unless another is given. */
  username?: string;
  password?: string;
  connections?: number;
  waiting?: number;
  trusted?: boolean;
  autocreate?: Autocreate;
  unheard?: UnheardStore;
  /** To all backends. */
  tls?: TlsAccess;
}

export async function runProxy(t: TestContext, setup: ProxySetup): Promise<ProxyRun> {
  const registry = new Registry(
    Object.entries(setup.backends).map(([name, at]): Backend => {
      const place = at !== undefined && 'messages' in at ? at.address : at;
      if (place === undefined) return { name, mupdate: true, lmtp: undefined, imap: undefined };
      const credentials =
        setup.username === undefined ? {} : { username: setup.username, password: setup.password ?? 's3cret' };
      return {
        name,
        mupdate: true,
        imap: undefined,
        lmtp: {
          addresses: Array.isArray(place) ? place : [place],
          connections: setup.connections ?? 5,
          waiting: setup.waiting ?? 100,
          ...(setup.tls && { tls: setup.tls }),
          ...credentials,
        },
      };
    }),
  );
  const rows = new Map<string, Entry>();
  for (const [user, server] of Object.entries(setup.users)) {
    rows.set(`user.${user}`, {
      name: `user.${user}`,
      state: 'active',
      location: `${server}!default`,
      acl: '',
      version: 1,
    });
  }
  const heard = setup.trusted === false ? [] : registry.all().map(({ name }) => name);
  const lookup = {
    answer: (names: readonly string[]): Promise<Lookup> =>
      Promise.resolve({
        entries: names.map((name) => rows.get(name)),
        concerns: names.map(() => undefined),
        begun: Date.now(),
        standing: {
          ...{ epoch: 1, heard, vouched: undefined, settled: true },
          ...{ lost: undefined, doubt: undefined, blank: false },
        },
      }),
  };
  const directory: Pick<Directory, 'lookup'> = { lookup: (names) => lookup.answer(names) };
  const settings = { ...hasty, ...setup.settings };
  const pools = new BackendPools(registry, settings, 'mx.test');
  const outcomes: Outcome[] = [];
  const contradictions: [string, string][] = [];
  const memory = new MemoryLimit(settings.memory_limit);
  const folder = await mkdtemp(join(tmpdir(), 'rookery-spool-'));
  const spool = await Spool.open(folder, settings.spool_limit);
  const delivered: string[] = [];
  const handler = new Proxy({
    servername: 'mx.test',
    router: new Router(
      setup.directory ?? (await unfollowed(directory)),
      registry,
      { ...recipientSettings, hold: setup.hold ?? 0 },
      setup.autocreate,
    ),
    pools,
    settings,
    memory,
    spool,
    unheard: setup.unheard ?? forgetful,
    delivered: (mailbox, server) => delivered.push(`${mailbox} at ${server}`),
    report: (outcome) => outcomes.push(outcome),
    contradicted: (mailbox, server) => contradictions.push([mailbox, server]),
  });
  const listening = { ...lmtpDefaults, ...setup.listening };
  const listener = new LmtpListener({ servername: 'mx.test', settings: listening, handler, log: quietLog });
  const address = await listener.listen({ host: '127.0.0.1', port: 0 }, { ...plainDoor, ...setup.door });
  t.after(async () => {
    await listener.close(0);
    await pools.close(0);
    await rm(folder, { recursive: true, force: true });
  });
  return {
    ...{ address, outcomes, contradictions, delivered, pools, registry },
    memory,
    spool,
    folder,
    listener,
    rows,
    lookup,
  };
}

/** An MTA: commands one by one or all at once, and the replies to them. */
export class Mta {
  readonly socket: Socket;
  #heard = '';
  #wake: () => void = () => undefined;
  #closed = false;

  private constructor(address: Address) {
    this.socket = connect(address);
    this.socket.on('error', () => undefined);
    this.socket.setNoDelay(true);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => {
      this.#heard += text.toString();
      this.#wake();
    });
    this.socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async greet(address: Address, name = 'client.test'): Promise<Mta> {
    const mta = new Mta(address);
    await mta.reply();
    await mta.say(`LHLO ${name}`);
    return mta;
  }

  /** The next reply, its lines joined by LF. Rejects when the server has closed. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\n]*\r\n)*\d{3} [^\n]*\r\n/.exec(this.#heard)?.[0];
      if (whole !== undefined) {
        this.#heard = this.#heard.slice(whole.length);
        return whole.trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.#closed) throw new Error(`closed, after ${JSON.stringify(this.#heard)}`);
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  async say(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`, 'latin1');
    return this.reply();
  }

  /** MAIL, RCPTs and DATA, one by one; resolves to the replies to RCPT. */
  async envelope(rcpts: readonly string[], mail = '<s@example.org>'): Promise<string[]> {
    const replies: string[] = [];
    await this.say(`MAIL FROM:${mail}`);
    for (const rcpt of rcpts) replies.push(await this.say(`RCPT TO:${rcpt}`));
    await this.say('DATA');
    return replies;
  }

  /** A body with its end, and the replies to it. */
  async body(raw: string | Buffer, replies: number): Promise<string[]> {
    this.socket.write(raw, 'latin1');
    this.socket.write('.\r\n');
    const all: string[] = [];
    for (let count = 0; count < replies; count++) all.push(await this.reply());
    return all;
  }

  /** A whole message to recipients that are all accepted; resolves to the replies after it. */
  async send(rcpts: readonly string[], raw: string | Buffer = 'Subject: x\r\n\r\nhello\r\n'): Promise<string[]> {
    await this.envelope(rcpts);
    return this.body(raw, rcpts.length);
  }

  async quit(): Promise<void> {
    this.socket.write('QUIT\r\n');
    if (!this.#closed) await once(this.socket, 'close');
  }
}

/** What routes mail asks the directory, which changes nothing: for tests that have no log to follow. */
async function unfollowed(directory: Pick<Directory, 'lookup'>): Promise<NearCache> {
  const feed = { reached: () => Promise.resolve(), close: () => undefined };
  const cache = new NearCache({
    directory: { ...directory, nearby: notAsked, head: () => Promise.resolve([]), follow: () => feed },
    leases: {
      renew: () => directory.lookup([]).then(() => []),
      end: () => Promise.resolve(),
      held: () => Promise.resolve([]),
    },
    ...{ reader: 'mx', rows: 0, lease: 10_000, renewal: 2_000, maxStale: 0, patience: 300 },
    ...{ mayMove: () => false, onState: () => undefined, onAnswer: () => undefined },
  });
  await cache.begin();
  return cache;
}

/** No test of this proxy has shared folders. */
const notAsked = (): Promise<never> => Promise.reject(new Error('not asked here'));

// A real backend with a real replica: the program as its directory and proxy, and workers of its own on the backend's host.
import type { Address } from './cyrus-config.ts';
import { CYRUS_PASSWORD, mupdateUser, startCyrus } from './cyrus.ts';
import type { Cyrus, CyrusNode } from './cyrus.ts';
import { ImapClient } from './imap.ts';
import { Mta } from './lmtp-proxy.ts';
import { MupdateRelay } from './mupdate-relay.ts';
import { startRedis } from './redis.ts';
import type { ScratchRedis } from './redis.ts';
import { Rookery } from './rookery.ts';
import { until } from './until.ts';

export const QUEUE = 'replication@mail1';

/** All that a backend keeps of its users, to be compared with another's. */
export type Holdings = Record<string, unknown>;

export class Replicated {
  readonly master: CyrusNode;
  readonly replica: CyrusNode;
  /** Directory, proxy and API. */
  readonly rookery: Rookery;
  /** `rookery run worker` on the backend's host. */
  readonly worker: Rookery;
  readonly #cyrus: Cyrus;
  readonly #redis: ScratchRedis;
  readonly #relay: MupdateRelay;

  private constructor(parts: {
    cyrus: Cyrus;
    redis: ScratchRedis;
    relay: MupdateRelay;
    rookery: Rookery;
    worker: Rookery;
  }) {
    this.#cyrus = parts.cyrus;
    this.#redis = parts.redis;
    this.#relay = parts.relay;
    this.rookery = parts.rookery;
    this.worker = parts.worker;
    this.master = parts.cyrus.node('mail1');
    this.replica = parts.cyrus.node('replica');
  }

  static async start(): Promise<Replicated> {
    const relay = await MupdateRelay.listen();
    const redis = await startRedis();
    const names = ['unixhierarchysep: yes', 'virtdomains: userid'];
    const sync = ['sync_host: replica', 'sync_port: csync', 'sync_authname: cyrus', 'sync_timeout: 10'];
    const cyrus = await startCyrus({
      ...{ mupdate: relay.address, nodes: ['mail1'], replica: true, start: false },
      options: {
        mail1: [...names, ...sync, `sync_password: ${CYRUS_PASSWORD.cyrus}`, 'sync_try_imap: no'],
        replica: names,
      },
    });
    const config = configuration(cyrus.node('mail1'), redis.socket);
    const [rookery, worker] = [await Rookery.layOut(config), await Rookery.layOut(config)];
    const all = new Replicated({ cyrus, redis, relay, rookery, worker });
    try {
      await rookery.start('run', 'directory', 'lmtp', 'api');
      relay.target = rookery.address('MUPDATE');
      await all.replica.start();
      await all.master.start();
      await all.startWorker();
      return all;
    } catch (error) {
      await all.stop();
      throw error;
    }
  }

  startWorker(): Promise<void> {
    return this.worker.start('run', 'worker');
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    await this.#cyrus.stop();
    await this.rookery.stop();
    await this.#redis.stop();
    this.#relay.close();
  }

  /** One command after the other, of an administrator who may do anything. */
  async admin(node: CyrusNode, ...commands: string[]): Promise<void> {
    const imap = await ImapClient.connect(node.imap);
    try {
      await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
      for (const command of commands) await imap.ok(command);
    } finally {
      imap.close();
    }
  }

  /** The same, of the user himself. */
  async as(user: string, ...commands: string[]): Promise<void> {
    await asUser(this.master, user, async (imap) => {
      for (const command of commands) await imap.ok(command);
    });
  }

  /** Makes users that the administrator may delete. */
  async create(...users: string[]): Promise<void> {
    const made = users.flatMap((user) => [`CREATE "user/${user}"`, `SETACL "user/${user}" cyrus lrswipkxtecdan`]);
    await this.admin(this.master, ...made);
  }

  /** Hands one message to the proxy for each of them; throws when it is not taken. */
  async deliver(...addresses: string[]): Promise<void> {
    const mta = await Mta.greet(this.rookery.address('LMTP'));
    for (const address of addresses) {
      const [reply = ''] = await mta.send([`<${address}>`]);
      if (!reply.startsWith('250')) throw new Error(`${address}: ${reply}`);
    }
    mta.socket.destroy();
  }

  /** Resolves when the replica has what the master has, and all that it has. */
  async equal(users: readonly string[]): Promise<void> {
    let seen: unknown;
    await until(
      'the replica equals the master',
      async () => {
        const [there, here] = [
          await holdings(this.master, users),
          // What it does not have yet, or while it does not answer, is a difference.
          await holdings(this.replica, users, String),
        ];
        seen = differences(there, here);
        return Object.keys(seen as object).length === 0;
      },
      90_000,
    ).catch((error: unknown) => {
      const log = this.worker.log.slice(-20).map((line) => JSON.stringify(line));
      throw new Error(`${String(error)}\n${JSON.stringify(seen, null, 1)}\n${log.join('\n')}`);
    });
  }

  /** The jobs of the replica's queue in a state. */
  async jobs(state: string): Promise<{ id: string; about: string; kind?: string; reason?: string }[]> {
    const { out } = await this.rookery.command('queue', 'show', QUEUE, '--state', state, '-f', 'json', '-n', '1000');
    return out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { id: string; about: string });
  }

  /** How many runs of sync_client the worker has told of. */
  get runs(): number {
    return this.worker.log.filter(({ queue, outcome }) => queue === QUEUE && outcome === 'done').length;
  }
}

async function asUser<T>(node: CyrusNode, user: string, work: (imap: ImapClient) => Promise<T>): Promise<T> {
  const imap = await ImapClient.connect(node.imap);
  try {
    await imap.login('mailproxy', CYRUS_PASSWORD.mailproxy, user);
    return await work(imap);
  } finally {
    imap.close();
  }
}

/** Mailboxes with ACL and unique id, what is kept as deleted among them; and of each user's messages, flags, quota, subscriptions. */
async function holdings(
  node: CyrusNode,
  users: readonly string[],
  failed?: (error: unknown) => string,
): Promise<Holdings> {
  const found: Holdings = {};
  const { stdout } = await node.run('ctl_mboxlist', '-d');
  for (const [name, row] of Object.entries(JSON.parse(stdout) as Record<string, Record<string, unknown>>)) {
    const { mbtype, acl, uniqueid, uidvalidity } = row;
    // A tombstone says that a name was there once: a replica need not have been told.
    if (!String(mbtype).includes('d')) found[name] = { acl, uniqueid, uidvalidity };
  }
  for (const user of users) found[`of ${user}`] = await messagesOf(node, user).catch(failed);
  return found;
}

async function messagesOf(node: CyrusNode, user: string): Promise<unknown> {
  return asUser(node, user, async (imap) => {
    const listed = await imap.ok('LIST "" *');
    const told: Record<string, unknown> = {
      subscribed: (await imap.ok('LSUB "" *')).sort(),
      quota: await imap.ok('GETQUOTAROOT INBOX'),
    };
    for (const mailbox of listed.map((line) => /"([^"]*)"$/.exec(line)?.[1] ?? line.split(' ').at(-1) ?? '')) {
      const status = await imap.ok('STATUS ', { literal: mailbox }, ' (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)');
      await imap.ok('EXAMINE ', { literal: mailbox });
      const messages = await imap.ok('UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])');
      told[mailbox] = [status, messages.map((message) => message.replace(/ ?\\Recent/, '').replace('( ', '('))];
    }
    return told;
  });
}

function differences(there: Holdings, here: Holdings): Holdings {
  const names = new Set([...Object.keys(there), ...Object.keys(here)]);
  const other = [...names].filter((name) => JSON.stringify(there[name]) !== JSON.stringify(here[name]));
  const short = (value: unknown) => JSON.stringify([value]).slice(0, 600);
  return Object.fromEntries(other.map((name) => [name, [short(there[name]), short(here[name])]]));
}

function configuration(master: CyrusNode, socket: string): object {
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const access = (address: Address, username: 'mailproxy' | 'cyrus') => ({
    ...{ ...address, username, password: CYRUS_PASSWORD[username] },
  });
  return {
    servername: 'frontend',
    redis: { url: socket },
    directory: { listen, users: { [mupdateUser('mail1')]: { password: CYRUS_PASSWORD.mupdate, server: 'mail1' } } },
    lmtp: { listen, virtdomains: 'userid', unixhierarchysep: true },
    api: { listen: listen[0] },
    // A worker that was killed is missed after at most twice this time.
    workers: { lost_after: 2, backends: ['mail1'] },
    backends: {
      mail1: {
        ...{ lmtp: access(master.lmtp, 'mailproxy'), imap: access(master.imap, 'cyrus') },
        replica: {
          ...{ sync_client: master.asOnIt('sync_client'), imapd_conf: `${master.folder}/imapd.conf` },
          ...{ folder: `${master.folder}/conf/sync`, timeout: 60, connect_timeout: 10 },
        },
      },
    },
  };
}

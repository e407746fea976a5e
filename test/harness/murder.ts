// A whole Murder for a test: the real program as its directory and proxy, two real Cyrus backends, a real frontend.
import { rm, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MupdateClient } from '../../services/mupdate/client.ts';
import type { Address } from './cyrus-config.ts';
import { CYRUS_PASSWORD, mupdateUser, startCyrus } from './cyrus.ts';
import type { Cyrus, CyrusNode } from './cyrus.ts';
import { ImapClient } from './imap.ts';
import { MailFlow } from './mail-flow.ts';
import { MupdateRelay } from './mupdate-relay.ts';
import { rowsInDump, type Row, type Rows } from './murder-view.ts';
import { Rookery } from './rookery.ts';
import { until } from './until.ts';

/** Those that every Murder has. */
export const BACKENDS = ['mail1', 'mail2'] as const;
export type Backend = (typeof BACKENDS)[number] | 'mail3';

/** Whether this is the long proof: then thousands where the every-day test has hundreds. */
export const FULL = process.env['ROOKERY_TEST_SCALE'] === 'full';

const ALL_RIGHTS = 'lrswipkxtecdan';
const MESSAGES_A_COMMAND = 100;

export interface MurderOptions {
  /** Cyrus' newer way with names: `user/a.b@example.org` is the mailbox `example.org!user.a^b`. */
  dotted?: boolean;
  /** Backends besides the two. */
  more?: readonly Backend[];
  /** Further keys of the program's section `directory`, and further sections. */
  directory?: Readonly<Record<string, unknown>>;
  sections?: Readonly<Record<string, unknown>>;
  /** The words that the program is started with, where it is not all of it: `run`, `directory`. */
  program?: readonly string[];
}

export class Murder {
  readonly rookery: Rookery;
  readonly cyrus: Cyrus;
  readonly flow: MailFlow;
  /** Between each Cyrus server and the directory. */
  readonly relays: Readonly<Record<Backend | 'frontend', MupdateRelay>>;
  readonly backends: readonly Backend[];
  readonly #dotted: boolean;
  readonly #program: readonly string[];

  private constructor(rookery: Rookery, cyrus: Cyrus, relays: Murder['relays'], options: MurderOptions) {
    this.#dotted = options.dotted ?? false;
    this.#program = options.program ?? [];
    this.backends = backendsOf(options);
    this.rookery = rookery;
    this.cyrus = cyrus;
    this.relays = relays;
    this.flow = new MailFlow({
      rookery: () => rookery.address('LMTP'),
      cyrus: () => this.frontend.preauthorisedLmtp,
    });
  }

  static async start(options: MurderOptions = {}): Promise<Murder> {
    const dotted = options.dotted ?? false;
    const lines = dotted ? ['unixhierarchysep: yes', 'virtdomains: userid'] : [];
    const [mail1, mail2, mail3, frontend] = [
      await MupdateRelay.listen(),
      await MupdateRelay.listen(),
      await MupdateRelay.listen(),
      await MupdateRelay.listen(),
    ];
    const own = (relay: MupdateRelay): string => `mupdate_server: ${relay.address.host}:${relay.address.port}`;
    const cyrus = await startCyrus({
      ...{ mupdate: frontend.address, nodes: backendsOf(options), frontend: true, start: false },
      options: {
        ...{ mail1: [own(mail1), ...lines], mail2: [own(mail2), ...lines], mail3: [own(mail3), ...lines] },
        frontend: lines,
      },
    });
    const rookery = await Rookery.layOut(configuration(cyrus, dotted, options));
    const murder = new Murder(rookery, cyrus, { mail1, mail2, mail3, frontend }, options);
    try {
      await murder.startDirectory();
      await Promise.all(murder.backends.map((name) => murder.startBackend(name)));
      await cyrus.node('frontend').start();
      return murder;
    } catch (error) {
      await murder.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.flow.stop();
    await this.cyrus.stop();
    await this.rookery.stop();
    for (const relay of Object.values(this.relays)) relay.close();
  }

  get frontend(): CyrusNode {
    return this.cyrus.node('frontend');
  }

  async startDirectory(): Promise<void> {
    await this.rookery.start(...this.#program);
    for (const relay of Object.values(this.relays)) relay.target = this.rookery.address('MUPDATE');
  }

  /** kill -9 of the whole program; its Redis goes with it. */
  async killDirectory(): Promise<void> {
    await this.rookery.end('SIGKILL');
  }

  /** The program comes back with nothing of what it knew. */
  async loseDirectory(): Promise<void> {
    await this.killDirectory();
    await until('the data are gone', async () => {
      // The Redis that is being killed with it may still write.
      return rm(join(this.rookery.folder, 'data'), { recursive: true, force: true }).then(
        () => true,
        () => false,
      );
    });
    await this.startDirectory();
  }

  /** Starts a backend that does not run, and waits for the end of its push, which its log tells a little later. */
  async startBackend(name: Backend): Promise<void> {
    const node = this.cyrus.node(name);
    const earlier = node.log.length;
    await node.start();
    await until(`${name} has pushed`, () =>
      node.log.slice(earlier).some((line) => line.includes('done populating mupdate')),
    );
  }

  async restart(...names: Backend[]): Promise<void> {
    for (const name of names) {
      await this.cyrus.node(name).stop();
      await this.startBackend(name);
    }
  }

  /** Sets an option of a server's imapd.conf; it holds for what is started from now on. */
  async configure(name: Backend, option: string, value: string | undefined): Promise<void> {
    const file = join(this.cyrus.node(name).folder, 'imapd.conf');
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => !line.startsWith(`${option}:`));
    if (value !== undefined) lines.unshift(`${option}: ${value}`);
    await writeFile(file, lines.join('\n'));
  }

  /** Runs as the administrator of a server, on a connection of its own. */
  async admin<T>(name: Backend | 'frontend', work: (imap: ImapClient) => Promise<T>): Promise<T> {
    const imap = await ImapClient.connect(this.cyrus.node(name).imap);
    try {
      await imap.login('cyrus', CYRUS_PASSWORD.cyrus);
      return await work(imap);
    } finally {
      imap.close();
    }
  }

  /** One command of the administrator, and what was said: untagged `OK` and `NO` of a move, then the tagged answer. */
  async say(name: Backend | 'frontend', command: string): Promise<string> {
    try {
      return await this.admin(name, async (imap) => {
        const { status, text, untagged } = await imap.command(...command.split(/(?<=")|(?=")/).map(asLiteral));
        const moved = untagged.filter((line) => /^(OK|NO) (USER|MAILBOX)/.test(line));
        return [...moved, `${status} ${text.replace(/^\[MAILBOXID[^\]]*\] /, '')}`].join('; ');
      });
    } catch (error) {
      return `connection lost (${(error as Error).message.slice(0, 60)})`;
    }
  }

  /** The name by which IMAP knows a mailbox. */
  imapName(mailbox: string): string {
    if (!this.#dotted) return mailbox;
    const [, domain, local = ''] = /^(?:(.*)!)?(.*)$/.exec(mailbox) ?? [];
    const name = local.replaceAll('.', '/').replaceAll('^', '.');
    return domain === undefined ? name : `${name}@${domain}`;
  }

  /** Makes mailboxes that the administrator may read and delete, with so many messages in each. */
  async create(name: Backend, mailboxes: readonly string[], messages = 0): Promise<void> {
    await this.admin(name, async (imap) => {
      for (const mailbox of mailboxes) {
        const literal = this.imapName(mailbox);
        await imap.ok('CREATE ', { literal });
        await imap.ok('SETACL ', { literal }, ` cyrus ${ALL_RIGHTS}`);
        for (let from = 0; from < messages; from += MESSAGES_A_COMMAND) {
          const batch = Math.min(MESSAGES_A_COMMAND, messages - from);
          const literals = Array.from({ length: batch }, (_, at) => [' ', { literal: bulk(from + at) }]).flat();
          await imap.ok('APPEND ', { literal }, ...literals);
        }
      }
    });
  }

  /** From now on mail to these users, whom the frontend knows by then: it says 550 to what it has not heard of. */
  async mailTo(users: Readonly<Record<string, string>>): Promise<void> {
    await until('the frontend knows who gets mail', async () => {
      const seen = await this.frontendView();
      return Object.keys(users).every((mailbox) => seen.has(mailbox));
    });
    this.flow.add(...Object.values(users));
  }

  async client(): Promise<MupdateClient> {
    const account = { username: mupdateUser('extra'), password: CYRUS_PASSWORD.mupdate, timeout: 10_000 };
    return MupdateClient.connect({ address: this.rookery.address('MUPDATE'), ...account });
  }

  /** The rows of the directory, as MUPDATE tells them. */
  async rows(): Promise<Rows> {
    const client = await this.client();
    const { status, text, data } = await client.send('LIST');
    await client.logout();
    if (status !== 'OK') throw new Error(`the directory can't be listed: ${text}`);
    return new Map(
      data.map(({ name, state, location }): [string, Row] => {
        const [server = '', ...partition] = location.split('!');
        return [name, { state: state === 'active' ? 'active' : 'reserved', server, partition: partition.join('!') }];
      }),
    );
  }

  /** What a backend really has, deleted mailboxes that it still keeps included; whether it runs or not. */
  async holdings(name: Backend): Promise<Rows> {
    return this.#dump(name);
  }

  /** What the frontend goes by. */
  async frontendView(): Promise<Rows> {
    return this.#dump('frontend');
  }

  async #dump(name: Backend | 'frontend'): Promise<Rows> {
    const { code, stdout, stderr } = await this.cyrus.node(name).run('ctl_mboxlist', '-d');
    if (code !== 0) throw new Error(`${name}: ctl_mboxlist -d ended with ${code}: ${stderr}`);
    return rowsInDump(name, stdout);
  }

  /** The Message-IDs in a user's INBOX, at whichever backends have it. */
  async messageIds(mailbox: string): Promise<Set<string>> {
    const ids = new Set<string>();
    for (const name of this.backends) {
      if (!(await this.holdings(name)).has(mailbox)) continue;
      const lines = await this.#asOwner(name, mailbox).catch(() => this.#asAdmin(name, mailbox));
      for (const line of lines) {
        const id = /Message-ID: <([^>]*)>/i.exec(line)?.[1];
        if (id !== undefined) ids.add(id);
      }
    }
    return ids;
  }

  /** The owner needs no rights to be given; but of a RENAME that was cut the ACL may still name the old one. */
  async #asOwner(name: Backend, mailbox: string): Promise<string[]> {
    const owner = this.imapName(mailbox).replace(/^user[./]/, '');
    const imap = await ImapClient.connect(this.cyrus.node(name).imap);
    try {
      await imap.login('mailproxy', CYRUS_PASSWORD.mailproxy, owner);
      return await idLines(imap, 'INBOX');
    } finally {
      imap.close();
    }
  }

  #asAdmin(name: Backend, mailbox: string): Promise<string[]> {
    return this.admin(name, (imap) => idLines(imap, this.imapName(mailbox)));
  }

  /** What the frontend lists by IMAP, by the names that IMAP has for it. */
  async listedByFrontend(): Promise<Set<string>> {
    const lines = await this.admin('frontend', (imap) => imap.ok('LIST "" *'));
    return new Set(lines.map((line) => /^LIST \([^)]*\) "." "?([^"]*)/.exec(line)?.[1] ?? line));
  }
}

async function idLines(imap: ImapClient, literal: string): Promise<string[]> {
  await imap.ok('EXAMINE ', { literal });
  return imap.ok('UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]');
}

/** A name in double quotes goes as a literal, so that it may hold anything but a quote. */
function asLiteral(part: string, at: number, parts: readonly string[]): string | { literal: string } {
  return parts[at - 1] === '"' && parts[at + 1] === '"' ? { literal: part } : part.replaceAll('"', '');
}

/** The Message-ID of one of the messages that a mailbox was made with. */
export function bulkId(at: number): string {
  return `bulk.${at}@test`;
}

function bulk(at: number): string {
  return `From: bulk@example.net\r\nMessage-ID: <${bulkId(at)}>\r\nSubject: bulk\r\n\r\n${'x'.repeat(70)}\r\n`.concat(
    `${'y'.repeat(70)}\r\n`.repeat(20),
  );
}

function backendsOf({ more = [] }: MurderOptions): Backend[] {
  return [...BACKENDS, ...more];
}

function configuration(cyrus: Cyrus, dotted: boolean, options: MurderOptions): object {
  const { directory = {}, sections = {} } = options;
  const lmtp = { virtdomains: dotted ? 'userid' : 'off', unixhierarchysep: dotted };
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const password = CYRUS_PASSWORD.mupdate;
  const users = {
    ...Object.fromEntries(backendsOf(options).map((server) => [mupdateUser(server), { password, server }])),
    [mupdateUser('frontend')]: { password, access: 'read' },
    [mupdateUser('extra')]: { password, admin: true },
  };
  const access = (address: Address, username: 'mailproxy' | 'cyrus') => ({
    ...{ ...address, username, password: CYRUS_PASSWORD[username] },
  });
  const backends = backendsOf(options).map((name) => {
    const node = cyrus.node(name);
    return [name, { lmtp: access(node.lmtp, 'mailproxy'), imap: access(node.imap, 'cyrus') }];
  });
  return {
    ...{
      servername: 'frontend',
      directory: { listen, users, ...directory },
      lmtp: { listen, ...lmtp },
      api: { listen: listen[0] },
    },
    backends: Object.fromEntries(backends) as object,
    ...sections,
  };
}

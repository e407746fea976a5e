// The backends this installation knows: their names, how to reach them, what they speak, and what operators say of them.
import type { Address } from '../listening/address.ts';
import { intakeOf, standingOf } from './lifecycle.ts';
import type { Intake, Standing, Word } from './lifecycle.ts';

export type { Address } from '../listening/address.ts';

/** TLS to a backend. */
export interface TlsAccess {
  /** From the first byte, or by STARTTLS before anything else is said. */
  mode: 'implicit' | 'starttls';
  /** The certificates of who may vouch for the backend, PEM; left out: the system's. */
  ca?: string;
  /** The name that its certificate must bear; left out: the backend's. */
  name?: string;
  /** Whether the certificate is looked at at all. */
  verify: boolean;
}

/** How to deliver to a backend by LMTP. */
export interface LmtpAccess {
  /** One or more, in the order in which they are tried. */
  addresses: readonly Address[];
  /** For AUTH PLAIN; both or neither. */
  username?: string;
  password?: string;
  /** Left out: none. */
  tls?: TlsAccess;
  /** The most connections one process keeps open to this backend at a time. */
  connections: number;
  /** The most messages that wait for one of them at a time, when all are in use. */
  waiting: number;
}

/** What the configuration says of a backend for the time being. */
export interface Flags {
  /** It is to be emptied: it gets no new users. Delivery to those it has goes on. */
  drain: boolean;
  /** Nothing is delivered to it: mail for its mailboxes is put off. */
  fence: boolean;
}

/** How to administer a backend by IMAP, as a user among its `admins` and in none of its virtual domains. */
export interface ImapAccess {
  host: string;
  port: number;
  username: string;
  password: string;
  /** The most room that is believed of it, in KiB; left out: any. */
  mostSpaceKiB?: number;
}

/** How much room a partition has, in KiB. */
export interface PartitionSpace {
  name: string;
  /** Partitions with the same one share their room; left out: a filesystem of its own. */
  filesystem?: string;
  availableKiB: number;
  totalKiB: number;
}

export interface Backend {
  /** The server part of locations: `mail1.example.org`. */
  name: string;
  /** Undefined when mail for it cannot be delivered from here. */
  lmtp: LmtpAccess | undefined;
  /** Undefined when it cannot be asked what it has: it has no IMAP server, or no administrator is known. */
  imap: ImapAccess | undefined;
  /** What the operator says of its room, in place of the backend. */
  space?: readonly PartitionSpace[];
  /**
   * Whether the backend pushes its own list of mailboxes by MUPDATE, as Cyrus does at its start: until it has,
   * absence is not proven. Rows of one that does not are written by placement or import, which is the truth for it.
   */
  mupdate: boolean;
  /** Left out: neither. */
  flags?: Partial<Flags>;
}

/** Read at each decision: what is replaced here holds from the next message on. */
export class Registry {
  #backends!: ReadonlyMap<string, Backend>;
  #words: ReadonlyMap<string, Word> = new Map();
  readonly #now: () => number;

  /** `now` in milliseconds since 1970. */
  constructor(backends: Iterable<Backend>, now: () => number = Date.now) {
    this.#now = now;
    this.replace(backends);
  }

  /** Other backends, or the same with other settings, in place of all that were known. */
  replace(backends: Iterable<Backend>): void {
    this.#backends = new Map(Array.from(backends, (backend) => [backend.name, backend]));
  }

  /** Hears what operators say, also of servers that are no backends (yet): of each the latest word holds. */
  hear(words: ReadonlyMap<string, Word>): void {
    const later = [...words].filter(([server, { at }]) => at > (this.#words.get(server)?.at ?? 0));
    this.#words = new Map([...this.#words, ...later]);
  }

  /** What operators have said, by server. */
  words(): ReadonlyMap<string, Word> {
    return this.#words;
  }

  /** How a server stands now: of the configuration and the operators' word whichever is stricter. */
  standing(server: string): Standing {
    return standingOf(this.#words.get(server), this.flags(server), this.#now());
  }

  /** What the configuration alone says of it. */
  flags(server: string): Flags {
    return { drain: false, fence: false, ...this.#backends.get(server)?.flags };
  }

  /** Whether nothing may be delivered to a server now. */
  isFenced(server: string): boolean {
    return this.standing(server).fenced;
  }

  /** Whom placement may send there. */
  intake(server: string): Intake {
    return intakeOf(this.standing(server));
  }

  /** The backend of a location's server part; undefined for a server this installation does not know. */
  find(server: string): Backend | undefined {
    return this.#backends.get(server);
  }

  all(): Backend[] {
    return [...this.#backends.values()];
  }

  /**
   * The servers that must have pushed before absence is proven. Where no backend is known nobody can have told of a
   * mailbox, and a name that nobody bears stands for whoever could.
   */
  pushing(): string[] {
    if (this.#backends.size === 0) return ['any backend'];
    return this.#names(true);
  }

  /** The servers that push nothing: nobody can tell of their mailboxes again when the directory has lost them. */
  silent(): string[] {
    return this.#names(false);
  }

  /** Who could tell of a mailbox that the directory does not have, and who could not. */
  witnesses(): { pushing: string[]; silent: string[] } {
    return { pushing: this.pushing(), silent: this.silent() };
  }

  #names(mupdate: boolean): string[] {
    return this.all()
      .filter((backend) => backend.mupdate === mupdate)
      .map((backend) => backend.name);
  }
}

/** Whether nobody can tell a backend anything, nor it the directory: it is in no Murder, and no administrator is known. */
export function isUntold(backend: Backend | undefined): boolean {
  return backend?.mupdate === false && !backend.imap;
}

/** An address as people write it: `127.0.0.1:24`, `[::1]:24`, or a path. */
export function addressText(address: Address): string {
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

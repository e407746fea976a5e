// The backends this installation knows: their names, how to reach them, and what they speak.

/** Where a listener is found: a TCP port, or a Unix socket. */
export type Address = { host: string; port: number } | { path: string };

/** How to deliver to a backend by LMTP. */
export interface LmtpAccess {
  address: Address;
  /** For AUTH PLAIN; both or neither. */
  username?: string;
  password?: string;
  /** The most connections one process keeps open to this backend at a time. */
  connections: number;
}

/** How to administer a backend by IMAP, as a user among its `admins` and in none of its virtual domains. */
export interface ImapAccess {
  host: string;
  port: number;
  username: string;
  password: string;
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
}

export class Registry {
  readonly #backends: ReadonlyMap<string, Backend>;

  constructor(backends: Iterable<Backend>) {
    this.#backends = new Map(Array.from(backends, (backend) => [backend.name, backend]));
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

/** An address as people write it: `127.0.0.1:24`, `[::1]:24`, or a path. */
export function addressText(address: Address): string {
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

// From a recipient's address to what becomes of it, keeping the facts of each step for whoever wants to know why.
import type { Path } from '../address/path.ts';
import { targetOf, type RecipientSettings, type Target } from '../address/recipient.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { finding, type Finding, type Witnesses } from '../directory/freshness.ts';
import { decide, firstMail, unasked, unknown, type Decision } from './routing.ts';

/** The way of one recipient; what was not reached is undefined. */
export interface Route {
  path: Path;
  target: Target;
  /** The row of the mailbox. */
  entry: Entry | undefined;
  /** What the absence of a row is worth. */
  finding: Finding | undefined;
  /** Why the directory could not be asked. */
  failure: string | undefined;
  decision: Decision;
}

/** What the recipients of one message share while it is held for mailboxes that are being made: one for each message. */
export interface Hold {
  /** Aborted when the client is gone: nobody more is made for it. */
  readonly signal: AbortSignal;
  /** Until when the message may be held, in milliseconds of performance.now(); set by the first recipient that is held. */
  until?: number;
  /** Nobody could be ordered: it is not tried again for this message, or each of many recipients would wait for that. */
  failed?: boolean;
}

/** Makes the mailboxes of users at their first message, where an operator wants that. */
export interface Autocreate {
  /** Whether a first message makes a mailbox of this name. */
  wants(mailbox: Bytes): boolean;
  /** Orders it. Resolves to whether it may be there by now; it may take as long as the message may be held. Never rejects. */
  make(mailbox: Bytes, hold: Hold): Promise<boolean>;
}

export class Router {
  readonly #directory: Pick<Directory, 'lookup'>;
  readonly #registry: Registry;
  readonly #settings: RecipientSettings;
  readonly #witnesses: Witnesses;
  readonly #autocreate: Autocreate | undefined;

  /** The directory rejects what it can't answer in time, and soon (near-cache.ts): a message may have many recipients. */
  constructor(
    directory: Pick<Directory, 'lookup'>,
    registry: Registry,
    settings: RecipientSettings,
    autocreate?: Autocreate,
  ) {
    this.#autocreate = autocreate;
    this.#directory = directory;
    this.#registry = registry;
    this.#settings = settings;
    this.#witnesses = registry.witnesses();
  }

  /**
   * Never rejects: what cannot be found out is a reason to put the recipient off. Without `hold`, that of the message, no
   * mailbox is made.
   */
  async route(path: Path, hold?: Hold): Promise<Route> {
    const asked = Date.now();
    const target = targetOf(path, this.#settings);
    const none = { path, target, entry: undefined, finding: undefined, failure: undefined };
    if (target.mailbox === '') return { ...none, decision: unknown };
    try {
      const route = { ...none, ...(await this.#found(target, asked)) };
      if (route.decision !== firstMail || !hold) return route;
      if (!(await this.#autocreate?.make(target.mailbox, hold))) return route;
      return { ...none, ...(await this.#found(target, Date.now())) };
    } catch (error) {
      return { ...none, failure: (error as Error).message, decision: unasked };
    }
  }

  async #found({ mailbox, shared }: Target, asked: number): Promise<Pick<Route, 'entry' | 'finding' | 'decision'>> {
    const lookup = await this.#directory.lookup([mailbox]);
    const [[entry], [concern]] = [lookup.entries, lookup.concerns];
    const autocreate = !shared && this.#autocreate?.wants(mailbox) === true;
    const facts = { names: [mailbox], lookup, witnesses: this.#witnesses, asked, autocreate };
    const found = finding({ ...facts, now: Date.now() });
    return { entry, finding: found, decision: decide(entry, found, concern, this.#reachable, this.#isFenced) };
  }

  readonly #reachable = (server: Bytes): boolean => this.#registry.find(server)?.lmtp !== undefined;

  readonly #isFenced = (server: Bytes): boolean => this.#registry.isFenced(server);
}

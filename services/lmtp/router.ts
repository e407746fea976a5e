// From a recipient's address to what becomes of it, keeping the facts of each step for whoever wants to know why.
import { closest, domainOf, folded, nearRoot } from '../address/fuzzy-match.ts';
import type { Path } from '../address/path.ts';
import { catchAllTarget, nearTarget, noneNear, targetOf } from '../address/recipient.ts';
import type { FallbackSettings, RecipientSettings, Target } from '../address/recipient.ts';
import type { Registry } from '../backends/registry.ts';
import { accessOf } from '../directory/access.ts';
import type { Lookup } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { distrust, finding, longestProof, whyNotForGood } from '../directory/freshness.ts';
import type { Finding, Witnesses } from '../directory/freshness.ts';
import type { RoutingDirectory } from '../directory/patience.ts';
import { decide, firstMail, isPassing, mayNotPost, unasked, unknown, unproven, type Decision } from './routing.ts';

/** One mailbox that an address may mean, and what was found; what was not reached is undefined. */
export interface Look {
  target: Target;
  /** The row of the mailbox. */
  entry: Entry | undefined;
  /** What the absence of a row is worth. */
  finding: Finding | undefined;
  /** Why the directory could not be asked. */
  failure: string | undefined;
  decision: Decision;
}

/** The way of one recipient: the look that decides, and all that there were, in their order. */
export interface Route extends Look {
  path: Path;
  tried: readonly Look[];
}

export interface RouteOptions {
  /**
   * Who posts: the user of MAIL's AUTH=, or `anonymous`. Undefined where nobody does: then a shared folder is refused only
   * when it takes mail from nobody.
   */
  poster?: Bytes | undefined;
  /** That of the message. Without it no mailbox is made. */
  hold?: Hold;
}

/** What the recipients of one message share while it is held for their mailboxes: one for each message. */
export interface Hold {
  /** Aborted when the client is gone: nobody more is made for it. */
  readonly signal: AbortSignal;
  /** Until when the message may be held, in milliseconds of performance.now(); set by the first recipient that is held. */
  until?: number;
  /** The same for mailboxes that are being moved, or are in the midst of a change. */
  passing?: number;
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

/** How mail is held for a mailbox that can't have it at the moment. */
export interface HoldSettings {
  /** For how many seconds at most, for all recipients of a message together; 0 or left out: it is put off at once. */
  hold?: number;
}

type RouterSettings = RecipientSettings & FallbackSettings & HoldSettings;

/** What passes is looked at again so often, in milliseconds, if no change is heard of: a lease may end in silence. */
const lookEvery = 500;

export class Router {
  readonly #directory: RoutingDirectory;
  readonly #registry: Registry;
  readonly #settings: RouterSettings;
  readonly #witnesses: Witnesses;
  readonly #autocreate: Autocreate | undefined;
  readonly #catchAll: Target | undefined;

  /** The directory rejects what it can't answer in time, and soon (near-cache.ts): a message may have many recipients. */
  constructor(directory: RoutingDirectory, registry: Registry, settings: RouterSettings, autocreate?: Autocreate) {
    this.#autocreate = autocreate;
    this.#directory = directory;
    this.#registry = registry;
    this.#settings = settings;
    this.#witnesses = registry.witnesses();
    this.#catchAll = catchAllTarget(settings);
  }

  /**
   * Never rejects: what cannot be found out is a reason to put the recipient off. Each mailbox that the address may mean is
   * looked at in its turn, as long as those before it are refused: what is put off is not given to somebody else. Given at
   * once where the row is remembered and the mail can go there, as nearly all can.
   */
  route(path: Path, options: RouteOptions = {}): Route | Promise<Route> {
    const target = targetOf(path, this.#settings);
    const look = this.#rememberedLook(target, options);
    return look ? { ...look, path, tried: [look] } : this.#ask(target, path, options);
  }

  #rememberedLook(target: Target, { poster }: RouteOptions): Look | undefined {
    const asked = Date.now();
    const lookup = this.#directory.remembered([target.mailbox]);
    const look = lookup && this.#seen(target, lookup, asked);
    return look?.decision.action === 'deliver' && this.#mayPost(look, poster) ? look : undefined;
  }

  async #ask(target: Target, path: Path, options: RouteOptions): Promise<Route> {
    const asked = Date.now();
    let look = await this.#look(target, options);
    const tried = [look];
    if (this.#settings.lmtp_fuzzy_mailbox_match === true && isMissingFolder(look)) {
      look = await this.#near(look, path, options);
      tried.push(look);
    }
    if (this.#catchAll && look.decision.action === 'reject') {
      const caught = await this.#look(this.#catchAll, options);
      tried.push(caught);
      // Whoever sends to nobody is told of the mailbox that he has named, not of this one.
      if (caught.decision.action !== 'reject') look = caught;
    }
    // The first proof must not be too old when the last one is there.
    const late = look.decision.action === 'reject' && tried.length > 1 && Date.now() - asked > longestProof;
    return { ...look, path, tried, ...(late && { decision: unproven }) };
  }

  /** Whether the mailbox is surely where it was: known without a question. */
  stands({ target, entry }: Look): boolean {
    const known = this.#directory.known(target.mailbox);
    return known !== undefined && known.version === entry?.version;
  }

  async #look(target: Target, options: RouteOptions): Promise<Look> {
    const none = { target, entry: undefined, finding: undefined, failure: undefined };
    if (target.mailbox === '') return { ...none, decision: unknown };
    try {
      const look = await this.#passed(await this.#found(target, options), options);
      if (look.decision !== firstMail || !options.hold) return look;
      if (!(await this.#autocreate?.make(target.mailbox, options.hold))) return look;
      return await this.#found(target, options);
    } catch (error) {
      return { ...none, failure: (error as Error).message, decision: unasked };
    }
  }

  /** What is moved, made or renamed just now is looked at again, as long as the message may be held for it. */
  async #passed(found: Look, options: RouteOptions): Promise<Look> {
    const { hold } = options;
    const most = 1000 * (this.#settings.hold ?? 0);
    let look = found;
    while (hold && most > 0 && isPassing(look.decision) && !hold.signal.aborted) {
      hold.passing ??= performance.now() + most;
      const left = hold.passing - performance.now();
      if (left <= 0) break;
      await this.#directory.changed(look.target.mailbox, Math.min(left, lookEvery));
      look = await this.#found(look.target, options);
    }
    return look;
  }

  /** A row that is remembered is as good as the directory's, but not to refuse somebody by: that needs a read of its own. */
  async #found(target: Target, { poster }: RouteOptions): Promise<Look> {
    const asked = Date.now();
    const remembered = this.#seen(target, await this.#directory.lookup([target.mailbox]), asked);
    if (this.#mayPost(remembered, poster)) return remembered;
    const lookup = await this.#directory.fresh([target.mailbox]);
    const look = this.#seen(target, lookup, asked);
    if (this.#mayPost(look, poster)) return look;
    const facts = { names: [target.mailbox], witnesses: this.#witnesses, asked, now: Date.now() };
    const why = whyNotForGood(lookup, facts);
    if (why !== undefined) return { ...look, failure: why, decision: unproven };
    return { ...look, decision: mayNotPost(accessOf(look.entry?.acl ?? '', poster)) };
  }

  #seen(target: Target, lookup: Lookup, asked: number): Look {
    const { mailbox, shared } = target;
    const [[entry], [concern]] = [lookup.entries, lookup.concerns];
    const autocreate = !shared && this.#autocreate?.wants(mailbox) === true;
    const facts = { names: [mailbox], lookup, witnesses: this.#witnesses, asked, autocreate };
    const found = finding({ ...facts, now: Date.now() });
    const decision = decide(entry, found, concern, this.#reachable, this.#isFenced);
    return { target, entry, finding: found, failure: undefined, decision };
  }

  /** A server that does not speak MUPDATE has not told who may: it is asked by delivering there. */
  #mayPost({ target, entry, decision }: Look, poster: Bytes | undefined): boolean {
    if (!target.shared || !entry || decision.action !== 'deliver') return true;
    if (this.#registry.find(decision.server)?.mupdate !== true) return true;
    return accessOf(entry.acl, poster).may;
  }

  /** The shared folder whose name is closest to one that is proven not to be there. */
  async #near(missing: Look, path: Path, options: RouteOptions): Promise<Look> {
    const { mailbox } = missing.target;
    const root = nearRoot(mailbox);
    const target = noneNear(missing.target);
    try {
      const { names, standing } = await this.#directory.nearby(domainOf(mailbox), (name) => folded(name) === root);
      const name = closest(mailbox, names);
      if (name !== undefined) return await this.#look(nearTarget(missing.target, path, name, this.#settings), options);
      const doubt = distrust(standing, this.#witnesses);
      if (doubt === undefined) return { ...missing, target };
      return { ...missing, target, finding: { found: false, proven: false, reason: doubt }, decision: unproven };
    } catch (error) {
      return { ...missing, target, failure: (error as Error).message, decision: unasked };
    }
  }

  readonly #reachable = (server: Bytes): boolean => this.#registry.find(server)?.lmtp !== undefined;

  readonly #isFenced = (server: Bytes): boolean => this.#registry.isFenced(server);
}

function isMissingFolder({ target, decision }: Look): boolean {
  return target.shared && target.mailbox !== '' && decision === unknown;
}

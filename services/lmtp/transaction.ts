// One message through the proxy, told as a story: recipients are routed, backends offered it, replies gathered, outcomes told.
import type { Bytes } from '../directory/entry.ts';
import type { Outcome } from '../logging/outcome.ts';
import type { BackendPools } from './backend-pool.ts';
import type { Branch, BranchOptions, BranchOwner } from './branch.ts';
import { Delivery } from './delivery.ts';
import type { Stop } from './envelope.ts';
import { FanOut } from './fan-out.ts';
import type { MemoryLimit } from './memory-limit.ts';
import { MessageDigest } from './message-digest.ts';
import type {
  Abort,
  MailTransaction,
  MessageHandler,
  MessageSink,
  Recipient,
  Sender,
  SessionFacts,
} from './message-handler.ts';
import { posterOf } from './poster.ts';
import { outcomeOf, type Told } from './outcome-of.ts';
import { clientLost, localError, recipientOk } from './reply-codes.ts';
import { isPositive, type Reply } from './reply.ts';
import type { Hold, Route, Router } from './router.ts';
import type { BackendSettings } from './settings.ts';
import type { Spool } from './spool.ts';
import { receivedLine } from './trace.ts';
import { uniqueId } from './unique-id.ts';
import { replyFrom, replyText, type UnheardStore } from './unheard-replies.ts';

export interface ProxyOptions {
  /** The name in Received lines. */
  servername: string;
  router: Pick<Router, 'route' | 'stands'>;
  pools: BackendPools;
  settings: BackendSettings;
  /** What all messages together may hold. */
  memory: MemoryLimit;
  spool: Spool;
  unheard: UnheardStore;
  /** Told of each recipient whose message its backend has taken, as soon as that is known. Must not throw. */
  delivered?: ((mailbox: Bytes, server: Bytes) => void) | undefined;
  /** Told once for each RCPT, when its last reply is known. Must not throw. */
  report: (outcome: Outcome) => void;
  /** A server does not know a mailbox that the directory places there. Must not throw, and is not waited for. */
  contradicted: (mailbox: Bytes, server: Bytes) => void;
}

/** What stands behind the listener of a frontend. */
export class Proxy implements MessageHandler {
  readonly #options: ProxyOptions;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  begin(sender: Sender, session: SessionFacts): MailTransaction {
    return new Transaction(this.#options, sender, session);
  }
}

/** A recipient that was accepted: it will be handed to `server`. */
interface Accepted {
  route: Route;
  recipient: Recipient;
  server: Bytes;
  begun: number;
}

class Transaction implements MailTransaction, MessageSink, BranchOwner {
  readonly #id = uniqueId();
  readonly #options: ProxyOptions;
  readonly #sender: Sender;
  readonly #session: SessionFacts;
  readonly #delivery = new Delivery<Accepted>();
  readonly #hold: Hold;
  #fanOut: FanOut | undefined;
  /** Pending while it is looked again where the mailboxes are. */
  #beginning: Promise<void> | undefined;
  #aborted = false;
  /** Undefined while nothing could be remembered. */
  #digest: MessageDigest | undefined;
  #octets = 0;
  /** The final dot was read. */
  #whole = false;
  readonly #remembered = new Set<number>();

  constructor(options: ProxyOptions, sender: Sender, session: SessionFacts) {
    this.#options = options;
    this.#sender = sender;
    this.#session = session;
    this.#hold = { signal: session.gone };
  }

  recipient(recipient: Recipient): Reply | Promise<Reply> {
    const begun = performance.now();
    const route = this.#route(recipient);
    if (route instanceof Promise) return route.then((late) => this.#routed(recipient, late, begun));
    return this.#routed(recipient, route, begun);
  }

  #routed(recipient: Recipient, route: Route, begun: number): Reply {
    const { decision } = route;
    if (decision.action === 'deliver') {
      this.#delivery.add({ route, recipient, server: decision.server, begun });
      return recipientOk;
    }
    this.#tell({ route, reply: decision.reply, reason: decision.reason, begun });
    return decision.reply;
  }

  #route({ path }: Recipient): Route | Promise<Route> {
    return this.#options.router.route(path, { poster: posterOf(this.#sender), hold: this.#hold });
  }

  data(): MessageSink {
    const { router } = this.#options;
    if (this.#delivery.recipients.every(({ route }) => router.stands(route))) this.#begin();
    else this.#beginning = this.#lookAgain();
    return this;
  }

  /**
   * A mailbox may have moved since RCPT. Where that can't be found out now, nothing goes to where it was then: whoever has
   * moved it waited for us no longer than the routing lease, and what is remembered within its bounds was found.
   */
  async #lookAgain(): Promise<void> {
    const looks = this.#delivery.recipients.map(async (accepted, slot) => {
      if (this.#options.router.stands(accepted.route)) return;
      const route = await this.#route(accepted.recipient);
      accepted.route = route;
      if (route.decision.action === 'deliver') accepted.server = route.decision.server;
      else this.#delivery.settle(slot, route.decision.reply);
    });
    await Promise.all(looks);
    this.#beginning = undefined;
    if (!this.#aborted) this.#begin();
  }

  #begin(): void {
    const { key } = this.#options.unheard;
    if (key !== undefined) this.#digest = new MessageDigest(key);
    this.#fanOut = new FanOut(this.#branches(), this.#options);
  }

  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#beginning) return this.#beginning.then(() => this.write(chunk));
    this.#octets += chunk.length;
    this.#digest?.update(chunk);
    return this.#fanOut?.write(chunk);
  }

  async end(last: Buffer | undefined): Promise<readonly Reply[]> {
    if (this.#beginning) await this.#beginning;
    if (last !== undefined) {
      this.#octets += last.length;
      this.#digest?.update(last);
    }
    this.#whole = true;
    // What one backend has taken is not left at risk until the others have answered, where nobody waits any more.
    const { gone } = this.#session;
    const left = (): void => {
      this.unheard();
    };
    gone.addEventListener('abort', left);
    const ended = this.#fanOut?.end(last);
    for (const branch of this.#all) if (branch.isHeld) void this.#replay(branch);
    await ended;
    gone.removeEventListener('abort', left);
    const replies = this.#delivery.replies(localError);
    this.#tellAll(replies, 'backend');
    return replies;
  }

  abort(why: Abort, told: Reply = clientLost): void {
    this.#aborted = true;
    this.#fanOut?.abort();
    this.#tellAll(
      this.#delivery.recipients.map(() => told),
      why,
    );
  }

  reset(): void {
    // The MTA has thought better of it (or only asked whether the recipient exists): there is no outcome.
  }

  /** What the backends have taken is remembered, for the MTA will bring it again. */
  unheard(): void {
    for (const [slot, reply] of this.#delivery.replies(localError).entries()) {
      if (isPositive(reply)) this.#remember(slot, reply);
    }
  }

  settle(slot: number, reply: Reply): void {
    if (!this.#delivery.settle(slot, reply) || !isPositive(reply)) return;
    this.#tellDelivered(slot);
    if (this.#whole && this.#session.gone.aborted) this.#remember(slot, reply);
  }

  late(slot: number, reply: Reply): void {
    this.#tellDelivered(slot);
    this.#remember(slot, reply);
  }

  /** Here, and not where replies are told: the MTA may be lost by then, and the backend has the message all the same. */
  #tellDelivered(slot: number): void {
    const accepted = this.#delivery.recipients[slot];
    if (accepted) this.#options.delivered?.(accepted.route.target.mailbox, accepted.server);
  }

  contradicted(slot: number): void {
    const accepted = this.#delivery.recipients[slot];
    if (accepted) this.#options.contradicted(accepted.route.target.mailbox, accepted.server);
  }

  #remember(slot: number, reply: Reply): void {
    const accepted = this.#delivery.recipients[slot];
    if (accepted === undefined || this.#digest === undefined || this.#remembered.has(slot)) return;
    this.#remembered.add(slot);
    const [from, to] = [this.#sender.path.raw, accepted.recipient.path.raw];
    this.#options.unheard.keep(from, to, this.#digest.value(), replyText(reply));
  }

  /**
   * Recipients that may have this message already: those that do are told what the backend said then, once for each time
   * that it said so; the others are delivered to now.
   */
  async #replay(branch: Branch): Promise<void> {
    const digest = this.#digest?.value();
    for (const { slot } of digest === undefined ? [] : branch.stops) {
      const to = this.#delivery.recipients[slot]?.recipient.path.raw ?? '';
      const text = await this.#options.unheard.take(this.#sender.path.raw, to, digest ?? '');
      const reply = text === undefined ? undefined : replyFrom(text);
      if (reply !== undefined) branch.settle(slot, reply);
    }
    branch.release();
  }

  get #all(): readonly Branch[] {
    return this.#fanOut?.branches ?? [];
  }

  #branches(): BranchOptions[] {
    const { pools, settings, servername, memory } = this.#options;
    const { mtaQueueId, xforward, traceId } = this.#session;
    const trace = receivedLine(this.#session, servername, this.#id, new Date());
    const origin = { mtaQueueId, xforward, traceId: traceId === '' ? this.#id : traceId };
    const shared = { sender: this.#sender, origin, trace, pools, settings, memory, owner: this };
    const maybeTaken = (stop: Stop) => this.#maybeTaken(stop.slot);
    return Array.from(this.#stopsByServer(), ([server, stops]) => {
      const held = stops.some(maybeTaken);
      if (!held) return [{ ...shared, server, stops, held }];
      return [true, false].flatMap((held) => {
        const some = stops.filter((stop) => maybeTaken(stop) === held);
        return some.length === 0 ? [] : [{ ...shared, server, stops: some, held }];
      });
    }).flat();
  }

  #maybeTaken(slot: number): boolean {
    const accepted = this.#delivery.recipients[slot];
    if (accepted === undefined || this.#digest === undefined) return false;
    return this.#options.unheard.mayHave(this.#sender.path.raw, accepted.recipient.path.raw);
  }

  #stopsByServer(): Map<Bytes, Stop[]> {
    const stops = new Map<Bytes, Stop[]>();
    this.#delivery.recipients.forEach(({ route, recipient, server }, slot) => {
      if (!this.#delivery.isOpen(slot)) return;
      const stop = { slot, path: route.target.deliverAs, ignoreQuota: recipient.ignoreQuota };
      const others = stops.get(server);
      if (others === undefined) stops.set(server, [stop]);
      else others.push(stop);
    });
    return stops;
  }

  #tellAll(replies: readonly Reply[], reason: string): void {
    const times = new Map(this.#all.map((branch) => [branch.server, branch.times]));
    this.#delivery.recipients.forEach(({ route, server, begun }, slot) => {
      const reply = replies[slot] ?? localError;
      const { decision } = route;
      const why = decision.action === 'deliver' ? reason : decision.reason;
      this.#tell({ route, reply, reason: why, begun, server, times: times.get(server), octets: this.#octets });
    });
  }

  #tell(told: Told): void {
    this.#options.report(outcomeOf(told, this.#id, this.#sender, this.#session));
  }
}

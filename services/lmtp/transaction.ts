// One message through the proxy, told as a story: recipients are routed, backends offered it, replies gathered, outcomes told.
import type { Bytes } from '../directory/entry.ts';
import type { Outcome } from '../logging/outcome.ts';
import type { BackendPools } from './backend-pool.ts';
import type { Branch, BranchOptions, Stop } from './branch.ts';
import { Delivery } from './delivery.ts';
import { FanOut } from './fan-out.ts';
import type {
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
import { isPositive } from './reply.ts';
import type { Reply } from './reply.ts';
import type { Route, Router } from './router.ts';
import type { BackendSettings } from './settings.ts';
import { receivedLine } from './trace.ts';
import { uniqueId } from './unique-id.ts';

export interface ProxyOptions {
  /** The name in Received lines. */
  servername: string;
  router: Pick<Router, 'route'>;
  pools: BackendPools;
  settings: BackendSettings;
  /** Told of each recipient whose message its backend has taken, as soon as that is known. Must not throw. */
  delivered?: ((mailbox: Bytes, server: Bytes) => void) | undefined;
  /** Told once for each RCPT, when its last reply is known. Must not throw. */
  report: (outcome: Outcome) => void;
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

class Transaction implements MailTransaction {
  readonly #id = uniqueId();
  readonly #options: ProxyOptions;
  readonly #sender: Sender;
  readonly #session: SessionFacts;
  readonly #delivery = new Delivery<Accepted>();
  #octets = 0;

  constructor(options: ProxyOptions, sender: Sender, session: SessionFacts) {
    this.#options = options;
    this.#sender = sender;
    this.#session = session;
  }

  async recipient(recipient: Recipient): Promise<Reply> {
    const begun = performance.now();
    const route = await this.#options.router.route(recipient.path, { poster: posterOf(this.#sender) });
    const { decision } = route;
    if (decision.action === 'deliver') {
      this.#delivery.add({ route, recipient, server: decision.server, begun });
      return recipientOk;
    }
    this.#tell({ route, reply: decision.reply, reason: decision.reason, begun });
    return decision.reply;
  }

  data(): MessageSink {
    const fanOut = new FanOut(this.#branches());
    return {
      write: (chunk) => {
        this.#octets += chunk.length;
        return fanOut.write(chunk);
      },
      end: async (last) => {
        this.#octets += last?.length ?? 0;
        await fanOut.end(last);
        const replies = this.#delivery.replies(localError);
        this.#tellAll(replies, 'backend', fanOut.branches);
        return replies;
      },
      abort: (why, told = clientLost) => {
        fanOut.abort();
        const replies = this.#delivery.recipients.map(() => told);
        this.#tellAll(replies, why, fanOut.branches);
      },
    };
  }

  reset(): void {
    // The MTA has thought better of it (or only asked whether the recipient exists): there is no outcome.
  }

  #branches(): BranchOptions[] {
    const { pools, settings, servername } = this.#options;
    const trace = receivedLine(this.#session, servername, this.#id, new Date());
    const settle = (slot: number, reply: Reply): void => void this.#delivery.settle(slot, reply);
    return Array.from(this.#stopsByServer(), ([server, stops]) => {
      return { server, stops, sender: this.#sender, trace, pools, settings, settle };
    });
  }

  #stopsByServer(): Map<Bytes, Stop[]> {
    const stops = new Map<Bytes, Stop[]>();
    this.#delivery.recipients.forEach(({ route, recipient, server }, slot) => {
      const stop = { slot, path: route.target.deliverAs, ignoreQuota: recipient.ignoreQuota };
      const others = stops.get(server);
      if (others === undefined) stops.set(server, [stop]);
      else others.push(stop);
    });
    return stops;
  }

  #tellAll(replies: readonly Reply[], reason: string, branches: readonly Branch[]): void {
    const times = new Map(branches.map((branch) => [branch.server, branch.times]));
    this.#delivery.recipients.forEach(({ route, server, begun }, slot) => {
      const reply = replies[slot] ?? localError;
      this.#tell({ route, reply, reason, begun, server, times: times.get(server), octets: this.#octets });
    });
  }

  #tell(told: Told): void {
    const { reply, server, route } = told;
    if (server !== undefined && isPositive(reply)) this.#options.delivered?.(route.target.mailbox, server);
    this.#options.report(outcomeOf(told, this.#id, this.#sender, this.#session));
  }
}

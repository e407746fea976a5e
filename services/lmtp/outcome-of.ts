// What is written in the mail log for one recipient.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Outcome } from '../logging/outcome.ts';
import type { BranchTimes } from './branch.ts';
import type { Sender, SessionFacts } from './message-handler.ts';
import { isPermanent, isPositive, plainText, type Reply } from './reply.ts';
import type { Route } from './router.ts';

/** A recipient, and what the MTA was told. */
export interface Told {
  route: Route;
  reply: Reply;
  /** Why, where it was not delivered. */
  reason: string;
  /** When RCPT came, in the milliseconds of `performance.now()`. */
  begun: number;
  server?: Bytes;
  times?: BranchTimes | undefined;
  octets?: number;
}

export function outcomeOf(told: Told, transaction: string, sender: Sender, session: SessionFacts): Outcome {
  const { route, reply, server, times, octets } = told;
  const { deliverAs, mailbox } = route.target;
  const now = performance.now();
  const delivered = isPositive(reply);
  return {
    ...(session.mtaQueueId !== '' && { mta_queue_id: readable(session.mtaQueueId) }),
    session: session.id,
    transaction,
    from: sender.path.raw === '' ? '<>' : readable(sender.path.raw),
    to: readable(deliverAs),
    ...(deliverAs !== route.path.raw && { orig_to: readable(route.path.raw) }),
    ...(mailbox !== '' && { mailbox: readable(mailbox) }),
    ...(server !== undefined && { backend: readable(server) }),
    code: reply.code,
    dsn: reply.enhanced,
    text: readable(plainText(reply)),
    outcome: delivered ? 'delivered' : isPermanent(reply) ? 'rejected' : 'deferred',
    ...(!delivered && { reason: told.reason, ...doubtOf(route) }),
    delay_ms: rounded(now - told.begun),
    ...(times !== undefined && delays(times, now)),
    ...(octets !== undefined && { bytes: octets }),
    tls: session.tls,
  };
}

/** Why absence was not believed, or could not be asked about. */
function doubtOf({ finding, failure }: Route): Pick<Outcome, 'why'> {
  if (failure !== undefined) return { why: failure };
  return finding?.found === false && !finding.proven ? { why: finding.reason } : {};
}

function delays(times: BranchTimes, now: number): Pick<Outcome, 'connect_ms' | 'send_ms' | 'reply_ms'> {
  const { begun, connected, sent, answered } = times;
  if (connected === 0) return { connect_ms: rounded(now - begun) };
  const connect_ms = rounded(connected - begun);
  if (sent === 0) return { connect_ms, send_ms: rounded((answered === 0 ? now : answered) - connected) };
  return {
    connect_ms,
    send_ms: rounded(sent - connected),
    reply_ms: rounded((answered === 0 ? now : answered) - sent),
  };
}

/** A tenth of a millisecond is more than anybody wants to know. */
function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

// What became of a load of mail: nothing lost, nobody bounced, and a reason on record for each message that came twice.
import type { Relayed } from './lmtp-relay.ts';
import type { Attempt, Message } from './mail-load.ts';
import type { Stored } from './recording-backend.ts';

/** Something that was done on purpose; times in milliseconds since 1970. */
export interface Fault {
  target: string;
  kind: string;
  from: number;
  to: number;
}

/** When a mailbox was made: asked for, and there. */
export interface Birth {
  asked: number;
  there: number;
}

type Explain = (message: Message, one: Taken, later: Taken | undefined) => string | undefined;

/** What holds a target up. */
const slow = /^(?:stop|hold|dribble)/;

/** What is done at once takes less, in milliseconds, on a busy machine. */
const atOnce = 2_000;

type Taken = Stored & { backend: string };

export interface Evidence {
  messages: readonly Message[];
  stored: readonly Taken[];
  connections: readonly Relayed[];
  faults: readonly Fault[];
  /** Whether there was a mailbox at all times. */
  always: (rcpt: string) => boolean;
  births: ReadonlyMap<string, Birth>;
  /** How long a proxy goes on that is told to end, in milliseconds. */
  grace: number;
}

export interface Verdict {
  /** 250 was heard more often than any backend has the message. */
  lost: string[];
  /** 5xx was heard though there was a mailbox. */
  bounced: string[];
  /** Accepted without a mailbox. */
  invented: string[];
  /** Not what the MTA sent, or for whom it did. */
  damaged: string[];
  /** Delivered once too often, by the reason; and those without one. */
  twice: Map<string, number>;
  unexplained: string[];
  /** Taken by a backend unheard by the MTA, and not delivered again. */
  spared: number;
}

/** Redis answers again some time after it is there again: the longest pause between two attempts to reach it, and one command. */
const redisSlow = 4_000;

/** What is known to all, or done by all, a moment later: in milliseconds, on a busy machine. */
const aMoment = 300;

export function audit(evidence: Evidence): Verdict {
  const verdict: Verdict = {
    ...{ lost: [], bounced: [], invented: [], damaged: [], unexplained: [] },
    ...{ twice: new Map(), spared: 0 },
  };
  const inOrder = evidence.stored.toSorted((one, other) => one.at - other.at);
  const stored = Map.groupBy(inOrder, ({ id }) => id);
  const known = new Map(evidence.messages.map((message) => [message.id, message]));
  for (const { id, hash, backend } of evidence.stored) {
    if (known.get(id)?.hash !== hash) verdict.damaged.push(`${id} at ${backend}`);
  }
  const explain = explainer(evidence);
  for (const message of evidence.messages) {
    judgeReplies(message, evidence, verdict);
    for (const rcpt of new Set(message.rcpts)) {
      judgeCopies(message, rcpt, stored.get(message.id) ?? [], { explain, evidence }, verdict);
    }
  }
  return verdict;
}

function judgeReplies(message: Message, { always, births }: Evidence, verdict: Verdict): void {
  for (const attempt of message.attempts) {
    for (const { rcpt, code, text, accepted } of attempt.slots) {
      const birth = births.get(rcpt);
      const what = `${message.id} for ${rcpt} by ${attempt.session} at ${time(attempt.begun)}: ${text}`;
      if (code >= 500 && (always(rcpt) || (birth && attempt.begun >= birth.there))) verdict.bounced.push(what);
      if (accepted && !always(rcpt) && !(birth && attempt.ended >= birth.asked)) verdict.invented.push(what);
    }
  }
}

function judgeCopies(
  message: Message,
  rcpt: string,
  stored: readonly Taken[],
  { explain, evidence }: { explain: Explain; evidence: Evidence },
  verdict: Verdict,
): void {
  const copies = (one: Taken): number => one.rcpts.filter((to) => to === rcpt).length;
  const heardIn = (attempts: readonly Attempt[]): number =>
    attempts.flatMap(({ slots }) => slots).filter((slot) => slot.rcpt === rcpt && slot.code === 250).length;
  const heard = heardIn(message.attempts);
  const there = stored.reduce((sum, one) => sum + copies(one), 0);
  if (there < heard) verdict.lost.push(`${message.id} for ${rcpt}: ${heard} times 250, ${there} copies`);
  let more = Math.max(0, there - message.rcpts.filter((to) => to === rcpt).length);
  for (const one of stored) {
    const attempts = message.attempts.filter(({ session }) => session === one.session);
    for (let unheard = copies(one) - heardIn(attempts); unheard > 0; unheard -= 1) {
      if (more === 0) verdict.spared += 1;
      const later = stored.find((other) => other.at > one.at && copies(other) > 0);
      const reason = more === 0 ? undefined : explain(message, one, later);
      if (reason === undefined) continue;
      more -= 1;
      verdict.twice.set(reason, (verdict.twice.get(reason) ?? 0) + 1);
    }
  }
  if (more > 0) verdict.unexplained.push(storyOf(message, rcpt, stored, evidence));
}

/** Why the MTA came again with what a backend had taken already; undefined where nothing on record did it. */
function explainer({ connections, faults, grace }: Evidence): Explain {
  const happened = (target: string, kinds: RegExp, from: number, to: number): boolean =>
    faults.some((fault) => fault.target === target && kinds.test(fault.kind) && fault.from <= to && fault.to >= from);
  const begun = (target: string, kind: string, from: number, to: number): boolean =>
    faults.some((fault) => fault.target === target && fault.kind === kind && fault.from >= from && fault.from <= to);
  const killed = ({ proxy, begun, ended }: Attempt): Fault | undefined =>
    faults.find(({ target, kind, from }) => target === proxy && kind === 'kill' && from >= begun && from <= ended);
  return (message, one, later) => {
    const at = message.attempts.findIndex(({ session }) => session === one.session);
    const attempt = message.attempts[at];
    // The one that brought the next copy; where this one came last of all, it was on its way while the MTA came again.
    const next = message.attempts.find(({ session }) => session === later?.session) ?? message.attempts[at + 1];
    if (!attempt || !next) return undefined;
    const connection = connectionOf(one, connections);
    const unread = connection !== undefined && connection.passed < one.at;
    // What was passed on just before the cut may not have been read: the cut takes it along.
    const cut = unread || (connection?.ended ?? Infinity) - (connection?.passed ?? 0) < atOnce;
    if (cut && (connection?.by === 'cut' || connection?.by === 'swallow'))
      return 'connection to the backend cut before its reply was read';
    if (unread && connection.by === 'backend' && happened(one.backend, /kill$/, one.at, connection.ended ?? 0))
      return 'backend killed before its reply was read';
    const unheardIn = ({ slots }: Attempt): boolean =>
      slots.some(({ rcpt, code }) => code === 0 && one.rcpts.includes(rcpt));
    const silent = unheardIn(attempt);
    const kill = killed(attempt);
    if (silent && kill) {
      const answered = !unread && connection && connection.passed <= kill.from;
      if (!answered) return 'proxy killed before the backend had answered';
      const others = attempt.slots.some(({ rcpt, accepted }) => accepted && !one.rcpts.includes(rcpt));
      const owing = others ? ', another backend owing its own' : '';
      return `proxy killed between the reply of the backend and its own${owing}`;
    }
    const between = message.attempts.slice(at + 1, message.attempts.indexOf(next));
    if (between.some((other) => unheardIn(other) && killed(other)))
      return 'proxy killed between the reply that was remembered and its own';
    // When the reply came that was too late for the MTA: it is kept at once.
    const came = unread ? Infinity : (connection?.passed ?? 0) + aMoment;
    // Told to end, it listens until its grace is over.
    const told = faults.find(
      ({ target, kind, from, to }) =>
        target === one.proxy && kind === 'restart' && to >= attempt.begun && from <= Math.min(next.ended, came),
    );
    if (told && (unread || (connection?.passed ?? 0) >= told.from + grace - aMoment))
      return 'proxy told to end, its grace over before the backend had answered';
    if (begun(one.proxy, 'kill', attempt.ended, Math.min(next.ended, came)))
      return 'proxy killed while it listened for a late reply';
    const late = connection === undefined || connection.passed > next.begun || unread;
    const held = [one.backend, one.proxy].some((target) => happened(target, slow, attempt.begun, next.begun));
    if (late && held) return 'brought again while the backend or its proxy was held up, and had not answered yet';
    // Its client had hung up, or was told to come again by a proxy that ended.
    if (!unread && connection && connection.passed > next.begun) return 'brought again before the backend had answered';
    if (!unread && connection && connection.passed > next.begun - aMoment)
      return 'brought again at the moment in which the backend answered';
    // The answer comes too late for it then, though it has been taken out.
    if (happened(next.proxy, /^stop$/, next.begun, next.ended))
      return 'proxy stopped while it asked for the reply that was remembered';
    if (happened('redis', /./, one.at - redisSlow, next.ended))
      return 'Redis away: the reply could not be kept, or not be found';
    return undefined;
  };
}

/** The one that it came by; ports are used again. */
function connectionOf(one: Taken, connections: readonly Relayed[]): Relayed | undefined {
  return connections.findLast(
    ({ backend, port, begun, ended = Infinity }) =>
      backend === one.backend && port === one.peer && begun <= one.at && ended >= one.at - atOnce,
  );
}

function storyOf(message: Message, rcpt: string, stored: readonly Taken[], { connections, faults }: Evidence): string {
  const attempts = message.attempts.map(({ session, begun, ended, slots }) => {
    const said = slots.filter((slot) => slot.rcpt === rcpt).map(({ code, text }) => `${code} (${text})`);
    return `${session} ${time(begun)}-${time(ended)} heard ${said.join(', ')}`;
  });
  const copies = stored
    .filter((one) => one.rcpts.includes(rcpt))
    .map((one) => {
      const { passed = 0, ended = 0, by = 'nobody' } = connectionOf(one, connections) ?? {};
      const end = `last passed on something at ${time(passed)}, ended by ${by} at ${time(ended)}`;
      return `${one.backend} took it from ${one.session} at ${time(one.at)}; port ${one.peer} ${end}`;
    });
  const [from, to] = [message.attempts[0]?.begun ?? 0, message.attempts.at(-1)?.ended ?? 0];
  const during = faults
    .filter((fault) => fault.from <= to && fault.to >= from - redisSlow)
    .map((fault) => `${fault.target} ${fault.kind} ${time(fault.from)}-${time(fault.to)}`);
  return [`${message.id} for ${rcpt}, of ${message.rcpts.join()}`, ...attempts, ...copies, ...during].join('\n    ');
}

function time(at: number): string {
  return at < Infinity ? new Date(at).toISOString().slice(11, 23) : 'no time';
}

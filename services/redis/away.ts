// How errors say that somebody who was asked, Redis or another, does not answer.

/** How the system says so (errno(3), getaddrinfo(3)). */
const awayCodes = new Set<unknown>([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH'],
  ...['ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN'],
]);

/** How many causes of causes are looked at. */
const deepest = 8;

/** An error, its cause, that one's cause, and so on. */
export function* causesOf(error: unknown): Generator<Error> {
  let here = error;
  for (let depth = 0; depth < deepest && here instanceof Error; depth += 1) {
    yield here;
    here = here.cause;
  }
}

/**
 * Whether an error says so by itself, its causes aside. ioredis tells most of its own apart by their words only; LOADING is
 * Redis' own, while it reads its data. A Unix socket that is not there is one nobody listens at.
 */
export function saysAway(error: Error): boolean {
  const { kind, code, syscall, name, message } = error as NodeJS.ErrnoException & { kind?: unknown };
  if (kind === 'away' || awayCodes.has(code) || (code === 'ENOENT' && syscall === 'connect')) return true;
  if (name === 'TimeoutError' || name === 'MaxRetriesPerRequestError') return true;
  return /^(?:Connection is closed|Command timed out|Stream isn't writeable|Socket timeout|LOADING )/.test(message);
}

/** Whether an error or one of its causes says so. */
export function isAway(error: unknown): boolean {
  for (const one of causesOf(error)) if (saysAway(one)) return true;
  return false;
}

// What the roles that route recipients share: counting what was found, and knowing whom a first message makes.
import type { Bytes } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { unfitUserName } from '../address/user-name.ts';
import type { Config } from '../config/schema.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Route } from '../lmtp/router.ts';
import type { Metrics } from '../metrics/metrics.ts';

/**
 * Tells whether a first message makes the user of an INBOX; undefined where it makes nobody. Whom no server could have is
 * unknown, and not being made.
 */
export function madeByFirstMessage({ users }: Config): ((mailbox: Bytes) => boolean) | undefined {
  const { names } = users.autocreate;
  if (names.length === 0) return undefined;
  const patterns = names.map((pattern) => mailboxPattern(bytesFromText(pattern)));
  return (mailbox) => unfitUserName(mailbox) === undefined && patterns.some((fits) => fits(mailbox));
}

/** A route, its lookup counted by what it found. */
export function countedRoute(route: Route | Promise<Route>, metrics: Metrics): Route | Promise<Route> {
  if (route instanceof Promise) return route.then((late) => countedRoute(late, metrics));
  const { finding } = route;
  if (finding) metrics.countLookup(finding.found ? 'found' : finding.proven ? 'absent' : 'unproven');
  else if (route.failure !== undefined) metrics.countLookup('failed');
  return route;
}

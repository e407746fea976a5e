// Who gives way when others wait for a backend: the MTA that takes its time over a message keeps a connection from them.

/** A message on its way to a backend. */
export interface Sending {
  /** Since when the backend has been ready for it, in the milliseconds of `performance.now()`. */
  since: number;
  /** Bytes of it that the backend has taken. */
  octets: number;
  /** It has not ended, and the backend has taken all that there is: it is the MTA that is waited for. */
  waitsForMta: boolean;
  /** Gives its connection up. */
  giveWay: () => void;
}

/** Nobody has to give way before so many milliseconds. */
const patience = 5_000;

/**
 * In bytes a second; nobody gives way who brings more. (Postfix' `smtpd_min_data_rate` is 500, but LMTP is for networks
 * that are near, RFC 2033 section 1.)
 */
const lowestPace = 5_000;

/** The slowest of those who are too slow; undefined when nobody is. */
export function slowest(messages: Iterable<Sending>, now: number): Sending | undefined {
  let [found, pace]: [Sending | undefined, number] = [undefined, lowestPace];
  for (const message of messages) {
    const took = now - message.since;
    if (!message.waitsForMta || took < patience || (1000 * message.octets) / took >= pace) continue;
    [found, pace] = [message, (1000 * message.octets) / took];
  }
  return found;
}

// What sync_client says while it runs, and what that means. Pure.

/** What has been gathered of one run's output, of which most is of no interest. */
export interface SyncWords {
  /** It cannot reach the replica, and would try again for up to a thousand seconds (of which its -o does nothing in 3.6). */
  unreachable: boolean;
  /** The backend does not have this user. (It ends with 0 then, and leaves the replica as it is.) */
  absent: boolean;
  /** Somebody else has a lock on a mailbox, or changed it meanwhile. */
  busy: boolean;
  /** What it complains of, the last of it. */
  complaints: readonly string[];
}

export const nothingSaid: SyncWords = { unreachable: false, absent: false, busy: false, complaints: [] };

/** How many complaints are kept. */
const mostComplaints = 6;

/** It says so with -v -v, for it has a line for syslog only, which stands on standard error then with its own name before it. */
const syslogged = /^\S*sync_client\[\d+\]: +(.*)$/;

/** What it tells syslog when all is well. */
const harmless =
  /^(?:Destination supports|Reprocessing sync log file|graceful shutdown|couldn't authenticate to backend)/;

/** The words with one line more. What it and the replica say to each other (-v -v) is passed over: mail is among it. */
export function heard(words: SyncWords, line: string): SyncWords {
  if (/^[<>]\d+[<>]/.test(line)) return words;
  if (line.startsWith('Does not exist locally ')) return { ...words, absent: true };
  const said = syslogged.exec(line)?.[1] ?? (/^(?:Error |Can not |Fatal |fatal error)/i.test(line) ? line : undefined);
  if (said === undefined || harmless.test(said)) return words;
  const others = words.complaints.filter((one) => one !== said);
  return {
    ...words,
    unreachable: words.unreachable || said.startsWith('Can not connect to server'),
    busy: words.busy || /LOCKED|IMAP_AGAIN|is locked/.test(said),
    complaints: [...others, said].slice(-mostComplaints),
  };
}
